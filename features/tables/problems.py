"""What is wrong with the data: raised at once while reading, or collected by `check`."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypedDict

import numpy as np

from features.codes import DATA
from features.errors import DataError, examples, printable, shown_cell
from features.tables.columns import Cells


class ProblemRow(TypedDict):
    """A problem as `--json` has it."""

    code: str
    severity: str
    where: str
    found: str
    remedy: str
    count: int


@dataclass(frozen=True)
class Problem:
    """One cause: where it is, what was found, how often, what to do, and what kind it is
    (`features.codes`).
    """

    severity: str
    where: str
    found: str
    remedy: str
    count: int = 1
    code: str = DATA

    def __post_init__(self) -> None:
        for name in ("where", "found", "remedy"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def as_dict(self) -> ProblemRow:
        """Give the fields for JSON."""
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "found": self.found,
            "remedy": self.remedy,
            "count": self.count,
        }


class Issue(NamedTuple):
    """One row of a file that a problem is about: line from 1, the patient, and the cell as it
    stands there.
    """

    severity: str
    code: str
    file: str
    sheet: str
    line: int
    sample_id: str
    column: str
    text: str
    found: str
    remedy: str


# Errors of one cell, which the readers take for unknown once it has been told.
OF_ONE_CELL = frozenset(
    [
        "cell_ambiguous",
        "cell_day",
        "cell_number",
        "cell_partial_date",
        "cell_range",
        "cell_unit",
        "cell_word",
    ]
)
# How the warning ends that a cell was taken for unknown.
DROPPED = "so it counts as unknown"


@dataclass
class Problems:
    """Collects problems.

    Unless `collect` is set, the first error is raised as a DataError instead.
    """

    collect: bool = False
    silent: bool = False  # warnings and notes go nowhere, so that their words need not be made
    found: list[Problem] = field(default_factory=list)
    # Whether messages may repeat what was read: to the user of a file, never to a server's log.
    repeats: bool = True
    # File that is read -> the user's file that it was made from, and the line there of each row.
    sources: "dict[str, tuple[str, np.ndarray]]" = field(default_factory=dict)
    # Every row that a problem is about, where somebody wants them; and whose each row of a file is.
    issues: list[Issue] | None = None
    owners: "dict[str, np.ndarray]" = field(default_factory=dict)
    # Whether a cell that cannot be read counts as unknown, with a warning, as the user asked.
    drops_values: bool = False

    def error(
        self, where: str, found: str, remedy: str, count: int = 1, *, code: str = DATA
    ) -> None:
        """Note an error, or raise it.

        Parameters
        ----------
        where : str
            File, and row, column or key where there is one.
        found : str
            What stands there.
        remedy : str
            What to do next.
        count : int
            Rows that it concerns.
        code : str
            What kind it is, of `features.codes`.

        Raises
        ------
        DataError
            Unless errors are collected.
        """
        if not self.collect:
            raise DataError(where, found, remedy, code=code)
        self._add(
            Problem(
                severity="error", where=where, found=found, remedy=remedy, count=count, code=code
            )
        )

    def warn(
        self, where: str, found: str, remedy: str, count: int = 1, *, code: str = DATA
    ) -> None:
        """Note something that does not stop the reading.

        Parameters
        ----------
        where, found, remedy, count, code
            As for `error`.
        """
        self._add(
            Problem(
                severity="warning", where=where, found=found, remedy=remedy, count=count, code=code
            )
        )

    def note(
        self, where: str, found: str, remedy: str = "", count: int = 1, *, code: str = DATA
    ) -> None:
        """Note a plain fact, such as a count.

        Parameters
        ----------
        where, found, remedy, count, code
            As for `error`.
        """
        self._add(
            Problem(
                severity="note", where=where, found=found, remedy=remedy, count=count, code=code
            )
        )

    def _add(self, problem: Problem) -> None:
        """Keep a problem once: the columns of a wide table share their sample_id and days."""
        if problem not in self.found:
            self.found.append(problem)

    def reject(
        self,
        bad: np.ndarray,
        where: str,
        values: "np.ndarray | Cells | None",
        what: str,
        remedy: str,
        *,
        code: str = DATA,
    ) -> None:
        """Note an error for the table rows flagged in `bad`.

        The message names the first line and counts the others.

        Parameters
        ----------
        bad : array of bool
            One a row of the table.
        where : str
            File and column.
        values : array or Cells or None
            What the file has in each row, for the message.
        what : str
            What is wrong with it, as the rest of a sentence.
        remedy : str
            What to do next.
        code : str
            What kind it is, of `features.codes`.

        Raises
        ------
        DataError
            If a row is flagged, unless errors are collected.
        """
        self._flag("error", bad, where, values, what, remedy, code=code)

    def question(
        self,
        bad: np.ndarray,
        where: str,
        values: "np.ndarray | Cells | None",
        what: str,
        remedy: str,
        *,
        code: str = DATA,
    ) -> None:
        """Note a warning for the table rows flagged in `bad`.

        Parameters
        ----------
        bad, where, values, what, remedy, code
            As for `reject`.
        """
        self._flag("warning", bad, where, values, what, remedy, code=code)

    def _flag(
        self,
        severity: str,
        bad: np.ndarray,
        where: str,
        values: "np.ndarray | Cells | None",
        what: str,
        remedy: str,
        *,
        code: str = DATA,
    ) -> None:
        lines = np.flatnonzero(bad)
        if not len(lines):
            return
        if severity == "error" and self.drops_values and code in OF_ONE_CELL:
            severity, what, code = "warning", f"{what}, {DROPPED}", "left_out"
        shown = (
            ""
            if values is None
            else f"{examples(dict.fromkeys(map(shown_cell, _some(values, lines))))} "
        )
        if self.issues is not None:
            self._keep_rows(self.issues, severity, lines, where, values, what, remedy, code)
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        report = self.error if severity == "error" else self.warn
        file, comma, column = where.partition(",")
        name, numbers = self.sources.get(file, (file, None))
        line = lines[0] if numbers is None else numbers[lines[0]]
        # Line 1 of a table file is its header.
        report(
            f"{name}{comma}{column}, line {line + 2}{more}",
            f"{shown}{what}",
            remedy,
            len(lines),
            code=code,
        )

    def _keep_rows(
        self,
        issues: list[Issue],
        severity: str,
        lines: np.ndarray,
        where: str,
        values: "np.ndarray | Cells | None",
        what: str,
        remedy: str,
        code: str,
    ) -> None:
        """Every row of a problem, with its patient and its cell."""
        file, _, column = where.partition(",")
        name, numbers = self.sources.get(file, (file, None))
        owners = self.owners.get(file)
        cells = None if values is None else np.asarray(values, dtype=object)
        for row in lines.tolist():
            owner = None if owners is None else owners[row]
            issues.append(
                Issue(
                    severity=severity,
                    code=code,
                    file=_file_and_sheet(name)[0],
                    sheet=_file_and_sheet(name)[1],
                    line=int(row if numbers is None else numbers[row]) + 2,
                    sample_id="" if owner is None else str(owner),
                    column=column.replace(" column ", "").strip(),
                    text="" if cells is None else str(cells[row]),
                    found=what,
                    remedy=remedy,
                )
            )

    @property
    def errors(self) -> list[Problem]:
        """The errors among them."""
        return [problem for problem in self.found if problem.severity == "error"]


def _file_and_sheet(name: str) -> tuple[str, str]:
    """A table's file and its sheet, which messages show behind it in brackets.

    >>> _file_and_sheet("klinik.xlsx[Labor]"), _file_and_sheet("a.csv")
    (('klinik.xlsx', 'Labor'), ('a.csv', ''))
    """
    file, bracket, sheet = name.removesuffix("]").partition("[")
    return (file, sheet) if bracket and name.endswith("]") else (name, "")


def issue_of(problem: Problem) -> Issue:
    """A problem of a whole file, column or key as an issue of no line.

    Parameters
    ----------
    problem : Problem
        Whose place names no line.

    Returns
    -------
    Issue
        Line 0, no patient.
    """
    place, _, column = problem.where.partition(",")
    file, sheet = _file_and_sheet(place)
    return Issue(
        severity=problem.severity,
        code=problem.code,
        file=file,
        sheet=sheet,
        line=0,
        sample_id="",
        column=column.replace(" column ", "").strip(),
        text="",
        found=problem.found,
        remedy=problem.remedy,
    )


def merged(found: list[Problem]) -> list[Problem]:
    """Problems of the same kind and column, as the parts of a large cohort raise them, as one with
    their count.

    Parameters
    ----------
    found : list of Problem
        In the order in which they were met.

    Returns
    -------
    list of Problem
        One a kind and column.
    """
    kinds: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in found:
        kinds.setdefault(
            (problem.severity, problem.where.partition(", line")[0], problem.remedy), []
        ).append(problem)
    return [_joined(same) for same in kinds.values()]


def _joined(same: list[Problem]) -> Problem:
    first, total = same[0], sum(problem.count for problem in same)
    if len(same) == 1:
        return first
    return replace(
        first, found=f"{first.found} (the first of {total} in {len(same)} parts)", count=total
    )


def _some(values: "np.ndarray | Cells", lines: np.ndarray) -> list[object]:
    """The first cells of some lines."""
    cells = values if isinstance(values, np.ndarray) else values.to_numpy()
    return list(cells[lines[:50]])
