"""`python -m als_ml COMMAND`: everything that is neither training nor batch prediction."""

import argparse
import sys

from als_ml.cli import EPILOG, add_shared, run


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    made = argparse.ArgumentParser(
        prog="python -m als_ml",
        description="ALS stratification: cohorts and features.",
        epilog=EPILOG,
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    simulate = _add(commands, "simulate", "write a realistic made-up cohort with truth.csv")
    simulate.add_argument("--patients", type=int, default=800, help="how many (default 800)")
    simulate.add_argument("--seed", type=int, default=1, help="same seed, same cohort (default 1)")
    simulate.add_argument("--output", required=True, help="folder to make")

    check = _add(
        commands, "check", "say what is in the files of a cohort and what is wrong with them"
    )
    check.add_argument("--cohort", required=True, help="cohort.yaml")
    check.add_argument("--json", action="store_true", help="for machines")

    features = _add(
        commands,
        "features",
        "write the rows a model would see, with a feature dictionary beside them",
    )
    features.add_argument("--cohort", required=True, help="cohort.yaml")
    features.add_argument("--output", required=True, help="features, .parquet or .csv")
    features.add_argument(
        "--values",
        default="last,mean",
        help="which of several values of a biomarker: last,first,mean,slope (default last,mean)",
    )
    features.add_argument(
        "--landmark-days", type=int, default=90, help="features end here (default 90)"
    )

    variants = _add(
        commands,
        "variants",
        "write every ALS-gene variant of a VCF with its evidence, class and pathogenicity",
    )
    variants.add_argument("--vcf", required=True, help="VCF or BCF, with or without samples")
    variants.add_argument(
        "--genome-build", required=True, choices=("GRCh37", "GRCh38"), help="build of the VCF"
    )
    variants.add_argument("--output", required=True, help="one row a variant, .parquet or .csv")
    variants.add_argument("--carriers", help="also write who carries what, .parquet or .csv")
    variants.add_argument(
        "--fasta", help="reference genome, for consequences (bcftools csq) and left-normalisation"
    )
    variants.add_argument(
        "--gff", help="gene models to use instead of the shipped ones (Ensembl GFF3)"
    )
    variants.add_argument("--frequencies", help="sites VCF with population frequencies (INFO/AF)")
    variants.add_argument("--clinvar", help="ClinVar VCF")
    variants.add_argument(
        "--clinvar-assertions", action="store_true", help="let ClinVar's own word count (PP5, BP6)"
    )
    variants.add_argument(
        "--clinvar-off", action="store_true", help="use no known variant at all, to test the rest"
    )
    variants.add_argument(
        "--min-gq", type=int, default=0, help="genotype quality below which a call is missing"
    )
    variants.add_argument(
        "--min-depth", type=int, default=0, help="depth below which a call is missing"
    )

    for name, what in (
        ("proact", "a PRO-ACT release"),
        ("phenopackets", "GA4GH phenopackets (v2 JSON)"),
    ):
        imported = _add(commands, f"import-{name}", f"turn {what} into a cohort folder")
        imported.add_argument("folder", metavar="DIR", help="folder to read")
        imported.add_argument("--output", required=True, help="cohort folder to make")

    references = _add(
        commands, "references", "fetch FASTA, ClinVar and gnomAD, cut to the gene panel"
    )
    references.add_argument("--output", required=True, help="folder to fill")
    references.add_argument(
        "--genome-build", default="GRCh38", choices=("GRCh37", "GRCh38"), help="default GRCh38"
    )
    references.add_argument(
        "--sources", default="configs/references/sources.yaml", help="where to fetch them from"
    )
    references.add_argument("--only", default="", help="some of fasta,clinvar,frequencies")
    _add_model_commands(commands)
    return made


def _add_model_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    promote = _add(
        commands,
        "promote",
        "make a version the champion by the rule, or print the log of such decisions",
    )
    what = promote.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION")
    what.add_argument("--log", action="store_true", help="print who decided what, when and why")
    promote.add_argument("--name", help="with --log: of one registered model")
    promote.add_argument("--cohort", help="cohort that neither model was trained on")
    promote.add_argument(
        "--training-cohort",
        help="instead: refit both configurations on the same folds of this cohort",
    )
    promote.add_argument(
        "--override", metavar="REASON", help="promote whatever the rule says; the reason is kept"
    )
    promote.add_argument("--by", help="who decides (default: the user name)")

    compare = _add(
        commands, "compare", "compare two models: differences with intervals, and who changes class"
    )
    compare.add_argument(
        "models", nargs=2, metavar="MODEL", help="models:/NAME@ALIAS or models:/NAME/VERSION"
    )
    compare.add_argument(
        "--cohort", help="cohort to score with both; without it, the figures of their runs"
    )
    compare.add_argument("--output", help="patients who change class, .csv or .parquet")

    monitor = _add(
        commands, "monitor", "say how far a cohort has drifted from a model's training patients"
    )
    monitor.add_argument(
        "--model", required=True, help="models:/NAME@ALIAS or models:/NAME/VERSION"
    )
    monitor.add_argument("--cohort", required=True, help="cohort.yaml")
    monitor.add_argument("--output", help="drift of every feature, .csv or .parquet")

    recalibrate = _add(
        commands, "recalibrate", "update a model's calibration for a new centre, as a new version"
    )
    recalibrate.add_argument(
        "--model", required=True, help="models:/NAME@ALIAS or models:/NAME/VERSION"
    )
    recalibrate.add_argument("--cohort", required=True, help="labelled patients of the new centre")

    serve = _add(
        commands,
        "serve",
        "serve a model over HTTP: MLflow's scoring app with limits and redacted errors",
    )
    serve.add_argument("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION")
    serve.add_argument("--lock", help="a trial's lock file instead; any other model is refused")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default 127.0.0.1: this machine only)",
    )
    serve.add_argument("--port", type=int, default=5001, help="default 5001")
    serve.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    serve.add_argument(
        "--digest",
        help="digest that the model's files must have (default: that of its registration)",
    )
    serve.add_argument(
        "--allowed-hosts",
        default="",
        help="names by which it may be called, a comma between (default any)",
    )
    serve.add_argument("--max-megabytes", type=float, default=64, help="of a request (default 64)")
    serve.add_argument(
        "--max-patients", type=int, default=10_000, help="of a request (default 10000)"
    )

    report = _add(
        commands,
        "report",
        "write a cohort as one HTML file that opens offline, with a page per patient",
    )
    report.add_argument("--cohort", required=True, help="cohort.yaml")
    report.add_argument(
        "--model", action="append", default=[], help="MLflow model URI; may be repeated"
    )
    report.add_argument("--output", required=True, help="report to write, .html")
    report.add_argument(
        "--rules", help="care protocol of your own, YAML, that extends or replaces the shipped one"
    )
    report.add_argument(
        "--recalled-rules",
        action="store_true",
        help="also show rules that are recalled, not verified",
    )
    report.add_argument(
        "--phenopackets", metavar="DIR", help="also write each patient as a GA4GH phenopacket"
    )
    report.add_argument(
        "--pseudonymise",
        action="store_true",
        help="replace the samples by numbers; the key goes into OUTPUT.key.csv",
    )

    lock = _add(
        commands, "lock", "pin a model's version, digest, threshold and definitions for a trial"
    )
    lock.add_argument("--model", required=True, help="models:/NAME@ALIAS or models:/NAME/VERSION")
    lock.add_argument("--output", required=True, help="lock file to write, .json")

    push = _add(
        commands,
        "push",
        "upload a finished run that train.py kept because the tracking store was lost",
    )
    push.add_argument("run_dir", metavar="RUN_DIR", help="folder that train.py named")

    reproduce = _add(
        commands, "reproduce", "repeat a run from its manifest and compare every figure"
    )
    reproduce.add_argument("run_id", metavar="RUN_ID", help="run of train.py")
    reproduce.add_argument(
        "--cohort", required=True, help="the cohort file of that run (its path is not logged)"
    )


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, does: str
) -> argparse.ArgumentParser:
    made = commands.add_parser(
        name, help=does, description=does[:1].upper() + does[1:] + ".", epilog=EPILOG
    )
    add_shared(made)
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    arguments = make_parser().parse_args(argv)
    from als_ml import commands, model_commands

    name = f"{arguments.command.replace('-', '_')}_command"
    return run(getattr(commands, name, None) or getattr(model_commands, name), arguments)


if __name__ == "__main__":
    sys.exit(main())
