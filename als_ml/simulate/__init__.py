"""A made-up cohort with known truth, written as the files a centre has.

It proves machinery, not medicine.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from als_ml.cluster import map_parts
from als_ml.simulate import files
from als_ml.simulate.care import care_values
from als_ml.simulate.clinic import breathing_tests, clinic_columns, fed_by_tube
from als_ml.simulate.course import (
    Course,
    Future,
    draw_course,
    draw_future,
    draw_start,
    prolonged,
    treatment_shares,
)
from als_ml.simulate.genetics import (
    CAUSES,
    Genome,
    People,
    Repeats,
    draw_genome,
    draw_people,
    draw_repeats,
    draw_sites,
)
from als_ml.simulate.oracle import LATE_RISK_DAYS, RISK_DAYS, Best, course_best, familial_best
from als_ml.simulate.panel import Panel, draw_panel
from features.errors import DataError, RequestError
from features.temporary import owned, sweep

__all__ = ["simulate"]
Progress = Callable[[str, int, int], None]
_MADE_BY_US = ("cohort.yaml", "truth.csv", "README.txt")
# Months after the landmark to which patients are followed without asking for more, and the most
# that can be asked for (P: ten years are long for this disease).
FOLLOW_UP, _LONGEST = 14, 120
# From so many months on the risk by month 24 is seen, and the oracle tells it (P).
_LATE_RISK_FROM = 26


def simulate(
    folder: Path,
    patients: int = 800,
    seed: int = 1,
    progress: Progress = lambda *_: None,
    follow_up_months: int = FOLLOW_UP,
    block: int | None = None,
) -> dict[str, float]:
    """Simulate a cohort and write it, whole or not at all.

    Parameters
    ----------
    folder : Path
        To be made; an earlier simulated cohort there is replaced.
    patients : int
        How many.
    seed : int
        Same seed, same cohort.
    progress : callable
        Told what is being made, how many steps are done, and of how many.
    follow_up_months : int
        Months after the landmark until which visits go on; the same patients whatever it is.
    block : int, optional
        Patients of a block with random numbers of its own, for cohorts that are made side by side,
        or on a cluster (`als_ml.cluster`): another cohort of the same seed than without, the same
        wherever its blocks are made.

    Returns
    -------
    dict
        Counts and the ROC AUC of the best possible score on both tasks.

    Raises
    ------
    RequestError
        If the folder holds anything but an earlier simulated cohort, or cannot be written, or the
        follow-up is too short or too long.
    """
    _check_folder(folder)
    _check_follow_up(follow_up_months)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beginning = f".{folder.name}"
    sweep(folder.parent, beginning)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=owned(beginning)))
    try:
        if block is None:
            streams = _Streams.of(seed, follow_up_months)
            everybody = Patients(first=0, n=patients)
            told = _write(temporary, everybody, streams, follow_up_months, progress)
            files.write_cohort_file(temporary)
        else:
            blocks = _blocks(patients, block, seed, follow_up_months)
            told = _write_blocks(temporary, blocks, progress)
        made = _summary(told)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return made


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RequestError(
            f"--output {folder}", "it is a file", "Give a folder.", code="output_refused"
        )
    if (
        folder.is_dir()
        and any(folder.iterdir())
        and not all((folder / name).is_file() for name in _MADE_BY_US)
    ):
        raise RequestError(
            f"--output {folder}",
            "the folder is not empty and holds no simulated cohort",
            "Give another one.",
            code="output_refused",
        )


def _check_follow_up(months: int) -> None:
    if not FOLLOW_UP <= months <= _LONGEST:
        raise RequestError(
            f"--follow-up-months {months}",
            f"patients are followed for {FOLLOW_UP} to {_LONGEST} months after the landmark",
            f"Give a number of months from {FOLLOW_UP} to {_LONGEST}.",
            code="option_value",
        )


class Patients(NamedTuple):
    """So many patients, from a number on, which is 0 for the first of a cohort."""

    first: int
    n: int


@dataclass(frozen=True)
class Told:
    """What the summary is made of: families ('' for a patient alone), labels and best scores."""

    families: np.ndarray
    labels: dict[str, np.ndarray]
    best: dict[str, np.ndarray]


class Block(NamedTuple):
    """Some patients of a cohort; seed and follow-up are those of the cohort."""

    number: int
    patients: Patients
    seed: int
    follow_up_months: int


class _Streams(NamedTuple):
    """Random numbers of a cohort or a block; the `later` ones move no other."""

    main: np.random.Generator
    later: np.random.Generator

    @classmethod
    def of(cls, seed: int, follow_up_months: int, key: tuple[int, ...] = ()) -> "_Streams":
        """Fresh streams, which begin anew where a block is tried again."""
        main, later = (
            np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=key))
            for entropy in (seed, [seed, follow_up_months])
        )
        return cls(main=main, later=later)


class Common(NamedTuple):
    """What all blocks share: where they are written, and the sites that anybody may carry."""

    folder: Path
    sites: pd.DataFrame


# Genetic files of a block, whose names get its number in the cohort.
_GENOMES = ("variants", "repeats")


def _blocks(n: int, size: int, seed: int, follow_up_months: int) -> list[Block]:
    return [
        Block(
            number=number,
            patients=Patients(first=first, n=min(size, n - first)),
            seed=seed,
            follow_up_months=follow_up_months,
        )
        for number, first in enumerate(range(0, n, size))
    ]


def _write_blocks(folder: Path, blocks: list[Block], progress: Progress) -> Told:
    """Write a cohort block by block, each with a stream of random numbers of its own."""
    of_sites = np.random.default_rng(np.random.SeedSequence(blocks[0].seed, spawn_key=(0,)))
    common = Common(folder=folder.resolve(), sites=draw_sites(of_sites))
    arrived: list[int] = []

    def tell(block: Block, _: Told) -> None:
        arrived.append(block.number)
        progress("blocks of patients", len(arrived), len(blocks))

    told = list(map_parts()(write_block, common, blocks, tell, _lost))
    _join(folder, [_folder_of(common, block) for block in blocks])
    files.write_cohort_file(folder, {name: [f"{name}-*.vcf.gz"] for name in _GENOMES})
    return Told(
        families=np.concatenate([part.families for part in told]),
        labels={task: np.concatenate([p.labels[task] for p in told]) for task in told[0].labels},
        best={task: np.concatenate([p.best[task] for p in told]) for task in told[0].best},
    )


def _lost(block: Block, reason: str) -> Told:
    what = f"patients from {block.patients.first + 1} on were not made: {reason}"
    remedy = "Give the workers more memory, or make smaller blocks by --block."
    raise DataError("--cluster", what, remedy, code="cluster_failed")


def _folder_of(common: Common, block: Block) -> Path:
    return common.folder / f"{block.number:05d}"


def write_block(common: Common, block: Block) -> Told:
    """Write one block into a folder of its own, which an earlier try may have begun.

    Parameters
    ----------
    common : Common
        Of all blocks.
    block : Block
        Which patients.

    Returns
    -------
    Told
        Of them.
    """
    folder = _folder_of(common, block)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    months = block.follow_up_months
    streams = _Streams.of(block.seed, months, (block.number + 1,))
    return _write(folder, block.patients, streams, months, lambda *_: None, common.sites)


def _join(folder: Path, blocks: list[Path]) -> None:
    """The files of all blocks as those of one cohort; the sites and their frequencies are common.

    Tables stand behind each other. Genomes stay apart, a file a block.
    """
    for table in sorted(path.name for path in blocks[0].glob("*.csv")):
        with (folder / table).open("wb") as out:
            for i, block in enumerate(blocks):
                with (block / table).open("rb") as rows:
                    header = rows.readline()
                    out.write(b"" if i else header)
                    shutil.copyfileobj(rows, out)
    for end in (".vcf.gz", ".vcf.gz.tbi"):
        (blocks[0] / f"frequencies{end}").rename(folder / f"frequencies{end}")
        for block in blocks:
            for name in _GENOMES:
                (block / f"{name}{end}").rename(folder / f"{name}-{block.name}{end}")
    for block in blocks:
        shutil.rmtree(block)


def _write(
    folder: Path,
    some: Patients,
    streams: "_Streams",
    follow_up_months: int,
    progress: Progress,
    sites: "pd.DataFrame | None" = None,
) -> Told:
    rng = streams.main
    progress("drawing families, genomes and courses", 0, 4)
    drawn = _draw(some.n, streams, follow_up_months, sites)
    ids = np.array([f"DEMO-{some.first + i:05d}" for i in range(1, some.n + 1)], dtype=object)
    progress("writing tables", 1, 4)
    tables = _tables(ids, drawn, rng, some.first)
    progress("best possible scores", 2, 4)
    best = _best(drawn, follow_up_months, rng)
    labels = _labels(tables["patients"], drawn.course, drawn.future)
    causes, rate = np.array(CAUSES)[drawn.people.cause], np.exp(drawn.course.future)
    truth = files.truth_table(ids, labels, best, causes, rate)
    files.write_tables(folder, {**_as_a_clinic_writes(tables, rng), "truth": truth})
    progress("writing variants", 3, 4)
    _write_genomes(folder, ids, drawn, rng)
    return Told(
        families=tables["patients"]["family_id"].to_numpy(),
        labels=labels,
        best={task: scores.p for task, scores in best.items()},
    )


@dataclass(frozen=True)
class _Drawn:
    """Patients as they are; `treated` has the first day of each drug, infinite without it."""

    people: People
    genome: Genome
    repeats: Repeats
    course: Course
    treated: dict[str, np.ndarray]
    panel: Panel
    future: Future


def _draw(
    n: int, streams: "_Streams", follow_up_months: int, sites: "pd.DataFrame | None"
) -> _Drawn:
    rng = streams.main
    people = draw_people(n, rng)
    genome, repeats = draw_genome(people, rng, sites), draw_repeats(people, rng)
    course = draw_course(people, genome, repeats, rng)
    treated = _draw_treatments(people, genome, rng)
    panel = draw_panel(people, course, rng)
    future = draw_future(course.future, course.loss, np.minimum(*treated.values()), rng)
    if follow_up_months > FOLLOW_UP:
        more = streams.later
        future = prolonged(future, course.future, course.loss, follow_up_months, more)
    return _Drawn(
        people=people,
        genome=genome,
        repeats=repeats,
        course=course,
        treated=treated,
        panel=panel,
        future=future,
    )


def _draw_treatments(
    people: People, genome: Genome, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """First day of each drug, each of a stream of its own: it takes no number from what is drawn
    before and after it.
    """
    return {
        drug: draw_start(share, drug_rng)
        for (drug, share), drug_rng in zip(
            treatment_shares(people, genome).items(), rng.spawn(2), strict=True
        )
    }


def _tables(
    ids: np.ndarray, drawn: _Drawn, rng: np.random.Generator, first: int
) -> dict[str, pd.DataFrame]:
    """The tables that the features are made of."""
    people, course, future = drawn.people, drawn.course, drawn.future
    return {
        "patients": files.patients_table(
            ids, people, drawn.repeats, course, future, drawn.treated, rng, first
        ),
        "alsfrs": files.alsfrs_table(ids, people, course, future, rng),
        "biomarkers": files.biomarker_table(ids, people, course, future, drawn.panel, rng),
    }


def _best(drawn: _Drawn, follow_up_months: int, rng: np.random.Generator) -> dict[str, Best]:
    """Scores of who knows how the patients were drawn."""
    people, genome, repeats = drawn.people, drawn.genome, drawn.repeats
    late = LATE_RISK_DAYS if follow_up_months >= _LATE_RISK_FROM else {}
    best = {"familial": familial_best(people, genome, repeats)}
    return best | course_best(
        people, genome, repeats, drawn.course, drawn.panel, rng, RISK_DAYS | late
    )


def _as_a_clinic_writes(
    tables: dict[str, pd.DataFrame], rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """The tables with what no model sees and the care protocol asks for."""
    patients, visits, measured = tables["patients"], tables["alsfrs"], tables["biomarkers"]
    care_rng, clinic_rng = rng.spawn(2)  # the last streams of their own: they move no other
    measured = files.with_further(measured, care_values(visits, measured, patients, care_rng))
    added = clinic_columns(visits, patients, clinic_rng)
    gastrostomy = added["gastrostomy_days"].set_axis(patients["sample_id"])
    breathing = breathing_tests(visits, patients, clinic_rng)
    return {
        "patients": pd.concat([patients, added], axis=1),
        "alsfrs": fed_by_tube(visits, gastrostomy),
        "biomarkers": files.with_further(measured, breathing),
    }


def _write_genomes(folder: Path, ids: np.ndarray, drawn: _Drawn, rng: np.random.Generator) -> None:
    files.write_variants(folder / "variants.vcf.gz", ids, drawn.genome, drawn.people, rng)
    files.write_frequencies(folder / "frequencies.vcf.gz", drawn.genome)
    files.write_repeats(folder / "repeats.vcf.gz", ids, drawn.repeats)


def _labels(patients: pd.DataFrame, course: Course, future: Future) -> dict[str, np.ndarray]:
    """The labels by the contract's rules; NaN where there is none."""
    scored = patients["diagnosis"].isin(["als", "als_ftd"]).to_numpy()
    history = patients["family_history"].to_numpy()
    familial = np.select(
        [np.isin(history, ["first_degree", "second_degree"]), history == "none"], [1.0, 0.0], np.nan
    )
    reached = np.isinf(course.early_event) & np.isinf(course.early_lost)
    fast = np.where(reached, future.label(), np.nan)
    return {
        "familial": np.where(scored, familial, np.nan),
        "progression": np.where(scored, fast, np.nan),
    }


def _summary(told: Told) -> dict[str, float]:
    named = told.families[told.families != ""]
    n = len(told.families)
    made: dict[str, float] = {
        "patients": n,
        "families": n - len(named) + len(np.unique(named.astype(str))),
    }
    for task, y in told.labels.items():
        known = np.isfinite(y)
        positive = {"familial": "familial", "progression": "fast"}[task]
        made[f"{positive} of {int(known.sum())} labelled"] = int(y[known].sum())
        if 0 < y[known].sum() < known.sum():
            made[f"best possible ROC AUC, {task}"] = float(
                roc_auc_score(y[known], told.best[task][known])
            )
    return made
