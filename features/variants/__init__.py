"""What a variant is, what is known of it and what it weighs."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "annotation": ["Effect", "effect_of"],
        "evidence": ["Assessment", "Sources", "assess"],
        "gene_models": ["coding_bases", "transcripts"],
        "lookups": ["Lookups", "predicted_effects", "read_clinvar", "read_frequencies"],
        "variant": ["Variant", "describe", "inheritance"],
        "weigh": ["weigh_sites"],
    },
)
