"""Write the rows that a model would see, and a dictionary of them."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import Progress, print_problems, progress_bar
from als_ml.output import check_output, write_table
from features.errors import RequestError, examples

if TYPE_CHECKING:
    from features.blocks.spec import FeatureSpec
    from features.cohort import Cohort
    from features.tables.problems import Problems

SUMMARY = "write the rows a model would see, with a feature dictionary beside them"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--cohort", required=True, help="cohort.yaml")
    made.add_argument("--output", required=True, help="features, .parquet or .csv")
    made.add_argument(
        "--model", help="as this model sees them: its thresholds, definitions, references, landmark"
    )
    made.add_argument(
        "--values",
        default="last,mean",
        help="which of several values of a biomarker: last,first,mean,slope (default last,mean)",
    )
    made.add_argument(
        "--landmark-days", type=int, default=90, help="features end here (default 90)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the feature matrix of a cohort and its dictionary."""
    output = Path(arguments.output)
    check_output(output)
    import pandas as pd

    from als_ml.prediction.predictor import beside_features
    from features.blocks.rows import feature_dictionary, feature_rows
    from features.tables.problems import Problems

    problems = Problems()
    with progress_bar(arguments.quiet) as progress:
        cohort, spec = _read(arguments, problems, progress)
        rows = feature_rows(cohort, spec)
        beside = beside_features(cohort, spec)
        dictionary = output.with_name(f"{output.stem}.dictionary.csv")
        write_table(pd.DataFrame(feature_dictionary(spec, cohort.definitions)), dictionary)
        write_table(pd.concat([beside, rows], axis=1).reset_index(), output)
    if not arguments.quiet:
        print_problems(problems.found)
        empty = [name for name in rows.columns if rows[name].isna().all()]
        unknown = f"{len(empty)} without any value: {examples(empty) or 'none'}"
        print(
            f"written: {output} ({len(rows)} patients, {rows.shape[1]} features; {unknown})"
            f" and {dictionary}"
        )
    return 0


def _read(
    arguments: argparse.Namespace, problems: "Problems", progress: Progress
) -> "tuple[Cohort, FeatureSpec]":
    """The cohort and what is to be computed: as a model was trained, or everything that this
    installation knows.
    """
    from als_ml.cohort.read import plain_reading, read_cohort
    from als_ml.cohort.source import open_cohort

    source = open_cohort(Path(arguments.cohort), arguments.allow_outside)

    def reading(what: str) -> None:
        progress(what, 0, 0)

    if arguments.model:
        from als_ml.tracking.loader import load

        predictor = load(arguments.model)
        return predictor.read(source, problems, reading), predictor.spec
    cohort = read_cohort(source, plain_reading(), problems, reading)
    return cohort, _plain_spec(arguments, cohort, source.described.genome_build)


def _plain_spec(arguments: argparse.Namespace, cohort: "Cohort", build: str) -> "FeatureSpec":
    from features.alsfrs.mixed_model import fit_course
    from features.alsfrs.visits import of_scale
    from features.blocks.landmark import known_visits
    from features.blocks.spec import FeatureSpec

    spec = FeatureSpec(
        landmark_days=arguments.landmark_days,
        genome_build=build,
        summaries=_summaries(arguments.values),
    )
    visits = of_scale(known_visits(cohort, spec.landmark_days), "alsfrs_r")
    # For the reader of the table only: a model computes the mixed-model slope from its own training
    # patients.
    row, days, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    course = fit_course(row, days, total)
    return replace(spec, course=course)


def _summaries(text: str) -> tuple[str, ...]:
    from features.blocks.biomarkers import SUMMARIES

    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in chosen if name not in SUMMARIES]
    if unknown or not chosen:
        raise RequestError(
            f"--values {text}", "it names no or another summary", f"Known: {', '.join(SUMMARIES)}."
        )
    return chosen
