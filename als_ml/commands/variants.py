"""Write the panel variants of a VCF with their evidence."""

import argparse
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import LOG, add_cluster, print_table, progress_bar, report_problems
from als_ml.output import TABLE_SUFFIXES, check_apart, check_output, together, write_table
from features.genome_build import known_build

if TYPE_CHECKING:
    import pandas as pd

    from als_ml.variant_table.table import Asked
    from features.catalogue import Definitions
    from features.variants.evidence import Sources
    from features.variants.lookups import Lookups

SUMMARY = "write every ALS-gene variant of a VCF with its evidence, class and pathogenicity"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    _add_files(made)
    _add_references(made)
    _add_evidence(made)
    _add_quality(made)


def _add_files(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--vcf", required=True, help="VCF or BCF, with or without samples: a path, or a URL"
    )
    made.add_argument(
        "--genome-build",
        required=True,
        type=known_build,
        choices=("GRCh37", "GRCh38"),
        help="build of the VCF",
    )
    add_cluster(made)
    made.add_argument(
        "--output",
        required=True,
        help="one row a variant, .parquet or .csv, or one record a variant, .vcf.gz, indexed",
    )
    made.add_argument("--carriers", help="also write who carries what, .parquet or .csv")


def _add_references(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--fasta", help="reference genome, for consequences (bcftools csq) and left-normalisation"
    )
    made.add_argument("--gff", help="gene models to use instead of the shipped ones (Ensembl GFF3)")
    made.add_argument("--frequencies", help="sites VCF with population frequencies (INFO/AF)")
    made.add_argument("--clinvar", help="ClinVar VCF")
    made.add_argument(
        "--ped", help="parents of the samples (PED), by whom the phase of two alleles is known"
    )


def _add_evidence(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--missense-score",
        default="",
        help="the one score that is PP3 and BP4 of missense variants: revel, alphamissense or cadd",
    )
    made.add_argument(
        "--scores",
        help="table of that score: AlphaMissense's, REVEL's, or columns variant and score",
    )
    made.add_argument(
        "--functional",
        help="table of functional scores as likelihood ratios (PS3, BS3): likelihood_ratio, and"
        " variant or gene and hgvs_p",
    )
    made.add_argument(
        "--evidence",
        help="table of what your laboratory knows: variant, and PS2, PS3, PS4, PM3, PP1, BS3, BS4"
        " with strengths",
    )
    made.add_argument(
        "--clinvar-assertions", action="store_true", help="let ClinVar's own word count (PP5, BP6)"
    )
    made.add_argument(
        "--clinvar-off", action="store_true", help="use no known variant at all, to test the rest"
    )


def _add_quality(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--min-gq", type=int, default=0, help="genotype quality below which a call is missing"
    )
    made.add_argument(
        "--min-depth", type=int, default=0, help="depth below which a call is missing"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the variants of a VCF with their evidence, and their carriers."""
    outputs = _outputs(arguments)
    from als_ml.variant_table.table import named_by, on_this_machine, variant_table

    given, path = _given(arguments), Path(arguments.vcf)
    with progress_bar(arguments.quiet) as progress, ExitStack() as stack:
        progress("reading references", 0, 0)
        sources = _sources(arguments, given)
        local = stack.enter_context(on_this_machine(path, sources))
        with together():
            table, problems = variant_table(
                _asked(arguments, given, local),
                sources,
                carriers=Path(arguments.carriers) if arguments.carriers else None,
                progress=lambda what: progress(f"reading {what}", 0, 0),
            )
            _write(table, outputs[0], local, arguments.genome_build)
    if not arguments.quiet:
        report_problems(named_by(path, local, problems.found))
        _print_variants(table, outputs)
    return 0


def _given(arguments: argparse.Namespace) -> dict[str, Path | None]:
    """The files beside the VCF, by the name of their option."""
    from als_ml.variant_table.table import reference_path

    names = ["fasta", "gff", "frequencies", "clinvar", "scores", "functional", "evidence", "ped"]
    return {name: reference_path(getattr(arguments, name), f"--{name}") for name in names}


def _asked(arguments: argparse.Namespace, given: dict[str, Path | None], path: Path) -> "Asked":
    """The VCF, and how its calls are read."""
    from als_ml.variant_table.table import Asked
    from features.genotypes.phase import read_ped
    from features.genotypes.vcf import CallRule

    return Asked(
        path=path,
        rule=CallRule(arguments.min_gq, arguments.min_depth),
        fasta=given["fasta"],
        gff=given["gff"],
        parents=read_ped(given["ped"]) if given["ped"] else {},
    )


def _sources(arguments: argparse.Namespace, given: dict[str, Path | None]) -> "Sources":
    """Where the evidence comes from."""
    from features.catalogue import shipped
    from features.variants.evidence import Sources

    definitions, build = shipped(), arguments.genome_build
    return Sources(
        definitions=definitions,
        build=build,
        lookups=_lookups(definitions, build, given, arguments.missense_score),
        assertions=arguments.clinvar_assertions,
        known=not arguments.clinvar_off,
    )


def _lookups(
    definitions: "Definitions", build: str, given: dict[str, Path | None], score: str
) -> "Lookups":
    """What the user's files say of variants."""
    from features.variants.lookups import read_lookups
    from features.variants.observed import read_observed
    from features.variants.scores import read_likelihoods, read_missense_score

    functional, stated = given["functional"], given["evidence"]
    return replace(
        read_lookups(definitions, build, given["frequencies"], given["clinvar"]),
        missense=read_missense_score(definitions, given["scores"], score, build),
        likelihoods=read_likelihoods(definitions, functional) if functional else None,
        stated=read_observed(definitions, stated, build) if stated else None,
    )


def _outputs(arguments: argparse.Namespace) -> list[Path]:
    """Table and carriers, each a place that can be written to."""
    from als_ml.variant_table.annotated import SUFFIX, is_annotated

    table, carriers = Path(arguments.output), arguments.carriers
    check_output(table, () if is_annotated(table) else (*TABLE_SUFFIXES, SUFFIX))
    if carriers is None:
        return [table]
    check_output(Path(carriers))
    check_apart(table, Path(carriers))
    return [table, Path(carriers)]


def _write(table: "pd.DataFrame", output: Path, vcf: Path, build: str) -> None:
    """Write the table by its ending; a VCF spells contigs as the one that was read."""
    from als_ml.variant_table.annotated import is_annotated, write_annotated
    from features.catalogue import plain_contig
    from features.genotypes.vcf import read_header

    if not is_annotated(output):
        write_table(table, output)
        return
    header = read_header(vcf)
    lengths = {name: header.contigs[plain_contig(name)] for name in header.spelled}
    write_annotated(table, output, lengths, build)


def _print_variants(table: "pd.DataFrame", outputs: list[Path]) -> None:
    from als_ml.variant_table.carriers import CLASS_NAMES

    classes = table["class"].value_counts()
    print_table([{"class": name, "variants": int(classes.get(name, 0))} for name in CLASS_NAMES])
    unknown = int(
        (table["consequence"].isna() | (table["consequence"] == "coding_sequence_variant")).sum()
    )
    if unknown:
        LOG.info(
            "of %s variants no more is known than their place; --fasta or an annotated VCF says"
            " their consequences.",
            unknown,
        )
    if len(table) and table["frequency"].isna().all():
        LOG.info("no population frequencies are known; --frequencies gives them (PM2, BS1, BA1).")
    print(f"written: {' and '.join(str(path) for path in outputs)} ({len(table)} variants)")
