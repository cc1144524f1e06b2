"""What a feature is: the rows of the feature dictionary."""

from collections.abc import Iterable
from typing import NamedTuple

# Edition of the feature dictionary that a new model gets. A change of which columns there are, or
# of what one means, is a new edition; blocks leave out for an older one what came later, so that a
# stored model keeps the columns it was trained with. 1: before editions were counted. 2: items,
# both ALSFRS scales, months since onset, vital capacity in litres, tube types. 3: structural
# variants that take exons, and phase (two alleles on one chromosome are one copy).
EDITION = 3
# From which edition on phase and structural variants are read.
HAPLOTYPES_FROM = 3


class Feature(NamedTuple):
    """Name, block, unit, meaning and source of one column of the feature matrix."""

    name: str
    block: str
    unit: str
    meaning: str
    source: str


# Name, unit, meaning and source of a column: a line of a block's table.
Row = tuple[str, str, str, str]


def described(block: str, rows: Iterable[Row]) -> list[Feature]:
    """The entries of a block, from its table.

    Parameters
    ----------
    block : str
        Name of the feature block, as in `features.blocks` of a configuration.
    rows : iterable of (name, unit, meaning, source)
        One a column, in the order of the matrix.

    Returns
    -------
    list of Feature
        One a row.
    """
    return [
        Feature(name=name, block=block, unit=unit, meaning=meaning, source=source)
        for name, unit, meaning, source in rows
    ]
