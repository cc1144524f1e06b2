"""What is known of a variant: one record that joins all annotation, each value with its origin.

Order of trust: what the VCF itself says; bcftools csq with the user's FASTA; the gene model; and,
for a variant of which no more is known than that it changes the coding sequence, the protein change
of the known-variant table. Frequencies: the VCF's own, else the user's file, in which an absent
variant has frequency 0.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, cast

import pandas as pd

from features.catalogue import Definitions, derived, known_variants
from features.errors import RequestError, nearest
from features.variants.annotation import (
    SCORES,
    Effect,
    consequence_kinds,
    hgvs_protein,
    protein_change,
)
from features.variants.coding_change import NewStop
from features.variants.consequences import NO_STOP, ModelEffect, Possible, model_effect
from features.variants.gene_models import transcripts
from features.variants.lookups import Assertion, Lookups
from features.variants.structural import is_structural

CAUSAL = ("causal_dominant", "causal_recessive", "causal_xlinked")


@dataclass(frozen=True)
class Variant:
    """A variant in a panel gene; None or empty where something is not known.

    Attributes
    ----------
    key : str
        chrom-pos-ref-alt, minimal alleles.
    consequence, kind : str
        Term of the Sequence Ontology, and its kind in `definitions/consequences.tsv`.
    residue : int or None
        Number of the first changed amino acid (HGVS: the initiator methionine is 1).
    change : tuple or None
        Residue before and after, one letter each, of a substitution.
    offset : int or None
        0-based offset in the coding sequence of the gene model.
    frequency : float or None
        Population frequency, 0 if absent from the given file, None if no file was given.
    scores : dict
        Predictor -> score, as the VCF tells them.
    role, legacy_name : str
        From the known-variant table.
    highest_frequency, filtering_frequency : float or None
        The highest of any population group, and what the frequency is at least (FAF95).
    possible : tuple of Possible
        Every effect that the known bases leave open, where there is more than one.
    codons : tuple of str
        The codon before and after, where it is known.
    stop : NewStop
        Where a premature stop may come to lie, by the gene model.
    """

    key: str
    gene: str
    consequence: str
    kind: str
    consequence_origin: str
    transcript: str
    hgvs_c: str
    hgvs_p: str
    residue: int | None
    change: tuple[str, str] | None
    offset: int | None
    frequency: float | None
    frequency_origin: str
    scores: dict[str, float]
    clinvar: Assertion | None
    role: str
    legacy_name: str
    highest_frequency: float | None = None
    filtering_frequency: float | None = None
    possible: tuple[Possible, ...] = ()
    codons: tuple[str, ...] = ()
    stop: NewStop = NO_STOP

    @property
    def may_stop(self) -> bool:
        """Whether a stop is one of several possible effects."""
        return any(effect.consequence == "stop_gained" for effect in self.possible)

    @property
    def length_change(self) -> int:
        """Bases gained or lost; not of a structural variant."""
        _, _, ref, alt = self.key.split("-")
        return len(alt) - len(ref)


def describe(
    definitions: Definitions,
    key: str,
    gene: str,
    effect: Effect | None,
    build: str,
    lookups: Lookups,
) -> Variant:
    """Join what all sources know of a variant.

    Parameters
    ----------
    definitions : Definitions
        Terms, gene models and known variants.
    key : str
        chrom-pos-ref-alt, minimal.
    gene : str
        Symbol.
    effect : Effect or None
        What the VCF itself says.
    build : str
        GRCh37 or GRCh38.
    lookups : Lookups
        What the user's references say.

    Returns
    -------
    Variant
        Each value from the first source that has it.
    """
    if effect is not None and is_structural(key):
        return _structural(definitions, key, gene, effect, build)
    known = known_row(definitions, key, build)
    _, pos, ref, alt = key.split("-")
    by_model = model_effect(definitions, gene, int(pos), ref, alt, build)
    effect = effect or Effect("")
    annotated = effect if effect.consequence else (lookups.effects or {}).get(key) or effect
    named = _named(annotated, by_model, known)
    told = _Told(effect=effect, known=known, by_model=by_model, named=named)
    return _joined(definitions, key, gene, told, build, lookups)


class _Told(NamedTuple):
    """What the VCF itself, the known-variant table and the gene model say of a variant, and its
    consequence and names by the first of them that has them.
    """

    effect: Effect
    known: dict[str, str] | None
    by_model: ModelEffect | None
    named: Effect


def _joined(
    definitions: Definitions, key: str, gene: str, told: _Told, build: str, lookups: Lookups
) -> Variant:
    """One record of what the sources say, with what the lookups add."""
    effect, known, by_model, named = told
    consequence = named.consequence
    parsed = protein_change(named.hgvs_p)
    frequency, frequency_origin = _frequency(key, effect, lookups)
    bounds = lookups.bounds(key) if frequency_origin == IN_FILE else (frequency, None)
    model = transcripts(definitions, build).get(gene)
    ours = by_model is not None and consequence == by_model.consequence
    return Variant(
        key=key,
        gene=gene,
        consequence=consequence,
        kind=consequence_kinds(definitions).get(consequence, ""),
        consequence_origin=named.origin,
        transcript=named.transcript or (model.name if model and named.origin else ""),
        hgvs_c=named.hgvs_c,
        hgvs_p=named.hgvs_p,
        residue=_first_residue(parsed, by_model, named.hgvs_p),
        change=(parsed[0], parsed[2]) if parsed and parsed[0] != parsed[2] else None,
        offset=by_model.offset if by_model else None,
        frequency=frequency,
        frequency_origin=frequency_origin,
        scores=_scores(effect, key, lookups),
        clinvar=(lookups.clinvar or {}).get(key),
        role=_role(definitions, gene, known, frequency, bounds),
        legacy_name=known["legacy_name"] if known else "",
        highest_frequency=bounds[0],
        filtering_frequency=bounds[1],
        possible=by_model.possible if by_model and ours and not parsed else (),
        codons=by_model.codons if by_model and ours else (),
        stop=by_model.stop if by_model else NO_STOP,
    )


def _structural(
    definitions: Definitions, key: str, gene: str, effect: Effect, build: str
) -> Variant:
    """A structural variant: no table of alleles has a frequency or a name of it."""
    model = transcripts(definitions, build).get(gene)
    return Variant(
        key=key,
        gene=gene,
        consequence=effect.consequence,
        kind=consequence_kinds(definitions).get(effect.consequence, ""),
        consequence_origin=effect.origin,
        transcript=model.name if model else "",
        hgvs_c="",
        hgvs_p="",
        residue=None,
        change=None,
        offset=None,
        frequency=None,
        frequency_origin="",
        scores={},
        clinvar=None,
        role="",
        legacy_name="",
    )


def _named(annotated: Effect, by_model: ModelEffect | None, known: dict[str, str] | None) -> Effect:
    """Consequence and names by the first source that has them; names that it lacks by the model.

    The model's names are added only where its consequence is the same.
    """
    if not annotated.consequence and by_model:
        annotated = annotated._replace(consequence=by_model.consequence, origin="gene model")
    if by_model and annotated.consequence == by_model.consequence:
        annotated = annotated._replace(
            hgvs_c=annotated.hgvs_c or by_model.hgvs_c, hgvs_p=annotated.hgvs_p or by_model.hgvs_p
        )
    substituted = protein_change(known["hgvs_p"]) if known else None
    if known and substituted and annotated.consequence in ("", "coding_sequence_variant"):
        return annotated._replace(
            consequence=_substitution_term(substituted),
            hgvs_c=known["hgvs_c"],
            hgvs_p=hgvs_protein(*substituted),
            origin="known variant",
        )
    return annotated if annotated.consequence else annotated._replace(origin="")


def _first_residue(
    parsed: tuple[str, int, str] | None, by_model: ModelEffect | None, hgvs_p: str
) -> int | None:
    if parsed:
        return parsed[1]
    return by_model.residue if by_model else _residue_of(hgvs_p)


def _scores(effect: Effect, key: str, lookups: Lookups) -> dict[str, float]:
    """Scores that the VCF tells; that of the chosen file comes before them."""
    pairs = zip(SCORES, effect.scores, strict=True)
    told = {name: score for name, score in pairs if score is not None}
    chosen = lookups.missense
    return told | {chosen.name: chosen.by_key[key]} if chosen and key in chosen.by_key else told


def _substitution_term(change: tuple[str, int, str]) -> str:
    if change[0] == change[2]:
        return "synonymous_variant"
    return "stop_gained" if change[2] == "*" else "missense_variant"


def _residue_of(hgvs_p: str) -> int | None:
    match = re.search(r"p\.\(?[A-Za-z]+(\d+)", hgvs_p)
    return int(match[1]) if match else None


IN_FILE = "reference.frequencies"
# Lifetime risk of ALS, about 1 in 350 (Johnston 2006, PMID 16814631, R; issue of the benchmark).
LIFETIME_RISK = 1 / 350


def _frequency(key: str, effect: Effect, lookups: Lookups) -> tuple[float | None, str]:
    if effect.frequency is not None:
        return effect.frequency, "VCF"
    frequency = lookups.frequency(key)
    return frequency, IN_FILE if frequency is not None else ""


def _role(
    definitions: Definitions,
    gene: str,
    known: dict[str, str] | None,
    frequency: float | None,
    bounds: tuple[float | None, float | None],
) -> str:
    """Role by the known-variant table; uncertain where the frequency rules a causal one out."""
    role = known["als_role"] if known else ""
    if role not in ("causal_dominant", "causal_xlinked") or not frequency:
        return role
    at_least = frequency if bounds[1] is None else bounds[1]
    return "vus" if at_least > credible_frequency(definitions, gene) else role


@derived
def credible_frequency(definitions: Definitions, gene: str) -> float:
    """Allele frequency above which a dominant variant would cause more ALS than its gene does.

    Half of lifetime risk x share of the gene / penetrance (genes.tsv), but at least the frequency
    of BS1's weakest form, since shares are rough. Infinite without a share, as for earlier models.

    Parameters
    ----------
    definitions : Definitions
        Whose `genes.tsv` and `evidence.tsv` count.
    gene : str
        Symbol.

    Returns
    -------
    float
        0 to 1, or infinity.
    """
    row = next(row for row in definitions.rows("genes") if row["gene"] == gene)
    if not row.get("als_share"):
        return float("inf")
    rules = {row["rule"]: row["threshold"] for row in definitions.rows("evidence")}
    credible = LIFETIME_RISK * float(row["als_share"]) / float(row["penetrance"]) / 2
    return max(credible, float(rules["BS1_supporting"]))


@derived
def causal_residues(definitions: Definitions, build: str, gene: str) -> frozenset[int]:
    """Residues at which the known-variant table has a causal substitution.

    Parameters
    ----------
    definitions : Definitions
        Whose table counts.
    build : str
        GRCh37 or GRCh38.
    gene : str
        Symbol.

    Returns
    -------
    frozenset of int
        The initiator methionine is 1.
    """
    rows = known_rows(definitions, build).values()
    causal = [r["hgvs_p"] for r in rows if r["gene"] == gene and r["als_role"] in CAUSAL]
    changes = (protein_change(name) for name in causal)
    return frozenset(change[1] for change in changes if change)


@derived
def known_rows(definitions: Definitions, build: str) -> dict[str, dict[str, str]]:
    """Rows of the known-variant table by key (chrom-pos-ref-alt, minimal) on one build.

    Parameters
    ----------
    definitions : Definitions
        Whose `known_variants.tsv` counts.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    dict of dict
        Key -> column -> text.
    """
    rows = known_variants(definitions, build).to_dict("index")
    return cast("dict[str, dict[str, str]]", rows)


def known_row(definitions: Definitions, key: str, build: str) -> dict[str, str] | None:
    """Row of the known-variant table, None for another variant.

    Parameters
    ----------
    definitions : Definitions
        Whose `known_variants.tsv` counts.
    key : str
        chrom-pos-ref-alt, minimal.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    dict or None
        Column -> text.
    """
    return known_rows(definitions, build).get(key)


# What the known-variant table says where nothing is known of the course.
NO_TEMPO = ("", "unknown")
# How parts of a source begin that tell where the coordinates come from, not the course.
_OF_COORDINATES = ("exact match", "exon boundaries", "shift", "REF/ALT")


def known_tempo(definitions: Definitions, key: str, build: str) -> tuple[str | None, str | None]:
    """Course that carriers of a known variant were seen to have, and how sure that is.

    Parameters
    ----------
    definitions : Definitions
        Whose `known_variants.tsv` counts.
    key : str
        chrom-pos-ref-alt, minimal.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    (str or None, str or None)
        As `fast` or `slow when homozygous`; the status of the statement and its source, without
        where the coordinates come from.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> known_tempo(shipped(), "21-31659783-C-T", "GRCh38")[0]
    'fast'
    """
    row = known_row(definitions, key, build)
    if row is None or row["progression_class"] in NO_TEMPO:
        return None, None
    parts = [row["phenotype_status"], *row["source"].split("; ")]
    told = [part for part in parts if part and not part.startswith(_OF_COORDINATES)]
    return row["progression_class"], "; ".join(told)


def find_known(definitions: Definitions, gene: str, name: str, build: str) -> str:
    """Key of a known variant by its protein change, in either numbering of SOD1.

    Parameters
    ----------
    definitions : Definitions
        Whose `known_variants.tsv` counts.
    gene : str
        Symbol.
    name : str
        `p.Ala5Val`, `A5V`, or `A4V` in SOD1's older numbers.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    str
        chrom-pos-ref-alt.

    Raises
    ------
    RequestError
        If the table has no such variant in the gene; the message names the nearest.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> [find_known(tables, "SOD1", name, "GRCh38") for name in ("p.Ala5Val", "A4V", "A5V")]
    ['21-31659783-C-T', '21-31659783-C-T', '21-31659783-C-T']
    """
    names = _names(definitions, build).get(gene)
    if names is None:
        raise RequestError(
            f"{gene} {name}",
            "no known variant of this gene",
            nearest(gene, _names(definitions, build)),
            code="name_unknown",
        )
    wanted = _plain_name(name)
    if wanted not in names:
        raise RequestError(
            f"{gene} {name}",
            "no known variant has this name",
            nearest(wanted, names),
            code="name_unknown",
        )
    return names[wanted]


def _plain_name(name: str) -> str:
    change = protein_change(name if name.startswith("p.") else f"p.{name}")
    return f"{change[0]}{change[1]}{change[2]}" if change else name


@derived
def _names(definitions: Definitions, build: str) -> dict[str, dict[str, str]]:
    """Gene -> plain name -> key; HGVS numbers win over legacy ones where both are a name of
    different variants.
    """
    by_gene: dict[str, dict[str, str]] = {}
    for column in ("legacy_name", "hgvs_p"):
        for key, row in known_rows(definitions, build).items():
            if row[column]:
                by_gene.setdefault(row["gene"], {})[_plain_name(row[column])] = key
    return by_gene


@derived
def gene_rules(definitions: Definitions) -> pd.DataFrame:
    """Inheritance and mechanism of each gene; index = gene.

    Parameters
    ----------
    definitions : Definitions
        With the table `gene_rules`.

    Returns
    -------
    DataFrame
        One row a gene.
    """
    return definitions.table("gene_rules").set_index("gene")


@derived
def rules_of(definitions: Definitions, gene: str) -> dict[str, str]:
    """The row of `gene_rules.tsv` of one gene.

    Parameters
    ----------
    definitions : Definitions
        Whose table counts.
    gene : str
        Symbol.

    Returns
    -------
    dict of str
        Column -> cell.
    """
    return {str(name): str(cell) for name, cell in gene_rules(definitions).loc[gene].items()}


@derived
def inheritance(definitions: Definitions, gene: str) -> str:
    """Mode of inheritance: dominant, recessive, x_linked, risk or modifier.

    Parameters
    ----------
    definitions : Definitions
        Whose `gene_rules.tsv` counts.
    gene : str
        Symbol.

    Returns
    -------
    str
        What one or two alleles of it mean.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> inheritance(tables, "SOD1"), inheritance(tables, "ALS2"), inheritance(tables, "NEK1")
    ('dominant', 'recessive', 'risk')
    """
    return str(gene_rules(definitions).loc[gene, "inheritance"])
