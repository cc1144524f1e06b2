"""What follows from the dates that a hospital has: the index day from the first visit, the age at
onset from a date of birth.

A date of birth names a person: it is used here and kept nowhere.
"""

import numpy as np
import pandas as pd

from features.tables.coded import decoded, text
from features.tables.dates import dates
from features.tables.days import dated_days
from features.tables.numbers import numbers
from features.tables.problems import Problems
from features.tables.reading_rules import ReadingRules

DAYS_PER_YEAR = 365.25
# Ages of the contract (`patients.tsv`, age_at_onset).
_YOUNGEST, _OLDEST = 1.0, 110.0
# A stated age is in whole years, and may be that at the diagnosis: more is a contradiction (P).
_MOST_YEARS_APART = 2.0


def with_first_visits(
    table: pd.DataFrame, visits: pd.DataFrame, where: str, problems: Problems, rules: ReadingRules
) -> pd.DataFrame:
    """Give patients without an index date that of their first visit.

    Parameters
    ----------
    table : DataFrame
        Patients under the names of the contract, as they were read.
    visits : DataFrame
        Visits, as they were read.
    where : str
        File of the patients, for messages.
    problems : Problems
        Gets how many there are, and how many are left without.
    rules : ReadingRules
        How dates are written.

    Returns
    -------
    DataFrame
        With `index_date` as text.
    """
    if not {"sample_id", "days"} <= set(visits.columns) or "sample_id" not in table.columns:
        return table
    quiet = Problems(collect=True, silent=True)  # the visits are told of when they are read
    day = pd.Series(dates(visits["days"], "visits", quiet, rules.dialect))
    first = day.groupby(pd.Series(text(visits["sample_id"]), dtype=object)).min().dropna()
    iso = {str(name): str(np.datetime64(date, "D")) for name, date in first.items()}
    found = [iso.get(str(name)) for name in text(table["sample_id"])]
    stated = np.full(len(table), None, dtype=object)
    if "index_date" in table.columns:
        stated = np.asarray(decoded(table["index_date"]), dtype=object)
    unknown = pd.isna(stated)
    index = np.where(unknown, np.array(found, dtype=object), stated)
    taken = int((unknown & ~pd.isna(index)).sum())
    problems.note(
        where,
        f"day 0 of {taken} patients is their first ALSFRS visit",
        "`index_date: first_visit` says so.",
        taken,
        code="column_renamed",
    )
    problems.question(
        pd.isna(index),
        f"{where}, column index_date",
        None,
        "is empty, and the patient has no dated visit",
        "Dates of this patient cannot be read; give an index_date.",
        code="cell_empty",
    )
    return table.assign(index_date=pd.Series(index, dtype=object, index=table.index))


def with_age_at_onset(
    table: pd.DataFrame, where: str, problems: Problems, rules: ReadingRules
) -> pd.DataFrame:
    """Give `age_at_onset` where it is empty, from `birth_date` or `age_at_index`, which are not
    kept.

    Parameters
    ----------
    table : DataFrame
        Patients under the names of the contract, with `index_date`.
    where : str
        File, for messages.
    problems : Problems
        Gets what is wrong, and how many ages were found so.
    rules : ReadingRules
        How dates and numbers are written.

    Returns
    -------
    DataFrame
        Without the two columns.
    """
    asked = [name for name in ("birth_date", "age_at_index") if name in table.columns]
    kept = table.drop(columns=asked)
    for name in asked:
        onset = _onset_days(table, rules)
        read = _birth if name == "birth_date" else _age
        years = read(table, onset, where, problems, rules)
        kept = _filled(kept, years, name, where, problems, rules)
    return kept


def _index_dates(table: pd.DataFrame, rules: ReadingRules) -> np.ndarray:
    quiet = Problems(collect=True, silent=True)
    if "index_date" not in table.columns or table["index_date"].dtype == float:
        return np.full(len(table), np.datetime64("NaT"), dtype="datetime64[D]")
    return dates(table["index_date"], where="", problems=quiet, dialect=rules.dialect)


def _onset_days(table: pd.DataFrame, rules: ReadingRules) -> np.ndarray:
    """Onset of each patient; what is wrong with it is told when the column itself is read."""
    quiet, index = Problems(collect=True, silent=True), _index_dates(table, rules)
    if "onset_days" not in table.columns:
        return np.full(len(table), np.nan)
    rules = rules.in_calendar(bool((~np.isnat(index)).any()))
    column = table["onset_days"]
    return dated_days(column, "", quiet, 0, rules.dialect, index).value


def _birth(
    table: pd.DataFrame, onset: np.ndarray, where: str, problems: Problems, rules: ReadingRules
) -> np.ndarray:
    """Age at onset in years by the date of birth."""
    index = _index_dates(table, rules)
    if np.isnat(index).all():
        problems.warn(
            f"{where}, column birth_date",
            "no age follows from it: no patient has an index date",
            "Give an index_date, or say `index_date: first_visit` in the cohort file.",
            code="value_unused",
        )
        return np.full(len(table), np.nan)
    rules, place = rules.in_calendar(True), f"{where}, column birth_date"
    # Any distance: the age at onset that follows has bounds of its own, and names no day of birth.
    born = dated_days(
        table["birth_date"], place, problems, 0, rules.dialect, index, farthest=np.inf
    ).value
    years = (onset - born) / DAYS_PER_YEAR
    with np.errstate(invalid="ignore"):
        impossible = (years < _YOUNGEST) | (years > _OLDEST)
    problems.reject(
        impossible,
        place,
        None,
        "gives an age at onset below 1 or above 110 years",
        "Correct the date of birth or the onset.",
        code="cell_range",
    )
    return np.where(impossible, np.nan, years)


def _age(
    table: pd.DataFrame, onset: np.ndarray, where: str, problems: Problems, rules: ReadingRules
) -> np.ndarray:
    """Age at onset in years by the age at day 0."""
    place = f"{where}, column age_at_index"
    age = numbers(table["age_at_index"], place, problems, _YOUNGEST, _OLDEST, rules.dialect)
    return age + onset / DAYS_PER_YEAR


def _filled(
    table: pd.DataFrame,
    years: np.ndarray,
    source: str,
    where: str,
    problems: Problems,
    rules: ReadingRules,
) -> pd.DataFrame:
    """The table with `age_at_onset` where it was empty; a stated age that cannot be is refused."""
    stated: np.ndarray = np.full(len(table), None, dtype=object)
    if "age_at_onset" in table.columns:
        quiet, column = Problems(collect=True, silent=True), table["age_at_onset"]
        stated = np.asarray(decoded(column), dtype=object)
        said = numbers(column, "", quiet, dialect=rules.dialect)
        with np.errstate(invalid="ignore"):
            apart = np.abs(said - years) > _MOST_YEARS_APART
        problems.reject(
            apart,
            f"{where}, column age_at_onset",
            column,
            f"is more than {_MOST_YEARS_APART:g} years from what {source} and the onset say",
            "Correct one of them.",
            code="row_contradiction",
        )
    empty = pd.isna(stated)
    # As the cells beside it are written: a point may be no decimal sign there.
    sign = "," if rules.dialect.decimal == "," else "."
    shown = [None if np.isnan(year) else f"{year:.2f}".replace(".", sign) for year in years]
    found = np.where(empty, np.array(shown, dtype=object), stated)
    n = int((empty & ~pd.isna(found)).sum())
    problems.note(
        where,
        f"age_at_onset of {n} patients follows from {source} and the onset",
        f"{source} itself is not kept.",
        n,
        code="column_renamed",
    )
    return table.assign(age_at_onset=pd.Series(found, dtype=object, index=table.index))
