"""What a feature is: the rows of the feature dictionary."""

from typing import NamedTuple


class Feature(NamedTuple):
    """Name, block, unit, meaning and source of one column of the feature matrix."""

    name: str
    block: str
    unit: str
    meaning: str
    source: str
