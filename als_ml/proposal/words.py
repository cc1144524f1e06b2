"""Words of six languages for columns, values and analytes, in one plain spelling."""

import unicodedata
from functools import cache
from importlib.resources import files

import pandas as pd

from features.catalogue import (
    analyte_names,
    column_aliases,
    normal_name,
    patient_columns,
    shipped,
    value_aliases,
)

# What German writes otherwise where its letters are not at hand.
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
ANY = "any"
# Words that join others, or say that a date follows, in six languages: a name means the same
# without them.
_FILLERS = frozenset(
    {"a", "am", "an", "au", "d", "da", "date", "data", "datum", "de", "degli", "dei", "del"}
    | {"della", "des", "di", "do", "du", "e", "el", "erste", "et", "fecha", "la", "le", "les"}
    | {"no", "nr", "of", "op", "the", "van", "vom", "von", "zum"}
)


def plain_name(name: str) -> str:
    """A name without case, signs, accents and umlauts, so that spellings meet.

    Parameters
    ----------
    name : str
        As a table writes it.

    Returns
    -------
    str
        ASCII where the letters are Latin ones.

    Examples
    --------
    >>> plain_name("Größe (cm)"), plain_name("Date de décès"), plain_name("Patienten-Nr.")
    ('groesse_cm', 'date_de_deces', 'patienten_nr')
    """
    spelled = name.strip().lower().translate(_UMLAUTS)
    bare = unicodedata.normalize("NFKD", spelled)
    return normal_name("".join(letter for letter in bare if not unicodedata.combining(letter)))


@cache
def column_words(table: str) -> dict[str, str]:
    """Plain spelling of a column's name -> column of the contract.

    Parameters
    ----------
    table : str
        patients, biomarkers or alsfrs.

    Returns
    -------
    dict of str
        Of the definitions and of six languages.
    """
    rows = _table("column_words.tsv")
    chosen = rows[rows["table"].isin([table, ANY])]
    ours = {plain_name(name): column for name, column in column_aliases(shipped(), table).items()}
    return _by_word(chosen, "column") | ours


def without_fillers(name: str) -> str:
    """The plain spelling of a name without words that only join.

    Parameters
    ----------
    name : str
        As a table writes it.

    Returns
    -------
    str
        Empty where nothing else is in it.

    Examples
    --------
    >>> without_fillers("Date des premiers symptômes"), without_fillers("Datum")
    ('premiers_symptomes', '')
    """
    return "_".join(part for part in plain_name(name).split("_") if part not in _FILLERS)


@cache
def core_words(table: str) -> dict[str, str]:
    """The names of `column_words` without fillers, where they mean one column alone.

    Parameters
    ----------
    table : str
        patients, biomarkers or alsfrs.

    Returns
    -------
    dict of str
        Name without fillers -> column of the contract.
    """
    meant: dict[str, set[str]] = {}
    for word, column in column_words(table).items():
        meant.setdefault(without_fillers(word), set()).add(column)
    return {core: columns.pop() for core, columns in meant.items() if core and len(columns) == 1}


def reader_knows(column: str, word: str) -> bool:
    """Whether a word is read without being written into the cohort file.

    Parameters
    ----------
    column : str
        Of the contract.
    word : str
        A cell.

    Examples
    --------
    >>> reader_knows("sex", "Female"), reader_knows("sex", "weiblich")
    (True, False)
    """
    levels, normal = _levels(column), normal_name(word)
    return word.lower() in levels or normal in levels or normal in value_aliases(shipped(), column)


def _levels(column: str) -> tuple[str, ...]:
    """Values of the contract of a column of categories."""
    if column == "matrix":
        return ("serum", "plasma", "csf", "urine", "whole_blood", "none")
    return tuple(patient_columns(shipped())["levels"].get(column) or ())


@cache
def value_words(column: str) -> dict[str, str]:
    """Plain spelling of a word -> value of the contract, for a column of categories.

    Parameters
    ----------
    column : str
        Of the patients table.

    Returns
    -------
    dict of str
        Empty for a column without categories.
    """
    values = set(_levels(column))
    rows = _table("value_words.tsv")
    name = "yes_no" if values == {"yes", "no"} else column
    words = _by_word(rows[rows["column"] == name], "value")
    known = {plain_name(word): value for word, value in value_aliases(shipped(), column).items()}
    return words | known | {plain_name(value): value for value in values}


@cache
def analyte_words() -> dict[str, str]:
    """Plain spelling of an analyte, bare or with its matrix -> our bare name or id."""
    rows = _table("column_words.tsv")
    foreign = _by_word(rows[rows["table"] == "analyte"], "column")
    return foreign | {
        plain_name(name): analyte for name, analyte in analyte_names(shipped()).items()
    }


def _by_word(rows: pd.DataFrame, ours: str) -> dict[str, str]:
    return {
        word: str(row[ours])
        for _, row in rows.iterrows()
        for word in (plain_name(str(row[ours])), *str(row["words"]).split(";"))
    }


@cache
def _table(name: str) -> pd.DataFrame:
    path = files("als_ml.proposal") / name
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False)
