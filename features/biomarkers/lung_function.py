"""Predicted forced vital capacity by the equation of `definitions/lung_function.tsv`.

Litres become % predicted by it.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from features.catalogue import Definitions, derived


class Equation(NamedTuple):
    """Litres = constant + age x years + age_squared x years^2 + height_squared x cm^2, for one sex
    from `age_min` to `age_max` years.
    """

    sex: str
    age_min: float
    age_max: float
    constant: float
    age: float
    age_squared: float
    height_squared: float

    def predicted(self, age: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Litres of people of these ages (years) and heights (cm); NaN outside of its ages.

        Parameters
        ----------
        age : array (n,)
            Years.
        height : array (n,)
            Centimetres.

        Returns
        -------
        array (n,)
            Litres.
        """
        litres = self.constant + self.age * age + self.age_squared * age * age
        litres = litres + self.height_squared * height * height
        return np.where((age >= self.age_min) & (age <= self.age_max), litres, np.nan)


@derived
def equations(definitions: Definitions) -> tuple[Equation, ...]:
    """Rows of the definition table; none for a model from before there was one.

    Parameters
    ----------
    definitions : Definitions
        With or without the table `lung_function`.

    Returns
    -------
    tuple of Equation
        One a sex and range of ages.
    """
    if "lung_function" not in definitions.texts:
        return ()
    return tuple(_equation(row) for _, row in definitions.table("lung_function").iterrows())


def _equation(row: pd.Series) -> Equation:
    numbers = {name: float(row[name]) for name in Equation._fields if name != "sex"}
    return Equation(sex=row["sex"], **numbers)


def predicted_capacity(
    definitions: Definitions, sex: np.ndarray, age: np.ndarray, height: np.ndarray
) -> np.ndarray:
    """Predicted forced vital capacity, litres; NaN where sex, age or height is unknown or no
    equation holds.

    Parameters
    ----------
    definitions : Definitions
        Whose equations are used.
    sex : array (n,) of str
        `male`, `female` or None.
    age : array (n,)
        Years at the measurement.
    height : array (n,)
        Centimetres.

    Returns
    -------
    array (n,)
        Litres.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> sex = np.array(["male", "female", None], dtype=object)
    >>> age, height = np.full(3, 60.0), np.full(3, 170.0)
    >>> predicted_capacity(shipped(), sex, age, height).round(3).tolist()
    [4.264, 3.672, nan]
    """
    litres = np.full(len(sex), np.nan)
    for equation in equations(definitions):
        fits = sex == equation.sex
        litres[fits] = equation.predicted(age[fits], height[fits])
    return litres
