"""What a cell of a table says: numbers as laboratories write them, limits of measurement, and
dates.

A number is understood only if it can mean one thing. `1,5` is 1.5 and `1.234,5` is 1234.5, but
`1,234` may be either, so it is refused unless the cohort file says `decimal`. The same holds for
`03/04/2024` and `dates`. Everything works on the distinct cells of a column, never row by row.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Ways to say that nothing was measured, in a column of numbers or days, beside the empty cell.
NO_NUMBER = frozenset(
    [
        "-",
        "--",
        "---",
        "\u2013",
        "\u2014",
        ".",
        "?",
        "missing",
        "unknown",
        "unk",
        "not done",
        "not measured",
        "pending",
    ]
)
LIMIT_WORD = (
    r"^(?:[<>]\s*|(?:below|under|above|over)\s+)?(?:lod|loq|llod|lloq|uloq|blq|bloq|blod|alq|aloq)$"
)
ABOVE_WORD = r"^(?:>|above|over|uloq|alq|aloq)"
_SIGN = "^(?:<=|>=|[<>\u2264\u2265])\\s*"
_SPACES = "(\\d)[ \u00a0\u2009\u202f'\u2019](\\d{3})"
_AMBIGUOUS_COMMA, _AMBIGUOUS_POINT = r"^[+-]?[1-9]\d{0,2},\d{3}$", r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_COMMA_DECIMAL = r"^[+-]?(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+),\d+$|^[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}$"
_COMMA_GROUPS = r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?$"
_POINT_GROUPS = r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?$"
_POINT_DECIMAL = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$"
_INTEGER = r"^[+-]?\d+$"
# Forms of a number by decimal sign: what it looks like, the separator to remove, the decimal sign.
_READINGS: dict[str | None, list[tuple[str, str, str]]] = {
    ",": [(_COMMA_DECIMAL, ".", ","), (_POINT_GROUPS, ".", ","), (_INTEGER, ".", ",")],
    ".": [(_POINT_DECIMAL, ",", "."), (_COMMA_GROUPS, ",", ".")],
    "plain": [(_POINT_DECIMAL, ",", ".")],
    None: [(_COMMA_DECIMAL, ".", ","), (_COMMA_GROUPS, ",", "."), (_POINT_DECIMAL, ",", ".")],
}
_ISO = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]\d{2}:\d{2}.*)?$"
_NUMERIC_DATE = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})$"
_NAMED_MONTH = r"^\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{4}$"
# A month and its year; the year first only with a dash or a slash, because 2020.1 is a number.
_MONTH_FORMS = (
    r"^(?P<month>\d{1,2})[./-](?P<year>\d{4})$",
    r"^(?P<year>\d{4})[/-](?P<month>\d{1,2})$",
    r"^(?P<month>[A-Za-z]{3,9})\.?[-/ ]+(?P<year>\d{4})$",
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Years that a bare number may be (contract, section Dates).
YEARS = (1900, 2100)


@dataclass(frozen=True)
class Dialect:
    """How numbers and dates are written, as far as the cohort file says so.

    What is not said must be plain from the cell.

    `plain` allows a decimal point and no thousands separator: for what programs write, such as a
    served record, where no other cell may have a say in what one means. `partial_dates` says what a
    date without its day becomes. `calendar` says that the cohort has calendar dates, so that a bare
    number from 1900 to 2100 where days belong is a year.
    """

    decimal: Literal[".", ",", "plain"] | None = None
    dates: Literal["iso", "day_first", "month_first"] | None = None
    partial_dates: Literal["middle", "refuse"] = "refuse"
    calendar: bool = False

    @property
    def apart(self) -> bool:
        """Whether each row stands for itself, so that a patient alone is read as in a batch."""
        return self.decimal == "plain"


PLAIN = Dialect(decimal="plain", dates="iso")


@dataclass(frozen=True)
class Values:
    """Distinct cells as numbers: `value` (NaN: none), `sign` (`<`, `>` or empty), `limit_word`
    ('below', 'above' or empty).

    `unclear` marks what may mean two things, `wrong` what is not a number at all.
    """

    value: np.ndarray
    sign: np.ndarray
    limit_word: np.ndarray
    unclear: np.ndarray
    wrong: np.ndarray


def read_values(cells: np.ndarray, dialect: Dialect = PLAIN) -> Values:
    """Read distinct text cells as numbers, with or without a limit sign.

    Parameters
    ----------
    cells : array of str (k,)
        Distinct cells, None unknown.
    dialect : Dialect
        What the user says of decimal signs.

    Returns
    -------
    Values
        Arrays (k,).

    Examples
    --------
    >>> cells = np.array(
    ...     ["1.5", "1,5", "<2.7", "1 234,5", "1,234", "LOD", "high"], dtype=object
    ... )
    >>> read = read_values(cells, Dialect())
    >>> (read.value.tolist(),
    ...  read.unclear.tolist().index(True),
    ...  read.wrong.tolist().index(True))
    ([1.5, 1.5, 2.7, 1234.5, nan, nan, nan], 4, 6)
    >>> read.sign[2], read.limit_word[5]
    ('<', 'below')
    """
    value = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(dtype=float)
    text = pa.array(cells, type=pa.string())
    unread = ~np.isfinite(value)
    commas = _has_decimal_commas(_bare(text.filter(pa.array(unread))), dialect)
    hard = unread | _points_may_group(text, commas, dialect)
    none, false = np.full(len(cells), "", dtype=object), np.zeros(len(cells), dtype=bool)
    if not hard.any():
        return Values(value=value, sign=none, limit_word=none, unclear=false, wrong=false)
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(text.filter(pa.array(hard))))
    number, vague = _separated(_bare(lower), commas, dialect)
    number = np.where(np.isinf(number), np.nan, number)  # 1e999 is more than a number holds
    word, below, above = (
        _matches(lower, pattern) for pattern in (LIMIT_WORD, "^[<\u2264]", "^[>\u2265]")
    )
    silent = np.asarray(pc.is_in(lower, value_set=pa.array(sorted(NO_NUMBER))))
    value, unclear, wrong, sign, limit_word = (
        value.copy(),
        false.copy(),
        false.copy(),
        none,
        none.copy(),
    )
    value[hard], unclear[hard] = number, vague
    wrong[hard] = np.isnan(number) & ~vague & ~word & ~silent
    sign[hard] = np.select([below, above], ["<", ">"], "")
    limit_word[hard] = np.where(word, np.where(_matches(lower, ABOVE_WORD), "above", "below"), "")
    return Values(value=value, sign=sign, limit_word=limit_word, unclear=unclear, wrong=wrong)


def _has_decimal_commas(bare: pa.Array, dialect: Dialect) -> bool:
    """Whether some cell of a column without a stated decimal sign has a comma that can only be a
    decimal one.
    """
    plain = (
        _matches(bare, _COMMA_DECIMAL)
        & ~_matches(bare, _AMBIGUOUS_COMMA)
        & ~_matches(bare, _COMMA_GROUPS)
    )
    return dialect.decimal is None and bool(plain.any())


def _points_may_group(text: pa.Array, commas: bool, dialect: Dialect) -> np.ndarray:
    """Which readable cells have a point that may separate thousands, because the decimal sign is a
    comma.
    """
    if dialect.decimal == ",":
        return _matches(text, r"\.")
    return _matches(text, _AMBIGUOUS_POINT) if commas else np.zeros(len(text), dtype=bool)


def _bare(text: pa.Array) -> pa.Array:
    """Without a limit sign and without blanks or apostrophes between groups of three digits."""
    bare = pc.replace_substring_regex(text, _SIGN, "")
    for _ in range(
        2
    ):  # neighbouring groups share a digit, so one pass leaves every other separator
        bare = pc.replace_substring_regex(bare, _SPACES, r"\1\2")
    return bare


def _separated(bare: pa.Array, commas: bool, dialect: Dialect) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of cells whose decimal and thousands separators are still in them, and which of them
    are unclear.
    """
    unclear, number = np.zeros(len(bare), dtype=bool), np.full(len(bare), np.nan)
    if dialect.decimal is None:
        unclear = _matches(bare, _AMBIGUOUS_COMMA) | (_matches(bare, _AMBIGUOUS_POINT) & commas)
    for pattern, removed, decimal in _READINGS[dialect.decimal]:
        fits = _matches(bare, pattern) & np.isnan(number) & ~unclear
        plain = pc.replace_substring(
            pc.replace_substring(bare.filter(pa.array(fits)), removed, ""), decimal, "."
        )
        number[fits] = np.asarray(plain.cast(pa.float64()))
    return number, unclear


def _matches(text: pa.Array, pattern: str) -> np.ndarray:
    return np.asarray(pc.fill_null(pc.match_substring_regex(text, pattern), False))


@dataclass(frozen=True)
class Dates:
    """Distinct cells as dates: `date` (datetime64[D], NaT: none), `unclear` (day or month first?),
    `wrong` (no date).
    """

    date: np.ndarray
    unclear: np.ndarray
    wrong: np.ndarray


def read_dates(cells: np.ndarray, dialect: Dialect = PLAIN) -> Dates:
    """Read distinct text cells as dates: ISO, `31.12.2024`, `31 Dec 2024`, and with slashes where
    the order is plain or stated.

    Parameters
    ----------
    cells : array of str (k,)
        Distinct cells.
    dialect : Dialect
        What the user says of the order of day and month.

    Returns
    -------
    Dates
        Arrays (k,).

    Examples
    --------
    >>> read = read_dates(
    ...     np.array(
    ...         ["2024-02-29", "31.12.2024", "5-Jan-2024", "2024-02-30"], dtype=object
    ...     ),
    ...     Dialect(),
    ... )
    >>> read.date.astype(str).tolist(), read.wrong.tolist()
    (['2024-02-29', '2024-12-31', '2024-01-05', 'NaT'], [False, False, False, True])
    >>> read_dates(np.array(["03/04/2024"], dtype=object), Dialect()).unclear.tolist()
    [True]
    """
    text = pd.Series(cells, dtype=object).astype(str).str.strip()
    iso, named = text.str.match(_ISO).to_numpy(), text.str.match(_NAMED_MONTH).to_numpy()
    parts = text.str.extract(_NUMERIC_DATE).astype(float)
    numeric, dotted = parts[0].notna().to_numpy(), text.str.contains(".", regex=False).to_numpy()
    day_first, unclear = _order(parts, numeric, dotted, dialect)
    date = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[D]")
    normal = text.str.replace("/", "-", regex=False)
    for kind, form in ((iso, "%Y-%m-%d"), (named, "mixed")):
        written = (
            normal[kind].str.slice(0, 10)
            if form != "mixed"
            else normal[kind].str.replace("-", " ", regex=False)
        )
        date[kind] = (
            pd.to_datetime(written, format=form, errors="coerce").to_numpy().astype("datetime64[D]")
        )
    plain = text.str.replace(r"[./]", "-", regex=True)
    for kind, form in (
        (numeric & day_first, "%d-%m-%Y"),
        (numeric & ~day_first & ~unclear, "%m-%d-%Y"),
    ):
        date[kind] = (
            pd.to_datetime(plain[kind], format=form, errors="coerce")
            .to_numpy()
            .astype("datetime64[D]")
        )
    return Dates(date, unclear, np.isnat(date) & ~unclear)


def read_months(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last day of distinct cells that name a month and its year (datetime64[D]); NaT for
    any other cell.

    Parameters
    ----------
    cells : array of str (k,)
        Distinct cells.

    Returns
    -------
    first, last : arrays of datetime64[D] (k,)
        NaT for a cell that is not a month and a year.

    Examples
    --------
    >>> first, last = read_months(
    ...     np.array(["06/2020", "Feb 2020", "2019-12", "13/2020", "2020"], dtype=object)
    ... )
    >>> first.astype(str).tolist()
    ['2020-06-01', '2020-02-01', '2019-12-01', 'NaT', 'NaT']
    >>> last.astype(str).tolist()
    ['2020-06-30', '2020-02-29', '2019-12-31', 'NaT', 'NaT']
    """
    month = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[M]")
    for i, cell in enumerate(cells):
        match = next(
            filter(None, (re.match(form, str(cell).strip()) for form in _MONTH_FORMS)), None
        )
        number = _month_number(match["month"]) if match else 0
        if match and 1 <= number <= 12 and YEARS[0] <= int(match["year"]) <= YEARS[1]:
            month[i] = np.datetime64(f"{match['year']}-{number:02d}")
    first = month.astype("datetime64[D]")
    return first, (month + 1).astype("datetime64[D]") - np.timedelta64(1, "D")


def _month_number(word: str) -> int:
    """Number of a month from its number or its English name; 0 for any other word."""
    if word.isdigit():
        return int(word)
    short = word[:3].lower()
    return _MONTHS.index(short) + 1 if short in _MONTHS else 0


def _order(
    parts: pd.DataFrame, numeric: np.ndarray, dotted: np.ndarray, dialect: Dialect
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the day comes first in each numeric date, and which could be either.

    Dots always mean day first.
    """
    if dialect.dates == "day_first":
        return numeric, np.zeros(len(parts), dtype=bool)
    if dialect.dates == "month_first":
        return numeric & dotted, np.zeros(len(parts), dtype=bool)
    slashed = numeric & ~dotted
    first, second = (parts[i].to_numpy() > 12 for i in (0, 1))
    some_first, some_second = bool((first & slashed).any()), bool((second & slashed).any())
    if dialect.apart:
        some_first = some_second = False  # each cell speaks for itself
    unclear = (
        slashed & ~first & ~second
        if some_first == some_second
        else np.zeros(len(parts), dtype=bool)
    )
    return (
        dotted & numeric | slashed & (first | (some_first and not some_second)) & ~unclear,
        unclear,
    )
