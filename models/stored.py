"""Numbers that a model stores beside its estimators, as JSON and back: there is no NaN in JSON."""

import math
from dataclasses import asdict, dataclass
from typing import Self

from features.stored import Json


@dataclass(frozen=True)
class StoredNumbers:
    """Fields are numbers, words and tuples of numbers, NaN where one is unknown."""

    def to_json(self) -> Json:
        """Plain numbers and lists, null for the NaN of a tuple."""
        return {
            name: [_null(number) for number in value] if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        """Inverse of `to_json`.

        Parameters
        ----------
        stored : dict
            Of `to_json`, of this or an earlier release.

        Returns
        -------
        StoredNumbers
            With NaN where null stood.
        """
        restored: Json = {
            name: tuple(map(_nan, value)) if isinstance(value, list) else value
            for name, value in stored.items()
        }
        return cls(**restored)


def _null(number: float) -> float | None:
    if math.isnan(number):
        return None
    return float(number) if isinstance(number, float) else number  # of NumPy's, too


def _nan(number: float | None) -> float:
    return math.nan if number is None else number
