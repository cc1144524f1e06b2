"""Repeat sizes from ExpansionHunter and TRGT VCF files and from the laboratory, and the state they
mean.

ExpansionHunter (v5 and older): INFO VARID/REPID name the locus; FORMAT REPCN and REPCI (older CN,
CI) hold the sizes of both alleles and their intervals, separated by `/`; FILTER LowDepth. TRGT:
INFO TRID; FORMAT MC (motif counts) and ALLR (allele length ranges in bases), separated by `,`.
Sizes are in repeat units; thresholds are `definitions/repeats.tsv`.

The longer allele's interval decides. LowDepth, a missing allele or an interval across a boundary is
indeterminate, unless its lower end is already expanded. A locus without a record is not tested:
never normal.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
import pysam

from features.catalogue import Definitions, derived, repeat_loci
from features.errors import DataError
from features.genotypes.vcf import check_build, read_header
from features.tables.columns import Frame
from features.tables.problems import Problems

_SIZES = dict.fromkeys(["short", "long", "ci_low", "ci_high"], float)
CALL_TYPES = {"row": int, "locus": object, **_SIZES, "complete": bool}
# Keys of INFO that name the locus, by tool and version.
_LOCUS_KEYS = ("VARID", "REPID", "TRID")
STATES = ("not_tested", "indeterminate", "normal", "intermediate", "risk", "expanded")
# Codes of the states. From NORMAL on a state is definite, and a higher one means more repeats.
NOT_TESTED, INDETERMINATE, NORMAL, INTERMEDIATE, RISK, EXPANDED = range(len(STATES))
_CODES = {name: code for code, name in enumerate(STATES)}
# Laboratory methods that can size large expansions and therefore override short reads (contract,
# section Tables).
LABORATORY = ("rp_pcr", "southern", "long_read")


class _Call(TypedDict):
    """One sample at one record: sizes in repeat units (NaN missing), the interval of the longer
    allele, whether FILTER passed, and how many alleles have a size.
    """

    row: int
    locus: str
    short: float
    long: float
    ci_low: float
    ci_high: float
    complete: bool
    alleles: int


def read_repeats(
    definitions: Definitions,
    paths: list[Path],
    build: str,
    vcf_rows: dict[str, int],
    problems: Problems,
) -> pd.DataFrame:
    """Read the repeat calls of all patients, one row a patient and locus.

    Parameters
    ----------
    definitions : Definitions
        Whose loci are read.
    paths : list of Path
        ExpansionHunter or TRGT VCF files.
    build : str
        GRCh37 or GRCh38; a file of the other build is refused.
    vcf_rows : dict
        Sample name in the VCF -> patient index.
    problems : Problems
        Gets a warning if no patient has a call.

    Returns
    -------
    DataFrame
        `row`, `locus`, sizes `short` and `long` (repeat units, NaN missing), the interval of the
        longer allele `ci_low`, `ci_high`, and `complete` (both alleles called, FILTER passed).

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    records: list[_Call] = []
    for path in paths:
        check_build(definitions, read_header(path), build, str(path))
        try:
            with pysam.VariantFile(str(path)) as file:
                records += _records(definitions, file, vcf_rows)
        except (OSError, ValueError) as error:
            raise DataError(
                str(path),
                f"this repeat file cannot be read ({error})",
                "Repair the file.",
                code="file_unreadable",
            ) from None
    calls = pd.DataFrame(records, columns=[*CALL_TYPES, "alleles"])
    if paths and calls.empty:
        reason = "no patient has a repeat call at " + " or ".join(repeat_loci(definitions).index)
        problems.warn(
            str(paths[0]),
            reason,
            "C9orf72 stays not tested; check the sample names and the catalogue used.",
            code="genome_repeats",
        )
    return _one_per_locus(calls)


def _records(
    definitions: Definitions, file: pysam.VariantFile, vcf_rows: dict[str, int]
) -> Iterator[_Call]:
    loci = {name.upper(): name for name in repeat_loci(definitions).index}
    for record in file:
        stated = [str(record.info[key]).upper() for key in _LOCUS_KEYS if key in record.info]
        # Catalogues put the disease first: ALS_C9orf72, FTDALS1-C9orf72.
        names = [re.split(r"[_-]", name)[-1] for name in stated]
        locus = next((loci[name] for name in names if name in loci), None)
        if locus is None:
            continue
        passed = not set(record.filter.keys()) - {"PASS"}
        for sample, call in record.samples.items():
            if sample in vcf_rows:
                yield from _call(call, record, vcf_rows[sample], locus, passed)


def _call(
    call: pysam.VariantRecordSample, record: pysam.VariantRecord, row: int, locus: str, passed: bool
) -> Iterator[_Call]:
    sizes, intervals = _sizes(call, record)
    if not sizes:
        return
    longer = int(np.argmax(sizes))
    without_interval = (sizes[longer], sizes[longer])
    low, high = intervals[longer] if longer < len(intervals) else without_interval
    yield {
        "row": row,
        "locus": locus,
        "short": min(sizes) if len(sizes) >= 2 else np.nan,
        "long": sizes[longer],
        "ci_low": low,
        "ci_high": high,
        "complete": passed,
        "alleles": len(sizes),
    }


def _sizes(
    call: pysam.VariantRecordSample, record: pysam.VariantRecord
) -> tuple[list[float], list[tuple[float, float]]]:
    """Sizes and intervals of the called alleles, in repeat units."""
    if "MC" in call:
        motif = _motif_length(record)
        sizes = [float(part.split("_")[0]) for part in _parts(call, "MC", ",")]
        bases = [_interval(part) for part in _parts(call, "ALLR", ",")]
        return sizes, [(np.floor(low / motif), np.ceil(high / motif)) for low, high in bases]
    sizes = [float(part) for key in ("REPCN", "CN") for part in _parts(call, key, "/")]
    intervals = [_interval(part) for key in ("REPCI", "CI") for part in _parts(call, key, "/")]
    return (sizes, intervals) if sizes else (_symbolic_sizes(call, record), [])


def _motif_length(record: pysam.VariantRecord) -> int:
    """Bases of the first motif that TRGT names."""
    motifs = record.info["MOTIFS"]
    return len(str(motifs[0] if isinstance(motifs, tuple) else motifs))


def _parts(call: pysam.VariantRecordSample, key: str, separator: str) -> list[str]:
    value = call.get(key)
    text = separator.join(str(v) for v in value) if isinstance(value, tuple) else str(value)
    return [part for part in text.split(separator) if part not in (".", "", "None")]


def _interval(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low), float(high or low)


def _symbolic_sizes(call: pysam.VariantRecordSample, record: pysam.VariantRecord) -> list[float]:
    """Sizes from GT and `<STRn>` alleles, for files that dropped the other fields."""
    alts = [re.fullmatch(r"<STR(\d+)>", alt) for alt in record.alts or ()]
    sizes = [
        float(record.info["REF"]) if "REF" in record.info else np.nan,
        *(float(m[1]) if m else np.nan for m in alts),
    ]
    return [
        sizes[allele]
        for allele in call.get("GT") or ()
        if allele is not None and np.isfinite(sizes[allele])
    ]


def _one_per_locus(calls: pd.DataFrame) -> pd.DataFrame:
    """Join alleles that a file lists in separate records.

    The longer one keeps its interval, all must have passed.
    """
    calls = calls.sort_values(["row", "locus", "long"], ignore_index=True)
    groups = calls.groupby(["row", "locus"], sort=True)
    last = calls.drop_duplicates(["row", "locus"], keep="last").reset_index(drop=True)
    alleles, passed = groups["alleles"].sum().to_numpy(), groups["complete"].min().to_numpy()
    split = groups.size().to_numpy() > 1
    short = np.where(split, groups["long"].min().to_numpy(), last["short"].to_numpy(dtype=float))
    whole = (alleles >= 2) & passed.astype(bool)
    return last.assign(short=short, complete=whole)[list(CALL_TYPES)].astype(CALL_TYPES)


def repeat_state(
    definitions: Definitions, locus: str, low: np.ndarray, high: np.ndarray, complete: np.ndarray
) -> np.ndarray:
    """State of the longer allele from its interval (repeat units), as index into STATES.

    Parameters
    ----------
    definitions : Definitions
        Whose thresholds count.
    locus : str
        As `C9orf72`.
    low, high : array (n,)
        Interval of the longer allele, repeat units; NaN not tested.
    complete : array of bool (n,)
        Both alleles called, FILTER passed.

    Returns
    -------
    array of int (n,)
        NOT_TESTED where `low` is unknown.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> def at(low, high, complete=True):
    ...     cells = map(np.array, ([low], [high], [complete]))
    ...     return STATES[repeat_state(tables, "C9orf72", *cells)[0]]
    ...
    >>> at(2, 8), at(24, 30), at(31, 59)
    ('normal', 'intermediate', 'expanded')
    >>> at(22, 25), at(28, 40), at(2, 8, complete=False)
    ('indeterminate', 'indeterminate', 'indeterminate')
    >>> at(45, 900, complete=False)
    'expanded'
    """
    states, beginnings = _bounds(definitions, locus)
    of_low = states[np.searchsorted(beginnings, low, side="right")]
    of_high = states[np.searchsorted(beginnings, high, side="right")]
    decided = complete & (of_low == of_high)
    # What is expanded at its lower end is expanded, whatever else was not seen.
    state = np.where(decided | (of_low == EXPANDED), of_low, INDETERMINATE)
    return np.where(np.isnan(low), NOT_TESTED, state)


@derived
def _bounds(definitions: Definitions, locus: str) -> tuple[np.ndarray, np.ndarray]:
    """States of a locus by size, as index into STATES, and where each but the first begins."""
    table = repeat_loci(definitions)
    least = {
        INTERMEDIATE: float(table["intermediate_min"][locus]),
        RISK: float(table["risk_min"][locus]),
        EXPANDED: float(table["expanded_min"][locus]),
    }
    stated = {state: size for state, size in least.items() if np.isfinite(size)}
    return np.array([NORMAL, *stated]), np.array(list(stated.values()))


class RepeatStates:
    """State and sizes of one locus for `n` patients, laboratory results joined to the repeat files.

    Attributes
    ----------
    state : array of n
        Index into STATES: that of `of_file` or `of_laboratory`, as `by_laboratory` says.
    of_file, of_laboratory : arrays of n
        What either says, index into STATES.
    by_laboratory : array of bool of n
        Whether the laboratory's result counts.
    sized : array (n, 2)
        Both alleles as the laboratory sized them, the shorter first; NaN where it said no size.
    longest : array of n
        Size of the longer allele in repeat units where it was called, NaN otherwise.
    conflict : array of n
        Laboratory and short reads disagree between two definite states; the laboratory counts.
    """

    def __init__(
        self,
        definitions: Definitions,
        locus: str,
        calls: Frame,
        patients: Frame,
    ):
        of_locus = calls["locus"].to_numpy(dtype=object) == locus
        row = calls["row"].to_numpy(dtype=int)[of_locus]
        low, high, long = (
            calls[name].to_numpy(dtype=float)[of_locus] for name in ("ci_low", "ci_high", "long")
        )
        complete = calls["complete"].to_numpy(dtype=bool)[of_locus]

        of_file = np.full(len(patients), NOT_TESTED)
        if len(row):
            of_file[row] = repeat_state(definitions, locus, low, high, complete)
        short, measured = _measured(locus, patients)
        laboratory, overrides = _laboratory(definitions, locus, patients, short, measured)
        tested = laboratory != NOT_TESTED
        self.of_file, self.of_laboratory = of_file, laboratory
        self.by_laboratory = tested & (overrides | (of_file == NOT_TESTED))
        self.sized = np.column_stack([short, measured])
        self.state = np.where(self.by_laboratory, laboratory, of_file)
        definite = (laboratory >= NORMAL) & (of_file >= NORMAL)
        self.conflict = definite & (laboratory != of_file)

        by_file = np.full(len(patients), np.nan)
        by_file[row] = long
        self.longest = np.where(np.isfinite(measured), measured, by_file)


def _measured(locus: str, patients: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Both alleles as a laboratory sized them; NaN for a locus that the patients' table lacks."""
    names = [f"{locus.lower()}_allele{i}" for i in (1, 2)]
    if not all(name in patients.columns for name in names):
        return np.full(len(patients), np.nan), np.full(len(patients), np.nan)
    short, long = (patients[name].to_numpy(dtype=float) for name in names)
    return short, long


def _laboratory(
    definitions: Definitions, locus: str, patients: Frame, short: np.ndarray, long: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """State by the laboratory's word or alleles, and whether it overrides short reads."""
    by_size = repeat_state(definitions, locus, long, long, np.isfinite(short))
    if locus != "C9orf72":
        return by_size, np.ones(len(patients), dtype=bool)
    statuses = patients["c9orf72_status"].to_numpy()
    stated = np.array([_CODES.get(status, NOT_TESTED) for status in statuses], dtype=int)
    methods = patients["c9orf72_method"].to_numpy()
    overrides = [method is None or method in LABORATORY for method in methods]
    state = np.where(stated == NOT_TESTED, by_size, stated)
    return state, np.array(overrides, dtype=bool)
