"""What a clinic writes down beside the visits, and the care protocol asks for: the calendar date of
the index visit, aids and treatments with their days, signs and symptoms, and breathing tests.

Made from what is written already, with a stream of random numbers of its own: nothing that was
drawn before changes with it. What could be a feature (aids, treatments) begins after the landmark
alone, and a feature tells that from nothing on record as little as a clinic could; signs, dates and
breathing tests are never a feature. All figures are proposals (P).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from als_ml.simulate.care import LANDMARK, lab_rows

# First and number of the calendar days on which the made-up cohort was seen first.
_FIRST_DAY, _DAYS = np.datetime64("2023-01-09"), 730
_ASKED = 0.7  # of the patients, each sign
_FED = 0.6  # of those who cannot swallow safely
_EDARAVONE, _AMX0035, _SULFITE_ALLERGY = 0.15, 0.03, 0.05
_HEADACHE_ON_TOFERSEN = 0.6
_PREGNANT, _YOUNGER_THAN = 0.15, 45.0
_LOW_NEUTROPHILS, _ON_RILUZOLE = 0.4, 0.01
_BREATHING = ("q10", "q11", "q12")


class Sign(NamedTuple):
    """A sign or symptom: its share where one of the items is 2 or lower, and elsewhere."""

    name: str
    items: tuple[str, ...]
    affected: float
    others: float


_SIGNS = (
    Sign(name="respiratory_symptoms", items=("q10", "q11"), affected=0.8, others=0.05),
    Sign(name="nocturnal_desaturation", items=("q10", "q11"), affected=0.5, others=0.05),
    Sign(name="weak_cough", items=("q3", "q10"), affected=0.5, others=0.05),
    Sign(name="dry_cough", items=(), affected=0.0, others=0.03),
    Sign(name="drooling", items=("q2",), affected=0.6, others=0.05),
    Sign(name="fever", items=(), affected=0.0, others=0.02),
    Sign(name="headache", items=(), affected=0.0, others=0.05),
    Sign(name="visual_change", items=(), affected=0.0, others=0.02),
    Sign(name="back_or_leg_pain", items=("q8",), affected=0.2, others=0.1),
    Sign(name="leg_swelling", items=("q8",), affected=0.1, others=0.02),
    Sign(name="cramps", items=(), affected=0.0, others=0.4),
    Sign(name="spasticity", items=("q8", "q9"), affected=0.4, others=0.15),
    Sign(name="low_mood", items=(), affected=0.0, others=0.25),
    Sign(name="pseudobulbar_affect", items=("q1",), affected=0.3, others=0.05),
)


def clinic_columns(
    visits: pd.DataFrame, patients: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Columns to add to the patients table.

    Parameters
    ----------
    visits, patients : DataFrame
        The tables as they are written; n patients.
    rng : Generator
        A stream of its own.

    Returns
    -------
    DataFrame (n,)
        Dates as text, days since the index day (missing where there is none), `yes`, `no` or empty.
    """
    ids = patients["sample_id"]
    last = visits.sort_values("days").drop_duplicates("sample_id", keep="last")
    last = last.set_index("sample_id").reindex(ids)
    n = len(ids)
    table: dict[str, np.ndarray | pd.Series] = {
        "index_date": (_FIRST_DAY + rng.integers(0, _DAYS, n)).astype(str),
        "niv_start_days": _first_day(visits, "q12", 3).reindex(ids).to_numpy(),
        "gastrostomy_days": _first_day(visits, "q3", 1).reindex(ids).to_numpy(),
    }
    table["gastrostomy_days"] = np.where(rng.random(n) < _FED, table["gastrostomy_days"], np.nan)
    table["edaravone_start_days"] = _edaravone(last["days"].to_numpy(), rng)
    table["amx0035"] = _said(rng.random(n) < _AMX0035)
    table["sulfite_allergy"] = _said(rng.random(n) < _SULFITE_ALLERGY)
    made = pd.DataFrame({**table, **_signs(last, patients, rng)})
    days = [name for name in made.columns if name.endswith("_days")]
    return made.astype(dict.fromkeys(days, "Int64"))


def _first_day(visits: pd.DataFrame, item: str, at_most: int) -> pd.Series:
    """Day of the first visit with so few points, where it lies after the landmark."""
    low = visits[visits[item] <= at_most].groupby("sample_id")["days"].min()
    return low[low > LANDMARK].astype(float)


def _edaravone(last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Day on which edaravone was started, before the last visit; NaN if never."""
    day = LANDMARK + 1 + np.floor(rng.random(len(last)) * (last - LANDMARK - 1))
    given = (rng.random(len(last)) < _EDARAVONE) & (last > LANDMARK + 1)
    return np.where(given, day, np.nan)


def _signs(
    last: pd.DataFrame, patients: pd.DataFrame, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Each sign as it was asked for at the last visit, and that day."""
    columns: dict[str, np.ndarray] = {}
    for sign in _SIGNS:
        affected = (last[list(sign.items)] <= 2).any(axis=1).to_numpy()
        share = np.where(affected, sign.affected, sign.others)
        if sign.name == "headache":
            treated = patients["tofersen"].to_numpy() == "yes"
            share = np.where(treated, _HEADACHE_ON_TOFERSEN, share)
        columns |= _asked(sign.name, share, last, rng)
    age = patients["age_at_onset"].to_numpy()
    may = (patients["sex"].to_numpy() == "female") & (age < _YOUNGER_THAN)
    return columns | _asked("pregnant", np.where(may, _PREGNANT, 0.0), last, rng)


def _asked(
    name: str, share: np.ndarray, last: pd.DataFrame, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """A sign of the patients who were asked for it."""
    asked = rng.random(len(share)) < _ASKED
    asked &= last["days"].notna().to_numpy()
    word = np.where(asked, _said(rng.random(len(share)) < share), "")
    return {name: word, f"{name}_days": np.where(asked, last["days"].to_numpy(), np.nan)}


def _said(holds: np.ndarray) -> np.ndarray:
    return np.where(holds, "yes", "no")


def fed_by_tube(visits: pd.DataFrame, gastrostomy: pd.Series) -> pd.DataFrame:
    """The visits with the question on cutting that those with a gastrostomy are asked.

    Parameters
    ----------
    visits : DataFrame
        The visits as they are written.
    gastrostomy : Series
        Day of the gastrostomy by `sample_id`, missing where there is none.

    Returns
    -------
    DataFrame
        The same rows and points.
    """
    since = visits["sample_id"].map(gastrostomy).to_numpy(dtype=float, na_value=np.nan)
    after = visits["days"].to_numpy() >= since
    return visits.assign(q5_form=np.where(after, "b", visits["q5_form"]))


def breathing_tests(
    visits: pd.DataFrame, patients: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows to add to the biomarkers table: saturation, blood gas, mouth pressure and neutrophils at
    the last visit, where that lies after the landmark.

    Parameters
    ----------
    visits, patients : DataFrame
        The tables as they are written.
    rng : Generator
        A stream of its own.

    Returns
    -------
    DataFrame
        The columns of the biomarkers table.
    """
    last = visits.sort_values("days").drop_duplicates("sample_id", keep="last")
    last = last[last["days"] > LANDMARK]
    lost = 12 - last[list(_BREATHING)].sum(axis=1).to_numpy()
    means = {
        "spo2": (97.0 - 0.3 * lost, 1.2),
        "paco2_blood": (5.2 + 0.1 * lost, 0.4),
        "mip": (95.0 - 5.0 * lost, 15.0),
        "neutrophils_blood": (_neutrophils(last, patients, rng), 0.05),
    }
    rows = [lab_rows(name, last, mean, sd, rng) for name, (mean, sd) in means.items()]
    table = pd.concat(rows)
    saturation = table["analyte"] == "spo2"
    return table.assign(value=table["value"].mask(saturation & (table["value"] > 99), 99.0))


def _neutrophils(
    last: pd.DataFrame, patients: pd.DataFrame, rng: np.random.Generator
) -> np.ndarray:
    """10^9 a litre; a few of those on riluzole have hardly any."""
    on = last["sample_id"].map(patients.set_index("sample_id")["riluzole"]).to_numpy() == "yes"
    usual = np.exp(rng.normal(np.log(4.0), 0.3, len(last)))
    return np.where(on & (rng.random(len(last)) < _ON_RILUZOLE), _LOW_NEUTROPHILS, usual)
