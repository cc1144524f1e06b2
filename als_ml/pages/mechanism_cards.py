"""Mechanism cards: what of a patient points to a mechanism, and what acts on it.

Treatments, trials and care of a mechanism are the same for everybody (`treatments.tsv`): no marker
selects a treatment but SOD1 and tofersen. Without consent a card names no gene of the patient.
"""

from functools import cache
from typing import NamedTuple

from als_ml.pages.facts import MarkerCard, MechanismCard
from als_ml.pages.sources import cited, tsv_rows
from features.blocks.mechanisms import (
    ASSAYED,
    NOT_ASSAYED,
    genetic_evidence,
    mechanism_analytes,
    mechanism_genes,
    panel_mechanisms,
)
from features.catalogue import Definitions, shipped
from features.cohort import Cohort


@cache
def treatments() -> dict[str, list[dict[str, str]]]:
    """Mechanism -> what acts on it: name, kind, status and source."""
    known: dict[str, list[dict[str, str]]] = {}
    for row in tsv_rows("treatments.tsv"):
        treatment = {**row, "source": cited(row["source"])}
        known.setdefault(treatment.pop("mechanism"), []).append(treatment)
    return known


def emerging() -> list[dict[str, str]]:
    """The table of emerging therapies, each with phase, status and date."""
    return [{**row, "source": cited(row["source"])} for row in tsv_rows("emerging.tsv")]


def mechanism_cards(
    cohort: Cohort, markers: list[list[MarkerCard]], consents: list[bool]
) -> list[list[MechanismCard]]:
    """One card a mechanism and patient.

    Parameters
    ----------
    markers : list of lists of MarkerCard
        Of `als_ml.pages.markers.marker_cards`.
    """
    shown = _panel(cohort.definitions)
    rows = zip(genetic_evidence(cohort), markers, consents, strict=True)
    return [
        [_card(mechanism, genetic if consent else None, measured) for mechanism in shown]
        for genetic, measured, consent in rows
    ]


class _Shown(NamedTuple):
    """A mechanism as every card of it begins."""

    id: str
    name: str
    meaning: str
    genes: tuple[str, ...]
    analytes: tuple[str, ...]


def _panel(definitions: Definitions) -> list[_Shown]:
    """The mechanisms of a model's own tables, and those that this release adds."""
    mechanisms = panel_mechanisms(definitions)
    known = {mechanism.mechanism for mechanism in mechanisms}
    added = [m for m in panel_mechanisms(shipped()) if m.mechanism not in known]
    measured = mechanism_analytes(definitions)
    return [
        _Shown(
            id=m.mechanism,
            name=m.name,
            meaning=m.meaning,
            genes=mechanism_genes(definitions, m),
            analytes=measured.get(m.mechanism, ()),
        )
        for m in (*mechanisms, *added)
    ]


def _card(
    mechanism: _Shown, genetic: dict[str, str] | None, markers: list[MarkerCard]
) -> MechanismCard:
    """What points to it, what was looked at and says nothing, and what was not looked at."""
    silent = (ASSAYED, NOT_ASSAYED)
    genes = [(gene, (genetic or {}).get(gene, NOT_ASSAYED)) for gene in mechanism.genes]
    cards = [card for card in markers if card["mechanism"] == mechanism.id]
    measured = {card["id"] for card in cards}
    return {
        "id": mechanism.id,
        "name": mechanism.name,
        "meaning": mechanism.meaning,
        "genetic": [_named(*one) for one in genes if one[1] not in silent] if genetic else [],
        "clear": [gene for gene, said in genes if said == ASSAYED] if genetic else [],
        "unknown": [gene for gene, said in genes if said == NOT_ASSAYED] if genetic else None,
        "biomarkers": [_line(card) for card in cards if card["worse"]],
        "normal": [_line(card) for card in cards if not card["worse"]],
        "unmeasured": sum(analyte not in measured for analyte in mechanism.analytes),
    }


def _named(gene: str, said: str) -> str:
    return said if said.startswith(gene) else f"{gene} {said}"


def _line(card: MarkerCard) -> str:
    last = card["values"][-1][1]
    unit = f" {card['unit']}" if card["unit"] else ""
    state = card["state"] or "no range known"
    return f"{card['name']}: {last:g}{unit}, {state}"
