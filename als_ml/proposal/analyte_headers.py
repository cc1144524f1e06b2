"""What the name of a column or of a test says of an analyte: which one, in which fluid, in which
unit.
"""

import re
from dataclasses import dataclass

from als_ml.proposal.words import analyte_words, plain_name
from features.biomarkers.units import unit_factor
from features.catalogue import analytes, shipped

# A unit in brackets, or as the last word.
_IN_BRACKETS = re.compile(r"[\[(]([^\])]*)[\])]\s*$")
_LAST_WORD = re.compile(r"[\s,;:_]\s*(\S+)\s*$")
_MATRICES = {
    **dict.fromkeys(("serum", "suero", "siero"), "serum"),
    **dict.fromkeys(("plasma", "plasme"), "plasma"),
    **dict.fromkeys(("csf", "liquor", "lcr", "liquorprobe"), "csf"),
}
# Of the same name in each of them, an analyte is another one.
_FLUIDS = ("serum", "plasma", "csf", "urine")
# Where a name says no fluid: that of the definitions, the commonest first.
_USUAL = ("serum", "pct", "blood", "kg")


@dataclass(frozen=True)
class AnalyteName:
    """An analyte as a header says it.

    Attributes
    ----------
    analyte : str
        Id of the definitions.
    bare : str
        The same without its fluid, where a column beside it says that.
    unit : str or None
        As it is written, where it fits the analyte.
    is_fluid_said : bool
        Whether the name says the fluid, or the analyte is not measured in one.
    """

    analyte: str
    bare: str
    unit: str | None
    is_fluid_said: bool


def analyte_name(name: str) -> AnalyteName | None:
    """What a name such as `Kreatinin Serum (mg/dL)` says, None where no analyte is known in it.

    Parameters
    ----------
    name : str
        Header of a column, or name of a test.

    Returns
    -------
    AnalyteName or None
        With the unit only where it fits the analyte.

    Examples
    --------
    >>> analyte_name("Kreatinin Serum (mg/dL)")  # doctest: +NORMALIZE_WHITESPACE
    AnalyteName(analyte='creatinine_serum', bare='creatinine', unit='mg/dL', is_fluid_said=True)
    >>> analyte_name("NfL pg/mL").is_fluid_said, analyte_name("Haarfarbe")
    (False, None)
    """
    for without, said in _readings(name):
        found = _known(without)
        if found is None:
            continue
        analyte, bare, is_fluid_said = found
        litres = f"{bare.removesuffix('_pct')}_litres"
        if said and not _fits(analyte, said) and _fits(litres, said):
            analyte = litres
        if said and not _fits(analyte, said) and not _IN_BRACKETS.search(name):
            continue  # the last word is no unit but a part of the name
        unit = said if said and _fits(analyte, said) else None
        return AnalyteName(
            analyte=analyte,
            bare=bare,
            unit=unit or _unit_that_needs_none(analyte),
            is_fluid_said=is_fluid_said,
        )
    return None


def is_unit(text: str, analyte: str) -> bool:
    """Whether a text is a unit of an analyte.

    Parameters
    ----------
    text : str
        A cell.
    analyte : str
        Id of the definitions.

    Examples
    --------
    >>> is_unit("µmol/l", "creatinine_serum"), is_unit("1.5", "creatinine_serum")
    (True, False)
    """
    return bool(text) and not text[0].isdigit() and _fits(analyte, text)


def _readings(name: str) -> list[tuple[str, str | None]]:
    """The name without a unit, and that unit: in brackets, as its last word, or none."""
    if match := _IN_BRACKETS.search(name):
        return [(name[: match.start()], match[1].strip())]
    match = _LAST_WORD.search(name)
    return [(name, None), *([(name[: match.start()], match[1])] if match else [])]


def _known(name: str) -> tuple[str, str, bool] | None:
    """Analyte, its bare name, and whether its fluid is beyond doubt."""
    whole = plain_name(name)
    parts = whole.split("_")
    fluid = next((_MATRICES[part] for part in parts if part in _MATRICES), None)
    without = "_".join(part for part in parts if part not in _MATRICES)
    word = analyte_words().get(whole) or analyte_words().get(without) or without
    table = analytes(shipped())
    fluids = (fluid,) if fluid else _USUAL
    spelled = (word, *(f"{word}_{one}" for one in fluids))
    analyte = next((one for one in spelled if one in table.index), None)
    if analyte is None:
        return None
    bare = analyte.removesuffix(f"_{table['matrix'][analyte].removeprefix('whole_')}")
    return analyte, bare, bool(fluid) or table["matrix"][analyte] not in _FLUIDS


def _fits(analyte: str, unit: str) -> bool:
    known = analyte in analytes(shipped()).index
    return known and unit_factor(shipped(), analyte, unit) is not None


def _unit_that_needs_none(analyte: str) -> str | None:
    unit = str(analytes(shipped())["unit"][analyte])
    return unit if unit in ("1", "%") else None
