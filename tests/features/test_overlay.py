"""A laboratory's own tables over ours: what they add, what is refused, and what a model allows."""

import pytest

from features.biomarkers.units import unit_factor
from features.catalogue import (
    analyte_names,
    assay_names,
    progression_schemes,
    shipped,
    value_aliases,
)
from features.errors import RequestError
from features.overlay import LAYERS, overlaid, with_names

SESTRIN = (
    "analyte\tname\tmatrix\tunit\tscale\tseparate_assays\tplausible_min\tplausible_max\tworse"
    "\tfeature\tslope\tsource\n"
    "sestrin_serum\tSestrin\tserum\tng/mL\tlog\tno\t0\t900\thigh\tyes\tno\tours (P)\n"
)


def folder(tmp_path, **tables):
    for name, text in tables.items():
        (tmp_path / f"{name}.tsv").write_text(text)
    return [tmp_path]


def test_no_folder_leaves_our_tables_as_they_are():
    assert overlaid(shipped(), []) is shipped()


def test_new_lines_of_each_kind(tmp_path):
    made = overlaid(
        shipped(),
        folder(
            tmp_path,
            biomarkers=SESTRIN,
            assays="assay\tname\tsource\nlumipulse\tLumipulse\tours (P)\n",
            progression_schemes="scheme\tcutoffs\tmeasure\tsource\nours\t0.4;0.8\tslope\tP\n",
            value_aliases="column\tvalue\taliases\nsex\tfemale\tweiblich_ours\n",
        ),
    )
    assert analyte_names(made)["serum_sestrin"] == "sestrin_serum"
    assert "lumipulse" in assay_names(made)
    assert progression_schemes(made)["ours"] == (0.4, 0.8)
    assert made.version != shipped().version
    assert set(made.texts) == set(shipped().texts)


def test_a_line_that_we_have_changes_its_filled_cells_only(tmp_path):
    text = "analyte\tother_units\tname\ncreatinine_serum\tours=1/2\t\n"
    made = overlaid(shipped(), folder(tmp_path, biomarkers=text))
    before, after = (d.table("biomarkers").set_index("analyte") for d in (shipped(), made))
    changed = before.ne(after)
    assert changed.to_numpy().sum() == 1
    assert changed.loc["creatinine_serum", "other_units"]
    assert unit_factor(made, "creatinine_serum", "ours") == 0.5


def test_the_later_folder_wins(tmp_path):
    line = "scheme\tcutoffs\tmeasure\tsource\nours\t{}\tslope\tours (P)\n"
    folders = []
    for number, cut in enumerate(("0.4", "0.9")):
        (tmp_path / str(number)).mkdir()
        folders += folder(tmp_path / str(number), progression_schemes=line.format(cut))
    assert progression_schemes(overlaid(shipped(), folders))["ours"] == (0.9,)


# A table of a laboratory, and what its message says: the place, what was found, what to do.
REFUSED = {
    "a table that is not open": ({"consequences": "term\nx\n"}, "takes no lines.*may add to: bio"),
    "a misspelt table": ({"biomarker": SESTRIN}, "takes no lines.*biomarkers"),
    "a column": (
        {"biomarkers": "analyte\tunitt\nnfl_serum\tpg/mL\n"},
        "no column is 'unitt'.*unit",
    ),
    "no key": ({"biomarkers": "name\tunit\nx\ty\n"}, "column analyte is missing.*told apart by"),
    "cells": ({"assays": "assay\tname\tsource\nx\ty\n"}, "line 2.*2 cells under 3 columns"),
    "twice": (
        {"assays": "assay\tname\tsource\nx\ty\tP\nx\tz\tP\n"},
        "line 3.*x stands here twice",
    ),
    "no source": ({"assays": "assay\tname\tsource\nx\ty\t\n"}, "line 2.*without a source.*State"),
    "a word": (
        {"biomarkers": "analyte\tscale\nnfl_serum\tlogarithm\n"},
        "scale 'logarithm' is not known.*Known: linear, log",
    ),
    "a number": (
        {"biomarkers": "analyte\tplausible_max\nnfl_serum\thigh\n"},
        "plausible_max 'high' is not a number",
    ),
    "infinity": (
        {"biomarkers": "analyte\tplausible_max\nnfl_serum\tinf\n"},
        "plausible_max 'inf' is not a number",
    ),
    "a unit without a factor": (
        {"biomarkers": "analyte\tother_units\nnfl_serum\tours\n"},
        "other_units 'ours' is not a unit with its factor.*ng/mL=1000",
    ),
    "a factor that is none": (
        {"biomarkers": "analyte\tother_units\nnfl_serum\tx=2;ours=cmd()\n"},
        "other_units 'x=2;ours=cmd..' is not a unit with its factor",
    ),
    "a factor of 0": (
        {"biomarkers": "analyte\tother_units\nnfl_serum\tours=0\n"},
        "other_units 'ours=0' is not a unit",
    ),
    "a factor by 0": (
        {"biomarkers": "analyte\tother_units\nnfl_serum\tours=1/0\n"},
        "other_units 'ours=1/0' is not a unit",
    ),
    "a quote": (
        {"column_aliases": 'table\tcolumn\taliases\npatients\tsex\t"open\n'},
        "line 2: aliases holds a quote",
    ),
    "a sign that is not printed": (
        {"assays": "assay\tname\tsource\nx\ta\u202eb\tP\n"},
        "line 2: name holds a quote or a character that is not printed",
    ),
    "a cut-off": (
        {"progression_schemes": "scheme\tcutoffs\tmeasure\tsource\nx\t0.4;fast\tslope\tP\n"},
        "cutoffs '0.4;fast' is not a number",
    ),
    "a word of a line": (
        {"biomarkers": "analyte\tmechanism\nnfl_serum\tneuroinflamation\n"},
        "mechanism 'neuroinflamation' is not known.*neuroinflammation",
    ),
    "a link": (
        {"reference_limits": "analyte\tassay\tmeaning\tsource\nnfl_serun\t\tx\tP\n"},
        r"analyte 'nfl_serun' is not known.*nfl_serum.*biomarkers\.tsv",
    ),
    "an empty file": ({"assays": ""}, "column assay is missing"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_hold_is_refused(tmp_path, what):
    tables, said = REFUSED[what]
    with pytest.raises(RequestError, match=said):
        overlaid(shipped(), folder(tmp_path, **tables))


def test_a_table_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "assays.tsv").write_bytes(b"assay\tname\tsource\n\xff\n")
    with pytest.raises(RequestError, match="not UTF-8"):
        overlaid(shipped(), [tmp_path])


def test_an_absent_folder_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no such folder"):
        overlaid(shipped(), [tmp_path / "absent"])


@pytest.mark.parametrize("name", LAYERS)
def test_our_own_lines_hold_by_the_same_rules(tmp_path, name):
    """Laid over themselves our tables change nothing; a key stands once."""
    made = overlaid(shipped(), folder(tmp_path, **{name: shipped().texts[name]}))
    assert made.table(name).equals(shipped().table(name))


NAMES = "analyte\taliases\tother_units\nnfl_serum\tneurofil\tours=2\n"


def test_a_model_takes_names_and_units(tmp_path):
    made, unknown = with_names(shipped(), folder(tmp_path, biomarkers=NAMES))
    assert analyte_names(made)["neurofil_serum"] == "nfl_serum"
    assert unit_factor(made, "nfl_serum", "ours") == 2
    assert unknown == []


def test_words_and_units_come_to_ours(tmp_path):
    aliases = "column\tvalue\taliases\nsex\tfemale\tweiblich_ours\n"
    made = overlaid(shipped(), folder(tmp_path, biomarkers=NAMES, value_aliases=aliases))
    assert unit_factor(made, "nfl_serum", "ng/L") == unit_factor(shipped(), "nfl_serum", "ng/L")
    before = value_aliases(shipped(), "sex")
    assert value_aliases(made, "sex") == {**before, "weiblich_ours": "female"}


@pytest.mark.parametrize(
    ("units", "refused"), [("ng/L=1", False), ("ng/L=2", True), ("ng/L=1;ours=2", False)]
)
def test_a_model_refuses_another_factor_of_a_unit_that_it_knows(tmp_path, units, refused):
    folders = folder(tmp_path, biomarkers=f"analyte\tother_units\nnfl_serum\t{units}\n")
    if refused:
        with pytest.raises(RequestError, match=r"other_units is 'ng/L=2' here.*in the model"):
            with_names(shipped(), folders)
    else:
        made, _ = with_names(shipped(), folders)
        assert unit_factor(made, "nfl_serum", "ng/L") == 1


def test_a_model_leaves_out_what_it_does_not_know_and_says_so(tmp_path):
    made, unknown = with_names(shipped(), folder(tmp_path, biomarkers=SESTRIN))
    assert made is shipped()
    assert unknown == ["biomarkers: sestrin_serum"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("biomarkers", "analyte\tscale\nnfl_serum\tlinear\n"),
        ("biomarkers", "analyte\tunit\nnfl_serum\tng/mL\n"),
        ("progression_schemes", "scheme\tcutoffs\ndefault\t0.8\n"),
    ],
)
def test_a_model_refuses_what_would_change_its_values(tmp_path, table, text):
    with pytest.raises(RequestError, match=r"is '.*' here and '.*' in the model.*Train a model"):
        with_names(shipped(), folder(tmp_path, **{table: text}))


def test_a_model_that_was_trained_with_the_lines_takes_them(tmp_path):
    folders = folder(tmp_path, biomarkers=SESTRIN)
    trained = overlaid(shipped(), folders)
    made, unknown = with_names(trained, folders)
    assert made.texts == trained.texts
    assert unknown == []
