"""Turn what others publish into an ordinary cohort folder."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "amp_als": ["import_amp_als"],
        "omop": ["import_omop"],
        "phenopackets": ["import_phenopackets"],
        "proact": ["import_proact"],
    },
)
