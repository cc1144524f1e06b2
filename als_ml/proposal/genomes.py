"""Which name in a VCF is which patient: equal names, else those that are alike in what counts."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_DIGITS = re.compile(r"\d+")
# Suffixes that sequencing adds to a sample's name.
_SUFFIX = re.compile(r"[_.-](?:S\d+|L\d+|R\d|sorted|dedup|merged|dna)$", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """A patient and a name in a VCF; `score` is 1 where they are equal, less where they are only
    alike (P), and `why` says in what.
    """

    sample_id: str
    vcf_id: str
    score: float
    why: str


def match_names(patients: Sequence[str], samples: Sequence[str]) -> list[Match]:
    """The name of each patient in the VCF, where exactly one patient fits it and the other way
    round.

    Parameters
    ----------
    patients, samples : sequence of str
        Names in the tables and in the VCF.

    Returns
    -------
    list of Match
        In the order of the patients; who has none is left out.

    Examples
    --------
    >>> for match in match_names(["0032", "A7", "B1"], ["ALS-32_S1", "A7", "C9"]):
    ...     print(match)
    Match(sample_id='0032', vcf_id='ALS-32_S1', score=0.6, why='the same number')
    Match(sample_id='A7', vcf_id='A7', score=1.0, why='equal')
    """
    found: dict[str, Match] = {}
    left = list(samples)
    for score, why, form in _FORMS:
        mine = [name for name in patients if name not in found]
        ours, theirs = _unique(mine, form), _unique(left, form)
        for key, name in ours.items():
            if key and key in theirs:
                found[name] = Match(sample_id=name, vcf_id=theirs[key], score=score, why=why)
        taken = {match.vcf_id for match in found.values()}
        left = [name for name in left if name not in taken]
    return [found[name] for name in patients if name in found]


def _unique(names: Sequence[str], form: Callable[[str], str]) -> dict[str, str]:
    """Form of a name -> the name, where no other name has it."""
    forms = {name: form(name) for name in names}
    counts = Counter(forms.values())
    return {key: name for name, key in forms.items() if counts[key] == 1}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _SUFFIX.sub("", name).lower())


def _number(name: str) -> str:
    """The longest run of digits without leading zeros."""
    runs = [run.lstrip("0") for run in _DIGITS.findall(_SUFFIX.sub("", name))]
    return max(runs, key=len, default="")


# How like two names are, why, and the form that must be equal.
_FORMS = (
    (1.0, "equal", str),
    (0.9, "equal but for case and signs", _plain),
    (0.6, "the same number", _number),
)
