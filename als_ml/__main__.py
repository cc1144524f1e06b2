"""`python -m als_ml COMMAND`: everything that is neither training nor batch prediction."""

import argparse
import sys

from als_ml.cli import EPILOG, run


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    made = argparse.ArgumentParser(
        prog="python -m als_ml", description="ALS stratification: cohorts and features.", epilog=EPILOG
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    simulate = _add(commands, "simulate", "write a realistic made-up cohort with truth.csv")
    simulate.add_argument("--patients", type=int, default=800, help="how many (default 800)")
    simulate.add_argument("--seed", type=int, default=1, help="same seed, same cohort (default 1)")
    simulate.add_argument("--output", required=True, help="folder to make")

    check = _add(commands, "check", "say what is in the files of a cohort and what is wrong with them")
    check.add_argument("--cohort", required=True, help="cohort.yaml")
    check.add_argument("--json", action="store_true", help="for machines")

    features = _add(commands, "features", "write the rows a model would see, with a feature dictionary beside them")
    features.add_argument("--cohort", required=True, help="cohort.yaml")
    features.add_argument("--output", required=True, help="features, .parquet or .csv")
    features.add_argument(
        "--values",
        default="last,mean",
        help="which of several values of a biomarker: last,first,mean,slope (default last,mean)",
    )
    features.add_argument("--landmark-days", type=int, default=90, help="features end here (default 90)")

    variants = _add(
        commands, "variants", "write every ALS-gene variant of a VCF with its evidence, class and pathogenicity"
    )
    variants.add_argument("--vcf", required=True, help="VCF or BCF, with or without samples")
    variants.add_argument("--genome-build", required=True, choices=("GRCh37", "GRCh38"), help="build of the VCF")
    variants.add_argument("--output", required=True, help="one row a variant, .parquet or .csv")
    variants.add_argument("--carriers", help="also write who carries what, .parquet or .csv")
    variants.add_argument("--fasta", help="reference genome, for consequences (bcftools csq) and left-normalisation")
    variants.add_argument("--gff", help="gene models to use instead of the shipped ones (Ensembl GFF3)")
    variants.add_argument("--frequencies", help="sites VCF with population frequencies (INFO/AF)")
    variants.add_argument("--clinvar", help="ClinVar VCF")
    variants.add_argument("--clinvar-assertions", action="store_true", help="let ClinVar's own word count (PP5, BP6)")
    variants.add_argument("--clinvar-off", action="store_true", help="use no known variant at all, to test the rest")
    variants.add_argument("--min-gq", type=int, default=0, help="genotype quality below which a call is missing")
    variants.add_argument("--min-depth", type=int, default=0, help="depth below which a call is missing")

    for name, what in (("proact", "a PRO-ACT release"), ("phenopackets", "GA4GH phenopackets (v2 JSON)")):
        imported = _add(commands, f"import-{name}", f"turn {what} into a cohort folder")
        imported.add_argument("folder", metavar="DIR", help="folder to read")
        imported.add_argument("--output", required=True, help="cohort folder to make")

    references = _add(commands, "references", "fetch FASTA, ClinVar and gnomAD, cut to the gene panel")
    references.add_argument("--output", required=True, help="folder to fill")
    references.add_argument("--genome-build", default="GRCh38", choices=("GRCh37", "GRCh38"), help="default GRCh38")
    references.add_argument("--sources", default="configs/references/sources.yaml", help="where to fetch them from")
    references.add_argument("--only", default="", help="some of fasta,clinvar,frequencies")
    return made


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, does: str
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=does, description=does[:1].upper() + does[1:] + ".", epilog=EPILOG)
    made.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    arguments = make_parser().parse_args(argv)
    from als_ml import commands

    return run(getattr(commands, f"{arguments.command.replace('-', '_')}_command"), arguments)


if __name__ == "__main__":
    sys.exit(main())
