"""What happens to a registered model: promotion, monitoring, recalibration, locks."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "comparison": ["compare", "scored_cohort"],
        "lock": ["locked_predictor", "read_lock", "write_lock"],
        "monitoring": ["drift_table"],
        "promotion": ["promote", "promotion_log"],
        "recalibration": ["recalibrate"],
        "registry": ["registered_version", "run_config"],
        "reproduction": ["reproduce"],
    },
)
