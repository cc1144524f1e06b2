"""The genetic result of a patient, as the head of a report states it: positive, uncertain, negative
or incomplete, what was found and by what method, and what was not assayed.

Positive is the contract's `genetic_cause: found`; an expanded C9orf72 is found like any variant. A
result is research, whatever its class: the page asks for confirmation in an accredited laboratory.
"""

import numpy as np

from als_ml.pages.facts import Finding, GeneticResult
from als_ml.variant_table.carriers import inheritance_of, shown_class
from features.blocks.genetics import genetic_cause, second_alleles, telling_alleles
from features.catalogue import BUILDS, Definitions, core_genes, gene_names, repeat_loci
from features.cohort import Cohort
from features.genotypes.coverage import ASSAYED_FROM
from features.genotypes.genotype import zygosity
from features.genotypes.phase import CIS, TRANS, UNPHASED
from features.genotypes.repeats import LABORATORY, NORMAL, STATES, RepeatStates
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
_INHERITANCE = {"x_linked": "X-linked", "dominant": "dominant", "recessive": "recessive"}
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
    assayed = np.nan_to_num(cohort.genotypes.assayed, nan=0.0)
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
    """Genes that were not assayed, the core genes first."""
    core = core_genes(definitions)
    return sorted(genes, key=lambda gene: (gene not in core, gene))


def _variant_findings(
    cohort: Cohort,
) -> tuple[list[list[Finding]], list[list[Finding]]]:
    """Telling variants of each patient, the causal ones first, and alleles of risk."""
    alleles, sites = cohort.genotypes.alleles, cohort.variants
    says, second = telling_alleles(cohort), second_alleles(cohort)
    named = zygosity(alleles["copies"].to_numpy(), alleles["ploidy"].to_numpy())
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


def _repeat_findings(
    cohort: Cohort,
) -> list[tuple[list[Finding], list[Finding]]]:
    """Telling C9orf72 repeats of each patient, and long ones of other loci aside."""
    c9orf72, atxn2 = (
        RepeatStates(cohort.definitions, locus, cohort.repeats, cohort.patients)
        for locus in ("C9orf72", "ATXN2")
    )
    others = {
        locus: RepeatStates(cohort.definitions, locus, cohort.repeats, cohort.patients)
        for locus in repeat_loci(cohort.definitions).index
        if locus not in ("C9orf72", "ATXN2")
    }
    sizes = _sizes(cohort)
    methods = cohort.patients["c9orf72_method"].to_numpy(dtype=object)
    stated = cohort.patients["c9orf72_status"].to_numpy(dtype=object)
    sized_by = {locus: _call_methods(cohort, locus) for locus in ("C9orf72", "ATXN2")}
    results = []
    for i in range(len(cohort)):
        telling: list[Finding] = []
        aside: list[Finding] = []
        size = sizes.get((i, "C9orf72"))
        state = STATES[c9orf72.state[i]]
        if state in ("expanded", "intermediate", "indeterminate"):
            how = (methods[i], sized_by["C9orf72"][i])
            telling.append(_c9orf72(cohort.definitions, state, size, how, stated[i]))
        if c9orf72.conflict[i]:
            telling.append(_conflict(size, str(methods[i]), str(stated[i])))
        state = STATES[atxn2.state[i]]
        if state in ("intermediate", "risk", "expanded"):
            atxn2_size = sizes.get((i, "ATXN2"))
            found = _atxn2(state, atxn2_size, float(atxn2.longest[i]))
            found["method"] = _method(sized_by["ATXN2"][i], "repeat call")
            aside.append(found)
        aside += [
            _long_repeat(cohort.definitions, locus, STATES[states.state[i]], sizes.get((i, locus)))
            for locus, states in others.items()
            if states.state[i] > NORMAL
        ]
        results.append((telling, aside))
    return results


def _call_methods(cohort: Cohort, locus: str) -> np.ndarray:
    """How a served record says that its repeat was sized; None where nothing says it."""
    name = f"{locus.lower()}_call_method"
    unsaid = np.full(len(cohort), None, dtype=object)
    patients = cohort.patients
    return patients[name].to_numpy(dtype=object) if name in patients.columns else unsaid


def _method(said: str | None, otherwise: str) -> str:
    """A method in words; one that we have no words for as it was written.

    >>> _method("rp_pcr", "short reads"), _method(None, "short reads"), _method("PCR", "")
    ('repeat-primed PCR', 'short reads', 'PCR')
    """
    return _METHODS.get(said, said) if isinstance(said, str) and said else otherwise


def _sizes(cohort: Cohort) -> dict[tuple[int, str], tuple[float, float, float]]:
    """(Patient, locus) -> longer allele and its interval, in repeat units."""
    calls = cohort.repeats
    columns = (calls[name].to_numpy() for name in ("row", "locus", "long", "ci_low", "ci_high"))
    return {
        (int(row), str(locus)): (float(long), float(low), float(high))
        for row, locus, long, low, high in zip(*columns, strict=True)
    }


def _sized(size: tuple[float, float, float] | None) -> str:
    """Size and interval in words.

    >>> _sized((45.0, 40.0, 60.0)), _sized((8.0, 8.0, 8.0)), _sized(None)
    ('45 repeat units (interval 40 to 60)', '8 repeat units', 'size not stated')
    """
    if size is None or not np.isfinite(size[0]):
        return "size not stated"
    long, low, high = size
    interval = f" (interval {low:.0f} to {high:.0f})" if low < high else ""
    return f"{long:.0f} repeat units{interval}"


def _c9orf72(
    definitions: Definitions,
    state: str,
    size: tuple[float, float, float] | None,
    how: tuple[str | None, str | None],
    stated: str | None,
) -> Finding:
    """`how`: the method of the laboratory's result, and that of the call."""
    by_laboratory = isinstance(stated, str) and stated == state
    confirm = float(repeat_loci(definitions)["confirm_max"]["C9orf72"])
    short = state == "expanded" and size is not None and size[0] <= confirm
    meaning = {
        "expanded": "a known cause of ALS and of frontotemporal dementia",
        "intermediate": "of uncertain meaning",
        "indeterminate": "the size could not be told: repeat by repeat-primed PCR",
    }[state]
    method, call_method = how
    if short and not {method, call_method} & set(LABORATORY):
        meaning += "; short for certainty, confirm by repeat-primed PCR"
    return {
        "gene": "C9orf72",
        "what": f"GGGGCC repeat {state}, {_sized(size)}",
        "zygosity": _ZYGOSITY["heterozygous"] if state == "expanded" else "",
        "class": {"expanded": "P"}.get(state, "VUS"),
        "inheritance": "dominant",
        "method": _method(method, "repeat call")
        if by_laboratory
        else _method(call_method, "short reads"),
        "meaning": meaning,
    }


# What is said of a long repeat of these loci: of both too little is known to call it a cause.
_LONG = {
    "NIPA1": "a proposed modifier of ALS that some in a hundred healthy people have too",
    "LRP12": "of uncertain meaning: in the range that was seen in some patients with ALS",
}


def _long_repeat(
    definitions: Definitions, locus: str, state: str, size: tuple[float, float, float] | None
) -> Finding:
    unit = next(row["unit"] for row in definitions.rows("repeats") if row["locus"] == locus)
    meaning = _LONG.get(locus, "longer than normal, of uncertain meaning")
    return {
        "gene": locus,
        "what": f"{unit} repeat {state}, {_sized(size)}",
        "zygosity": "",
        "class": "risk",
        "inheritance": "risk",
        "method": "repeat call",
        "meaning": "the range of another disease (OPDM1)" if state == "expanded" else meaning,
    }


def _conflict(size: tuple[float, float, float] | None, method: str, stated: str) -> Finding:
    name = _METHODS.get(method, "the laboratory")
    return {
        "gene": "C9orf72",
        "what": f"two methods disagree: {name} says {stated}, the repeat file {_sized(size)}",
        "zygosity": "",
        "class": "VUS",
        "inheritance": "dominant",
        "method": f"{name} and short reads",
        "meaning": "the laboratory's result counts here; have it repeated",
    }


def _atxn2(state: str, size: tuple[float, float, float] | None, longest: float) -> Finding:
    words = _sized(size if size is not None else (longest, longest, longest))
    meaning = "raises the risk of ALS, is not a cause by itself"
    return {
        "gene": "ATXN2",
        "what": f"CAG repeat {state}, {words}",
        "zygosity": "",
        "class": "risk",
        "inheritance": "risk",
        "method": "repeat call",
        "meaning": "the range of SCA2" if state == "expanded" else meaning,
    }
