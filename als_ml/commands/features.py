"""Write the rows that a model would see, and a dictionary of them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import Progress, add_cluster, add_extracts, progress_bar, report_problems
from als_ml.output import check_output, together, write_table
from features.errors import RequestError, examples

if TYPE_CHECKING:
    from als_ml.config import Config
    from features.blocks.spec import FeatureSpec
    from features.cohort import Cohort
    from features.tables.problems import Problems

SUMMARY = "write the rows a model would see, with a feature dictionary beside them"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--cohort", required=True, help="cohort.yaml")
    made.add_argument("--output", required=True, help="features, .parquet or .csv")
    add_extracts(made)
    add_cluster(made)
    made.add_argument(
        "--model", help="as this model sees them: its thresholds, definitions, references, landmark"
    )
    made.add_argument(
        "--values",
        default="last,mean",
        help="which of several values of a biomarker: last,first,mean,slope (default last,mean)",
    )
    made.add_argument(
        "--labels",
        metavar="CONFIG",
        help="also write the labels by this configuration, with its landmark, beside the features",
    )
    made.add_argument("--landmark-days", type=int, help="features end here (default 90)")


def run(arguments: argparse.Namespace) -> int:
    """Write the feature matrix of a cohort and its dictionary."""
    output = Path(arguments.output)
    check_output(output)
    import pandas as pd

    from als_ml.prediction.predictor import beside_features
    from features.blocks.rows import feature_dictionary, feature_rows
    from features.tables.problems import Problems

    problems = Problems()
    config = _labelling(arguments)
    with progress_bar(arguments.quiet) as progress:
        cohort, spec = _read(arguments, problems, progress)
        rows = feature_rows(cohort, spec)
        beside = beside_features(cohort, spec)
        dictionary = output.with_name(f"{output.stem}.dictionary.csv")
        with together():
            write_table(pd.DataFrame(feature_dictionary(spec, cohort.definitions)), dictionary)
            write_table(pd.concat([beside, rows], axis=1).reset_index(), output)
            if config is not None:
                counts = _write_labels(config, cohort, spec, output)
    if not arguments.quiet:
        report_problems(problems.found)
        empty = [name for name in rows.columns if rows[name].isna().all()]
        unknown = f"{len(empty)} without any value: {examples(empty) or 'none'}"
        print(
            f"written: {output} ({len(rows)} patients, {rows.shape[1]} features; {unknown})"
            f" and {dictionary}"
        )
        if config is not None:
            print(f"labels: {', '.join(f'{n} {reason}' for reason, n in counts.items())}")
    return 0


def _labelling(arguments: argparse.Namespace) -> "Config | None":
    """The configuration that labels; its landmark is that of the features."""
    if arguments.labels is None:
        return None
    from als_ml.config import load_config

    config = load_config(Path(arguments.labels))
    asked = arguments.landmark_days
    if asked is not None and asked != config.landmark_days:
        what = f"{arguments.labels} labels from day {config.landmark_days} on"
        remedy = "Leave --landmark-days out: features beyond the landmark would tell the label."
        raise RequestError(f"--landmark-days {asked}", what, remedy, code="option_conflict")
    arguments.landmark_days = config.landmark_days
    return config


def _write_labels(
    config: "Config", cohort: "Cohort", spec: "FeatureSpec", output: Path
) -> dict[str, int]:
    """Write sample_id and y (1 positive, 0 negative, empty unlabelled) into OUTPUT.labels.csv."""
    import pandas as pd

    from als_ml.training.task_data import make_labels

    if spec.landmark_days != config.landmark_days:
        ends, begins = spec.landmark_days, config.landmark_days
        what = f"the model's features end at day {ends}, the labels begin at {begins}"
        remedy = "Label by the configuration that the model was trained from."
        raise RequestError(
            "--labels",
            f"{what}, the labels begin at {config.landmark_days}",
            remedy,
            code="option_conflict",
        )
    labels = make_labels(config, cohort)
    table = pd.DataFrame(
        {"sample_id": cohort.patients["sample_id"], config.question.name: labels.y}
    )
    write_table(table, output.with_name(f"{output.stem}.labels.csv"))
    return labels.counts


def _read(
    arguments: argparse.Namespace, problems: "Problems", progress: Progress
) -> "tuple[Cohort, FeatureSpec]":
    """The cohort and what is to be computed: as a model was trained, or everything that this
    installation knows.
    """
    from als_ml.cohort.read import plain_reading, read_cohort
    from als_ml.cohort.source import open_cohort
    from als_ml.cohort.table_spec import table_spec

    source = open_cohort(
        path=Path(arguments.cohort),
        allow_outside=arguments.allow_outside,
        extracts=arguments.extracts,
        allow_remote=arguments.allow_remote,
    )

    def reading(what: str) -> None:
        progress(what, 0, 0)

    if arguments.model:
        from als_ml.tracking.loader import load

        predictor = load(arguments.model)
        return predictor.read(source, problems, reading), predictor.spec
    cohort = read_cohort(source, plain_reading(), problems, reading)
    names = vars(arguments)["values"].split(",")
    values = tuple(name.strip() for name in names if name.strip())
    build = source.described.genome_build
    days = 90 if arguments.landmark_days is None else arguments.landmark_days
    return cohort, table_spec(cohort, build, days, values)
