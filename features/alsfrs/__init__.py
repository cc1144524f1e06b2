"""The ALSFRS and ALSFRS-R as measurements: visits, slopes, stages, the ENCALS score."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "encals": ["linear_predictor", "median_months"],
        "mixed_model": ["Course", "fit_course"],
        "slopes": ["decline"],
        "stages": ["kings_stage", "mitos_stage"],
        "visits": ["checked_visits", "of_scale"],
    },
)
