"""From a configuration and a cohort to a validated model and its estimates."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "folds": ["cross_validate", "leave_one_site_out"],
        "honesty": ["honesty_checks"],
        "metrics": ["evaluate", "paired_differences"],
        "preview": ["preview_of"],
        "run": ["Training", "summary", "train"],
        "task_data": ["Trainable", "make_labels", "prepare", "prepared"],
    },
)
