"""Time to event: what is learned of it, and a survival curve of each patient."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "curve": ["SurvivalCurve"],
        "fitted": ["FittedSurvival", "fit_survival"],
    },
)
