"""Commands on registered models: promote, compare, monitor, recalibrate, lock, reproduce."""

import argparse
import contextlib
import signal
from pathlib import Path
from typing import Any

from als_ml.cli import print_table, progress_bar
from als_ml.output import check_output, write_table
from features.errors import DataError, RequestError
from features.tables.problems import Problems


def promote_command(arguments: argparse.Namespace) -> int:
    """Move the champion alias by the rule or an override, or print the log of decisions."""
    from als_ml.lifecycle.promotion import promote, promotion_log

    if arguments.log:
        entries = promotion_log(arguments.name)
        print_table(entries) if entries else print("no decision yet")
        return 0
    cohort, training = (
        Path(p) if p else None for p in (arguments.cohort, arguments.training_cohort)
    )
    with progress_bar(arguments.quiet) as progress:
        progress("comparing with the champion", 0, 0)
        version, decision = promote(
            arguments.model, cohort, training, arguments.override, arguments.by
        )
    if not decision.promoted:
        remedy = "Improve it, or promote it with --override REASON; the refusal is in the log."
        raise DataError(
            f"{version.name} version {version.version}", "; ".join(decision.reasons), remedy
        )
    if not arguments.quiet:
        if decision.figures:
            print_table(
                [
                    {"figure": name.replace("_", " "), "value": value}
                    for name, value in decision.figures.items()
                ]
            )
        why = "; ".join(decision.reasons) or "the rule is met"
        print(f"champion of {version.name}: version {version.version} ({why})")
    return 0


def compare_command(arguments: argparse.Namespace) -> int:
    """Compare two models, on a cohort or by the metrics of their runs."""
    if arguments.output:
        check_output(Path(arguments.output))
    if not arguments.cohort:
        return _compare_runs(arguments)
    from als_ml.lifecycle.comparison import compare, scored_cohort
    from als_ml.lifecycle.registry import registered_version, run_config
    from als_ml.tracking.store import load_model

    with progress_bar(arguments.quiet) as progress:
        progress("scoring with both models", 0, 0)
        version, path = registered_version(arguments.models[0]), Path(arguments.cohort)
        config = run_config(version.run_id, arguments.cohort)
        ours, theirs = (scored_cohort(load_model(uri), config, path) for uri in arguments.models)
        found = compare(ours, theirs)
    if arguments.output:
        write_table(found["changed"], Path(arguments.output))
    if not arguments.quiet:
        _print_comparison(found, arguments)
    return 0


def _print_comparison(found: dict[str, Any], arguments: argparse.Namespace) -> None:
    print(
        f"{found['n']} patients scored by both, {found['n_labelled']} labelled; "
        f"probabilities correlate {found['correlation']:.3f}"
    )
    for metric, (difference, low, high) in found.get("differences", {}).items():
        print(f"{metric}: first minus second {difference:+.4f} ({low:+.4f} to {high:+.4f})")
    if "differences" not in found:
        print("no differences of performance: the labelled patients do not have both labels")
    counts = found["classes"]
    print_table(
        [{"second \\ first": name, **row.to_dict()} for name, row in counts.iterrows()],
        "predicted classes",
    )
    where = f"written: {arguments.output}" if arguments.output else "name them with --output FILE"
    print(f"{len(found['changed'])} patients change class; {where}. Research use only.")


def _compare_runs(arguments: argparse.Namespace) -> int:
    from als_ml.lifecycle.registry import registered_version, run_metrics

    first, second = (run_metrics(registered_version(uri)) for uri in arguments.models)
    names = [
        "roc_auc",
        "average_precision",
        "brier",
        "log_loss",
        "calibration_slope",
        "coverage",
        "sites_roc_auc",
        "n",
    ]
    rows = [
        {"metric": name, "first": first.get(name), "second": second.get(name)} for name in names
    ]
    if not arguments.quiet:
        print_table(
            rows,
            "each run's own figures, on its own patients; --cohort FILE compares on the same ones",
        )
    return 0


def monitor_command(arguments: argparse.Namespace) -> int:
    """Say how far a cohort has drifted from a model's training patients."""
    if arguments.output:
        check_output(Path(arguments.output))
    import pandas as pd

    from als_ml.cohort.read import read_cohort
    from als_ml.lifecycle.comparison import scored_cohort
    from als_ml.lifecycle.monitoring import calibration_now, drift_table, flags
    from als_ml.lifecycle.registry import registered_version, run_config
    from als_ml.tracking.store import load_model
    from features.blocks.rows import feature_rows

    with progress_bar(arguments.quiet) as progress:
        progress("reading", 0, 0)
        version, predictor = registered_version(arguments.model), load_model(arguments.model)
        config, path = run_config(version.run_id, arguments.cohort), Path(arguments.cohort)
        scored = scored_cohort(predictor, config, path)
        table = drift_table(
            predictor, feature_rows(read_cohort(path, Problems())[0], predictor.spec)
        )
    if arguments.output:
        write_table(pd.DataFrame(table), Path(arguments.output))
    if not arguments.quiet:
        moved = [row for row in table if row["verdict"] != "stable"]
        print_table(
            moved[:20] or table[:3],
            f"{len(moved)} of {len(table)} features have drifted (PSI 0.1 look, 0.25 shifted)",
        )
        print_table([flags(scored)], "patients")
        now = calibration_now(scored)
        print_table([now], "calibration") if now else print(
            "no calibration: too few labelled patients"
        )
    return 0


def recalibrate_command(arguments: argparse.Namespace) -> int:
    """Recalibrate a model for a new centre as a new version."""
    from als_ml.lifecycle.recalibration import recalibrate

    with progress_bar(arguments.quiet) as progress:
        progress("recalibrating", 0, 0)
        done = recalibrate(arguments.model, Path(arguments.cohort))
    if not arguments.quiet:
        rows = [{"on these patients": name, **done[name]} for name in ("before", "after")]
        print_table(
            rows,
            f"{done['n']} patients, {done['n_positive']} positive; after is a fit, not a validation",
        )
        print(f"model models:/{done['name']}@challenger (version {done['version']})")
    return 0


def serve_command(arguments: argparse.Namespace) -> int:
    """Serve a model until interrupted."""
    from als_ml.lifecycle.lock import locked_uri, read_lock
    from als_ml.serving.server import curl, serving, wait_until_up

    if bool(arguments.model) == bool(arguments.lock):
        raise RequestError(
            "serve", "give either --model or --lock", "See python -m als_ml serve --help."
        )
    pinned = read_lock(Path(arguments.lock)) if arguments.lock else {}
    uri, digest = (
        (locked_uri(pinned), pinned["digest"]) if pinned else (arguments.model, arguments.digest)
    )
    address, hosts = (
        (arguments.host, arguments.port),
        [host for host in arguments.allowed_hosts.split(",") if host],
    )
    limits = {
        "megabytes": arguments.max_megabytes,
        "patients": arguments.max_patients,
        "hosts": hosts,
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with serving(uri, address, arguments.workers, digest, **limits) as server:
        wait_until_up(server, address)
        if not arguments.quiet:
            print(
                f"serving {uri} on http://{address[0]}:{address[1]}; Ctrl-C ends it. Research use only. Try:"
            )
            print(curl(address), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            return server.wait()
    return 0


def report_command(arguments: argparse.Namespace) -> int:
    """Write a cohort report."""
    output = Path(arguments.output)
    check_output(output, (".html",))
    import pandas as pd

    from als_ml.cohort.read import read_cohort
    from als_ml.output import whole_file
    from als_ml.pages.cohort_page import Report, pseudonymised, write_report
    from als_ml.pages.patient_pages import patient_pages
    from als_ml.pages.phenopacket_export import write_phenopackets
    from als_ml.pages.protocol import read_rules
    from als_ml.tracking.store import load_model

    rules = read_rules(Path(arguments.rules) if arguments.rules else None, arguments.recalled_rules)
    with progress_bar(arguments.quiet) as progress:
        progress("reading", 0, 0)
        predictors = [load_model(uri) for uri in arguments.model]
        cohort, described = read_cohort(Path(arguments.cohort), Problems())
        pages = patient_pages(cohort, predictors, rules, described.genome_build, progress)
        labels = _page_labels(arguments.model, arguments.cohort, cohort, predictors)
        key = pseudonymised(pages) if arguments.pseudonymise else {}
        progress("writing", 0, 0)
        simulated = (Path(arguments.cohort).parent / "truth.csv").exists()
        with whole_file(output) as temporary:
            write_report(Report(described.name, cohort, pages, rules, simulated, labels), temporary)
        if arguments.phenopackets:
            progress("exporting", 0, 0)
            write_phenopackets(cohort, described.genome_build, Path(arguments.phenopackets), key)
        if key:
            names = output.with_suffix(".key.csv")
            write_table(
                pd.DataFrame({"sample_id": list(key), "pseudonym": list(key.values())}), names
            )
            names.chmod(0o600)
    if not arguments.quiet:
        print(
            f"written: {output} ({output.stat().st_size / 1e6:.1f} MB, {len(pages):,} patients). Research use only."
        )
        if key:
            print(f"who is who: {names}; keep it apart from the report")
    return 0


def _page_labels(uris: list[str], path: str, cohort: Any, predictors: list[Any]) -> dict[str, Any]:
    """Labels of the patients as each model's own run made them, for those who have a page."""
    from als_ml.lifecycle.comparison import labels_or_none
    from als_ml.lifecycle.registry import registered_version, run_config

    shown = (cohort.patients["diagnosis"] != "unaffected_relative").to_numpy()
    found = {}
    for uri, predictor in zip(uris, predictors, strict=True):
        config = run_config(registered_version(uri).run_id, path)
        found[predictor.fitted.task] = labels_or_none(config, cohort)[shown]
    return found


def push_command(arguments: argparse.Namespace) -> int:
    """Upload a finished run that was kept when the store was lost."""
    from als_ml.tracking.store import check_store, push

    check_store()
    with progress_bar(arguments.quiet) as progress:
        progress("uploading", 0, 0)
        logged = push(Path(arguments.run_dir))
    if not arguments.quiet:
        model = (
            f"models:/{logged['name']}@{logged['alias']}"
            if "name" in logged
            else logged["model_uri"]
        )
        print(
            f"model {model}; run {logged['run_id']}; the folder {arguments.run_dir} is no longer needed"
        )
    return 0


def lock_command(arguments: argparse.Namespace) -> int:
    """Write a trial's lock file."""
    path = Path(arguments.output)
    check_output(path, (".json",))
    from als_ml.lifecycle.lock import write_lock

    pinned = write_lock(arguments.model, path)
    if not arguments.quiet:
        print_table([{"pinned": name, "value": value} for name, value in pinned.items()])
        print(
            f"written: {path}. Score with: python predict.py --lock {path} --cohort ... --output ..."
        )
    return 0


def reproduce_command(arguments: argparse.Namespace) -> int:
    """Repeat a run and compare every figure."""
    from als_ml.lifecycle.reproduction import reproduce

    with progress_bar(arguments.quiet) as progress:
        found = reproduce(arguments.run_id, arguments.cohort, progress)
    for difference in found["inputs"]:
        print(f"note: {difference}")
    if found["differing"]:
        if not arguments.quiet:
            print_table(found["differing"][:20], "figures that differ")
        what = f"{len(found['differing'])} of {found['compared']} figures differ"
        raise DataError(
            f"run {arguments.run_id}",
            what,
            "; ".join(found["inputs"]) or "Nothing known explains it: please report it.",
        )
    if not arguments.quiet:
        print(f"all {found['compared']} figures are the same")
    return 0
