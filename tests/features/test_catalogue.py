"""Definitions are a value: each answers by its own tables, edited files are read anew, and nothing
outlives its value.
"""

import ast
import copy
import gc
import os
import pickle
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from features import catalogue
from features.biomarkers.units import unit_factor
from features.blocks.biomarkers import feature_name
from features.blocks.mechanisms import reference_limit
from features.blocks.rows import feature_dictionary
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions, analyte_names, gene_at, gene_names, shipped
from features.errors import RequestError
from features.genotypes.genotype import SITE_TYPES, typed_table
from features.genotypes.repeats import STATES, repeat_state
from features.tables.reading_rules import AS_IN_CONTRACT
from features.variants.evidence import Sources, assess
from features.variants.lookups import NO_LOOKUPS, Lookups
from features.variants.variant import describe, find_known
from features.variants.weigh import weigh_sites
from tests.conftest import ROOT
from tests.definitions import with_cell, with_line

B = "GRCh38"
SESTRIN = {
    "analyte": "sestrin_serum",
    "name": "Sestrin",
    "matrix": "serum",
    "unit": "ng/mL",
    "scale": "log",
    "separate_assays": "no",
    "plausible_min": "0",
    "plausible_max": "900",
    "feature": "yes",
    "slope": "no",
}
# A made-up place in SOD1, of which the shipped table says nothing.
NEW_VARIANT = "21-31659800-G-C"
FOUND = {
    "gene": "SOD1",
    "hgvs_p": "p.Gly11Arg",
    "chrom": "21",
    "pos_grch38": "31659800",
    "ref": "G",
    "alt": "C",
    "als_role": "causal_dominant",
}


def state(definitions: Definitions, size: float) -> str:
    low = np.array([size])
    return STATES[repeat_state(definitions, "C9orf72", low, low, np.array([True]))[0]]


def role(definitions: Definitions) -> str:
    sites = typed_table([(NEW_VARIANT, gene_names(definitions).index("SOD1"), None)], SITE_TYPES)
    return str(weigh_sites(definitions, sites, B, NO_LOOKUPS)["role"].iloc[0])


def rare_points(definitions: Definitions) -> list[str]:
    variant = describe(definitions, NEW_VARIANT, "SOD1", None, B, Lookups(frequencies={}))
    met = assess(variant, Sources(definitions, B)).criteria
    return [f"{c.points:+d}" for c in met if c.name == "PM2"]


def features(definitions: Definitions) -> bool:
    names = [feature.name for feature in feature_dictionary(FeatureSpec(), definitions)]
    return "log_sestrin_serum" in names


# What is asked, what other definitions say, and both answers.
ASKED = {
    "an analyte's names": (
        lambda d: analyte_names(d).get("serum_sestrin"),
        lambda d: with_line(d, "biomarkers", **SESTRIN),
        (None, "sestrin_serum"),
    ),
    "a feature": (features, lambda d: with_line(d, "biomarkers", **SESTRIN), (False, True)),
    "a unit": (
        lambda d: unit_factor(d, "creatinine_serum", "umol/L"),
        lambda d: with_cell(d, "biomarkers", "creatinine_serum", "other_units", "umol/L=1/2"),
        (1 / 88.4, 0.5),
    ),
    "the name of a feature": (
        lambda d: feature_name(d, "nfl_serum", "simoa"),
        lambda d: with_cell(d, "biomarkers", "nfl_serum", "scale", "linear"),
        ("log_nfl_serum_simoa", "nfl_serum_simoa"),
    ),
    "a repeat threshold": (
        lambda d: [state(d, size) for size in (30, 31, 59, 60)],
        lambda d: with_cell(d, "repeats", "C9orf72", "expanded_min", "60"),
        (
            ["intermediate", "expanded", "expanded", "expanded"],
            ["intermediate", "intermediate", "intermediate", "expanded"],
        ),
    ),
    "a known variant": (
        role,
        lambda d: with_line(d, "known_variants", **FOUND),
        ("", "causal_dominant"),
    ),
    "the name of a known variant": (
        lambda d: _found(d, "p.Gly11Arg"),
        lambda d: with_line(d, "known_variants", **FOUND),
        (None, NEW_VARIANT),
    ),
    "a point of evidence": (
        rare_points,
        lambda d: with_cell(d, "evidence", "PM2", "points", "3"),
        (["+1"], ["+3"]),
    ),
    "the panel": (
        lambda d: gene_at(d, "21", 31659800, B) >= 0,
        lambda d: with_cell(d, "genes", "SOD1", "read_by_default", "no"),
        (True, False),
    ),
    "a word": (
        lambda d: AS_IN_CONTRACT.words(d, "sex").get("weiblich_ours"),
        lambda d: with_line(
            d, "value_aliases", column="sex", value="female", aliases="weiblich_ours"
        ),
        (None, "female"),
    ),
    "a reference limit": (
        lambda d: reference_limit(d, "bmi").below,
        lambda d: Definitions(
            {**d.texts, "reference_limits": d.texts["reference_limits"].replace("18.5", "19.5")}
        ),
        (18.5, 19.5),
    ),
}


def _found(definitions: Definitions, name: str) -> str | None:
    try:
        return find_known(definitions, "SOD1", name, B)
    except RequestError:
        return None


@pytest.mark.parametrize("order", list(permutations([0, 1, 0, 1], 4))[::5])
@pytest.mark.parametrize("question", ASKED)
def test_two_definitions_answer_each_by_its_own(question, order):
    ask, change, expected = ASKED[question]
    ours = Definitions(shipped().texts)  # of its own, so that nothing was made of it before
    both = (ours, change(ours))
    assert [ask(both[i]) for i in order] == [expected[i] for i in order]


def test_many_threads_ask_two_definitions():
    ours = Definitions(shipped().texts)
    both = (ours, with_cell(ours, "repeats", "C9orf72", "expanded_min", "60"))
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda i: state(both[i % 2], 31), range(400)))
    assert told == ["expanded", "intermediate"] * 200


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A copy of the shipped tables, in their place."""
    own = tmp_path / "definitions"
    shutil.copytree(catalogue.FOLDER, own)
    monkeypatch.setattr(catalogue, "FOLDER", own)
    return own


def test_the_shipped_tables_are_one_object_while_their_files_stay(folder):
    first = shipped()
    assert shipped() is first
    assert first.texts == Definitions.read(folder).texts


def test_an_edited_table_is_read_anew(folder):
    path, before = folder / "repeats.tsv", shipped()
    assert state(before, 31) == "expanded"
    path.write_text(path.read_text().replace("\t24\t\t31\t", "\t24\t\t60\t"))  # as long as it was
    later = path.stat().st_mtime_ns + 1_000_000  # whatever the resolution of the file system
    os.utime(path, ns=(later, later))
    assert (state(shipped(), 31), state(before, 31)) == ("intermediate", "expanded")
    assert shipped().version != before.version


def test_a_table_that_came_or_went_is_noticed(folder):
    before = shipped()
    (folder / "ours.tsv").write_text("name\nx\n")
    assert shipped().table("ours")["name"].tolist() == ["x"]
    (folder / "ours.tsv").unlink()
    assert shipped().version == before.version


def test_a_table_that_is_not_there_is_named():
    with pytest.raises(RequestError, match=r"definitions, gene: there is no such table.*genes"):
        shipped().table("gene")


def test_equal_tables_have_one_version_and_other_ones_another():
    ours = shipped()
    assert Definitions(dict(reversed(ours.texts.items()))).version == ours.version
    assert with_line(ours, "biomarkers", **SESTRIN).version != ours.version


def test_definitions_travel_as_their_tables_alone():
    ours = Definitions(shipped().texts)
    size = len(pickle.dumps(ours))
    assert feature_dictionary(FeatureSpec(), ours)
    assert len(pickle.dumps(ours)) == size
    there = copy.deepcopy(ours)
    assert (there.version, there.texts) == (ours.version, ours.texts)
    assert state(there, 31) == "expanded"


def test_what_was_made_of_definitions_goes_with_them():
    ours = Definitions(shipped().texts)
    assert role(ours) == ""
    gone = [weakref.ref(ours), weakref.ref(catalogue.genes(ours, B))]
    del ours
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_recent_results_are_bounded():
    ours = Definitions(shipped().texts)
    for i in range(5000):
        unit_factor(ours, "albumin_serum", f"{i}?")
    kept = ours._made[unit_factor.__wrapped__]
    assert kept.cache_info().currsize == kept.cache_info().maxsize == 4096


SOURCES = sorted([*(ROOT / "features").rglob("*.py"), *(ROOT / "models").rglob("*.py")])
# Caches of the process: each is of its arguments alone, or of the packages that are installed.
PURE = {
    "normal_name",
    "plain_contig",
    "parse_genotype",
    "_field_names",
    "_needs_cleaning",
    "_registry",
    "_levels",
}
# Of the file that the caller has open, for as long as it is.
PURE |= {"installed", "estimator", "block", "_read_header", "chunk"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_asks_for_the_installed_tables_or_keeps_what_it_made_of_them(path):
    """Whoever calls says which definitions are meant."""
    tree = ast.parse(path.read_text())
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "shipped" not in named
    cached = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).partition("(")[0] in ("cache", "lru_cache")
    }
    assert cached <= PURE
