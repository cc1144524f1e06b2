"""What MLflow keeps of a run, never a row of a patient.

And the one door to a model that it keeps.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "documents": ["write_documents"],
        "loader": ["load"],
        "log": ["log_training", "push"],
        "pictures": ["draw_run"],
        "run_folder": ["read_run", "write_run"],
    },
)
