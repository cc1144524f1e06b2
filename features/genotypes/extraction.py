"""From the VCF files of a cohort to its genotypes: one multi-sample file, shards, or one a patient.

Records whose FILTER is neither PASS nor `.` are counted and not called; so are genotypes below the
thresholds. REF at the positions of known variants is compared with both builds.

`extract` is the only way from files to calls. Files, and the parts of one indexed file, are read
side by side and put together as they arrive, always in the same order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from features.catalogue import Definitions
from features.errors import DataError, examples
from features.genotypes.file_calls import (
    FileCalls,
    check_reference,
    read_file,
    with_structural,
)
from features.genotypes.gathered import Gathered
from features.genotypes.genotype import Genotypes
from features.genotypes.phase import Parents, Phases, read_phases
from features.genotypes.remote import is_remote, staged, url_of
from features.genotypes.samples import check_match
from features.genotypes.vcf import (
    ANY_CALL,
    CallRule,
    Header,
    Query,
    Region,
    check_build,
    check_fasta,
    has_index,
    panel_regions,
    read_header,
    restriction,
)
from features.genotypes.workers import MapParts, in_threads
from features.tables.problems import Problem, Problems

# One indexed file of many samples is read in this many parts, whatever the number of processors:
# enough to keep 16 of them busy, few enough that opening the file again and again does not count.
PARTS, MANY_SAMPLES = 16, 500
# Of more files than there are shards of a cohort (one a chromosome, or a few), some are read at a
# time: Dask takes 3.2 ms to hand over a task, and a small file 7.3 ms to be read (docs/scaling.md);
# 48 of them take 100 times what handing them over takes.
SHARDS, BATCH = 64, 48
# Megabytes from which a file without an index is announced: it may take some seconds (P).
ANNOUNCED = 1
# Files that a message names.
SHOWN_FILES = 20


# Some files, and the regions of them: what is read at a time.
Task = tuple[list[Path], list[Region]]


@dataclass(frozen=True)
class Panel:
    """What is asked of every genome.

    Attributes
    ----------
    definitions : Definitions
        Genes and known variants.
    build : str
        GRCh37 or GRCh38.
    rule : CallRule
        Thresholds below which a genotype is missing.
    fasta : Path, optional
        Reference genome: alleles are split and left-normalised against it; without it they are
        trimmed.
    every : bool
        Whether alleles that nobody carries are wanted too; then a file needs no genotypes.
    structural : bool
        Whether structural variants are wanted; of a cohort those that take or repeat exons.
    """

    definitions: Definitions
    build: str
    rule: CallRule = ANY_CALL
    fasta: Path | None = None
    every: bool = False
    structural: bool = False


@dataclass
class Extract:
    """What some files say of the panel: small, and safe to send from one process to another.

    Attributes
    ----------
    files : list of FileCalls
        One for each file that has patients.
    strangers : set of str
        Samples of the files that are not patients; the others stand in `files` by their number.
    unread : set of str
        Patients of files that were opened and cannot be used.
    unindexed : list of Path
        Files that were read from end to end.
    problems : list of Problem
        What is wrong with which file; one with an error is not among `files`.
    """

    files: list[FileCalls] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    unindexed: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class Store(Protocol):
    """Where finished extracts are kept (`features.genotypes.kept`)."""

    def get(self, task: Task) -> Extract | None:
        """The extract of a task, None where it is not there.

        Parameters
        ----------
        task : Task
            Files and regions that are read together.

        Returns
        -------
        Extract or None
            As it was put.
        """

    def has(self, task: Task) -> bool:
        """Whether an extract is there, as far as can be told without reading it.

        Parameters
        ----------
        task : Task
            Files and regions that are read together.
        """

    def put(self, task: Task, extract: Extract) -> None:
        """Keep an extract.

        Parameters
        ----------
        task : Task
            Files and regions that were read together.
        extract : Extract
            What came of it.
        """


def extract(
    paths: list[Path], regions: list[Region], patients: dict[str, int], panel: Panel
) -> Extract:
    """Read who carries what, and where it was looked for, from some files.

    A file that cannot be read is a problem of its own; the others are read all the same.

    Parameters
    ----------
    paths : list of Path
        VCF or BCF files, plain or compressed, indexed or not.
    regions : list of Region
        Of `panel_regions`, or some of them.
    patients : dict
        Sample name in the files -> patient index.
    panel : Panel
        What is asked of every genome.

    Returns
    -------
    Extract
        Of all files that can be read.
    """
    extracted = Extract()
    for path in paths:
        problems = Problems(collect=True)
        try:
            with _here(path, regions, panel, extracted) as (local, where):
                _extract_file(local, where, regions, patients, panel, problems, extracted)
        except DataError as error:
            problems.error(error.where, error.found, error.remedy, code=error.code)
        extracted.problems += problems.found
    return extracted


@contextmanager
def _here(
    path: Path, regions: list[Region], panel: Panel, into: Extract
) -> Iterator[tuple[Path, str]]:
    """The file on this machine, and its name for messages."""
    if is_remote(path):
        with staged(path, restriction(panel.definitions, regions, panel.build)) as local:
            yield local, url_of(path)
        return
    yield path, str(path)
    if not has_index(path):
        into.unindexed.append(path)


def _extract_file(
    path: Path,
    where: str,
    regions: list[Region],
    patients: dict[str, int],
    panel: Panel,
    problems: Problems,
    into: Extract,
) -> None:
    header = read_header(path)
    check_build(panel.definitions, header, panel.build, where)
    _check_formats(header, panel, where, problems)
    own = [name for name in header.samples if name in patients]
    into.strangers.update(set(header.samples).difference(own))
    into.unread.update(own)
    if problems.errors or not (own or panel.every):
        return
    query = Query(
        definitions=panel.definitions,
        path=path,
        regions=regions,
        header=header,
        build=panel.build,
        fasta=panel.fasta,
    )
    found = read_file(query, panel.rule, patients, panel.every)
    if panel.structural:
        found = with_structural(found, query, panel.rule, patients, panel.every)
    into.files.append(found)
    into.unread.difference_update(own)


def _check_formats(header: Header, panel: Panel, where: str, problems: Problems) -> None:
    if panel.every and not header.has_calls:
        return
    rule = panel.rule
    if not header.samples:
        problems.error(
            where,
            "this VCF has no samples",
            "A cohort needs genotypes; `variants` reads sites without them.",
            code="genome_calls",
        )
    elif "GT" not in header.formats:
        problems.error(
            where,
            "this VCF has no genotypes (FORMAT/GT)",
            "Give a VCF with called genotypes.",
            code="genome_calls",
        )
    for tag, least in (("GQ", rule.min_gq), ("DP", rule.min_depth)):
        if least and tag not in header.formats:
            problems.warn(
                where,
                f"the threshold on {tag} cannot be applied: there is no FORMAT/{tag}",
                "All calls count.",
                code="genome_threshold",
            )


def read_genotypes(
    panel: Panel,
    paths: list[Path],
    patients: dict[str, int],
    n: int,
    problems: Problems,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Genotypes, dict[str, int]]:
    """Read the panel genotypes of all patients.

    Parameters
    ----------
    panel : Panel
        What is asked of every genome.
    paths : list of Path
        VCF or BCF files, plain or compressed, indexed or not.
    patients : dict
        Sample name in the VCF -> patient index.
    n : int
        Number of patients.
    problems : Problems
        Gets what is wrong and what was not called.
    progress : callable
        Told the name of a file whenever reading goes on.

    Returns
    -------
    Genotypes
    dict
        Counts of what was read, by name (`COUNTS`).

    Raises
    ------
    DataError
        As `gather`.
    """
    gathered = Gathered(panel.definitions, n)
    gather(panel, paths, patients, gathered, problems, progress)
    return gathered.genotypes(), gathered.counts


def gather(
    panel: Panel,
    paths: list[Path],
    patients: dict[str, int],
    into: Gathered,
    problems: Problems,
    progress: Callable[[str], None] = lambda _: None,
    kept: Store | None = None,
    map_parts: MapParts = in_threads,
) -> None:
    """Extract all files and put together what they say, as it arrives.

    Parameters
    ----------
    panel, paths, patients, problems, progress
        As for `read_genotypes`.
    into : Gathered
        In memory or on disk.
    kept : Store, optional
        What is there is not read again, and what is read is put there.
    map_parts : MapParts
        Where the files are read: in threads of this process, or on a cluster.

    Raises
    ------
    DataError
        After all files were tried, with the name of each that cannot be read or is on the other
        build (its contig lengths or REF bases say so).
    """
    if panel.fasta is not None:
        check_fasta(panel.definitions, panel.fasta, panel.build)
    said, where = Extract(), _named(paths)
    met = np.zeros(max(patients.values(), default=-1) + 1, dtype=bool)
    todo = tasks(panel, paths)
    for part in read_tasks(todo, patients, panel, progress, kept, map_parts):
        for file in part.files:
            into.add(file)
            met[file.coverage.rows] = True
        said.strangers |= part.strangers
        said.unread |= part.unread
        said.unindexed += part.unindexed
        said.problems += part.problems
    _report(said.problems, len(paths), problems)
    absent = [name for name, row in patients.items() if not met[row] and name not in said.unread]
    check_match(patients, absent, said.strangers, paths, problems)
    _report_indexes(said.unindexed, len(paths), problems)
    if into.agreement:
        check_reference(into.agreement, panel.build, where, problems)
        _report_counts(into.counts, where, problems)
        _report_impossible(into, where, problems)


def read_tasks(
    todo: list[Task],
    patients: dict[str, int],
    panel: Panel,
    progress: Callable[[str], None] = lambda _: None,
    kept: Store | None = None,
    map_parts: MapParts = in_threads,
) -> Iterator[Extract]:
    """Extracts of tasks, in their order: those that are kept, the others read side by side.

    Parameters
    ----------
    todo : list of Task
        Of `tasks`.
    patients, panel, progress, kept, map_parts
        As for `gather`.

    Yields
    ------
    Extract
        One a task.
    """
    absent = [task for task in todo if kept is None or not kept.has(task)]
    _announce([path for paths, _ in absent for path in paths], progress)

    def arrived(task: Task, extract: Extract) -> None:
        progress(task[0][0].name)
        if kept is not None:
            kept.put(task, extract)

    new = map_parts(_read, (patients, panel), absent, arrived, _lost)
    at = 0
    for task in todo:
        if at < len(absent) and absent[at] is task:
            at += 1
            yield next(new)
        else:
            known = kept.get(task) if kept is not None else None
            # A file that is there may be broken: its part is read again.
            yield _read((patients, panel), task) if known is None else known


def _announce(paths: list[Path], progress: Callable[[str], None]) -> None:
    """Say which file takes longest, before any has arrived: the largest without an index."""
    local = [path for path in paths if not is_remote(path) and path.is_file()]
    sizes = {path: path.stat().st_size / 1e6 for path in local}
    large = [path for path in local if sizes[path] >= ANNOUNCED and not has_index(path)]
    if large:
        largest = max(large, key=sizes.__getitem__)
        progress(f"{largest.name}: {sizes[largest]:,.0f} MB without an index, from end to end")


def _read(of: tuple[dict[str, int], Panel], task: Task) -> Extract:
    return extract(*task, *of)


def phases_of(
    paths: list[Path],
    wanted: Mapping[str, Iterable[str]],
    panel: Panel,
    parents: Mapping[str, Parents],
) -> Phases:
    """Read the phase of some alleles of some patients from the files that hold them.

    Parameters
    ----------
    paths : list of Path
        All genomes of a cohort.
    wanted : mapping
        Sample -> keys of the alleles.
    panel : Panel
        What was asked of every genome.
    parents : mapping
        Of `read_ped`; those that are not in the same file tell nothing.

    Returns
    -------
    Phases
        As far as each file tells; nothing is known between two files.
    """
    known = Phases(of={}, inherited={})
    regions = panel_regions(panel.definitions, panel.build)
    for number, path in enumerate(paths if wanted else []):
        # A file that cannot be read was named when its calls were.
        with suppress(DataError), _here(path, regions, panel, Extract()) as (local, _):
            header = read_header(local)
            some = {name: wanted[name] for name in header.samples if name in wanted}
            query = Query(
                definitions=panel.definitions,
                path=local,
                regions=regions,
                header=header,
                build=panel.build,
            )
            if some:
                known.add(number, read_phases(query, some, parents))
    return known


def _lost(task: Task, reason: str) -> Extract:
    """What is said of files whose reading no process survived."""
    remedy = "Give the workers more memory, or look at these files one by one."
    problems = Problems(collect=True)
    for path in task[0]:
        problems.error(str(path), reason, remedy, code="cluster_failed")
    return Extract(problems=problems.found)


def tasks(panel: Panel, paths: list[Path]) -> list[Task]:
    """What is read at a time: the same on every machine, so that a finished part is known again.

    Parameters
    ----------
    panel : Panel
        What is asked of every genome.
    paths : list of Path
        All genomes of a cohort.

    Returns
    -------
    list of Task
        In the order of the files and of the genome.
    """
    regions = panel_regions(panel.definitions, panel.build)
    parts = PARTS // max(len(paths), 1)
    if parts > 1:
        return [
            ([path], some)
            for path in paths
            for some in _divided(regions, parts if _is_divisible(path) else 1)
        ]
    size = min(BATCH, -(-len(paths) // SHARDS))
    return [(paths[i : i + size], regions) for i in range(0, len(paths), size)]


def _is_divisible(path: Path) -> bool:
    """Whether a file is worth reading in parts.

    Not where reference blocks tell the coverage: one file must say for all genes whether they do.
    """
    if is_remote(path):
        return False
    try:
        header = read_header(path)
    except DataError:  # `extract` says what is wrong with it.
        return False
    return has_index(path) and len(header.samples) >= MANY_SAMPLES and not header.blocks


def _divided(regions: list[Region], parts: int) -> list[list[Region]]:
    """Divide the panel; no two parts share a gene."""
    n = min(parts, len(regions))
    # Genomes have records by length, exomes by gene: half the weight each.
    lengths = np.array([end - start for _, start, end in regions], dtype=float)
    share = np.cumsum(lengths / lengths.sum() + 1 / len(regions)) / 2
    part = np.minimum((np.r_[0.0, share[:-1]] * n).astype(int), n - 1)
    divided = [
        [region for region, place in zip(regions, part, strict=True) if place == i]
        for i in range(n)
    ]
    return [some for some in divided if some]


def _report(found: list[Problem], files: int, problems: Problems) -> None:
    """Say what is wrong with which file, and stop if any cannot be used."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in found:
        if problem.severity != "error":
            kinds.setdefault((problem.found, problem.remedy), []).append(problem)
    for same in kinds.values():
        where = _named([Path(problem.where) for problem in same])
        problems.warn(where, same[0].found, same[0].remedy, len(same), code=same[0].code)
    errors = [problem for problem in found if problem.severity == "error"]
    if errors and not problems.collect:
        raise _failed(errors, files)
    for problem in errors:
        problems.error(problem.where, problem.found, problem.remedy, code=problem.code)


def _failed(errors: list[Problem], files: int) -> DataError:
    """One message about all files that cannot be used."""
    first = errors[0]
    if len(errors) == 1:
        return DataError(first.where, first.found, first.remedy, code=first.code)
    reasons = examples((f"{problem.where}: {problem.found}" for problem in errors), SHOWN_FILES)
    remedies = {problem.remedy for problem in errors}
    remedy = first.remedy if len(remedies) == 1 else "Correct each, or leave it out of `variants`."
    return DataError(
        "variants",
        f"{len(errors)} of {files} files cannot be used: {reasons}",
        remedy,
        code="file_unreadable",
    )


def _report_indexes(unindexed: list[Path], files: int, problems: Problems) -> None:
    if unindexed:
        reason = f"{len(unindexed)} of {files} files have no index, or one older than the file"
        remedy = "That is correct but slower; `bcftools index` makes one."
        problems.note(
            _named(unindexed), f"{reason}: read from end to end", remedy, code="genome_index"
        )


def _report_counts(counts: dict[str, int], where: str, problems: Problems) -> None:
    if counts["filtered"]:
        reason = f"{counts['filtered']} of {counts['panel records']} panel records"
        problems.note(
            where, f"{reason} have a FILTER other than PASS", "Not called.", code="genome_counted"
        )
    if counts["duplicates"]:
        problems.warn(
            where,
            f"{counts['duplicates']} panel records are there more than once",
            "Each allele counts once.",
            code="genome_counted",
        )
    if not counts["panel records"]:
        remedy = "Check the contig names and `genome_build`; every gene stays unknown."
        problems.warn(where, "no record lies in the gene panel", remedy, code="genome_panel")


# By the name of a count: what is impossible, and what becomes of it.
_IMPOSSIBLE = {
    "beyond the contig": (
        "records lie beyond the end of their chromosome",
        "They are left out; check the file and `genome_build`.",
    ),
    "calls to no allele": (
        "genotypes name an alternative that their record does not have",
        "These are taken as missing, the rest is kept; repair the file.",
    ),
}


def _report_impossible(of: Gathered, where: str, problems: Problems) -> None:
    for name, (what, remedy) in _IMPOSSIBLE.items():
        if of.counts[name]:
            places = ", ".join(of.named[name])
            problems.warn(where, f"{of.counts[name]} {what} ({places})", remedy, code="left_out")


def _named(paths: list[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def with_targets(genotypes: Genotypes, targeted: np.ndarray) -> Genotypes:
    """Use what was sequenced: a gene is assayed as far as its coding bases are targets.

    Only patients with a record anywhere count as sequenced. A gene with records keeps the fraction
    that was called.

    Parameters
    ----------
    genotypes : Genotypes
        Of n patients.
    targeted : array of G
        Of `targeted_fraction`.

    Returns
    -------
    Genotypes
        With another `assayed`.
    """
    sequenced = np.isfinite(genotypes.assayed).any(axis=1)[:, None]
    called = np.where(np.isnan(genotypes.assayed), 1.0, genotypes.assayed) * targeted
    return replace(genotypes, assayed=np.where(sequenced, called, genotypes.assayed))
