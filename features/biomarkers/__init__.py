"""Measured values with their analyte, unit, assay, limits and what is derived from them."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "derived": ["with_derived"],
        "measurements": ["checked_biomarkers"],
        "units": ["unit_factor"],
        "wide": ["Wide", "checked_wide"],
    },
)
