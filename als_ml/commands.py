"""The commands: each reads its arguments, calls the application and prints. Heavy libraries are imported where needed."""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from als_ml.cli import print_table, progress_bar
from als_ml.config import load_config
from als_ml.output import check_output, write_table
from features.errors import DataError, RequestError, examples
from features.tables.problems import Problem, Problems, merged


def train_command(arguments: argparse.Namespace) -> int:
    """Train, track and register one model."""
    config = load_config(Path(arguments.config), arguments.changes)
    from als_ml.tracking.store import check_store
    from als_ml.training.run import summary, train

    check_store()

    with progress_bar(arguments.quiet) as progress:
        training = train(config, progress)
        progress("logging to MLflow", 0, 0)
        from als_ml.tracking.store import log_training

        logged = log_training(training)
    if not arguments.quiet:
        _print_problems(training.warnings)
        _print_training(training, summary(training), logged)
    return 0


def _print_training(training: Any, table: list[dict[str, Any]], logged: dict[str, str]) -> None:
    from als_ml.training.estimates import unbeaten

    task, counts = training.task, training.labels.counts
    for sentence in unbeaten(training.metrics, task.name):
        print(f"NOTE: {sentence}.")
    print(
        f"\n{task.positive} v {task.negative}: {', '.join(f'{n} {name}' for name, n in counts.items())}"
    )
    shown = (
        "roc_auc",
        "roc_auc_low",
        "roc_auc_high",
        "average_precision",
        "brier",
        "calibration_slope",
    )
    names = {
        "roc_auc_low": "95 % low",
        "roc_auc_high": "high",
        "average_precision": "avg precision",
        "calibration_slope": "cal. slope",
    }
    rows = [
        {"out of fold": row["name"], **{names.get(m, m): row.get(m) for m in shown}}
        for row in table
    ]
    print_table(rows)
    if training.best_possible:
        share = training.best_possible[1]
        print(
            f"SIMULATED cohort: reached {share:.0%} of the possible (AUC - 0.5). This proves the machinery, not medicine."
        )
    extra = {
        name: value
        for name, value in training.metrics.items()
        if name.startswith(("slope_", "baseline_mean_", "classes_"))
    }
    if extra:
        print("; ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in extra.items()))
    if "assay_status_roc_auc" in training.metrics:
        print(
            f"AUC of assay status alone: {training.metrics['assay_status_roc_auc']:.3f} (who was tested is never an input)"
        )
    if "sites_roc_auc" in training.metrics:
        low, high = (training.metrics.get(f"sites_roc_auc_{end}") for end in ("low", "high"))
        print(
            f"held-out sites: pooled ROC AUC {training.metrics['sites_roc_auc']:.3f} ({low:.3f}-{high:.3f})"
        )
    print_table(
        [{"honesty check": c.name, "verdict": c.verdict, "found": c.found} for c in training.checks]
    )
    model = (
        f"models:/{logged['name']}@{logged['alias']} (version {logged['version']})"
        if "name" in logged
        else logged["model_uri"]
    )
    print(f"model {model}; run {logged['run_id']}")


def _print_problems(problems: list[Problem]) -> None:
    for problem in problems:
        print(f"{problem.severity}: {problem.where}: {problem.found}. {problem.remedy}".rstrip())


def predict_command(arguments: argparse.Namespace) -> int:
    """Score a cohort or a feature table with each model, in chunks."""
    output = Path(arguments.output)
    for path in [output, *([Path(arguments.explanations)] if arguments.explanations else [])]:
        check_output(path)
    if arguments.explanations and arguments.features:
        raise RequestError(
            "--explanations", "it needs the cohort itself", "Give --cohort instead of --features."
        )
    with progress_bar(arguments.quiet) as progress:
        progress("loading models", 0, 0)
        predictors = _predictors(arguments)
        problems, counts, seconds = _scored(arguments, predictors, output, progress)
    if not arguments.quiet:
        _print_problems(problems)
        _print_predictions(counts, output, seconds)
    return 0


def _scored(
    arguments: argparse.Namespace, predictors: list[Any], output: Path, progress: Any
) -> tuple[list[Problem], Any, float]:
    import time

    from als_ml.cohort import in_parts as large_cohort
    from als_ml.prediction import batch

    started, drivers, problems = time.perf_counter(), not arguments.no_drivers, Problems()
    made_from = {"models": [*(arguments.model or []), *(arguments.lock or [])], "drivers": drivers}
    made_from |= {"versions": [[p.fitted.task, p.model_name, p.model_version] for p in predictors]}
    if arguments.features:
        path = Path(arguments.features)
        if not path.is_file():
            raise DataError(
                str(path), "there is no such file", "Make one with `python -m als_ml features`."
            )
        made_from["features"] = [str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns]
        chunks, of = (
            lambda first: batch.score_features(path, predictors, drivers, first),
            batch.chunk_count(path, predictors),
        )
        counts = batch.write_parts(chunks, of, output, made_from, arguments.resume, progress)
        return [], counts, time.perf_counter() - started
    from als_ml.cohort.digests import file_digests

    progress("reading", 0, 0)
    made_from["cohort"] = file_digests(Path(arguments.cohort))
    if (
        not arguments.explanations
        and large_cohort.patient_count(Path(arguments.cohort)) >= large_cohort.LARGE
    ):
        counts = _scored_in_parts(arguments, predictors, output, progress, made_from, problems)
        return merged(problems.found), counts, time.perf_counter() - started
    cohort = _cohort_for(arguments, predictors, problems)
    chunks, of = (
        lambda first: batch.score_cohort(cohort, predictors, drivers, first),
        batch.cohort_chunks(cohort, predictors),
    )
    counts = batch.write_parts(chunks, of, output, made_from, arguments.resume, progress)
    if arguments.explanations:
        progress("explaining", 0, 0)
        write_table(_explanations(cohort, predictors), Path(arguments.explanations))
    return problems.found, counts, time.perf_counter() - started


def _scored_in_parts(
    arguments: argparse.Namespace,
    predictors: list[Any],
    output: Path,
    progress: Any,
    made_from: dict[str, Any],
    problems: Problems,
) -> Any:
    """Score a cohort that is too large for memory."""
    from als_ml.cohort.in_parts import large_cohort
    from als_ml.prediction import batch

    rule, drivers = _call_rule(predictors), not arguments.no_drivers
    with large_cohort(
        Path(arguments.cohort), problems, rule, lambda what: progress(what, 0, 0)
    ) as cohort:
        _check_build(cohort.described, predictors)
        made_from["part"] = cohort.size
        return batch.write_parts(
            lambda first: batch.score_parts(cohort, predictors, drivers, problems, first),
            len(predictors) * cohort.parts,
            output,
            made_from,
            arguments.resume,
            progress,
        )


def _predictors(arguments: argparse.Namespace) -> list[Any]:
    """The models asked for, each checked against its lock where one is given."""
    from als_ml.tracking.store import load_model

    if not arguments.lock:
        return [load_model(uri) for uri in arguments.model]
    from als_ml.lifecycle.lock import check_lock, locked_uri, read_lock

    predictors = []
    for path in map(Path, arguments.lock):
        uri = locked_uri(read_lock(path))
        predictors.append(load_model(uri))
        check_lock(path, uri, predictors[-1])
    return predictors


def _explanations(cohort: Any, predictors: list[Any]) -> Any:
    """Contributions of every scored patient by feature, block and mechanism."""
    import pandas as pd

    from als_ml.training.importance import contribution_table
    from features.blocks.rows import feature_rows
    from models.tasks import TASKS, out_of_scope

    parts = []
    for predictor in predictors:
        task = TASKS[predictor.fitted.task]
        rows = feature_rows(predictor.as_trained(cohort), predictor.spec)
        rows = rows[out_of_scope(cohort, task, predictor.spec.landmark_days) == ""]
        table = contribution_table(
            list(rows.index),
            predictor.fitted.contributions(predictor.matrix(rows)),
            predictor.described,
        )
        parts.append(table.assign(task=task.name))
    return pd.concat(parts, ignore_index=True)


def _cohort_for(arguments: argparse.Namespace, predictors: list[Any], problems: Problems) -> Any:
    """The cohort, read as all the models want it."""
    from als_ml.cohort.read import read_cohort

    cohort, described = read_cohort(Path(arguments.cohort), problems, _call_rule(predictors))
    _check_build(described, predictors)
    return cohort


def _call_rule(predictors: list[Any]) -> Any:
    """Least quality and depth of a genotype, on which all the models must agree."""
    from features.genotypes.vcf import CallRule

    rules = {CallRule(predictor.spec.min_gq, predictor.spec.min_depth) for predictor in predictors}
    if len(rules) > 1:
        found = "the models were trained with different thresholds of genotype quality and depth"
        raise RequestError("--model", found, "Predict with one model at a time.")
    return rules.pop()


def _check_build(described: Any, predictors: list[Any]) -> None:
    for predictor in predictors:
        if described.variants and described.genome_build != predictor.spec.genome_build:
            found = f"the cohort is on {described.genome_build}, the model on {predictor.spec.genome_build}"
            raise RequestError("genome_build", found, "Give the files called on the model's build.")


def _print_predictions(counts: Any, output: Path, seconds: float) -> None:
    """One short table a task: scored, as what, abstained, out of distribution, not scored and why."""
    for task in dict.fromkeys(task for task, _ in counts):
        own = {what: n for (of, what), n in counts.items() if of == task}
        classes = {what: n for what, n in sorted(own.items()) if what.startswith("as ")}
        after = {name: own[name] for name in ("abstained", "out of distribution", "not scored")}
        print_table([{"task": task, "scored": own["scored"], **classes, **after}])
        for what, n in sorted(own.items()):
            if what.startswith("reason "):
                print(f"not scored: {n} of {task}, {what.removeprefix('reason ')}")
    rows = sum(n for (_, what), n in counts.items() if what in ("scored", "not scored"))
    print(
        f"written: {output} ({rows:,} rows, {rows / max(seconds, 1e-9):,.0f} a second). Research use only."
    )


def simulate_command(arguments: argparse.Namespace) -> int:
    """Write a made-up cohort."""
    if arguments.patients < 1:
        raise RequestError(
            f"--patients {arguments.patients}",
            "must be at least 1",
            "Give how many patients to make.",
        )
    from als_ml.simulate import simulate

    with progress_bar(arguments.quiet) as progress:
        made = simulate(Path(arguments.output), arguments.patients, arguments.seed, progress)
    if not arguments.quiet:
        print_table(
            [
                {"simulated cohort": name.replace("_", " "), "value": value}
                for name, value in made.items()
            ]
        )
        print(
            f"written: {arguments.output}. Made-up patients: they prove that the machinery works, not medicine."
        )
    return 0


def check_command(arguments: argparse.Namespace) -> int:
    """Say what is in the files and what is wrong; exit 1 on errors."""
    from als_ml.cohort.check import check_cohort

    with progress_bar(arguments.quiet or arguments.json) as progress:
        report = check_cohort(
            Path(arguments.cohort), lambda what: progress(f"reading {what}", 0, 0)
        )
    errors = [problem for problem in report["problems"] if problem["severity"] == "error"]
    if arguments.json:
        print(json.dumps(report, indent=1))
    elif not arguments.quiet:
        _print_check(report)
        print(f"{len(errors)} errors, {len(report['problems']) - len(errors)} warnings and notes")
    return 1 if errors else 0


def _print_check(report: dict[str, Any]) -> None:
    if report["contents"]:
        print_table([{"in the files": name, "n": n} for name, n in report["contents"].items()])
        print_table([report["samples"]], "patients found in")
        if report["analytes"]:
            print_table(report["analytes"], "biomarkers, in the canonical unit")
        _print_sites(report["sites"])
        _print_genes(report["genes"])
    for file, problems in report["files"].items():
        print(f"\n{file}")
        for problem in problems:
            where = str(problem["where"]).removeprefix(file).lstrip(",: ")
            place = f" {where}:" if where else ""
            print(
                f"  {problem['severity']}:{place} {problem['found']}. {problem['remedy']}".rstrip()
            )


def _print_sites(sites: list[dict[str, Any]]) -> None:
    """Print the median of each analyte by site."""
    names = dict.fromkeys(row["site"] for row in sites)
    analytes = dict.fromkeys(row["analyte"] for row in sites)
    cells = {
        (row["analyte"], row["site"]): f"{row['median']:.3g} ({row['% missing']:.0f} %)"
        for row in sites
    }
    table = [
        {"analyte": a, **{name: cells.get((a, name), "-") for name in names}} for a in analytes
    ]
    if len(names) > 1:
        print_table(table, "median by site (and patients without a value)")


def _print_genes(genes: list[dict[str, Any]]) -> None:
    """Print the genes that are covered in less than 95 % of the patients, and count the others."""
    patients = (
        sum(genes[0][name] for name in ("unknown", "not covered", "partly", "covered"))
        if genes
        else 0
    )
    shown = [row for row in genes if row["covered"] < 0.95 * patients and row["unknown"] < patients]
    unknown = [row["gene"] for row in genes if row["unknown"] == patients]
    if shown:
        print_table(shown, "genes covered in less than 95 % of the patients")
    covered = len(genes) - len(shown) - len(unknown)
    print(
        f"{covered} genes covered in 95 % or more; unknown in all: {examples(unknown, 5) or 'none'}"
    )


def features_command(arguments: argparse.Namespace) -> int:
    """Write the feature matrix of a cohort and its dictionary."""
    output = Path(arguments.output)
    check_output(output)
    import pandas as pd

    from als_ml.cohort.read import read_cohort
    from als_ml.prediction.predictor import beside_features
    from features.alsfrs.mixed_model import fit_course
    from features.blocks.landmark import as_known
    from features.blocks.rows import FeatureSpec, feature_dictionary, feature_rows

    problems = Problems()
    with progress_bar(arguments.quiet) as progress:
        cohort, described = read_cohort(
            Path(arguments.cohort), problems, progress=lambda what: progress(what, 0, 0)
        )
        spec = FeatureSpec(
            landmark_days=arguments.landmark_days,
            genome_build=described.genome_build,
            summaries=_summaries(arguments.values),
        )
        visits = as_known(cohort, spec.landmark_days).alsfrs
        visits = visits[(visits["scale"] == "alsfrs_r").to_numpy()]
        # For the reader of the table only: a model computes the mixed-model slope from its own training patients.
        spec = replace(
            spec, course=fit_course(*(visits[name].to_numpy() for name in ("row", "days", "total")))
        )
        rows = feature_rows(cohort, spec)
        beside = beside_features(cohort, spec)
        dictionary = output.with_name(f"{output.stem}.dictionary.csv")
        write_table(pd.DataFrame(feature_dictionary(spec)), dictionary)
        write_table(pd.concat([beside, rows], axis=1).reset_index(), output)
    if not arguments.quiet:
        _print_problems(problems.found)
        empty = [name for name in rows.columns if rows[name].isna().all()]
        found = f"{len(rows)} patients, {rows.shape[1]} features"
        print(
            f"written: {output} ({found}; {len(empty)} without any value: {examples(empty) or 'none'}) and {dictionary}"
        )
    return 0


def _summaries(text: str) -> tuple[str, ...]:
    from features.blocks.biomarkers import SUMMARIES

    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in chosen if name not in SUMMARIES]
    if unknown or not chosen:
        raise RequestError(
            f"--values {text}", "it names no or another summary", f"Known: {', '.join(SUMMARIES)}."
        )
    return chosen


def variants_command(arguments: argparse.Namespace) -> int:
    """Write the variants of a VCF with their evidence, and their carriers."""
    outputs = [Path(path) for path in (arguments.output, arguments.carriers) if path]
    for output in outputs:
        check_output(output)
    from als_ml.variant_table.table import reference_path, variant_table
    from features.genotypes.vcf import CallRule
    from features.variants.evidence import Sources
    from features.variants.lookups import Lookups, read_clinvar, read_frequencies

    build, path = arguments.genome_build, Path(arguments.vcf)
    given = {
        name: reference_path(getattr(arguments, name), f"--{name}")
        for name in ("fasta", "gff", "frequencies", "clinvar")
    }
    with progress_bar(arguments.quiet) as progress:
        progress("reading references", 0, 0)
        lookups = Lookups(
            read_frequencies(given["frequencies"], build) if given["frequencies"] else None,
            read_clinvar(given["clinvar"], build) if given["clinvar"] else None,
        )
        progress(path.name, 0, 0)
        sources = Sources(build, lookups, arguments.clinvar_assertions, not arguments.clinvar_off)
        rule = CallRule(arguments.min_gq, arguments.min_depth)
        carriers = Path(arguments.carriers) if arguments.carriers else None
        table, problems = variant_table(
            path, build, lookups, sources, rule, given["fasta"], given["gff"], carriers
        )
        write_table(table, outputs[0])
    if not arguments.quiet:
        _print_problems(problems.found)
        _print_variants(table, outputs)
    return 0


def _print_variants(table: Any, outputs: list[Path]) -> None:
    if table.empty:
        print("note: no record lies in the gene panel; check the contig names and --genome-build.")
    classes = table["class"].value_counts()
    print_table(
        [
            {"class": name, "variants": int(classes.get(name, 0))}
            for name in ("P", "LP", "VUS", "LB", "B", "risk")
        ]
    )
    unknown = int(
        (table["consequence"].isna() | (table["consequence"] == "coding_sequence_variant")).sum()
    )
    if unknown:
        print(
            f"note: of {unknown} variants no more is known than their place; --fasta or an annotated VCF tells consequences."
        )
    if len(table) and table["frequency"].isna().all():
        print(
            "note: no population frequencies are known; --frequencies gives them (PM2, BS1, BA1)."
        )
    print(f"written: {' and '.join(str(path) for path in outputs)} ({len(table)} variants)")


def references_command(arguments: argparse.Namespace) -> int:
    """Fetch the reference files."""
    from als_ml.references import cohort_block, fetch_references

    only = tuple(name for name in arguments.only.split(",") if name)
    with progress_bar(arguments.quiet) as progress:
        paths = fetch_references(
            Path(arguments.output), arguments.genome_build, Path(arguments.sources), only, progress
        )
    if not arguments.quiet:
        print(f"written to {arguments.output}. For your cohort.yaml:\n\n{cohort_block(paths)}")
        print("A cohort file in another folder needs --allow-outside to name them.")
    return 0


def import_proact_command(arguments: argparse.Namespace) -> int:
    """Turn a PRO-ACT release into a cohort folder."""
    from als_ml.imports.proact import import_proact

    return _import(import_proact, arguments)


def import_phenopackets_command(arguments: argparse.Namespace) -> int:
    """Turn a folder of phenopackets into a cohort folder."""
    from als_ml.imports.phenopackets import import_phenopackets

    return _import(import_phenopackets, arguments)


def _import(
    imported: Callable[[Path, Path, Problems], dict[str, int]], arguments: argparse.Namespace
) -> int:
    problems, source = Problems(collect=True), Path(arguments.folder)
    if not source.is_dir():
        raise RequestError(
            str(source), "there is no such folder", "Give the folder that holds the files."
        )
    with progress_bar(arguments.quiet) as progress:
        progress(f"importing {source.name}", 0, 0)
        counts = imported(source, Path(arguments.output), problems)
    if not arguments.quiet:
        _print_problems(problems.found)
        print_table([{"imported": name, "n": n} for name, n in counts.items()])
        print(
            f"written: {arguments.output}. Next: python -m als_ml check --cohort {arguments.output}/cohort.yaml"
        )
    return 0
