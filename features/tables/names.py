"""Names of a table's columns: as its owner writes them, and as the contract does."""

import pandas as pd

from features.catalogue import normal_name
from features.errors import DataError, nearest
from features.tables.columns import Frame
from features.tables.problems import Problems


def rename_columns(table: pd.DataFrame, names: dict[str, str], where: str) -> pd.DataFrame:
    """Apply the cohort file's `columns` block {ours: theirs}.

    Parameters
    ----------
    table : DataFrame
        As the file has it.
    names : dict
        Our name -> theirs.
    where : str
        File, for the message.

    Returns
    -------
    DataFrame
        With our names.

    Raises
    ------
    DataError
        If a column named there is absent.
    """
    for ours, theirs in names.items():
        if theirs not in table.columns:
            raise DataError(
                f"{where}, columns.{ours}",
                f"there is no column {theirs!r}",
                nearest(theirs, table.columns),
                code="column_missing",
            )
    return table.rename(columns={theirs: ours for ours, theirs in names.items()})


def with_known_names(
    table: pd.DataFrame, aliases: dict[str, str], where: str, problems: Problems
) -> pd.DataFrame:
    """Give columns their name in the contract: case, blanks and signs do not matter, and `aliases`
    {normal name: ours} count.

    A column that already has its own name wins; two columns that could both be one of ours are an
    error.

    Parameters
    ----------
    table : DataFrame
        As the file has it, or already renamed.
    aliases : dict
        Normal name -> ours.
    where : str
        File, for messages.
    problems : Problems
        Gets a note of what was read under another name.

    Returns
    -------
    DataFrame
        With our names.
    """
    ours = {
        name: aliases[normal_name(name)] for name in table.columns if normal_name(name) in aliases
    }
    ours = {name: meant for name, meant in ours.items() if meant not in table.columns}
    for meant in dict.fromkeys(ours.values()):
        rivals = [name for name in ours if ours[name] == meant]
        if len(rivals) > 1:
            reason = f"the columns {' and '.join(map(repr, rivals))} could both be {meant!r}"
            problems.error(
                where,
                reason,
                f"Say which: `columns: {{{meant}: {rivals[0]}}}` in the cohort file.",
                code="column_twice",
            )
            ours = {name: kept for name, kept in ours.items() if kept != meant}
    if ours:
        read = ", ".join(f"{name!r} as {meant}" for name, meant in ours.items())
        problems.note(
            where,
            f"columns are read under other names: {read}",
            "Map them with `columns:` if that is wrong.",
            code="column_renamed",
        )
    return table.rename(columns=ours)


def require_columns(table: Frame, names: list[str], where: str) -> None:
    """Refuse a table that lacks a column.

    Parameters
    ----------
    table : DataFrame or Table
        Any.
    names : list of str
        Columns that it must have.
    where : str
        File, for the message.

    Raises
    ------
    DataError
        With the nearest column that is there.
    """
    for name in names:
        if name not in table.columns:
            remedy = (
                f"{nearest(name, table.columns)} Or map it with a `columns:` block in the cohort"
                " file."
            )
            raise DataError(where, f"the column {name!r} is missing", remedy, code="column_missing")
