"""Derived values: products of powers of measured ones, declared in `definitions/derived.tsv` (BMI, NLR, NfL/creatinine)."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.catalogue import definitions


class Derived(NamedTuple):
    """`analyte` = factor x product of analyte^power; the other inputs are the last ones within `tolerance` days of the first."""

    analyte: str
    terms: tuple[tuple[str, int], ...]
    factor: float
    tolerance: float


@cache
def derived_values() -> tuple[Derived, ...]:
    """Rows of the definition table."""
    return tuple(_rule(row) for _, row in definitions("derived").iterrows())


def _rule(row: pd.Series) -> Derived:
    terms = tuple(_term(term) for term in row["terms"].split(";"))
    return Derived(row["analyte"], terms, float(row["factor"]), float(row["tolerance_days"]))


def _term(text: str) -> tuple[str, int]:
    name, _, power = text.partition("^")
    return name, int(power)


def with_derived(table: pd.DataFrame) -> pd.DataFrame:
    """Add derived values to checked biomarkers, dated like their first input; a measured value of the same day wins."""
    added = [_derive(table, rule) for rule in derived_values()]
    added = [part for part in added if len(part)]
    return pd.concat([table, *added], ignore_index=True).astype(table.dtypes.to_dict()) if added else table


def _derive(table: pd.DataFrame, rule: Derived) -> pd.DataFrame:
    parts = [_daily(table, name) for name, _ in rule.terms]
    first, joined = parts[0], np.ones(len(parts[0])) * rule.factor
    if not all(len(part) for part in parts):
        return table.iloc[:0]
    for part, (_, power) in zip(parts, rule.terms, strict=True):
        joined = joined * _last_known(part, first, rule.tolerance) ** float(power)
    measured = table[table["analyte"] == rule.analyte]
    taken = pd.MultiIndex.from_frame(first[["row", "days"]]).isin(pd.MultiIndex.from_frame(measured[["row", "days"]]))
    kept = np.isfinite(joined) & ~taken
    codes = np.full(int(kept.sum()), table["analyte"].cat.categories.get_loc(rule.analyte))
    analyte = pd.Categorical.from_codes(codes, dtype=table["analyte"].dtype)
    own = first[kept].assign(value=joined[kept], analyte=analyte, ref_low=np.nan, ref_high=np.nan)
    return own.assign(unit=None, batch=None)[list(table.columns)].astype(
        {name: table[name].dtype for name in ("assay", "censored", "unit", "batch")}
    )


def _daily(table: pd.DataFrame, analyte: str) -> pd.DataFrame:
    """Dated values of an analyte, one a patient, day and assay (the mean of replicates), ordered by day."""
    code = table["analyte"].cat.categories.get_loc(analyte)
    own = table[(table["analyte"].cat.codes == code).to_numpy() & table["days"].notna().to_numpy()]
    if not own.duplicated(["row", "days", "assay"]).any():
        return own.sort_values(["days", "row", "value"], kind="stable")
    keys = ["row", "days", "assay"]
    means = own.sort_values([*keys, "value"]).groupby(keys, observed=True, sort=False)["value"].mean()
    first = own.drop_duplicates(keys).set_index(keys)
    return (
        first.assign(value=means)
        .reset_index()[list(table.columns)]
        .sort_values(["days", "row", "value"], kind="stable")
    )


def _last_known(part: pd.DataFrame, at: pd.DataFrame, tolerance: float) -> np.ndarray:
    """Last value of each patient on or before the days of `at`, not older than the tolerance; NaN where there is none."""
    if part is at:
        return at["value"].to_numpy()
    found = pd.merge_asof(at[["row", "days"]], part[["row", "days", "value"]], on="days", by="row", tolerance=tolerance)
    return found["value"].to_numpy()
