"""The application: from configuration and cohorts to tracked, served models.

From Python: `read_cohort`, `check`, `features`, `labels`, `train`, `load`, `predict`, `explain`
and `report`, each by the same path as the command of its name.
"""

import lazy_loader as lazy

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "api": [
            "check",
            "explain",
            "features",
            "labels",
            "load",
            "predict",
            "read_cohort",
            "report",
            "train",
        ],
        "cohort.check": ["CheckReport"],
        "cohort.read": ["Cohort"],
        "config": ["Config", "load_config"],
        "prediction.predictor": ["Predictor"],
        "training.run": ["Training"],
    },
)
__all__ += ["__version__"]
