"""The pages that people read: cohort, patient, care protocol, phenopackets."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "cohort_page": ["write_report"],
        "phenopacket_export": ["write_phenopackets"],
        "protocol": ["read_rules"],
        "report": ["make_report"],
    },
)
