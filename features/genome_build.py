"""Genome builds by all of their names."""

import re

# Other names of a build; `.p13` and the like behind it name patches, which move nothing.
_BUILD_NAMES = {
    "grch37": "GRCh37",
    "hg19": "GRCh37",
    "b37": "GRCh37",
    "hs37d5": "GRCh37",
    "37": "GRCh37",
    "grch38": "GRCh38",
    "hg38": "GRCh38",
    "b38": "GRCh38",
    "38": "GRCh38",
}
_PATCH = re.compile(r"\.p\d+$")


def known_build(name: str) -> str:
    """A genome build by any of its names.

    Parameters
    ----------
    name : str
        As a user writes it.

    Returns
    -------
    str
        GRCh37 or GRCh38; the name itself where nobody knows it.

    Examples
    --------
    >>> known_build("hg19"), known_build("GRCh38.p14"), known_build("T2T")
    ('GRCh37', 'GRCh38', 'T2T')
    """
    return _BUILD_NAMES.get(_PATCH.sub("", name.strip().lower()), name)
