"""What the VCF itself says of a variant: VEP's CSQ (gnomAD: vep), snpEff's ANN and EFF, bcftools'
BCSQ, predictor fields.

Formats: VEP writes the names of its fields into the header ("Format: Allele|Consequence|..."); ANN
is the VCF annotation format 1.0 (16 fields); EFF the older `Effect(Impact|...)`; BCSQ
`consequence|gene|transcript|biotype|strand|protein|dna`. Of several transcripts the one of
`definitions/gene_models.tsv` counts, else the one marked MANE or canonical, else the most severe.
Consequences are given in the terms of `definitions/consequences.tsv`, whatever the tool calls them.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np

from features.catalogue import Definitions, derived, recently_derived
from features.variants.gene_models import transcripts

# Fields read, most trusted first. VEP writes all of them with the same grammar, the last three have
# their own.
ANNOTATION_FIELDS = ("CSQ", "vep", "ANN", "EFF", "BCSQ")
SCORES = ("revel", "alphamissense", "cadd", "spliceai")
_SCORE_NAMES = {
    "revel": ("REVEL", "REVEL_score", "revel"),
    "alphamissense": ("am_pathogenicity", "AlphaMissense_score", "AlphaMissense", "alphamissense"),
    "cadd": ("CADD_PHRED", "CADD_phred", "CADD"),
    "spliceai": ("SpliceAI_pred", "SpliceAI", "SpliceAI_max", "spliceai_ds_max"),
}
_SPLICE_PARTS = tuple(f"SpliceAI_pred_DS_{part}" for part in ("AG", "AL", "DG", "DL"))
_FREQUENCIES = (
    "gnomADe_AF",
    "gnomADg_AF",
    "gnomAD_AF",
    "gnomAD_AF_popmax",
    "gnomad_af",
    "gnomAD_exomes_AF",
    "gnomAD_genomes_AF",
)
INFO_FIELDS = (
    *ANNOTATION_FIELDS,
    *dict.fromkeys(n for names in _SCORE_NAMES.values() for n in names),
    *_FREQUENCIES,
)
_ANN = (
    "Allele",
    "Consequence",
    "IMPACT",
    "SYMBOL",
    "Gene",
    "Feature_type",
    "Feature",
    "BIOTYPE",
    "RANK",
    "HGVSc",
    "HGVSp",
)
_EFF = ("IMPACT", "CLASS", "CODON", "HGVSp", "LENGTH", "SYMBOL", "BIOTYPE", "CODING", "Feature")
_BCSQ = ("Consequence", "SYMBOL", "Feature", "BIOTYPE", "STRAND", "AMINO", "DNA")
_RESIDUES = (
    "A=Ala R=Arg N=Asn D=Asp C=Cys Q=Gln E=Glu G=Gly H=His I=Ile L=Leu K=Lys M=Met F=Phe P=Pro"
    " S=Ser T=Thr W=Trp Y=Tyr V=Val *=Ter"
)
THREE = dict(pair.split("=") for pair in _RESIDUES.split())
_ONE = {three: one for one, three in THREE.items()}


class Effect(NamedTuple):
    """Effect of one allele on one gene, as its annotator tells it; None where it tells nothing."""

    consequence: str
    transcript: str = ""
    hgvs_c: str = ""
    hgvs_p: str = ""
    scores: tuple[float | None, ...] = (None,) * len(SCORES)
    frequency: float | None = None
    origin: str = ""


@derived
def _ranks(definitions: Definitions) -> dict[str, int]:
    table = definitions.table("consequences")
    return {term: rank for rank, term in enumerate(table["term"])}


@derived
def _terms(definitions: Definitions) -> dict[str, str]:
    """Every name of a consequence, in lower case, to the term used here."""
    table = definitions.table("consequences")
    pairs = zip(table["term"], table["aliases"], strict=True)
    return {
        name.lower(): term
        for term, aliases in pairs
        for name in (term, *filter(None, aliases.split(";")))
    }


@derived
def consequence_kinds(definitions: Definitions) -> dict[str, str]:
    """Kind of each consequence term: null, missense, inframe, synonymous, splice_region, coding,
    ...

    Parameters
    ----------
    definitions : Definitions
        With the table `consequences`.

    Returns
    -------
    dict of str
        Sequence Ontology term -> kind.
    """
    table = definitions.table("consequences")
    return dict(zip(table["term"], table["kind"], strict=True))


# Terms come as annotators write and join them.
@recently_derived(4096)
def consequence_term(definitions: Definitions, text: str) -> str:
    """Most severe known term of `a&b`; empty if none is known.

    Parameters
    ----------
    definitions : Definitions
        Whose `consequences.tsv` counts.
    text : str
        One or several terms as annotators write them.

    Returns
    -------
    str
        Of the Sequence Ontology.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> [
    ...     consequence_term(tables, t)
    ...     for t in ("splice_region&synonymous", "*missense", "FRAME_SHIFT")
    ... ]
    ['splice_region_variant', 'missense_variant', 'frameshift_variant']
    """
    terms = [
        _terms(definitions).get(part.strip(" *").lower(), "") for part in re.split(r"[&+]", text)
    ]
    return min((term for term in terms if term), key=_ranks(definitions).__getitem__, default="")


def protein_change(text: str) -> tuple[str, int, str] | None:
    """Reference residue, number and alternative of a substitution, from HGVS or the short form.

    The number is HGVS's: the initiator methionine is 1. `legacy_change` takes the older numbering
    of SOD1.

    Parameters
    ----------
    text : str
        HGVS, with or without a transcript, or the short form.

    Returns
    -------
    tuple or None
        One-letter residue, number, one-letter residue (`*` stop); None where it is not a
        substitution.

    Examples
    --------
    >>> (protein_change("NP_000445.1:p.Ala5Val"),
    ...  protein_change("p.A5V"),
    ...  protein_change("p.(Gln398Ter)"))
    (('A', 5, 'V'), ('A', 5, 'V'), ('Q', 398, '*'))
    >>> protein_change("p.Glu643del") is None
    True
    """
    match = re.search(
        r"(?:p\.|^)\(?([A-Z][a-z]{2}|[A-Z*])(\d+)([A-Z][a-z]{2}|[A-Z*=])\)?$", text.strip()
    )
    if not match:
        return None
    before, number, after = match.groups()
    one = [_ONE.get(residue, residue if len(residue) == 1 else "?") for residue in (before, after)]
    return one[0], int(number), one[0] if one[1] == "=" else one[1]


def hgvs_protein(before: str, number: int, after: str) -> str:
    """Write a substitution as HGVS.

    Parameters
    ----------
    before, after : str
        One-letter residues, `*` stop.
    number : int
        HGVS: the initiator methionine is 1.

    Returns
    -------
    str
        With three-letter residues.

    Examples
    --------
    >>> hgvs_protein("A", 5, "V")
    'p.Ala5Val'
    """
    return f"p.{THREE[before]}{number}{'=' if before == after else THREE[after]}"


def effect_of(
    definitions: Definitions,
    info: dict[str, str],
    descriptions: dict[str, str],
    alt: str,
    index: int,
    gene: str,
    ref: str,
) -> Effect | None:
    """Effect of one allele on a gene, from the INFO fields of its record.

    Parameters
    ----------
    definitions : Definitions
        Whose terms and gene models count.
    info : dict
        INFO field -> text, `.` or absent where the record has none.
    descriptions : dict
        INFO field -> its description in the header (VEP lists its field names there).
    alt, ref : str
        The alleles as the record writes them.
    index : int
        Number of the allele among the record's alternatives, from 0.
    gene : str
        Symbol; effects on other genes are left out.

    Returns
    -------
    Effect or None
        None if the record says nothing of this allele and gene.
    """
    for name in ANNOTATION_FIELDS:
        text = info.get(name, ".")
        if text not in (".", ""):
            entries = [
                e
                for e in _entries(name, text, descriptions.get(name, ""))
                if _fits(e, gene, alt, ref, index)
            ]
            best = min(entries, key=lambda e: _preference(definitions, e, gene), default=None)
            if best is not None and consequence_term(definitions, best["Consequence"]):
                return _effect(definitions, best, name, info, index)
    return _scores_only(info, index)


def _entries(name: str, text: str, description: str) -> list[dict[str, str]]:
    if name == "EFF":
        matches = re.finditer(r"(?:^|,)([^,(]+)\(([^)]*)\)", text)
        return [
            {"Consequence": m[1], **dict(zip(_EFF, m[2].split("|"), strict=False))} for m in matches
        ]
    fields = {"ANN": _ANN, "BCSQ": _BCSQ}.get(name) or _field_names(description)
    entries = [dict(zip(fields, entry.split("|"), strict=False)) for entry in text.split(",")]
    return [
        _bcsq(entry) if name == "BCSQ" else entry for entry in entries if entry.get("Consequence")
    ]


@cache
def _field_names(description: str) -> tuple[str, ...]:
    return tuple(
        name.strip() for name in description.rpartition("Format:")[2].strip(' "').split("|")
    )


def _bcsq(entry: dict[str, str]) -> dict[str, str]:
    """Turn `5A>5V` into HGVS; a synonymous change is written `5A`."""
    match = re.fullmatch(r"(\d+)([A-Z*])(?:>(\d+)([A-Z*]))?", entry.get("AMINO", ""))
    changed = (
        hgvs_protein(match[2], int(match[1]), match[4] or match[2])
        if match and match[2] in THREE
        else ""
    )
    return {**entry, "HGVSp": changed}


def _fits(entry: dict[str, str], gene: str, alt: str, ref: str, index: int) -> bool:
    """Whether an entry speaks of this gene and allele.

    Tools write the allele as in the record or without its anchor.
    """
    if entry.get("SYMBOL") and entry["SYMBOL"].upper() != gene.upper():
        return False
    if entry.get("ALLELE_NUM", "").isdigit():
        return int(entry["ALLELE_NUM"]) == index + 1
    allele = entry.get("Allele", "")
    return (
        allele in ("", alt, alt[1:] or "-", "-" if len(alt) < len(ref) else alt)
        or "Allele" not in entry
    )


def _preference(
    definitions: Definitions, entry: dict[str, str], gene: str
) -> tuple[bool, bool, int]:
    """Sorts entries: transcript of the gene model, MANE or canonical, severity."""
    model = next((t for t in (transcripts(definitions, "GRCh38").get(gene),) if t), None)
    name = entry.get("Feature", "").removeprefix("transcript:").split(".")[0]
    ours = model is not None and name in (model.name.split(".")[0], model.refseq.split(".")[0])
    marked = bool(entry.get("MANE_SELECT")) or entry.get("CANONICAL") == "YES"
    term = consequence_term(definitions, entry["Consequence"])
    return not ours, not marked, _ranks(definitions).get(term, 99)


def _effect(
    definitions: Definitions, entry: dict[str, str], name: str, info: dict[str, str], index: int
) -> Effect:
    frequency = _first(
        [*(entry.get(field, "") for field in _FREQUENCIES), *_of_allele(info, _FREQUENCIES, index)]
    )
    return Effect(
        consequence=consequence_term(definitions, entry["Consequence"]),
        transcript=entry.get("Feature", ""),
        hgvs_c=entry.get("HGVSc", "").rpartition(":")[2],
        hgvs_p=_hgvs_p(entry),
        scores=tuple(_score(score, entry, info, index) for score in SCORES),
        frequency=frequency,
        origin=f"VCF {name}",
    )


def _hgvs_p(entry: dict[str, str]) -> str:
    """HGVS protein change, from HGVSp or else from Protein_position and Amino_acids (VEP without
    --hgvs).
    """
    text = entry.get("HGVSp", "").rpartition(":")[2].replace("%3D", "=").partition("/")[0]
    change = protein_change(text)
    if change is not None and {change[0], change[2]} <= set(THREE):
        return hgvs_protein(*change)
    residues, position = (
        entry.get("Amino_acids", ""),
        entry.get("Protein_position", "").partition("/")[0],
    )
    if (
        re.fullmatch(r"[A-Z*](/[A-Z*])?", residues)
        and position.isdigit()
        and {residues[0], residues[-1]} <= set(THREE)
    ):
        return hgvs_protein(residues[0], int(position), residues[-1])
    return text


def _score(score: str, entry: dict[str, str], info: dict[str, str], index: int) -> float | None:
    if score == "spliceai":
        parts = [entry.get(name, "") for name in _SPLICE_PARTS]
        deltas = [*parts, *(_spliceai(info.get(name, ""), index) for name in _SCORE_NAMES[score])]
        return max((value for value in map(_number, deltas) if value is not None), default=None)
    return _first(
        [
            *(entry.get(n, "") for n in _SCORE_NAMES[score]),
            *_of_allele(info, _SCORE_NAMES[score], index),
        ]
    )


def _spliceai(text: str, index: int) -> str:
    """Highest of the four delta scores in `ALLELE|SYMBOL|DS_AG|DS_AL|DS_DG|DS_DL|...`, or the plain
    number.
    """
    parts = text.split(",")
    fields = parts[min(index, len(parts) - 1)].split("|")
    if len(fields) < 6:
        return fields[0]
    return str(max((value for value in map(_number, fields[2:6]) if value is not None), default=""))


def _of_allele(info: dict[str, str], names: Iterable[str], index: int) -> list[str]:
    """Value of the allele in INFO fields that list one value an alternative, or one for all."""
    lists = [info.get(name, ".").split(",") for name in names]
    return [values[index] if index < len(values) else values[0] for values in lists]


def _scores_only(info: dict[str, str], index: int) -> Effect | None:
    scores = tuple(_score(score, {}, info, index) for score in SCORES)
    frequency = _first(_of_allele(info, _FREQUENCIES, index))
    if frequency is None and not any(score is not None for score in scores):
        return None
    return Effect("", scores=scores, frequency=frequency, origin="VCF INFO")


def _first(texts: Iterable[str]) -> float | None:
    return next((value for value in map(_number, texts) if value is not None), None)


def _number(text: str) -> float | None:
    """Largest number of `0.1&.&0.7` (dbNSFP lists one a transcript); None where there is none."""
    values = []
    for part in re.split(r"[&;]", text or ""):
        try:
            values.append(float(part))
        except ValueError:
            continue
    finite = [value for value in values if np.isfinite(value)]
    return max(finite, default=None)
