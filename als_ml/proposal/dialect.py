"""How the cells of found tables are written: decimal sign, order of dates, dates without a day."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_SLASHED = re.compile(r"^(\d{1,2})[/-](\d{1,2})[/-]\d{4}$")
_DATE = re.compile(r"^\d{1,2}[./-]\d{1,2}[./-]\d{4}|^\d{4}-\d{1,2}-\d{1,2}|^\d{1,2}[ -][A-Za-z]{3}")
_YEAR, _MONTH = r"(?:19|20)\d{2}", r"\d{1,2}[./-]\d{4}|\d{4}[/-]\d{1,2}|[A-Za-z]{3,9}\.? \d{4}"
_PARTIAL = re.compile(rf"^(?:{_YEAR}|{_MONTH})$")
_COMMA = re.compile(r"^[<>]?\s*\d+,\d+$")
_THREE = re.compile(r"^[<>]?\s*[1-9]\d{0,2},\d{3}$")


@dataclass(frozen=True)
class Written:
    """What the cohort file should say of cells; None where it need not say anything.

    `unsure` names the keys that the cells do not decide.
    """

    decimal: Literal[","] | None = None
    dates: Literal["day_first", "month_first"] | None = None
    partial_dates: Literal["middle"] | None = None
    unsure: tuple[str, ...] = ()


def written(days: Iterable[str], values: Iterable[str]) -> Written:
    """How days and values are written.

    Parameters
    ----------
    days : iterable of str
        Cells of columns of days.
    values : iterable of str
        Cells of columns of numbers.

    Returns
    -------
    Written
        For the cohort file.

    Examples
    --------
    >>> written(["31/12/2019", "05/06/2020"], ["1,5"]).dates
    'day_first'
    >>> written(["05/06/2020"], []).unsure
    ('dates',)
    >>> written(["2020-06-05", "2019"], ["1,234", "0,5"])
    Written(decimal=',', dates=None, partial_dates='middle', unsure=('partial_dates',))
    """
    cells = [str(cell).strip() for cell in days]
    order, is_plain = _order(cells)
    dated = any(_DATE.match(cell) for cell in cells)
    partial = dated and any(_PARTIAL.match(cell) for cell in cells)
    numbers = [str(cell).strip() for cell in values]
    # 1,234 may be either; where another cell has decimals after a comma it is a decimal comma.
    groups = any(_THREE.match(cell) for cell in numbers)
    commas = any(_COMMA.match(cell) and not _THREE.match(cell) for cell in numbers)
    unsure = (("dates",) if order and not is_plain else ()) + (("partial_dates",) * partial)
    return Written(
        decimal="," if groups and commas else None,
        dates=order,
        partial_dates="middle" if partial else None,
        unsure=unsure,
    )


def is_dated(cells: Iterable[str]) -> bool:
    """Whether all of some cells are dates.

    Parameters
    ----------
    cells : iterable of str
        Known cells of a column.

    Examples
    --------
    >>> is_dated(["31.12.2019", "2020-06-05"]), is_dated(["2020", "x"]), is_dated([])
    (True, False, False)
    """
    found = [bool(_DATE.match(cell.strip())) for cell in cells]
    return bool(found) and all(found)


def _order(cells: list[str]) -> tuple[Literal["day_first", "month_first"] | None, bool]:
    """Order of day and month where slashes or dashes leave it open, and whether a cell decides."""
    pairs = [(int(m[1]), int(m[2])) for m in map(_SLASHED.match, cells) if m]
    if not pairs:
        return None, True
    if any(second > 12 for _, second in pairs):
        return "month_first", True
    return "day_first", any(first > 12 for first, _ in pairs)
