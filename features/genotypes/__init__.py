"""From VCF and repeat files to who carries what, where it was assayed, and who are kin."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "calls": ["Calls"],
        "coverage": ["coverage_state"],
        "extraction": ["Panel", "extract", "read_genotypes", "with_targets"],
        "families": ["duplicated", "family_numbers"],
        "genotype": ["Genotypes", "parse_genotype", "zygosity"],
        "repeats": ["RepeatStates", "read_repeats"],
        "vcf": ["CallRule", "read_header", "read_sites", "site_query"],
    },
)
