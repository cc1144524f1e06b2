"""What a feature block must bring, and how it is found by its name.

Ours are files of this folder. Another package adds one by an entry point of the group
`als_ml.blocks` that names a `Block`, once the site allows that package (`features.plugins`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from features.errors import RequestError, nearest
from features.plugins import Plugin, offered

# Nothing heavy is imported here: a configuration is checked against the names alone.
if TYPE_CHECKING:
    import numpy as np

    from features.blocks.dictionary import Feature
    from features.blocks.spec import FeatureSpec
    from features.catalogue import Definitions
    from features.cohort import AnyCohort

GROUP = "als_ml.blocks"
# In the order of their columns. The last one only where a configuration names it.
OURS = ("genetics", "clinical", "biomarkers", "alsfrs", "prognosis", "mechanisms")
BLOCKS = OURS[:-1]

Describe = Callable[["FeatureSpec", "Definitions"], "Iterable[Feature]"]
Compute = Callable[
    ["AnyCohort", "FeatureSpec", "Mapping[str, np.ndarray]"], "Mapping[str, np.ndarray]"
]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A group of features.

    Attributes
    ----------
    name : str
        What `features.blocks` of a configuration says, and `Feature.block` of its columns.
    dictionary : callable (spec, definitions) -> features
        Its columns in order.
    compute : callable (cohort, spec, values) -> mapping
        Column -> array (n,) of float, NaN where unknown. The cohort is cut at the landmark already;
        `values` holds the columns of the blocks in `needs`, and of every other that the model sees
        and that comes before. Of a large cohort it gets some patients at a time, so what it says of
        one may not depend on the others.
    needs : tuple of str
        Blocks whose columns it reads; they are computed even where the model does not see them.
    """

    name: str
    dictionary: Describe
    compute: Compute
    needs: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """Names of all blocks: ours, then those of allowed packages in alphabetical order."""
    return (*OURS, *sorted(set(offered(GROUP)) - set(OURS)))


def plugin_of(name: str) -> Plugin | None:
    """The package that a block comes from; None for ours.

    Parameters
    ----------
    name : str
        Of a block that exists.

    Returns
    -------
    Plugin or None
        Allowed, and of the pinned version.
    """
    return None if name in OURS else offered(GROUP)[name]


@cache
def block(name: str) -> Block:
    """The block of a name.

    Parameters
    ----------
    name : str
        Ours, or one that an allowed package registers.

    Returns
    -------
    Block
        Under that name.

    Raises
    ------
    RequestError
        If there is none, or the package that has it is not allowed.
    """
    if name in OURS:
        registered = import_module(f"features.blocks.{name}").BLOCK
    elif name in offered(GROUP):
        registered = offered(GROUP)[name].load(name)
    else:
        raise RequestError(
            f"block {name!r}", "there is no such block", nearest(name, names()), code="name_unknown"
        )
    if not isinstance(registered, Block) or registered.name != name:
        remedy = "Ask who made the package: its entry point must name a Block of that name."
        raise RequestError(
            f"block {name!r}", "its package does not register it", remedy, code="package_needed"
        )
    return registered


def needed(seen: Iterable[str]) -> list[str]:
    """The blocks to compute for those that a model sees, in the order of `names`.

    >>> needed(["prognosis"])
    ['clinical', 'biomarkers', 'alsfrs', 'prognosis']
    """
    wanted, left = set(), list(seen)
    while left:
        name = left.pop()
        if name not in wanted:
            wanted.add(name)
            left += block(name).needs
    return [name for name in names() if name in wanted]
