"""How a user wants the tables of a cohort to be read."""

from dataclasses import dataclass, field, replace

from features.catalogue import Definitions, normal_name, patient_columns, value_aliases
from features.errors import RequestError, nearest
from features.tables.cells import PLAIN, Dialect


@dataclass(frozen=True)
class ReadingRules:
    """What the cohort file says about the cells of its tables.

    Attributes
    ----------
    dialect : Dialect
        Decimal sign, order of dates, what partial dates become, and whether the cohort has calendar
        dates.
    strict : bool
        Whether an implausible value is an error; otherwise it is flagged and kept.
    values : dict
        Column -> {word in the files: value of the contract}.
    """

    dialect: Dialect = PLAIN
    strict: bool = False
    values: dict[str, dict[str, str]] = field(default_factory=dict)

    def words(self, definitions: Definitions, column: str) -> dict[str, str]:
        """Words for the values of a column in their normal form: the definitions' and the user's,
        which win.

        Parameters
        ----------
        definitions : Definitions
            Whose `value_aliases.tsv` counts.
        column : str
            Of the contract.

        Returns
        -------
        dict
            Normal word -> value of the contract.

        Raises
        ------
        RequestError
            If the user gives a word a value that the column does not have.
        """
        known = value_aliases(definitions, column)
        users = {
            normal_name(word): self._meant(definitions, column, word, value)
            for word, value in self.values.get(column, {}).items()
        }
        return known | users

    def _meant(self, definitions: Definitions, column: str, word: str, value: str) -> str:
        """The value of the contract that the user gives a word."""
        levels = patient_columns(definitions)["levels"].get(column)
        if not levels:
            return value
        normal = normal_name(value)
        meant = value_aliases(definitions, column).get(normal, normal)
        if meant not in levels:
            raise RequestError(
                f"cohort file, key values.{column}.{word}",
                f"{value!r} is not a value of {column}",
                nearest(value, levels),
                code="key_value",
            )
        return meant

    def in_calendar(self, calendar: bool) -> "ReadingRules":
        """The same rules for a cohort with calendar dates, or without.

        Parameters
        ----------
        calendar : bool
            Whether the cohort has calendar dates.

        Returns
        -------
        ReadingRules
            This one stays as it is.
        """
        return replace(self, dialect=replace(self.dialect, calendar=calendar))


AS_IN_CONTRACT = ReadingRules()
