"""Criteria of evidence on both sides of their limits, with what they rest on stated by hand.

PM1 and PP3 together have at most 4 points, PP3 is never beside PVS1 and BA1 stands alone (contract,
section Genetics); PVS1 by the decision tree of Abou Tayoun 2018.
"""

from dataclasses import replace

import numpy as np
import pytest

from features.catalogue import shipped
from features.variants import evidence
from features.variants.evidence import Criterion, Sources
from features.variants.gene_models import transcripts
from features.variants.lookups import NO_LOOKUPS
from features.variants.variant import describe

B = "GRCh38"


def variant(gene: str = "SOD1", key: str = "21-31659783-C-T", **cells):
    return replace(describe(shipped(), key, gene, None, B, NO_LOOKUPS), **cells)


def sources(**more) -> Sources:
    return Sources(shipped(), B, NO_LOOKUPS, **more)


@pytest.mark.parametrize(
    ("met", "kept"),
    [
        ({"PM1": 2, "PP3": 1}, {"PM1": 2, "PP3": 1}),
        ({"PM1": 2, "PP3": 2}, {"PM1": 2, "PP3": 2}),
        ({"PM1": 1, "PP3": 4}, {"PP3": 4}),
        ({"PM1": 2, "PP3": 3}, {"PM1": 1, "PP3": 3}),
        ({"PM1": 2, "PP3": 4}, {"PP3": 4}),
        ({"PM1": 2, "PM2": 1}, {"PM1": 2, "PM2": 1}),
        ({"PVS1": 8, "PP3": 4}, {"PVS1": 8}),
        ({"PVS1": 8, "PM2": 1}, {"PVS1": 8, "PM2": 1}),
        ({"BA1": -8, "PM1": 2, "PP3": 4, "BP4": -1}, {"BA1": -8, "BP4": -1}),
        ({"BS1": -4, "PM1": 2}, {"BS1": -4, "PM1": 2}),
        ({"PM2": 0}, {}),
    ],
)
def test_criteria_together(met, kept):
    criteria = [Criterion(name, points, "") for name, points in met.items()]
    assert {c.name: c.points for c in evidence._combined(criteria)} == kept


def test_a_stop_up_to_the_boundary_of_decay():
    """Beyond it the protein is shortened; strong where more than a tenth of it is lost."""
    model = transcripts(shipped(), B)["TBK1"]
    last, length = model.decay_from, model.coding_length
    tenth = int(np.ceil(0.9 * length))
    found = {
        offset: evidence._null_strength(
            shipped(), variant("TBK1", "12-64464454-C-T", kind="null", offset=offset), B
        )
        for offset in (0, last - 1, last, last + 1, tenth - 1, tenth, tenth + 1, length)
    }
    assert found[0] == found[last - 1] == "PVS1"
    beyond = [offset for offset in found if offset >= last]
    assert {o: found[o] for o in beyond} == {
        o: "PVS1_strong" if 1 - o / length > 0.1 else "PVS1_moderate" for o in beyond
    }
    assert found[length] == "PVS1_moderate"
    unplaced = variant("TBK1", "12-64464454-C-T", kind="null", offset=None)
    assert evidence._null_strength(shipped(), unplaced, B) == "PVS1"
    start = variant("TBK1", "12-64464454-C-T", kind="start_lost", offset=0)
    assert evidence._null_strength(shipped(), start, B) == "PVS1_moderate"


@pytest.mark.parametrize(
    ("neighbours", "known", "met"),
    [
        ([], True, []),
        ([45], True, []),  # one neighbour is no hot spot
        ([45, 55], True, ["PM1"]),
        ([44, 55], True, []),  # within 5 residues
        ([45, 56], True, []),
        ([50, 50, 45], True, []),  # the residue itself is not its neighbour
        ([45, 45], True, []),  # two changes of one residue are one
        ([45, 55], False, []),  # "ClinVar off" knows no neighbours
    ],
)
def test_a_hot_spot(monkeypatch, neighbours, known, met):
    changes = [(f"21-{i}-A-C", residue, "X") for i, residue in enumerate(neighbours)]
    monkeypatch.setattr(evidence, "_causal_changes", lambda *_: changes)
    monkeypatch.setattr(evidence, "missense_density", lambda *_: float("nan"))
    monkeypatch.setattr(evidence, "_region", lambda *_: "")
    own = variant(kind="missense", residue=50)
    assert [c.name for c in evidence._hot_region(own, sources(known=known))] == met
    assert not list(evidence._hot_region(replace(own, kind="synonymous"), sources()))
    assert not list(evidence._hot_region(replace(own, residue=None), sources()))


# evidence.tsv: PM1 where missense is depleted, to 0.777 of the panel's mean; tolerant from 1.24 on.
@pytest.mark.parametrize(
    ("density", "depleted"), [(0.776, True), (0.777, True), (0.778, False), (np.nan, False)]
)
def test_a_depleted_region(monkeypatch, density, depleted):
    monkeypatch.setattr(evidence, "_causal_changes", lambda *_: [])
    monkeypatch.setattr(evidence, "missense_density", lambda *_: density)
    monkeypatch.setattr(evidence, "_region", lambda *_: "")
    own = variant(kind="missense", residue=50)
    found = [(c.name, c.points) for c in evidence._hot_region(own, sources())]
    assert found == ([("PM1", 1)] if depleted else [])


@pytest.mark.parametrize(
    ("density", "mild", "harsh"),
    [(1.23, False, True), (1.24, True, False), (1.25, True, False), (np.nan, False, True)],
)
def test_a_substitution_needs_its_region(monkeypatch, density, mild, harsh):
    monkeypatch.setattr(evidence, "missense_density", lambda *_: density)
    agrees = [evidence._region_agrees(shipped(), variant(), score) for score in (1, -1, 0)]
    assert agrees == [mild, harsh, harsh]
