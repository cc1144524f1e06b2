"""Every panel variant of a VCF with its evidence, and what it means for each carrier."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pandas as pd

from als_ml import cluster
from als_ml.output import write_table
from als_ml.variant_table.carriers import (
    CARRIER_COLUMNS,
    ZYGOSITIES,
    count_carriers,
    shown_class,
)
from als_ml.variant_table.columns import COLUMNS
from features.catalogue import Definitions
from features.errors import DataError
from features.genotypes.extraction import Panel, gather
from features.genotypes.gathered import GatheredOnDisk
from features.genotypes.phase import Parents, read_phases
from features.genotypes.remote import is_remote, staged, url_of
from features.genotypes.vcf import (
    ANY_CALL,
    CallRule,
    panel_regions,
    read_header,
    restriction,
    site_query,
)
from features.tables.problems import Problem, Problems
from features.temporary import working_folder
from features.variants.evidence import Assessment, Sources, ratio_names
from features.variants.lookups import Lookups, predicted_effects
from features.variants.scores import MISSENSE_SCORES
from features.variants.sequences import coding_sequences, unresolved_genes
from features.variants.structural import is_structural
from features.variants.variant import Variant, inheritance, known_tempo
from features.variants.vrs import Around, fasta_around, known_around, vrs_id
from features.variants.weigh import Weighed, weigh

# Samples whose carriers are held at a time.
PATIENTS = 20_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which file is read, and how.

    Attributes
    ----------
    path : Path
        VCF or BCF, with or without samples.
    rule : CallRule
        Thresholds below which a genotype is missing.
    fasta, gff : Path, optional
        Reference genome, and gene models to use instead of the shipped ones.
    parents : dict
        Of samples whose parents are in the file too.
    """

    path: Path
    rule: CallRule = ANY_CALL
    fasta: Path | None = None
    gff: Path | None = None
    parents: dict[str, Parents] = field(default_factory=dict)


@contextmanager
def on_this_machine(path: Path, sources: Sources) -> Iterator[Path]:
    """A file that can be read here: the path itself, or the panel's records behind a URL.

    Parameters
    ----------
    path : Path
        A file, or a URL (`features.genotypes.remote`).
    sources : Sources
        Whose panel is wanted.

    Yields
    ------
    Path
        Of a file, as long as the block lasts.

    Raises
    ------
    DataError
        If what is behind the URL cannot be read; what is wrong with it names the URL.
    """
    if not is_remote(path):
        yield path
        return
    regions = panel_regions(sources.definitions, sources.build)
    with staged(path, restriction(sources.definitions, regions, sources.build)) as local:
        try:
            yield local
        except DataError as error:
            where = error.where.replace(str(local), url_of(path))
            raise DataError(where, error.found, error.remedy, code=error.code) from None


def named_by(path: Path, local: Path, found: list[Problem]) -> list[Problem]:
    """What was said of the local copy, said of the URL; that the copy has no index is left out.

    Parameters
    ----------
    path : Path
        As it was asked for.
    local : Path
        What `on_this_machine` made of it.
    found : list of Problem
        Of the reading.

    Returns
    -------
    list of Problem
        As given for a file of this machine.
    """
    if not is_remote(path):
        return found
    return [
        replace(problem, where=problem.where.replace(str(local), url_of(path)))
        for problem in found
        if problem.code != "genome_index"
    ]


def variant_table(
    asked: Asked,
    sources: Sources,
    carriers: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, Problems]:
    """Describe and assess every panel variant of a VCF, with or without samples.

    Parameters
    ----------
    asked : Asked
        The file.
    sources : Sources
        Build, references and what may count.
    carriers : Path, optional
        Where who carries what is written, `.parquet` or `.csv`.
    progress : callable
        Told what is read.

    Returns
    -------
    variants : DataFrame
        One row a variant (`COLUMNS`), with the number of carriers by zygosity where the file has
        genotypes.
    problems : Problems
        Counts and warnings of the reading.
    """
    definitions, problems, where = sources.definitions, Problems(), str(asked.path)
    samples = callable_samples(asked.path)
    with working_folder("variants") as folder:
        gathered = GatheredOnDisk(definitions, len(samples), Path(folder), PATIENTS)
        _gather(asked, sources, samples, gathered, problems, progress)
        weighed = _weighed(asked, sources, gathered.all_sites())
        table = pd.DataFrame(_rows(asked, sources, weighed), columns=list(COLUMNS))
        if samples:
            query = site_query(definitions, asked.path, sources.build)
            phases = partial(read_phases, query, parents=asked.parents)
            counts, again = count_carriers(
                gathered, samples, definitions, weighed, carriers, phases
            )
            by_zygosity = {f"n_{name}": counts[:, i] for i, name in enumerate(ZYGOSITIES)}
            table = table.assign(**by_zygosity)
            _note_calls(gathered.counts, len(samples), again, where, problems)
    if carriers is not None and not samples:
        write_table(pd.DataFrame(columns=list(CARRIER_COLUMNS)), carriers)
    problems.note(
        where, f"{gathered.counts['panel records']} panel records", "", code="genome_counted"
    )
    _note_missing_sequences(definitions, asked.path, weighed, problems)
    _note_scores(sources.lookups, weighed, problems)
    _note_unused(sources.lookups, weighed, problems)
    return table, problems


def _gather(
    asked: Asked,
    sources: Sources,
    samples: tuple[str, ...],
    gathered: GatheredOnDisk,
    problems: Problems,
    progress: Callable[[str], None],
) -> None:
    panel = Panel(
        definitions=sources.definitions,
        build=sources.build,
        rule=asked.rule,
        fasta=asked.fasta,
        every=True,
        structural=True,
    )
    rows = {name: i for i, name in enumerate(samples)}
    gather(
        panel=panel,
        paths=[asked.path],
        patients=rows,
        into=gathered,
        problems=problems,
        progress=progress,
        map_parts=cluster.map_parts(),
    )


def _weighed(asked: Asked, sources: Sources, distinct: pd.DataFrame) -> list[Weighed]:
    """Each site with what it weighs; consequences by the user's FASTA where one is given."""
    if asked.fasta is None:
        return weigh(distinct, sources)
    keys = [key for key in distinct["key"] if not is_structural(key)]
    effects = predicted_effects(sources.definitions, keys, sources.build, asked.fasta, asked.gff)
    return weigh(distinct, replace(sources, lookups=replace(sources.lookups, effects=effects)))


def callable_samples(path: Path) -> tuple[str, ...]:
    """The samples of a VCF that have genotypes; none where it holds sites alone."""
    header = read_header(path)
    return header.samples if header.has_calls else ()


def _note_calls(
    counts: dict[str, int], samples: int, again: int, where: str, problems: Problems
) -> None:
    """How many genotypes of the records that passed are missing, and what counts once."""
    missing = counts["missing genotypes"] - counts["filtered"] * samples
    problems.note(
        where, f"{samples} samples, {missing} missing genotypes", "", code="genome_counted"
    )
    if again:
        found = f"{again} carried alleles are in more than one record of their sample"
        problems.note(where, found, "Each counts once.", code="genome_counted")


def _note_missing_sequences(
    definitions: Definitions, path: Path, weighed: list[Weighed], problems: Problems
) -> None:
    """Say once of which genes the file's consequences rest on less than their sequence."""
    by_model = {v.gene for v, _ in weighed if v.consequence_origin == "gene model"}
    lacking = {g: p for g, p in unresolved_genes(definitions).items() if g in by_model}
    ways = {True: "consequences by protein", False: "consequences mostly unresolved"}
    for by_protein, words in ways.items():
        names = sorted(gene for gene, protein in lacking.items() if protein == by_protein)
        if names:
            remedy = (
                "`python -m als_ml references --only sequences`, a FASTA (--fasta) or an annotated"
                " VCF completes them."
            )
            problems.note(
                str(path),
                f"coding sequence of {', '.join(names)} not here: {words}",
                remedy,
                code="genome_counted",
            )


def _note_scores(lookups: Lookups, weighed: list[Weighed], problems: Problems) -> None:
    """How many missense variants have the chosen score, or which scores count where none is."""
    missense = [variant for variant, _ in weighed if variant.kind == "missense"]
    if lookups.missense:
        name = lookups.missense.name
        without = sum(name not in variant.scores for variant in missense)
        if without:
            found = f"{without} of {len(missense)} missense variants have no score of {name}"
            problems.note(
                "--missense-score",
                found,
                "They have neither PP3 nor BP4 of missense.",
                code="value_unused",
            )
        return
    first = (next((n for n in MISSENSE_SCORES if n in v.scores), "") for v in missense)
    used = sorted(Counter(name for name in first if name).items())
    if len(used) > 1:
        found = "PP3 and BP4 rest on " + ", ".join(f"{name} ({n} variants)" for name, n in used)
        problems.note(
            "the VCF's scores",
            found,
            "Choose one beforehand by --missense-score.",
            code="value_unused",
        )


def _note_unused(lookups: Lookups, weighed: list[Weighed], problems: Problems) -> None:
    """What a laboratory stated of variants that the file does not have."""
    met = {variant.key for variant, _ in weighed}
    unmet = [key for key in lookups.stated or {} if key not in met]
    if unmet:
        found = f"{len(unmet)} of {len(lookups.stated or {})} variants are not in the VCF"
        problems.warn("--evidence", found, "Check their build and alleles.", code="value_unused")
    ratios = lookups.likelihoods
    if ratios and not any(_has_ratio(variant, ratios) for variant, _ in weighed):
        problems.warn(
            "--functional",
            "no variant of the VCF has a score in it",
            "Check its names.",
            code="value_unused",
        )


def _has_ratio(variant: Variant, ratios: dict[str, float]) -> bool:
    return any(name in ratios for name in ratio_names(variant))


def _hgvs_note(definitions: Definitions, variant: Variant) -> str | None:
    """Why a change of the coding sequence by the gene model has no `c.` name."""
    if variant.hgvs_c or variant.offset is None or variant.consequence_origin != "gene model":
        return None
    sequence = coding_sequences(definitions).get(variant.gene)
    if sequence is None or not sequence.known:
        return "the coding sequence is not here"
    return (
        "it reaches beyond its exon, or could be shifted there, and the bases beside are not here"
    )


def _possible_terms(variant: Variant) -> list[str]:
    """Possible consequences, where there is more than one."""
    terms = sorted({effect.consequence for effect in variant.possible})
    return terms if len(terms) > 1 else []


def _rows(asked: Asked, sources: Sources, weighed: list[Weighed]) -> list[tuple[object, ...]]:
    """Rows of the table; identifiers by the FASTA where one is given, else by what is known."""
    definitions, build = sources.definitions, sources.build
    if asked.fasta is not None:
        with fasta_around(asked.fasta) as around:
            return [_row(definitions, *pair, build, around) for pair in weighed]
    genes = {variant.gene for variant, _ in weighed}
    known = {gene: known_around(definitions, gene, build) for gene in genes}
    return [_row(definitions, *pair, build, known[pair[0].gene]) for pair in weighed]


def _row(
    definitions: Definitions,
    variant: Variant,
    assessment: Assessment,
    build: str,
    around: Around,
) -> tuple[object, ...]:
    scores = (variant.scores.get(name) for name in ("revel", "alphamissense", "cadd", "spliceai"))
    asserted = (
        (variant.clinvar.significance, variant.clinvar.stars) if variant.clinvar else (None, None)
    )
    weighed = (
        assessment.points,
        shown_class(definitions, variant, assessment),
        assessment.pathogenicity,
        assessment.text,
    )
    return (
        variant.key,
        variant.gene,
        variant.consequence or None,
        variant.consequence_origin or None,
        variant.transcript or None,
        variant.hgvs_c or None,
        variant.hgvs_p or None,
        _hgvs_note(definitions, variant),
        ">".join(variant.codons) or None,
        "|".join(_possible_terms(variant)) or None,
        variant.legacy_name or None,
        vrs_id(definitions, variant.key, build, around) or None,
        variant.role or None,
        *known_tempo(definitions, variant.key, build),
        variant.frequency,
        variant.frequency_origin or None,
        *scores,
        *asserted,
        inheritance(definitions, variant.gene),
        *weighed,
    )


def reference_path(path: str | None, option: str) -> Path | None:
    """Path of an optional reference file.

    Raises
    ------
    DataError
        If it was given and is absent.
    """
    if path is not None and not Path(path).is_file():
        raise DataError(
            f"{option} {path}", "there is no such file", "Correct the path.", code="file_absent"
        )
    return Path(path) if path else None
