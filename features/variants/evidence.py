"""Evidence for and against a variant, after ACMG/AMP 2015 as points, limited to what can be
computed.

Criteria, points, thresholds and wording are `definitions/evidence.tsv` and
`definitions/predictors.tsv`, so that an expert panel's specification can be dropped in. Class: P >=
10, LP 6-9, VUS 0-5, LB -6..-1, B <= -7 (Tavtigian 2020, doi:10.1002/humu.24088, R; contract).
Posterior: prior 0.10, odds of pathogenicity 350 ^ (points / 8) (Tavtigian 2018, PMID 29300386, R;
contract). Without more than supporting evidence the prior is lower where `consequences.tsv` has one
of its own, so that what changes no protein is ordered below what does; the class is by points
alone. ClinVar's own assertion (PP5, BP6) is off unless asked for. What needs people and
laboratories is not computed: PS2-PS4, PM3, PP1, BS3 and BS4 count where they are stated
(`observed`), PM6, PP4, BS2, BP2 and BP5 not at all.
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from features.catalogue import Definitions, derived
from features.variants.annotation import consequence_kinds, protein_change
from features.variants.consequences import Possible
from features.variants.gene_models import (
    changed_range,
    deep_in_intron,
    in_splice_region,
    transcripts,
)
from features.variants.lookups import NO_LOOKUPS, Assertion, Lookups
from features.variants.null_variants import null_strength, validity
from features.variants.scores import MISSENSE_SCORES, protein_name
from features.variants.structural import is_structural
from features.variants.variant import CAUSAL, Variant, inheritance, known_rows, rules_of

PRIOR, VERY_STRONG_ODDS = 0.10, 350.0
# Points of the weakest strength of evidence.
SUPPORTING = 1
CLASSES = ((10, "P"), (6, "LP"), (0, "VUS"), (-6, "LB"))
WINDOW, AROUND = 10, 5
NULL_KINDS = ("null", "start_lost")


class Criterion(NamedTuple):
    """One criterion that is met, its points and why."""

    name: str
    points: int
    reason: str


@dataclass(frozen=True)
class Assessment:
    """Points, class and posterior probability of a variant, with the criteria that gave them."""

    points: int
    classification: str
    pathogenicity: float
    criteria: tuple[Criterion, ...]

    @property
    def text(self) -> str:
        """The criteria in words."""
        return "; ".join(f"{c.name} {c.points:+d}: {c.reason}" for c in self.criteria)


@dataclass(frozen=True)
class Sources:
    """What evidence may rest on.

    Attributes
    ----------
    definitions : Definitions
        Rules, thresholds, known variants and gene models.
    build : str
    lookups : Lookups
        For ClinVar's assertions on neighbours.
    assertions : bool
        Whether ClinVar's own word on the variant counts (PP5, BP6).
    known : bool
        False is "ClinVar off": no PP5/BP6, PS1, PM5, PM1 from known variants, and no known-variant
        table.
    """

    definitions: Definitions
    build: str
    lookups: Lookups = NO_LOOKUPS
    assertions: bool = False
    known: bool = True


def assess(variant: Variant, sources: Sources) -> Assessment:
    """Weigh a variant.

    Parameters
    ----------
    variant : Variant
        What is known of it.
    sources : Sources
        What may count.

    Returns
    -------
    Assessment
        Criteria in the order of RULES.
    """
    criteria = tuple(_criteria(variant, sources))
    points = sum(criterion.points for criterion in criteria)
    return Assessment(
        points=points,
        classification=classify(points),
        pathogenicity=posterior(points, _prior(variant, criteria, sources.definitions)),
        criteria=criteria,
    )


def _prior(variant: Variant, criteria: tuple[Criterion, ...], definitions: Definitions) -> float:
    """Prior by the consequence, the mean over those that are possible.

    Where a criterion for pathogenicity is more than supporting, more is known than the place, and
    the prior is that of all.
    """
    own = _priors(definitions)
    if not own or any(criterion.points > SUPPORTING for criterion in criteria):
        return PRIOR
    terms = [effect.consequence for effect in variant.possible] or [variant.consequence]
    return sum(own.get(term, PRIOR) for term in terms) / len(terms)


@derived
def _priors(definitions: Definitions) -> dict[str, float]:
    """Prior of each term that has one of its own; the tables of an earlier model have none."""
    rows = definitions.rows("consequences")
    return {row["term"]: float(row["prior"]) for row in rows if row.get("prior")}


def _criteria(variant: Variant, sources: Sources) -> list[Criterion]:
    """Criteria that are met, whichever of the possible effects it is."""
    if not variant.possible:
        return _met_by_one(variant, sources)
    kinds = consequence_kinds(sources.definitions)
    each = [
        _met_by_one(_with_effect(variant, effect, kinds.get(effect.consequence, "")), sources)
        for effect in variant.possible
    ]
    common = _in_all(each)
    points = sum(criterion.points for criterion in common)
    if points < 0 and variant.may_stop:
        lifted = _met(sources.definitions, "UNRESOLVED_stop", variant)
        common.append(lifted._replace(points=-points))
    return common


def _with_effect(variant: Variant, effect: Possible, kind: str) -> Variant:
    """The variant with one of its possible effects (`dataclasses.replace` takes three times as
    long).
    """
    term, change = effect
    substituted = change if change and change[0] != change[1] else None
    known = {"consequence": term, "kind": kind, "change": substituted, "possible": ()}
    return Variant(**vars(variant) | known)


def _met_by_one(variant: Variant, sources: Sources) -> list[Criterion]:
    met = [criterion for rule in RULES for criterion in rule(variant, sources)]
    return list(_combined(met))


def _in_all(each: list[list[Criterion]]) -> list[Criterion]:
    """Criteria that every possible effect meets on the same side, each at its weakest."""
    weakest = []
    for criterion in each[0]:
        same = [
            [c for c in others if c.name == criterion.name and c.points * criterion.points > 0]
            for others in each
        ]
        if all(same):
            weakest.append(min((c for some in same for c in some), key=lambda c: abs(c.points)))
    return weakest


def classify(points: int) -> str:
    """Class of a number of points.

    Parameters
    ----------
    points : int
        Sum over the criteria.

    Returns
    -------
    str
        P, LP, VUS, LB or B.

    Examples
    --------
    >>> [classify(p) for p in (10, 9, 6, 5, 0, -1, -6, -7)]
    ['P', 'LP', 'LP', 'VUS', 'VUS', 'LB', 'LB', 'B']
    """
    return next((name for least, name in CLASSES if points >= least), "B")


def posterior(points: int, prior: float = PRIOR) -> float:
    """Posterior probability of pathogenicity.

    Parameters
    ----------
    points : int
        Sum over the criteria.
    prior : float
        Before any evidence, 0 to 1.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> [round(posterior(p), 3) for p in (10, 6, 0, -7)]
    [0.994, 0.9, 0.1, 0.001]
    """
    odds = VERY_STRONG_ODDS ** (points / 8)
    return odds * prior / ((odds - 1) * prior + 1)


class Rule(NamedTuple):
    """One row of `definitions/evidence.tsv`."""

    name: str
    points: int
    threshold: float
    reason: str


@derived
def _rules(definitions: Definitions) -> dict[str, Rule]:
    rows = definitions.rows("evidence")
    return {
        r["rule"]: Rule(
            name=r["criterion"],
            points=int(r["points"]),
            threshold=float(r["threshold"] or "nan"),
            reason=r["reason"],
        )
        for r in rows
    }


def _met(definitions: Definitions, rule: str, variant: Variant, detail: object = "") -> Criterion:
    name, points, threshold, reason = _rules(definitions)[rule]
    return Criterion(
        name,
        points,
        reason.format(consequence=variant.consequence, detail=detail, threshold=threshold),
    )


def _threshold(definitions: Definitions, rule: str) -> float:
    return _rules(definitions)[rule].threshold


def _null_variant(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """PVS1 by the place of the stop: full before the decay boundary, less beyond it."""
    if variant.kind not in NULL_KINDS:
        return
    definitions = sources.definitions
    structural = is_structural(variant.key)
    region = "" if structural else _region(definitions, "gain_of_function", variant)
    if region:
        yield _met(definitions, "GOF", variant, region)
    elif not _by_loss(definitions, variant.gene):
        return
    elif not validity(definitions):
        yield _met(definitions, _null_strength(definitions, variant, sources.build), variant)
    elif strength := null_strength(definitions, variant, sources.build, sources.known):
        yield _met(definitions, strength[0], variant, strength[1])


def _by_loss(definitions: Definitions, gene: str) -> bool:
    """Whether loss of function causes disease, in one copy or in two."""
    return rules_of(definitions, gene)["loss_of_function"] in ("yes", "recessive")


def _null_strength(definitions: Definitions, variant: Variant, build: str) -> str:
    """PVS1 of a model whose tables have no validity, as it was."""
    transcript = transcripts(definitions, build).get(variant.gene)
    offset = variant.offset
    if variant.kind == "start_lost":
        return "PVS1_moderate"
    if transcript is None or offset is None or offset < transcript.decay_from:
        return "PVS1"
    removed = 1 - offset / transcript.coding_length
    return "PVS1_strong" if removed > _threshold(definitions, "PVS1_strong") else "PVS1_moderate"


def _region(definitions: Definitions, table: str, variant: Variant) -> str:
    """Meaning of the region of a definition table in which the changed residue lies.

    Empty outside of all.
    """
    residue = variant.residue or _residue_of_splice(definitions, variant)
    for row in _regions(definitions, table).get(variant.gene, ()):
        if residue is not None and int(row["first_residue"]) <= residue <= int(row["last_residue"]):
            return str(row["meaning"])
    return ""


@derived
def _regions(definitions: Definitions, table: str) -> dict[str, list[dict[str, str]]]:
    by_gene: dict[str, list[dict[str, str]]] = {}
    for row in definitions.rows(table):
        by_gene.setdefault(row["gene"], []).append(row)
    return by_gene


def _residue_of_splice(definitions: Definitions, variant: Variant) -> int | None:
    """Residue beside a splice site: that of the nearest coding base."""
    for build in ("GRCh38", "GRCh37"):
        transcript = transcripts(definitions, build).get(variant.gene)
        pos = int(variant.key.split("-")[1])
        if transcript is not None and transcript.starts[0] <= pos <= transcript.ends[-1]:
            near = [
                o for o in map(transcript.coding_offset, range(pos - 3, pos + 4)) if o is not None
            ]
            return near[0] // 3 + 1 if near else None
    return None


def _known_variant(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    row = known_rows(sources.definitions, sources.build).get(variant.key)
    if sources.known and row and row["als_role"] in CAUSAL and variant.role not in CAUSAL:
        frequency = f"{variant.frequency:.2g}"
        yield _met(sources.definitions, "KNOWN_outweighed", variant, frequency)
    if sources.known and row and variant.role in CAUSAL:
        rule = _known_rule(sources.definitions, row)
        yield _met(sources.definitions, rule, variant, _known_words(row))
    elif sources.known and variant.role == "benign":
        yield _met(sources.definitions, "KNOWN_benign", variant, "benign in the table")


# What ClinVar's word begins with where it calls a variant pathogenic; recalled words do not count.
_CALLED, _RECALLED = "Pathogenic", "(recalled)"


def _known_rule(definitions: Definitions, row: dict[str, str]) -> str:
    """Rule of a causal row by its source: in full where ClinVar's record was read and says so."""
    said = row["clinvar_significance"]
    read = said.startswith(_CALLED) and _RECALLED not in said
    # The tables of an earlier model have one weight.
    return (
        "KNOWN_pathogenic" if read or "KNOWN_likely" not in _rules(definitions) else "KNOWN_likely"
    )


def _known_words(row: dict[str, str]) -> str:
    """Role, and what ClinVar said of the row."""
    said = row["clinvar_significance"] or "not in ClinVar"
    return f"{row['als_role'].replace('_', ', ')} ({said})"


def _same_residue(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """PS1 and PM5 from other variants of the table; PM5 also from ClinVar, in genes where a stop
    would not be causal.
    """
    if not sources.known or variant.change is None or variant.kind != "missense":
        return
    others = [
        (key, after)
        for key, residue, after in _causal_changes(sources.definitions, sources.build, variant.gene)
        if residue == variant.residue and key != variant.key
    ]
    same = [key for key, after in others if after == variant.change[1]]
    if same:
        yield _met(sources.definitions, "PS1", variant, ", ".join(same))
    elif others:
        yield _met(sources.definitions, "PM5", variant, ", ".join(key for key, _ in others))
    else:
        near = _clinvar_neighbours(variant, sources)
        if near:
            yield _met(sources.definitions, "PM5", variant, f"ClinVar, {near}")


@derived
def _causal_changes(definitions: Definitions, build: str, gene: str) -> list[tuple[str, int, str]]:
    """Key, residue and new residue of the causal substitutions of a gene."""
    changes = []
    for key, row in known_rows(definitions, build).items():
        change = protein_change(row["hgvs_p"])
        if row["gene"] == gene and row["als_role"] in CAUSAL and change is not None:
            changes.append((key, change[1], change[2]))
    return changes


def _clinvar_neighbours(variant: Variant, sources: Sources) -> str:
    transcript = transcripts(sources.definitions, sources.build).get(variant.gene)
    if not sources.lookups.clinvar or transcript is None or variant.offset is None:
        return ""
    if _by_loss(sources.definitions, variant.gene):
        return ""
    chrom, pos, _, _ = variant.key.split("-")
    codon = [
        p
        for p in range(int(pos) - 2, int(pos) + 3)
        if (transcript.coding_offset(p) or -9) // 3 == variant.offset // 3
    ]
    keys = (f"{chrom}-{p}-{a}-{b}" for p in codon for a in "ACGT" for b in "ACGT" if a != b)
    return next(
        (k for k in keys if k != variant.key and _is_pathogenic(sources.lookups.clinvar.get(k))), ""
    )


def _is_pathogenic(assertion: Assertion | None) -> bool:
    return assertion is not None and assertion.stars > 0 and _meaning(assertion.significance) == 1


def _meaning(significance: str) -> int:
    """1 pathogenic or likely so, -1 benign or likely so, 0 anything else, conflicts included."""
    text = significance.lower()
    if "conflict" in text or "uncertain" in text:
        return 0
    return 1 if "pathogenic" in text else -1 if "benign" in text else 0


def _hot_region(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """PM1: the strongest of a hot spot of known variants, a named region, a region depleted of
    missense variants.
    """
    if variant.kind != "missense" or variant.residue is None:
        return
    reach = _threshold(sources.definitions, "PM1_hot_spot")
    causal = _causal_changes(sources.definitions, sources.build, variant.gene)
    near = len(
        {
            residue
            for key, residue, _ in causal
            if key != variant.key and 0 < abs(residue - variant.residue) <= reach
        }
    )
    region, density = (
        _region(sources.definitions, "hot_regions", variant),
        missense_density(sources.definitions, variant),
    )
    if sources.known and near >= 2:
        yield _met(sources.definitions, "PM1_hot_spot", variant, near)
    elif sources.known and region:
        yield _met(sources.definitions, "PM1_region", variant, region)
    elif density <= _threshold(sources.definitions, "PM1_depleted"):
        yield _met(sources.definitions, "PM1_depleted", variant, density)


@derived
def _constraint(definitions: Definitions) -> dict[str, tuple[int, list[int]]]:
    """Residues of each gene, and its missense variants before each window and before the end."""
    return {
        r["gene"]: (
            int(r["residues"]),
            list(accumulate(map(int, r["missense_per_window"].split(",")), initial=0)),
        )
        for r in definitions.rows("constraint")
    }


@derived
def _mean_density(definitions: Definitions) -> float:
    genes = _constraint(definitions).values()
    return sum(before[-1] for _, before in genes) / sum(residues for residues, _ in genes)


def missense_density(definitions: Definitions, variant: Variant) -> float:
    """Distinct population missense variants a residue within 50 residues, over the panel's mean;
    NaN without a table.

    The variant itself is left out where it is known to be in the population.

    Parameters
    ----------
    definitions : Definitions
        Whose `constraint.tsv` counts.
    variant : Variant
        With a residue.

    Returns
    -------
    float
        1 is the mean of the panel.
    """
    counted = _constraint(definitions).get(variant.gene)
    if counted is None or variant.residue is None:
        return float("nan")
    residues, before = counted
    middle = (variant.residue - 1) // WINDOW
    low, high = max(0, middle - AROUND), min(len(before) - 1, middle + AROUND + 1)
    length = min(residues, high * WINDOW) - low * WINDOW
    if length <= 0:
        return float("nan")
    itself = 1 if variant.frequency else 0
    others = max(0, before[high] - before[low] - itself)
    return others / length / _mean_density(definitions)


def _rarity(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """PM2 below, BS1 and BA1 above their frequencies; the latter not for the sourced exceptions."""
    if variant.frequency is None:
        return
    definitions = sources.definitions
    recessive = inheritance(definitions, variant.gene) == "recessive"
    highest = variant.frequency if variant.highest_frequency is None else variant.highest_frequency
    absent = "PM2_recessive" if recessive else "PM2"
    if highest < _threshold(definitions, absent):
        if not (validity(definitions) and _without_effect(definitions, variant, sources.build)):
            yield _met(definitions, absent, variant, highest)
    elif not (sources.known and _frequency_exception(variant)):
        at_least = variant.filtering_frequency
        frequency = variant.frequency if at_least is None else at_least
        rules = ("BA1", "BS1_recessive") if recessive else ("BA1", "BS1", "BS1_supporting")
        rule = next((r for r in rules if frequency >= _threshold(definitions, r)), None)
        if rule:
            yield _met(definitions, rule, variant, frequency)


def _without_effect(definitions: Definitions, variant: Variant, build: str) -> bool:
    """Whether a variant is silent, deep in an intron or in a UTR: there rarity says nothing."""
    if variant.kind == "intron":
        return _deep(definitions, variant, build)
    return variant.kind in ("synonymous", "utr", "other")


def _deep(definitions: Definitions, variant: Variant, build: str) -> bool:
    transcript = transcripts(definitions, build).get(variant.gene)
    return transcript is not None and deep_in_intron(transcript, *_range(variant))


def _range(variant: Variant) -> tuple[int, int]:
    _, pos, ref, alt = variant.key.split("-")
    return changed_range(int(pos), ref, alt)


def _frequency_exception(variant: Variant) -> bool:
    """BA1/BS1 do not apply to risk alleles, nor to a recessive founder allele (SOD1 p.Asp91Ala;
    contract).
    """
    return variant.role in ("risk", "causal_recessive")


def _length_change(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    if variant.kind == "stop_lost":
        yield _met(sources.definitions, "PM4", variant)
    elif variant.kind == "inframe":
        yield _met(
            sources.definitions,
            "PM4_supporting" if abs(variant.length_change) == 3 else "PM4",
            variant,
        )


def _prediction(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """PP3 or BP4: the first predictor with a score for a missense variant, SpliceAI for any."""
    if variant.kind == "missense":
        yield from _missense_score(variant, sources)
    if "spliceai" in variant.scores and variant.kind not in NULL_KINDS:
        points = list(_by_score(sources.definitions, "spliceai", variant.scores["spliceai"]))
        yield from (
            criterion for criterion in points if criterion.points > 0 or variant.kind != "missense"
        )


def _missense_score(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """The chosen score and no other; where none is chosen the first that the variant has."""
    scores = {**variant.scores, "substitution": _substitution(sources.definitions, variant)}
    chosen = sources.lookups.missense
    names = (chosen.name,) if chosen else (*MISSENSE_SCORES, "substitution")
    name = next((n for n in names if scores.get(n) is not None), None)
    score = scores[name] if name else None
    if name is None or score is None:
        return
    if name != "substitution" or _region_agrees(sources.definitions, variant, score):
        yield from _by_score(sources.definitions, name, score)


def _region_agrees(definitions: Definitions, variant: Variant, score: float) -> bool:
    """A substitution matrix alone says too little: a mild change must lie where the population
    varies, a harsh one not.
    """
    tolerant = missense_density(definitions, variant) >= _threshold(definitions, "tolerant")
    return tolerant if score > 0 else not tolerant


def _substitution(definitions: Definitions, variant: Variant) -> float | None:
    """BLOSUM62 score of the substitution (Henikoff 1992; NCBI's matrix)."""
    table = _matrix(definitions)
    return table.get(variant.change) if variant.change else None


@derived
def _matrix(definitions: Definitions) -> dict[tuple[str, str], float]:
    table = definitions.table("substitution").set_index("residue")
    return {(a, b): float(table.loc[a, b]) for a in table.index for b in table.columns}


# Direction of a limit in `predictors.tsv` -> whether a score meets it, and in words.
_MEETS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "at_least": (operator.ge, "at least"),
    "at_most": (operator.le, "at most"),
    "above": (operator.gt, "above"),
    "below": (operator.lt, "below"),
}


def _by_score(
    definitions: Definitions, name: str, score: float, criteria: tuple[str, str] = ("PP3", "BP4")
) -> Iterator[Criterion]:
    """The strongest limit that a score meets, as the first criterion for and the second against."""
    for direction, limit, points in _predictors(definitions).get(name, ()):
        meets, words = _MEETS[direction]
        if meets(score, limit):
            reason = f"{name.replace('_', ' ')} {score:g}, {words} {limit:g}"
            yield Criterion(criteria[points < 0], points, reason)
            return


def _functional(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """PS3 or BS3 by the likelihood ratio of a functional score; the laboratory's own word first."""
    ratios = sources.lookups.likelihoods
    if not ratios:
        return
    stated = {criterion.name for criterion in _stated(variant, sources)}
    if stated & {"PS3", "BS3"}:
        return
    ratio = next((ratios[name] for name in ratio_names(variant) if name in ratios), None)
    if ratio is not None:
        yield from _by_score(sources.definitions, "likelihood_ratio", ratio, ("PS3", "BS3"))


def ratio_names(variant: Variant) -> list[str]:
    """Names under which a functional score of a variant may stand, the more exact one first.

    Parameters
    ----------
    variant : Variant
        What is known of it.

    Returns
    -------
    list of str
        Its key, and its protein change where that is a known substitution.
    """
    if variant.change is None or variant.residue is None:
        return [variant.key]
    before, after = variant.change
    return [variant.key, protein_name(variant.gene, (before, variant.residue, after))]


def _stated(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """Criteria that the laboratory states of the variant."""
    for name, points, reason in (sources.lookups.stated or {}).get(variant.key, ()):
        yield Criterion(name, points, reason)


@derived
def _predictors(definitions: Definitions) -> dict[str, list[tuple[str, float, int]]]:
    """Thresholds of each score, strongest first."""
    by_score: dict[str, list[tuple[str, float, int]]] = {}
    for row in definitions.rows("predictors"):
        by_score.setdefault(row["score"], []).append(
            (row["direction"], float(row["threshold"]), int(row["points"]))
        )
    return {name: sorted(rows, key=lambda row: -abs(row[2])) for name, rows in by_score.items()}


def _silent(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """BP7: by a splice score, or where a change is silent and far enough from the splice sites."""
    definitions, splicing = sources.definitions, variant.scores.get("spliceai")
    if not validity(definitions):
        yield from _silent_of_any_kind(variant, sources)
    elif variant.kind not in ("synonymous", "intron"):
        return
    elif splicing is not None:
        if splicing <= _threshold(definitions, "BP7"):
            yield _met(definitions, "BP7", variant, "and none of splicing by its score")
    elif _far_from_splicing(definitions, variant, sources.build):
        yield _met(definitions, "BP7", variant, "far from the splice sites")


def _far_from_splicing(definitions: Definitions, variant: Variant, build: str) -> bool:
    transcript = transcripts(definitions, build).get(variant.gene)
    if transcript is None or variant.kind == "intron":
        return transcript is not None and _deep(definitions, variant, build)
    return not in_splice_region(transcript, *_range(variant))


def _silent_of_any_kind(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    """BP7 of a model whose tables have no validity, as it was."""
    splicing = variant.scores.get("spliceai", 0.0)
    silent = variant.kind in ("synonymous", "intron", "utr", "other")
    if silent and splicing <= _threshold(sources.definitions, "BP7"):
        yield _met(sources.definitions, "BP7", variant)


def _assertion(variant: Variant, sources: Sources) -> Iterator[Criterion]:
    asserted = variant.clinvar
    if (
        not (sources.assertions and sources.known)
        or asserted is None
        or asserted.stars < _threshold(sources.definitions, "PP5")
    ):
        return
    meaning = _meaning(asserted.significance)
    if meaning:
        yield _met(
            sources.definitions,
            "PP5" if meaning > 0 else "BP6",
            variant,
            asserted.significance.replace("_", " "),
        )


RULES: tuple[Callable[[Variant, Sources], Iterator[Criterion]], ...] = (
    _null_variant,
    _known_variant,
    _same_residue,
    _hot_region,
    _rarity,
    _length_change,
    _prediction,
    _silent,
    _functional,
    _stated,
    _assertion,
)


def _combined(met: list[Criterion]) -> Iterator[Criterion]:
    """PP3 never beside PVS1; PM1 and PP3 together at most 4 points; BA1 stands alone (contract;
    Richards 2015).
    """
    names = {criterion.name for criterion in met}
    if "BA1" in names:
        yield from (criterion for criterion in met if criterion.points < 0)
        return
    predicted = sum(c.points for c in met if c.name == "PP3")
    for criterion in met:
        if criterion.name == "PP3" and "PVS1" in names:
            continue
        if criterion.name == "PM1" and criterion.points + predicted > 4:
            allowed = max(0, 4 - predicted)
            if allowed:
                yield criterion._replace(points=allowed)
        elif criterion.points or criterion.name == "KNOWN":
            yield criterion
