"""Look at files that nobody has described, and propose a cohort of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from als_ml.cohort.read import without_zeros
from als_ml.proposal.dialect import Written, written
from als_ml.proposal.genomes import match_names
from als_ml.proposal.recognition import Recognised, recognise
from als_ml.proposal.sheets import FoundTable, find_tables
from als_ml.proposal.writing import Proposal
from features import bounds
from features.catalogue import patient_columns, shipped
from features.errors import RequestError
from features.genotypes.vcf import read_header

_GENOMES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
# INFO fields of ExpansionHunter and TRGT that name a locus.
_LOCUS_FIELDS = frozenset(["VARID", "REPID", "TRID"])


def propose(
    files: Sequence[Path], name: str, progress: Callable[[str], None] = lambda _: None
) -> Proposal:
    """What the files are, without a question asked and without a guess that is not marked.

    Parameters
    ----------
    files : sequence of Path
        Workbooks, CSV, TSV, Parquet, VCF and repeat files, in any order.
    name : str
        Of the cohort.
    progress : callable
        Told which file is being looked at.

    Returns
    -------
    Proposal
        For `als_ml.proposal.writing.write_proposal`.

    Raises
    ------
    RequestError
        If no table has the patients, or two tables are the same part of a cohort.
    """
    looked: list[FoundTable] = []
    left: list[str] = []
    genomes = [path for path in files if path.name.lower().endswith(_GENOMES)]
    repeats = [path for path in genomes if _is_repeats(path)]
    variants = [path for path in genomes if path not in repeats]
    for path in files:
        if path in genomes:
            continue
        progress(path.name)
        found, without = find_tables(path)
        left += without + [_too_wide(one) for one in found if _is_wide(one)]
        looked += [one for one in found if not _is_wide(one)]
    tables, strange = _recognised(looked)
    left += [f"{one.shown}: no patient is named in it, or nothing is known" for one in strange]
    chosen, further = _one_each(tables)
    patients = next(one for one in chosen if one.kind == "patients")
    return Proposal(
        name=name,
        tables=chosen,
        variants=variants,
        repeats=repeats,
        build=_build(variants),
        written=_written(chosen),
        matches=match_names(_ids(patients), _samples(variants)),
        left=left + further,
        absent=_absent(chosen),
        from_first_visit=_needs_first_visit(chosen),
        lost_zeros=_lost_zeros(chosen),
    )


def _is_wide(table: FoundTable) -> bool:
    return len(table.cells.columns) > bounds.PROPOSED_COLUMNS


def _too_wide(table: FoundTable) -> str:
    return f"{table.shown}: more than {bounds.PROPOSED_COLUMNS:,} columns"


def _recognised(looked: list[FoundTable]) -> tuple[list[Recognised], list[FoundTable]]:
    """What the tables are, those first that say it themselves; the others by their patients."""
    known = [one for table in looked if (one := recognise(table)) is not None]
    there = {id(one.table) for one in known}
    patients = [one for one in known if one.kind == "patients"]
    ids = {name for one in patients for name in _ids(one)}
    strange = []
    for table in looked:
        if id(table) in there:
            continue
        one = recognise(table, ids)
        if one is None:
            strange.append(table)
        else:
            known.append(one)
    return known, strange


def _one_each(tables: list[Recognised]) -> tuple[list[Recognised], list[str]]:
    """One table of each part: the one with most columns that are known; the others are named."""
    chosen: dict[str, Recognised] = {}
    further = []
    for one in sorted(tables, key=lambda one: -len(one.columns) - len(one.wide)):
        part = "biomarkers" if one.kind == "wide" else one.kind
        if part in chosen:
            where = chosen[part].table.shown
            further.append(f"{one.table.shown}: {part} are read from {where} already")
        else:
            chosen[part] = one
    if "patients" not in chosen:
        raise RequestError(
            "init",
            "no table has one row a patient with something about them (sex, onset, site)",
            "Give the file with the patients, too.",
            code="file_absent",
        )
    order = ("patients", "biomarkers", "alsfrs")
    return [chosen[part] for part in order if part in chosen], further


def _ids(patients: Recognised) -> list[str]:
    return [str(one) for one in patients.table.cells[patients.columns["sample_id"]].dropna()]


def _samples(variants: list[Path]) -> list[str]:
    names: dict[str, None] = {}
    for path in variants:
        names |= dict.fromkeys(read_header(path).samples)
    return list(names)


def _build(variants: list[Path]) -> str:
    """Build by the length of chromosome 1; GRCh38 where no genome says it."""
    for path in variants:
        lengths = read_header(path).contigs
        if lengths.get("1") == _CHROMOSOME_1_OF_37:
            return "GRCh37"
    return "GRCh38"


# Length of chromosome 1 in GRCh37 (Genome Reference Consortium, GRCh37.p13).
_CHROMOSOME_1_OF_37 = 249250621


def _is_repeats(path: Path) -> bool:
    """Whether a file has repeat calls: its header describes a field that names loci."""
    return bool(_LOCUS_FIELDS & set(read_header(path).info))


def _written(tables: list[Recognised]) -> Written:
    """How days and numbers are written in all tables."""
    kinds = patient_columns(shipped())["type"]
    days, values = [], []
    for one in tables:
        for ours, theirs in one.columns.items():
            cells = [str(cell) for cell in one.table.cells[theirs].dropna().unique()]
            if ours in ("days", "birth_date") or kinds.get(ours) in ("days", "date"):
                days += cells
            elif ours == "value" or kinds.get(ours) == "number":
                values += cells
        for name in one.wide:
            values += [str(cell) for cell in one.table.cells[name].dropna().unique()]
    return written(days, values)


def _has_dates(one: Recognised) -> bool:
    """Whether the days of a table are dates."""
    if "days" not in one.columns:
        return False
    days = one.table.cells[one.columns["days"]].astype(str)
    return bool(days.str.contains(r"\d[./-]\d").any())


def _needs_first_visit(tables: list[Recognised]) -> bool:
    """Whether day 0 can only be that of the first visit."""
    visits = [one for one in tables if one.kind == "alsfrs"]
    return "index_date" not in tables[0].columns and any(map(_has_dates, visits))


def _absent(tables: list[Recognised]) -> list[str]:
    """What a cohort with dates needs: an index date to count days from."""
    dated = [one.table.shown for one in tables if _has_dates(one)]
    if dated and "index_date" not in tables[0].columns and not _needs_first_visit(tables):
        return [f"index_date (day 0) in the patients table: {', '.join(dated)} have dates"]
    return []


def _lost_zeros(tables: list[Recognised]) -> dict[str, int]:
    """Tables in which names of patients lack the zeros before them -> how many names."""
    known = set(_ids(tables[0]))
    bare = Counter(without_zeros(name) for name in known)
    lost = {}
    for one in tables[1:]:
        strange = {name for name in _ids(one) if name not in known}
        meant = [name for name in strange if bare[without_zeros(name)] == 1]
        if meant:
            lost[one.table.shown] = len(meant)
    return lost
