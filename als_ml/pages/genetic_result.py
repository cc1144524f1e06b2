"""The genetic result of a patient, as the head of a report states it: positive, uncertain, negative
or incomplete, what was found and by what method, and what was not assayed.

Positive is the contract's `genetic_cause: found`; an expanded C9orf72 is found like any variant. A
result is research, whatever its class: the page asks for confirmation in an accredited laboratory.
"""

from typing import NamedTuple

import numpy as np

from als_ml.pages.facts import Finding, GeneticResult
from als_ml.variant_table.carriers import (
    RECESSIVE_OR_RISK,
    REDUCED,
    inheritance_of,
    shown_class,
)
from features.blocks.genetics import (
    genetic_cause,
    looked_at,
    repeat_genes,
    second_alleles,
    telling_alleles,
    zygosities,
)
from features.catalogue import BUILDS, Definitions, core_genes, gene_names, repeat_loci
from features.cohort import Cohort
from features.genotypes.coverage import ASSAYED_FROM
from features.genotypes.phase import CIS, TRANS, UNPHASED
from features.genotypes.repeats import LABORATORY, STATES, RepeatStates
from features.tables.columns import rows_of
from features.variants.variant import Variant, known_tempo

HEADLINES = {
    "found": ("positive", "A genetic cause was found"),
    "uncertain": ("uncertain", "A result of uncertain meaning"),
    "not_found": ("negative", "No genetic cause was found in what was assayed"),
    "not_fully_tested": ("incomplete", "No genetic cause was found, and tests are incomplete"),
}
CONFIRM = "Confirm in an accredited laboratory before anything is decided by it."
COUNSEL = (
    "Offer genetic counselling, to the patient first. Adult relatives who ask can have predictive"
    " counselling before any test; none is tested or told without asking for it."
)
KIN = (
    "A finding stays of meaning for the kin. Adult relatives who ask can have predictive"
    " counselling before any test; none is tested or told without asking for it."
)
_ZYGOSITY = {
    "heterozygous": "one copy (heterozygous)",
    "homozygous": "two copies (homozygous)",
    "hemizygous": "one copy, the only one (hemizygous)",
}
_INHERITANCE = {
    "x_linked": "X-linked",
    "dominant": "dominant",
    "recessive": "recessive",
    REDUCED: "dominant (reduced penetrance)",
    RECESSIVE_OR_RISK: "recessive (one copy a risk)",
}
_METHODS = {
    "rp_pcr": "repeat-primed PCR",
    "southern": "Southern blot",
    "short_read": "short reads",
    "long_read": "long reads",
}


def genetic_results(cohort: Cohort) -> list[GeneticResult]:
    """The genetic result of each patient.

    Parameters
    ----------
    cohort : Cohort
        With classified variants, what was assayed, and repeats.

    Returns
    -------
    list of GeneticResult
        One a patient.
    """
    causes = genetic_cause(cohort)
    variants, risks = _variant_findings(cohort)
    repeats = _repeat_findings(cohort)
    names = np.array(gene_names(cohort.definitions), dtype=object)
    assayed = looked_at(cohort)
    results: list[GeneticResult] = []
    for i, cause in enumerate(causes):
        status, headline = HEADLINES[cause]
        telling, aside = repeats[i]
        results.append(
            {
                "status": status,
                "headline": headline,
                "findings": [*telling, *variants[i]],
                "risk": [*aside, *risks[i]],
                "not_assayed": _unread(cohort.definitions, names[assayed[i] == 0].tolist()),
                "partly": names[(assayed[i] > 0) & (assayed[i] < ASSAYED_FROM)].tolist(),
                "advice": [CONFIRM, COUNSEL] if status in ("positive", "uncertain") else [],
            }
        )
    return results


def _unread(definitions: Definitions, genes: list[str]) -> list[str]:
    """Genes that were not assayed, the core genes first; of some it is the repeat that counts."""
    core, repeats = core_genes(definitions), repeat_genes(definitions)
    ordered = sorted(genes, key=lambda gene: (gene not in core, gene))
    return [f"{gene} (repeat)" if gene in repeats else gene for gene in ordered]


def _variant_findings(
    cohort: Cohort,
) -> tuple[list[list[Finding]], list[list[Finding]]]:
    """Telling variants of each patient, the causal ones first, and alleles of risk."""
    alleles, sites = cohort.genotypes.alleles, cohort.variants
    says, second = telling_alleles(cohort), second_alleles(cohort)
    named = zygosities(cohort)
    rows, positions = (alleles[name].to_numpy() for name in ("row", "site"))
    role = sites["role"].to_numpy()
    variants, assessed = (sites[name].to_numpy(dtype=object) for name in ("variant", "assessment"))
    telling: list[list[Finding]] = [[] for _ in range(len(cohort))]
    risk: list[list[Finding]] = [[] for _ in range(len(cohort))]
    chosen = (says != "") | np.isin(role[positions], ["risk", "modifier"])
    for k in sorted(np.flatnonzero(chosen), key=lambda k: says[k] != "found"):
        variant, assessment = variants[positions[k]], assessed[positions[k]]
        finding: Finding = {
            "gene": variant.gene,
            "what": _variant_name(variant),
            "zygosity": _ZYGOSITY[str(named[k])],
            "class": shown_class(cohort.definitions, variant, assessment),
            "inheritance": _INHERITANCE.get(inheritance_of(cohort.definitions, variant), "risk"),
            "method": "sequencing",
            "meaning": _meaning(variant, str(says[k]), str(second[k])),
        }
        if tempo := _tempo(cohort.definitions, variant):
            finding["tempo"] = tempo
        (telling if says[k] else risk)[rows[k]].append(finding)
    return telling, risk


def _tempo(definitions: Definitions, variant: Variant) -> str:
    """The course that carriers of a known variant were seen to have, in words; mostly empty.

    A key is of one build, so that the other has no row of it.
    """
    if not variant.role:
        return ""
    told = (known_tempo(definitions, variant.key, build) for build in BUILDS)
    course, source = next((pair for pair in told if pair[0]), (None, None))
    return f"{course} ({source})" if course else ""


def _variant_name(variant: Variant) -> str:
    """Protein or coding change, with the older name of a known variant."""
    name = variant.hgvs_p or variant.hgvs_c
    if name and variant.legacy_name:
        return f"{name} ({variant.legacy_name})"
    return name or variant.legacy_name or variant.key


# What another allele of the gene, in which two cause disease, means by where it lies.
_SECOND = {
    TRANS: "with the other allele, on the other copy of the gene: a compound heterozygote",
    UNPHASED: "a possible compound heterozygote: whether the other allele lies on the other copy of"
    " the gene is not known",
    CIS: "on the same copy of the gene as the other allele: a carrier, not a cause by itself",
}


def _meaning(variant: Variant, says: str, second: str) -> str:
    if says == "found":
        known = "a known cause of ALS"
        return f"{known}, {_SECOND[TRANS]}" if second == TRANS else known
    if says and second:
        return _SECOND[second]
    if variant.role == "causal_recessive":
        return "one copy of a recessive variant: a carrier, not a cause by itself"
    if variant.role == "modifier":
        return "changes the course a little, is not a cause"
    if not says:
        return "raises the risk a little, is not a cause"
    return "of uncertain meaning"


class _Size(NamedTuple):
    """A repeat in repeat units: shorter allele, longer one and its interval; NaN unknown."""

    short: float
    long: float
    low: float
    high: float


class _Told(NamedTuple):
    """What is known of a repeat of one patient: `state` and `method` are those of the source that
    counts, `size` is its own, or that of a file that agrees with it.
    """

    state: str
    of_laboratory: str
    by_laboratory: bool
    method: str | None
    size: _Size | None
    of_file: _Size | None
    call_method: str | None
    laboratory_method: str
    agrees: bool


def _repeat_findings(
    cohort: Cohort,
) -> list[tuple[list[Finding], list[Finding]]]:
    """Telling C9orf72 repeats of each patient, and long ones of other loci aside."""
    loci = [str(locus) for locus in repeat_loci(cohort.definitions).index if locus != "C9orf72"]
    c9orf72, *others = (_told(cohort, locus) for locus in ("C9orf72", *loci))
    results: list[tuple[list[Finding], list[Finding]]] = []
    for i, told in enumerate(c9orf72):
        telling: list[Finding] = []
        if told.state in ("expanded", "intermediate", "indeterminate"):
            telling.append(_c9orf72(cohort.definitions, told))
        if not told.agrees:
            telling.append(_conflict(told))
        aside = [
            _aside(cohort.definitions, locus, of_locus[i])
            for locus, of_locus in zip(loci, others, strict=True)
            if of_locus[i].state in ("intermediate", "risk", "expanded")
        ]
        results.append((telling, aside))
    return results


def _told(cohort: Cohort, locus: str) -> list[_Told]:
    """What is known of a locus, one a patient."""
    states = RepeatStates(cohort.definitions, locus, cohort.repeats, cohort.patients)
    sizes = _sizes(cohort, locus)
    methods = _column(cohort, f"{locus.lower()}_method")
    calls = _column(cohort, f"{locus.lower()}_call_method")
    return [
        _Told(
            state=STATES[state],
            of_laboratory=STATES[states.of_laboratory[i]],
            by_laboratory=bool(states.by_laboratory[i]),
            method=methods[i] if states.by_laboratory[i] else calls[i],
            size=_own_size(states, i, sizes.get(i)),
            of_file=sizes.get(i),
            call_method=calls[i],
            laboratory_method=_method(methods[i], ""),
            agrees=not states.conflict[i],
        )
        for i, state in enumerate(states.state)
    ]


def _column(cohort: Cohort, name: str) -> np.ndarray:
    """Words of a column of patients; None where nothing says it."""
    patients = cohort.patients
    if name in patients.columns:
        return patients[name].to_numpy(dtype=object)
    return np.full(len(cohort), None, dtype=object)


def _sizes(cohort: Cohort, locus: str) -> dict[int, _Size]:
    """Patient -> alleles of the repeat file and the interval of the longer one."""
    calls = rows_of(cohort.repeats, cohort.repeats["locus"].to_numpy(dtype=object) == locus)
    columns = (calls[name].to_numpy() for name in ("row", "short", "long", "ci_low", "ci_high"))
    return {
        int(row): _Size(short=float(short), long=float(long), low=float(low), high=float(high))
        for row, short, long, low, high in zip(*columns, strict=True)
    }


def _own_size(states: RepeatStates, i: int, of_file: _Size | None) -> _Size | None:
    """The size that belongs to the state: never that of a source which says another state."""
    if not states.by_laboratory[i]:
        return of_file
    short, long = map(float, states.sized[i])
    if np.isfinite(long):
        return _Size(short=short, long=long, low=long, high=long)
    return of_file if states.of_file[i] == states.state[i] else None


def _method(said: str | None, otherwise: str) -> str:
    """A method in words; one that we have no words for as it was written.

    >>> _method("rp_pcr", "short reads"), _method(None, "short reads"), _method("PCR", "")
    ('repeat-primed PCR', 'short reads', 'PCR')
    """
    return _METHODS.get(said, said) if isinstance(said, str) and said else otherwise


def _sized(size: _Size | None) -> str:
    """Size and interval in words.

    >>> _sized(_Size(2, 45, 40, 60)), _sized(_Size(2, 8, 8, 8)), _sized(None)
    ('45 repeat units (interval 40 to 60)', '8 repeat units', 'size not stated')
    """
    if size is None or not np.isfinite(size.long):
        return "size not stated"
    interval = f" (interval {size.low:.0f} to {size.high:.0f})" if size.low < size.high else ""
    return f"{size.long:.0f} repeat units{interval}"


def _shown_size(told: _Told) -> str:
    """The size, and by what it was sized where that is not the method of the result.

    >>> file = _Size(2, 300, 200, 400)
    >>> told = _Told("expanded", "expanded", True, "southern", file, file, None, "", True)
    >>> _shown_size(told), _shown_size(told._replace(size=_Size(2, 900, 900, 900)))
    ('300 repeat units (interval 200 to 400) by short reads', '900 repeat units')
    """
    if told.by_laboratory and told.size is not None and told.size is told.of_file:
        return f"{_sized(told.size)} by {_method(told.call_method, 'short reads')}"
    return _sized(told.size)


def _copies(definitions: Definitions, size: _Size | None) -> str:
    """In how many copies C9orf72 is expanded, where the shorter allele was sized."""
    if size is None or not np.isfinite(size.short):
        return ""
    expanded = size.short >= float(repeat_loci(definitions)["expanded_min"]["C9orf72"])
    return _ZYGOSITY["homozygous" if expanded else "heterozygous"]


def _c9orf72(definitions: Definitions, told: _Told) -> Finding:
    confirm = float(repeat_loci(definitions)["confirm_max"]["C9orf72"])
    short = told.state == "expanded" and told.size is not None and told.size.long <= confirm
    sure = told.method in LABORATORY
    how = "have it repeated" if sure else "repeat by repeat-primed PCR"
    meaning = {
        "expanded": "a known cause of ALS and of frontotemporal dementia",
        "intermediate": "of uncertain meaning",
        "indeterminate": f"the size could not be told: {how}",
    }[told.state]
    if short and not sure:
        meaning += "; short for certainty, confirm by repeat-primed PCR"
    return {
        "gene": "C9orf72",
        "what": f"GGGGCC repeat {told.state}, {_shown_size(told)}",
        "zygosity": _copies(definitions, told.size) if told.state == "expanded" else "",
        "class": {"expanded": "P"}.get(told.state, "VUS"),
        "inheritance": "dominant",
        "method": _method(told.method, "the laboratory" if told.by_laboratory else "short reads"),
        "meaning": meaning,
    }


# What is said of a long repeat of these loci: of all too little is known to call it a cause.
_LONG = {
    "ATXN2": "raises the risk of ALS, is not a cause by itself",
    "NIPA1": "a proposed modifier of ALS that some in a hundred healthy people have too",
    "LRP12": "of uncertain meaning: in the range that was seen in some patients with ALS",
}
# The disease whose range an expanded repeat of a locus lies in.
_OTHER_DISEASE = {"ATXN2": "SCA2", "LRP12": "another disease (OPDM1)"}
# The unit as people write it, where the reference reads the other strand.
_UNITS = {"ATXN2": "CAG"}


def _aside(definitions: Definitions, locus: str, told: _Told) -> Finding:
    unit = next(row["unit"] for row in definitions.rows("repeats") if row["locus"] == locus)
    meaning = _LONG.get(locus, "longer than normal, of uncertain meaning")
    if told.state == "expanded" and locus in _OTHER_DISEASE:
        meaning = f"the range of {_OTHER_DISEASE[locus]}"
    return {
        "gene": locus,
        "what": f"{_UNITS.get(locus, unit)} repeat {told.state}, {_shown_size(told)}",
        "zygosity": "",
        "class": "risk",
        "inheritance": "risk",
        "method": _method(told.method, "the laboratory" if told.by_laboratory else "repeat call"),
        "meaning": meaning,
    }


def _conflict(told: _Told) -> Finding:
    """Two results that differ, and which of them counts here."""
    stated = told.laboratory_method
    by = f" (by {stated})" if stated else ""
    counts = "the laboratory's result" if told.by_laboratory else "the repeat file's call"
    return {
        "gene": "C9orf72",
        "what": f"two results disagree: the laboratory{by} says {told.of_laboratory}, the repeat"
        f" file {_sized(told.of_file)}",
        "zygosity": "",
        "class": "VUS",
        "inheritance": "dominant",
        "method": f"{stated or 'the laboratory'} and {_method(told.call_method, 'short reads')}",
        "meaning": f"{counts} counts here; have it repeated",
    }
