"""The three questions: estimators, pipelines, calibration, uncertainty and explanation.

Definitions, never weights.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "calibration": ["CalibrationMap"],
        "estimators": ["make_pipeline"],
        "fitted": ["Calibration", "FittedModel", "fit_model"],
        "ladder": ["Ladder", "fit_ladder"],
        "members": ["Member", "Recipe"],
        "tasks": ["FAMILIAL", "PROGRESSION", "SURVIVAL", "TASKS", "Task"],
    },
)
