"""Turn patients of a cohort back into served records, to compare a request with a batch."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.blocks.genetics import ASSAYED_FROM
from features.catalogue import analytes, gene_names, patient_columns, shipped


def record(cohort: Any, row: int) -> dict[str, Any]:
    """The record of one patient with everything that the cohort's tables say."""
    patient = cohort.patients.iloc[row]
    made = {k: _plain(patient[k]) for k in patient_columns(shipped()).index if pd.notna(patient[k])}
    unit = analytes(shipped())["unit"]
    own = cohort.biomarkers[cohort.biomarkers["row"] == row]
    made["biomarkers"] = [
        {
            "analyte": m.analyte,
            "value": m.value,
            "unit": unit[m.analyte],
            "assay": m.assay,
            "days": m.days,
        }
        for m in own.itertuples()
    ]
    visits = cohort.alsfrs[cohort.alsfrs["row"] == row].drop(columns=["row", "total"])
    made["alsfrs"] = [
        {k: _plain(v) for k, v in visit.items() if pd.notna(v)}
        for visit in visits.to_dict("records")
    ]
    alleles = cohort.genotypes.alleles.assign(key=cohort.genotypes.keys())[
        cohort.genotypes.alleles["row"] == row
    ]
    made["variants"] = [f"{a.key} {_genotype(a.copies, a.ploidy)}" for a in alleles.itertuples()]
    no_calls = cohort.genotypes.no_calls[cohort.genotypes.no_calls["row"] == row]
    made["variants"] += [f"{key} ./." for key in no_calls["key"]]
    made["assayed"] = {
        g: _state(f)
        for g, f in zip(gene_names(shipped()), cohort.genotypes.assayed[row], strict=True)
        if f == f
    }
    calls = cohort.repeats[cohort.repeats["row"] == row]
    made["repeats"] = {c.locus: _repeat(c) for c in calls.itertuples()}
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, date | np.datetime64):  # a pandas Timestamp is a date
        return str(np.datetime64(value, "D"))
    return value.item() if hasattr(value, "item") else value


def _genotype(copies: int, ploidy: int) -> str:
    return "1" if ploidy == 1 else {1: "0/1", 2: "1/1"}[copies]


def _state(fraction: float) -> str:
    return "full" if fraction >= ASSAYED_FROM else "partial" if fraction > 0 else "none"


def _repeat(call: Any) -> dict[str, Any]:
    alleles = [call.long] if call.short != call.short else [call.short, call.long]
    return {"alleles": alleles, "ci": [call.ci_low, call.ci_high], "status": "PASS"}
