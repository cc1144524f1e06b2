"""What a clinic measures along the way and the care protocol asks for: vital capacity, weight,
sniff pressure and liver tests at later visits.

Made from what is written already, with a stream of random numbers of its own: nothing that was
drawn before changes with it. Vital capacity and weight are drawn after the landmark alone, and the
others are never a feature, so that no model and no best possible score depends on them. All figures
are proposals (P) but the shares of raised ALT on riluzole, which are those of its US label (V,
docs/sources.md): above 3 times the limit in 8 %, above 5 times in 2 %.
"""

import numpy as np
import pandas as pd

from als_ml.simulate import constants as c

_ITEMS = [f"q{i}" for i in range(1, 13)]
_MEASURED = 0.7  # of the patients, each test
LANDMARK = 90
_ALT_HIGH, _BILIRUBIN_HIGH = 40.0, 1.2  # upper limits of the made-up laboratory
_ABOVE_5, _ABOVE_3 = 0.02, 0.08
_ABOVE_3_WITHOUT = 0.03  # of those who do not take it (P)
_GILBERT = 0.05
_UNITS = {
    "fvc_pct": "%",
    "weight": "kg",
    "snip": "cmH2O",
    "alt_serum": "U/L",
    "bilirubin_serum": "mg/dL",
    "spo2": "%",
    "paco2_blood": "kPa",
    "mip": "cmH2O",
    "neutrophils_blood": "10^9/L",
}
_MATRIX = {"paco2_blood": "whole_blood", "neutrophils_blood": "whole_blood"}
_LEAST = {"neutrophils_blood": 0.1}  # what is written at the least; 3 of any other


def care_values(
    visits: pd.DataFrame,
    measured: pd.DataFrame,
    patients: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows to add to the biomarkers table.

    Parameters
    ----------
    visits, measured, patients : DataFrame
        The tables as they are written: ALSFRS-R items, biomarkers, patients.
    rng : Generator
        A stream of its own.

    Returns
    -------
    DataFrame
        The columns of the biomarkers table, with `ref_low` and `ref_high` of the liver tests.
    """
    totals = visits.assign(total=visits[_ITEMS].sum(axis=1)).sort_values(["sample_id", "days"])
    first = totals.groupby("sample_id")["total"].first()
    last = totals.drop_duplicates("sample_id", keep="last")
    later = totals[totals["days"] > LANDMARK].groupby("sample_id").tail(2)
    lost = later["sample_id"].map(first).to_numpy() - later["total"].to_numpy()
    parts = [
        _followed("fvc_pct", later, c.FVC_PER_POINT * lost, measured, rng),
        _followed("weight", later, 0.22 * lost, measured, rng),
        lab_rows("snip", last, 95 - 1.4 * (48 - last["total"].to_numpy()), 12.0, rng),
        _alt(last, patients, rng),
        _bilirubin(last, rng),
    ]
    return pd.concat(parts)


def lab_rows(
    analyte: str,
    at: pd.DataFrame,
    mean: np.ndarray,
    spread: float,
    rng: np.random.Generator,
    **limits: float,
) -> pd.DataFrame:
    """A test of some patients at a visit each.

    Parameters
    ----------
    analyte : str
        Of the table of biomarkers.
    at : DataFrame
        Visits, one row each, with `sample_id` and `days`.
    mean, spread : array, float
        Of the values, in the unit that is written.
    rng : Generator
        Whose numbers are drawn.
    limits : float
        `ref_low` and `ref_high` of the laboratory.

    Returns
    -------
    DataFrame
        The columns of the biomarkers table.
    """
    values = np.maximum(rng.normal(mean, spread), _LEAST.get(analyte, 3.0)).round(1)
    table = pd.DataFrame({"sample_id": at["sample_id"], "analyte": analyte, "value": values})
    table["unit"] = _UNITS[analyte]
    table["matrix"] = _MATRIX.get(analyte, "serum" if analyte.endswith("_serum") else "none")
    table = table.assign(assay="", days=at["days"].to_numpy(), **limits)
    return table[rng.random(len(table)) < _MEASURED]


def _followed(
    analyte: str,
    later: pd.DataFrame,
    loss: np.ndarray,
    measured: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A test of the first visit again at later ones, less what was lost since; percent of the first
    value for the weight, points for vital capacity.
    """
    first = measured[measured["analyte"] == analyte].drop_duplicates("sample_id")
    start = later["sample_id"].map(first.set_index("sample_id")["value"].astype(float)).to_numpy()
    share = loss * start / 100 if analyte == "weight" else loss
    rows = lab_rows(analyte, later, np.nan_to_num(start) - share, 1.5, rng)
    return rows[np.isfinite(start)[later.index.get_indexer(rows.index)]]


def _alt(last: pd.DataFrame, patients: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """ALT: half of those on riluzole above the limit, a few far above it."""
    on = last["sample_id"].map(patients.set_index("sample_id")["riluzole"]).to_numpy() == "yes"
    usual = np.exp(rng.normal(np.log(np.where(on, 38.0, 22.0)), 0.4, len(last)))
    chance = rng.random(len(last))
    times = np.select([chance < _ABOVE_5, chance < _ABOVE_3], [6.0, 3.8], 0.0)
    times = np.where(on, times, np.where(chance < _ABOVE_3_WITHOUT, 3.8, 0.0))
    value = np.where(times > 0, times * _ALT_HIGH, np.minimum(usual, 2.9 * _ALT_HIGH))
    return lab_rows("alt_serum", last, value, 1.0, rng, ref_low=7.0, ref_high=_ALT_HIGH)


def _bilirubin(last: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Total bilirubin, raised in those with Gilbert's syndrome."""
    value = np.exp(rng.normal(np.log(0.6), 0.3, len(last)))
    value = np.where(rng.random(len(last)) < _GILBERT, 1.8, np.minimum(value, 1.1))
    limits = {"ref_low": 0.2, "ref_high": _BILIRUBIN_HIGH}
    rows = lab_rows("bilirubin_serum", last, value, 0.02, rng, **limits)
    kept = last.index.get_indexer(rows.index)
    return rows.assign(value=value[kept].round(2))
