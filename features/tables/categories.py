"""Columns of words of the contract."""

import numpy as np

from features.catalogue import normal_name
from features.errors import nearest
from features.tables.coded import codes_of, of_rows
from features.tables.columns import Cells
from features.tables.problems import Problems


def categories(
    column: Cells,
    levels: tuple[str, ...],
    where: str,
    problems: Problems,
    aliases: "dict[str, str] | None" = None,
) -> np.ndarray:
    """Check a column of categories.

    Case and blanks around do not matter, an unknown word is an error.

    Parameters
    ----------
    column : Cells
        Text, k rows.
    levels : tuple of str
        Words of the contract; any word is taken where there are none.
    where : str
        File and column, for messages.
    problems : Problems
        Gets the unknown words.
    aliases : dict, optional
        Other words in their normal form -> level.

    Returns
    -------
    array of object (k,)
        Words of the contract, None unknown or refused.
    """
    codes, words = coded_categories(column, levels, where, problems, aliases)
    return np.array([*words, None], dtype=object)[codes]


def coded_categories(
    column: Cells,
    levels: tuple[str, ...],
    where: str,
    problems: Problems,
    aliases: "dict[str, str] | None" = None,
) -> tuple[np.ndarray, list[str | None]]:
    """Check a column as `categories` does.

    Parameters
    ----------
    column, levels, where, problems, aliases
        As for `categories`.

    Returns
    -------
    codes : array of int (k,)
        Distinct cell of each row, -1 unknown.
    words : list
        What each distinct cell means: a word of the contract, None refused.
    """
    codes, stated = codes_of(column)
    words = [_level(word, levels, aliases or {}) if levels else str(word) for word in stated]
    if None in words:
        unknown = np.array([word is None for word in words], dtype=bool)
        first = str(stated[np.flatnonzero(unknown)[0]])
        remedy = (
            f"{nearest(first, levels)} Or say what it means with a `values:` block in the cohort"
            " file."
        )
        problems.reject(
            of_rows(unknown, codes), where, column, "is not a known value", remedy, code="cell_word"
        )
    return codes, words


def _level(word: object, levels: tuple[str, ...], aliases: dict[str, str]) -> str | None:
    lower, normal = str(word).lower(), normal_name(str(word))
    return lower if lower in levels else normal if normal in levels else aliases.get(normal)
