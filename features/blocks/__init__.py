"""The feature blocks, the landmark that they stop at, and the rows that they make."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "dictionary": ["Feature"],
        "genetics": ["genetic_cause"],
        "landmark": ["as_known"],
        "mechanisms": ["genetic_evidence"],
        "registry": ["Block"],
        "spec": ["FeatureSpec"],
        "rows": ["feature_dictionary", "feature_matrix", "feature_rows"],
    },
)
