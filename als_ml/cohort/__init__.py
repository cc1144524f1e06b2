"""The one door from files or a request to a cohort, and what is wrong with them."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "check": ["check_cohort"],
        "digests": ["data_digest", "file_digests"],
        "in_parts": ["LargeCohort", "large_cohort"],
        "read": ["Reading", "plain_reading", "read_cohort"],
        "records": ["read_records"],
        "source": ["CohortFile", "CohortSource", "open_cohort"],
    },
)
