"""Score a cohort, or a table of features, in batch."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import (
    Progress,
    add_cluster,
    add_extracts,
    print_table,
    progress_bar,
    report_problems,
)
from als_ml.output import TABLE_SUFFIXES, check_apart, check_output
from features.errors import RequestError

if TYPE_CHECKING:
    from collections import Counter

    from als_ml.prediction.job import Done
    from als_ml.prediction.predictor import Predictor

SUMMARY = "score every patient of a cohort with one or several models"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", action="append", help="MLflow model URI; may be repeated")
    which.add_argument(
        "--lock", action="append", help="a trial's lock file instead; any other model is refused"
    )
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--cohort", help="cohort.yaml")
    source.add_argument(
        "--features", help="table of `als-ml features`, or a folder of .parquet ones"
    )
    made.add_argument(
        "--output",
        required=True,
        help="predictions, .csv or .parquet; of a folder of features, a folder",
    )
    made.add_argument(
        "--explanations",
        help="also write contributions by feature, block and mechanism, .csv or .parquet",
    )
    made.add_argument(
        "--no-drivers", action="store_true", help="leave the contributions out; faster"
    )
    made.add_argument(
        "--withhold",
        action="store_true",
        help="leave out what a patient's consent withholds, as the report does; by default rows"
        " are complete, for the study team",
    )
    add_extracts(made)
    add_cluster(made)
    made.add_argument(
        "--resume",
        action="store_true",
        help="go on with an interrupted run: genomes and chunks that are done are kept",
    )


def run(arguments: argparse.Namespace) -> int:
    """Score a cohort or a feature table with each model, in chunks."""
    output = Path(arguments.output)
    explanations = Path(arguments.explanations) if arguments.explanations else None
    in_parts = arguments.features is not None and Path(arguments.features).is_dir()
    check_output(output, () if in_parts else TABLE_SUFFIXES)
    if explanations is not None:
        check_output(explanations)
    check_apart(output, explanations)
    if explanations and arguments.withhold:
        raise RequestError(
            "--explanations",
            "it tells every driver",
            "Leave it or --withhold out.",
            code="option_conflict",
        )
    if explanations and arguments.features:
        raise RequestError(
            "--explanations",
            "it needs the cohort itself",
            "Give --cohort instead of --features.",
            code="option_conflict",
        )
    with progress_bar(arguments.quiet) as progress:
        progress("loading models", 0, 0)
        done = _scored(arguments, progress)
    if not arguments.quiet:
        report_problems(done.problems)
        _print_predictions(done.counts, output, done.seconds)
    return 0


def _scored(arguments: argparse.Namespace, progress: Progress) -> "Done":
    from als_ml.cohort.source import open_cohort
    from als_ml.prediction.batch import Content
    from als_ml.prediction.job import Job, score_source, score_table

    job = Job(
        predictors=_predictors(arguments),
        named=[*(arguments.model or []), *(arguments.lock or [])],
        output=Path(arguments.output),
        explanations=Path(arguments.explanations) if arguments.explanations else None,
        content=Content(drivers=not arguments.no_drivers, withhold=arguments.withhold),
        resume=arguments.resume,
        progress=progress,
    )
    if arguments.features and Path(arguments.features).is_dir():
        from als_ml.prediction.partitions import score_partitions

        return score_partitions(job, Path(arguments.features))
    if arguments.features:
        return score_table(job, Path(arguments.features))
    source = open_cohort(
        path=Path(arguments.cohort),
        allow_outside=arguments.allow_outside,
        extracts=arguments.extracts,
        allow_remote=arguments.allow_remote,
    )
    return score_source(job, source)


def _predictors(arguments: argparse.Namespace) -> "list[Predictor]":
    """The models asked for, each checked against its lock where one is given."""
    if not arguments.lock:
        from als_ml.tracking.loader import load

        return [load(uri) for uri in arguments.model]
    from als_ml.lifecycle.lock import locked_predictor

    return [locked_predictor(Path(path)) for path in arguments.lock]


def _print_predictions(counts: "Counter[tuple[str, str]]", output: Path, seconds: float) -> None:
    """One short table a task: scored, as what (of a time in which fifth of the risk, and none
    abstains), abstained, out of distribution, not scored and why.
    """
    from models.survival.curve import GROUPS
    from models.tasks import TASKS

    for task in dict.fromkeys(task for task, _ in counts):
        of_task = {what: n for (of, what), n in counts.items() if of == task}
        classes = {what: n for what, n in sorted(of_task.items()) if what.startswith("as ")}
        after = {name: of_task[name] for name in ("abstained", "out of distribution", "not scored")}
        if TASKS[task].of_time:
            fifths = {name: classes.get(f"as {name}", 0) for name in GROUPS if classes}
            classes = {name.replace("_", " "): n for name, n in fifths.items()}
            del after["abstained"]
        print_table([{"task": task, "scored": of_task["scored"], **classes, **after}])
        for what, n in sorted(of_task.items()):
            if what.startswith("reason "):
                print(f"not scored: {n} of {task}, {what.removeprefix('reason ')}")
    rows = sum(n for (_, what), n in counts.items() if what in ("scored", "not scored"))
    print(
        f"written: {output} ({rows:,} rows, {rows / max(seconds, 1e-9):,.0f} a second). Research"
        " use only."
    )
