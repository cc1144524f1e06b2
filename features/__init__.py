"""From files to one row per patient: VCF, repeats, biomarkers, ALSFRS-R and clinical tables.

Imports none of our packages.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "catalogue": ["Definitions", "shipped"],
        "cohort": ["Cohort"],
        "errors": ["DataError", "RequestError", "UserError"],
        "patients": ["checked_patients"],
    },
)
