"""Factors from the units of laboratories to the canonical unit of an analyte.

The definitions name the canonical unit and what pint cannot know (mg/dL to umol/L needs the molar
mass). Any other unit is converted by pint to whichever of these has its dimension: nmol/L reaches
creatinine's mg/dL through umol/L.
"""

import re
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from features.catalogue import Definitions, analytes, recently_derived

if TYPE_CHECKING:
    from pint import UnitRegistry

# Spellings that pint does not know. IU of an enzyme's activity is the same as U.
_SPELLINGS = [
    (r"[\u00b5\u03bc]", "u"),
    (r"\bmcg\b", "ug"),
    (r"\bI\.?U\b", "U"),
    (r"\bU\.?I\b\.?", "U"),  # French, Spanish, Italian
    (r"\bK/", "10^3/"),
    (r"(?<![A-Za-z])[xX*]?\s*10\s*(?:\^|\*\*|\*|[eE])\s*(\d+)", r"10^\1"),
    (r"(?:cells?|x?giga)\s*/", "/"),
    (r"\b(k?m|cm)(?:\u00b2|2)(?![0-9])", r"\1^2"),
    (r"^percent\b|^pct\b|^%\s*(?:of\s+)?(?:pred(?:icted)?|normal)\.?$", "%"),
    (r"mm\s*Hg", "mmHg"),
    (r"cm\s*H2O", "cmH2O"),
    (r"\s*/\s*", "/"),
]
# What pint may parse: at most four simple parts, so that a long or hostile text ends here.
_UNIT = re.compile(
    r"(?:10\^\d{1,2}|10{0,6})?\s*"
    r"(?:[A-Za-z%]+[A-Z0-9]*(?:\^-?[123])?)?"
    r"(?:[/*][A-Za-z]+(?:\^-?[123])?){0,3}"
)


# Units come as laboratories and requests write them.
@recently_derived(4096)
def unit_factor(definitions: Definitions, analyte: str, unit: str) -> float | None:
    """Canonical units in one of `unit`, None if it does not fit the analyte.

    Parameters
    ----------
    definitions : Definitions
        Whose units of the analyte count first.
    analyte : str
        Id, as `nfl_serum`.
    unit : str
        As a laboratory writes it.

    Returns
    -------
    float or None
        What a value in `unit` is multiplied by.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> (unit_factor(tables, "creatinine_serum", "mg/dL"),
    ...  round(unit_factor(tables, "creatinine_serum", "mmol/L"), 4))
    (1.0, 11.3122)
    >>> (unit_factor(tables, "neutrophils_blood", "K/µL"),
    ...  unit_factor(tables, "ck_serum", "IU/L"))
    (1.0, 1.0)
    >>> unit_factor(tables, "albumin_serum", "U/L") is None
    True
    """
    known: dict[str, Fraction] = analytes(definitions)["factors"][analyte]
    spelled = spelling(unit)
    for name in (unit, spelled):
        by_case = [factor for other, factor in known.items() if other.lower() == name.lower()]
        if name in known or len(by_case) == 1:
            return float(known.get(name, by_case[0]))
    converted = (_converted(spelled, other, factor) for other, factor in known.items())
    return next((float(factor) for factor in converted if factor is not None), None)


def known_units(definitions: Definitions, analyte: str) -> str:
    """Units that the definitions name, for a message.

    Parameters
    ----------
    definitions : Definitions
        The definition tables.
    analyte : str
        Id, as `nfl_serum`.

    Returns
    -------
    str
        Joined by commas, the canonical one first.
    """
    return ", ".join(analytes(definitions)["factors"][analyte])


def spelling(unit: str) -> str:
    """Rewrite a laboratory's spelling into one that pint knows.

    Parameters
    ----------
    unit : str
        As a laboratory writes it.

    Returns
    -------
    str
        Not yet checked: pint may still refuse it.

    Examples
    --------
    >>> (spelling("µmol / l"),
    ...  spelling("x10E9/L"),
    ...  spelling("cells/uL"),
    ...  spelling("kg/m²"),
    ...  spelling("% predicted"))
    ('umol/l', '10^9/L', '1/uL', 'kg/m^2', '%')
    """
    for pattern, written in _SPELLINGS:
        unit = re.sub(pattern, written, unit.strip())
    return f"1{unit}" if unit.startswith("/") else unit


def _converted(unit: str, other: str, factor: Fraction) -> Fraction | None:
    if len(unit) > 40 or not _UNIT.fullmatch(unit):
        return None
    import pint

    try:
        given, target = _registry()(unit), _registry()(spelling(other))
        given = given if hasattr(given, "to") else _registry().Quantity(given)
        # A bare ratio would fit every other ratio, whatever its parts.
        if given.dimensionless and "/" not in unit and spelling(other) != "%":
            return None
        converted = Fraction(given.to(target.units).magnitude / target.magnitude) * factor
        return converted if float(converted) > 0 else None  # 1e999 is no number to a float
    except (pint.PintError, AttributeError, TypeError, ArithmeticError, ValueError):
        return None  # ValueError: `nan` and `inf` are numbers to pint, not units


@cache
def _registry() -> "UnitRegistry":
    import pint

    return pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
