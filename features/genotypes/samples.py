"""Match the names of samples in genetic files to patients: exactly or through `sample_map`.

Near misses are suggested.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from features.errors import examples
from features.tables.problems import Problems


def normal_name(name: str) -> str:
    """Take away what tools and people put around a sample name: blanks, case, a `0_` prefix, a
    doubled name.

    Parameters
    ----------
    name : str
        As a file or a person writes it.

    Returns
    -------
    str
        Two samples with the same one are probably the same.

    Examples
    --------
    >>> normal_name(" ALS-001 "), normal_name("0_als-001"), normal_name("ALS-001_ALS-001")
    ('als-001', 'als-001', 'als-001')
    """
    plain = re.sub(r"\s+", "", name).lower().removeprefix("0_")
    half = len(plain) // 2
    return (
        plain[:half]
        if plain[half : half + 1] in ("_", "-") and plain[:half] == plain[half + 1 :]
        else plain
    )


def near_misses(patients: Iterable[str], samples: Iterable[str]) -> dict[str, str]:
    """Patient -> the one sample whose name differs in blanks, case, a prefix or a suffix only.

    Parameters
    ----------
    patients : iterable of str
        Names without a sample.
    samples : iterable of str
        Samples without a patient.

    Returns
    -------
    dict
        Only patients with exactly one candidate.

    Examples
    --------
    >>> near_misses(["P1", "P2", "P3"], ["p1", "P2_S14_L001", "x"])
    {'P1': 'p1', 'P2': 'P2_S14_L001'}
    """
    by_name: dict[str, list[str]] = {}
    for sample in samples:
        plain = normal_name(sample)
        for spelled in {plain, re.split(r"[._]", plain)[0]}:
            by_name.setdefault(spelled, []).append(sample)
    candidates = {name: by_name.get(normal_name(name), []) for name in patients}
    return {name: matches[0] for name, matches in candidates.items() if len(matches) == 1}


def check_match(
    vcf_rows: dict[str, int],
    absent: list[str],
    strangers: set[str],
    paths: list[Path],
    problems: Problems,
) -> None:
    """Report patients without a sample: an error if none has one, else a warning, with the near
    misses as suggestion.

    Parameters
    ----------
    vcf_rows : dict
        Sample name that each patient should have -> patient index.
    absent : list of str
        Those of them that no file holds.
    strangers : set of str
        Samples of the files that are not patients.
    paths : list of Path
        The files, for the message.
    problems : Problems
        Gets the error or the warning.
    """
    if not absent:
        return
    where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    near = near_misses(absent, strangers)
    pairs = examples(f"{name} -> {sample}" for name, sample in near.items())
    advice = (
        "Near misses, to be put into a `sample_map` table (sample_id, vcf_id) if they are right:"
        f" {pairs}."
        if near
        else ""
    )
    if len(absent) == len(vcf_rows):
        reason = (
            f"none of the {len(vcf_rows)} patients ({examples(vcf_rows)}) is a sample of it"
            f" ({examples(sorted(strangers))})"
        )
        problems.error(
            where,
            reason,
            advice or "Give the pairs in a `sample_map` table (sample_id, vcf_id).",
            code="samples_unmatched",
        )
    else:
        reason = (
            f"{len(absent)} of {len(vcf_rows)} patients are not samples of it ({examples(absent)})"
        )
        problems.warn(
            where,
            reason,
            f"Their genotypes stay unknown. {advice}".strip(),
            len(absent),
            code="samples_unmatched",
        )
