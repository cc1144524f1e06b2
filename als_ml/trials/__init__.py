"""Size, power and recruitment of a trial that adjusts for a prediction or enrols by it."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "patients": ["Pool", "pool_of"],
        "planning": ["Settings", "plan"],
        "sizes": ["patients_for_difference", "events_for_hazard_ratio"],
        "writing": ["write_plan"],
    },
)
