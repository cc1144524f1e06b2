"""Every real table that is there: ours beside logistic regression, forests, boosting and EBM.

python -m benchmarks real [casi] [alsml] [--resume FOLDER] [--half even|odd] ...; with --gaps what
unknown values cost, with --scales a model of one ALSFRS scale on the other, with --local a model
recalibrated from 100 patients of a population that it did not see. `python -m benchmarks casi` is
`real casi`.

Ours runs from the tables with its shipped configuration, and with the same learner on the raw
columns that the rivals are given. Figures are means over repeats of the folds; differences are of
the repeats that both have, with 95 % intervals from the bootstrap over patients.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy.special import logit
from sklearn.metrics import brier_score_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from als_ml.lifecycle.recalibration import recalibration
from als_ml.training.metrics import paired_differences
from benchmarks.kept import Kept, whole_number
from benchmarks.methods import OURS, PLAIN, RAW, Method, Version, methods, version_of
from benchmarks.public_tables import HALVES, PublicTable, older, present, reference_data
from models.calibration import fit_sigmoid
from models.fitted import Calibration, recalibrated
from models.members import family_folds

DRAWS, SEED, EDGE, FOLDS = 2000, 1, 1e-6, 5
# Half of all values are removed from both sides; from test patients alone each of these shares.
HALF, REMOVED = 0.5, (0.0, 0.1, 0.25, 0.5, 0.75)
# Patients of the population that a model did not see, and how often they are drawn.
LOCAL, TIMES = 100, 100
# Without --methods: what the questions beside the main comparison are asked of.
FEW = (PLAIN, OURS, RAW, "tuned logistic", "LightGBM")


class Asked(NamedTuple):
    """What the command line asks for, and where results are kept."""

    kept: Kept
    chosen: dict[str, Method]
    repeats: dict[str, int]
    seed: int
    threads: int
    config: tuple[str, ...]


def main(arguments: Sequence[str] = ()) -> None:
    """Measure what the arguments ask for."""
    parser = _parser()
    given = parser.parse_args(arguments)
    _refuse_the_impossible(parser, given)
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    asked = _asked(given)
    with tempfile.TemporaryDirectory() as folder:
        for table in present(tuple(given.tables)):
            own = table.half(given.half) if given.half else table
            _QUESTIONS[given.question](own, Path(folder) / own.name.replace(" ", "_"), asked)
    counts = asked.kept
    print(f"{counts.read} fits read, {counts.made} made, {counts.outdated} of them anew")


def casi(arguments: Sequence[str] = ()) -> None:
    """The published table alone."""
    main(["casi", *arguments])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks real", description=__doc__)
    add = parser.add_argument
    add("tables", nargs="*", metavar="TABLE", help="casi, alsml; all that are there")
    add("--resume", type=Path, metavar="FOLDER", help="keep each fit, and go on from those kept")
    add("--half", choices=HALVES, help="patients whose SHA-256 of the id is even or odd")
    add("--methods", nargs="+", metavar="NAME", help="instead of all that are installed")
    add("--quick", action="store_true", help="one repeat of the folds")
    add("--repeats", type=whole_number, default=5, help="of the folds, for ours and plain")
    add("--rival-repeats", type=whole_number, help="of the folds, for the tuned rivals")
    add("--trials", type=whole_number, default=6, help="settings of each rival")
    add("--seed", type=int, default=101, help="of the first repeat")
    add("--threads", type=whole_number, default=2, help="folds at once")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change our configuration")
    question = parser.add_mutually_exclusive_group()
    for name in ("gaps", "scales", "local"):
        question.add_argument(f"--{name}", dest="question", action="store_const", const=name)
    parser.set_defaults(question="main")
    return parser


def _refuse_the_impossible(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    known = methods(given.trials)
    for name in given.methods or ():
        if name not in known:
            parser.error(f"--methods: {name!r} is not one of {', '.join(known)}")
    for name in given.tables:
        if name not in ("casi", "alsml"):
            parser.error(f"TABLE: {name!r} is not one of casi, alsml")
        if not (reference_data() / name).is_dir():
            parser.error(f"TABLE: {reference_data()} has no folder {name}")
    if given.resume is not None and given.resume.is_file():
        parser.error(f"--resume: {given.resume} is a file; name a folder")


def _asked(given: argparse.Namespace) -> Asked:
    known = methods(given.trials)
    usual = list(known) if given.question == "main" else [name for name in FEW if name in known]
    chosen = {name: known[name] for name in given.methods or usual}
    own = 1 if given.quick else given.repeats
    rivals = min(own, given.rival_repeats or own)
    return Asked(
        kept=Kept(given.resume),
        chosen=chosen,
        repeats={name: own if name in (OURS, RAW, PLAIN) else rivals for name in chosen},
        seed=given.seed,
        threads=given.threads,
        config=tuple(given.set),
    )


def compare(table: PublicTable, folder: Path, asked: Asked) -> None:
    """Print each method's figures, and ours minus each."""
    version = version_of(table, folder, *asked.config)
    say(table, version)
    found = {}
    for name in asked.chosen:
        started = time.perf_counter()
        found[name] = [one for (one,) in out_of_fold("main", name, version, [version], asked)]
        show(name, version.y, found[name], time.perf_counter() - started)
    differences(version, found)


def gaps(table: PublicTable, folder: Path, asked: Asked) -> None:
    """What unknown values cost: removed from both sides, and from test patients alone."""
    whole = version_of(table, folder / "whole", *asked.config)
    removed = {
        share: version_of(table.with_gaps(share, SEED), folder / f"{share}", *asked.config)
        for share in REMOVED
    }
    say(table, whole)
    print(f"{HALF:.0%} of all values removed from training and test patients", flush=True)
    half = removed[HALF]
    both = {}
    for name in asked.chosen:
        started = time.perf_counter()
        both[name] = [one for (one,) in out_of_fold("gaps", name, half, [half], asked)]
        show(name, half.y, both[name], time.perf_counter() - started)
    differences(half, both)
    scored = list(removed.values())
    by_method = {
        name: out_of_fold("gaps at prediction", name, whole, scored, asked) for name in asked.chosen
    }
    for k, share in enumerate(removed):
        print(f"trained complete, {share:.0%} of test values removed", flush=True)
        parts = {name: [one[k] for one in found] for name, found in by_method.items()}
        for name, repeats in parts.items():
            show(name, whole.y, repeats)
        differences(whole, parts)


def scales(table: PublicTable, folder: Path, asked: Asked) -> None:
    """A model of one ALSFRS scale scores the same visits on the other."""
    if "alsfrs" not in table.frames:
        print(f"{table.name}: no visits")
        return
    versions = {
        "ALSFRS": version_of(table, folder / "original", *asked.config),
        "ALSFRS-R": version_of(table.on_revised_scale(), folder / "revised", *asked.config),
    }
    say(table, versions["ALSFRS"])
    for learned, version in versions.items():
        by_method = {
            name: out_of_fold(f"from {learned}", name, version, list(versions.values()), asked)
            for name in asked.chosen
        }
        for k, scored in enumerate(versions):
            print(f"trained on {learned}, scored on {scored}", flush=True)
            parts = {name: [one[k] for one in found] for name, found in by_method.items()}
            for name, repeats in parts.items():
                show(name, version.y, repeats)
            differences(version, parts)


def local(table: PublicTable, folder: Path, asked: Asked) -> None:
    """Trained on the younger, recalibrated from some of the older and judged on their rest."""
    if "onset_days" not in table.frames["patients"]:
        print(f"{table.name}: no age at onset")
        return
    version = version_of(table, folder, *asked.config)
    say(table, version)
    there = dict(zip(table.ids, older(table), strict=True))
    away = np.array([there[name] for name in version.ids])
    train, test = np.flatnonzero(~away), np.flatnonzero(away)
    print(
        f"trained on {len(train)} with onset before 65, {version.y[train].mean():.0%} positive; "
        f"{len(test)} from 65, {version.y[test].mean():.0%} positive; {LOCAL} of them recalibrate, "
        f"mean of {TIMES} draws on the rest",
        flush=True,
    )
    for name, method in asked.chosen.items():
        p = _fit("local", name, method, version, [version], (train, test), "0", asked)[0]
        moved = [_recalibrated(p, version.y[test], draw) for draw in range(TIMES)]
        for when, rows in zip(("as it is", "recalibrated"), zip(*moved, strict=True), strict=True):
            auc, brier, slope, ratio = np.mean(rows, axis=0)
            print(
                f"{name:22s} {when:13s} ROC AUC {auc:.4f}, Brier {brier:.4f}, slope {slope:.3f}, "
                f"observed/expected {ratio:.3f}",
                flush=True,
            )


def _recalibrated(
    p: np.ndarray, y: np.ndarray, draw: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """AUC, Brier, slope and observed/expected of the rest, as it is and recalibrated."""
    order = np.random.default_rng(draw).permutation(len(y))
    some, rest = order[:LOCAL], order[LOCAL:]
    plain = Calibration((1.0, 1.0), 0.5, (), (), (), "sigmoid", 1.0, 0.0)
    moved = recalibrated(p[rest], recalibration(plain, p[some], y[some], 0.9))
    return _judged(y[rest], p[rest]), _judged(y[rest], moved)


def _judged(y: np.ndarray, p: np.ndarray) -> tuple[float, ...]:
    return (
        float(roc_auc_score(y, p)),
        float(brier_score_loss(y, p)),
        fit_sigmoid(_log_odds(p), y)[0],
        float(y.mean() / p.mean()),
    )


_QUESTIONS = {"main": compare, "gaps": gaps, "scales": scales, "local": local}


def out_of_fold(
    question: str, name: str, learned: Version, scored: list[Version], asked: Asked
) -> list[list[np.ndarray]]:
    """Of each repeat the probabilities of all patients by version, each by a fit without them."""
    jobs = [
        (repeat, fold, split)
        for repeat in range(asked.repeats[name])
        for fold, split in enumerate(
            family_folds(learned.y, learned.data.families, FOLDS, asked.seed + repeat)
        )
    ]
    method = asked.chosen[name]
    parts = Parallel(n_jobs=asked.threads, prefer="threads")(
        delayed(_fit)(
            question, name, method, learned, scored, split, f"{asked.seed + repeat}-{fold}", asked
        )
        for repeat, fold, split in jobs
    )
    found = np.empty((asked.repeats[name], len(scored), len(learned.y)))
    for (repeat, _, (_, test)), part in zip(jobs, parts, strict=True):
        found[repeat][:, test] = part
    return [list(one) for one in found]


def _fit(
    question: str,
    name: str,
    method: Method,
    learned: Version,
    scored: list[Version],
    split: tuple[np.ndarray, np.ndarray],
    fold: str,
    asked: Asked,
) -> list[np.ndarray]:
    """One fit, or what is kept of it, on one core."""
    train, test = split
    patients = "".join(learned.ids[train]) + "|" + "".join(learned.ids[test])
    rests_on = method.rests_on(learned, scored) + patients
    with threadpool_limits(1):
        return asked.kept.result(
            (f"{learned.name} {len(learned.y)}", question, name, fold),
            rests_on,
            lambda: method.scorer(learned, scored, train, test),
        )


def say(table: PublicTable, version: Version) -> None:
    """Name a table and its size."""
    print(
        f"{table.name}: {len(version.y)} patients, {int(version.y.sum())} positive, "
        f"{version.data.rows.shape[1]} features of ours, {version.X.shape[1]} raw columns",
        flush=True,
    )


def show(name: str, y: np.ndarray, repeats: list[np.ndarray], seconds: float | None = None) -> None:
    """Print the figures of a method, means over repeats."""
    auc = np.mean([roc_auc_score(y, p) for p in repeats])
    brier = np.mean([brier_score_loss(y, p) for p in repeats])
    slope = np.mean([fit_sigmoid(_log_odds(p), y)[0] for p in repeats])
    took = "" if seconds is None else f", {seconds:.0f} s"
    print(
        f"{name:22s} ROC AUC {auc:.4f}, Brier {brier:.4f}, slope {slope:.3f} "
        f"({len(repeats)} x {FOLDS} folds{took})",
        flush=True,
    )


def differences(version: Version, found: dict[str, list[np.ndarray]]) -> None:
    """Print ours minus each, over the repeats that both have."""
    ours = [name for name in found if name in (OURS, RAW)]
    for name in ours:
        for other in (other for other in found if other not in ours):
            common = min(len(found[name]), len(found[other]))
            change = paired_differences(
                version.y,
                np.array(found[name][:common]),
                np.array(found[other][:common]),
                version.data.families,
                DRAWS,
                SEED,
            )
            parts = [
                f"{m} {d:+.4f} ({a:+.4f} to {b:+.4f})"
                for m, (d, a, b) in change.items()
                if m != "log_loss"
            ]
            print(f"{name} - {other}: {', '.join(parts)}", flush=True)


def _log_odds(p: np.ndarray) -> np.ndarray:
    return np.asarray(logit(np.clip(p, EDGE, 1 - EDGE)))


if __name__ == "__main__":
    main(sys.argv[1:])
