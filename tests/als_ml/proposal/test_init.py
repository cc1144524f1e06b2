"""`als-ml init` on exports as clinics send them: a German workbook, a French and an American folder
of text files, each proposed, checked and read.
"""

import gzip
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from openpyxl import Workbook, load_workbook

from als_ml.__main__ import main as als_ml
from als_ml.cohort.check import check_cohort
from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import open_cohort
from als_ml.proposal.analyte_headers import analyte_name
from als_ml.proposal.dialect import written
from als_ml.proposal.from_files import propose
from als_ml.proposal.genomes import match_names
from als_ml.proposal.recognition import recognise
from als_ml.proposal.sheets import find_tables
from als_ml.proposal.templates import write_templates
from als_ml.proposal.words import column_words, value_words
from als_ml.proposal.writing import write_proposal
from features.catalogue import patient_columns, shipped

BASELINE = date(2020, 3, 1)
IDS = [f"{32000 + i:07d}" for i in range(12)]


def german_day(days: int) -> str:
    return (BASELINE + timedelta(days=days)).strftime("%d.%m.%Y")


def german(folder: Path) -> list[str]:
    """A workbook with a cover sheet, titles above the header, decimal commas and partial dates."""
    book = Workbook()
    book.active.title = "Deckblatt"
    book.active.append(["Klinik Musterstadt"])
    people = book.create_sheet("Stammdaten")
    head = ["Fallnummer", "Geschlecht", "Alter bei Beginn", "Symptombeginn", "Erstvorstellung"]
    people.append(["Stammdaten der ALS-Ambulanz"])
    people.append([])
    people.append([*head, "Beginnregion", "Verstorben am", "Lieblingsfarbe"])
    for i, name in enumerate(IDS):
        facts = [name, "wm"[i % 2], 50 + i, german_day(-400), german_day(0)]
        people.append([*facts, ["bulbär", "Arm"][i % 2], "2022" if i == 3 else None, "blau"])
    labor = book.create_sheet("Labor")
    labor.append(["Fallnr", "Entnahmedatum", "NfL Serum (pg/mL)", "CK (U/L)"])
    for i, name in enumerate(IDS):
        labor.append([name, german_day(0), f"{30 + i},5", 100 + i])
    visits = book.create_sheet("ALSFRS-R")
    visits.append(["Patient", "Datum", *(f"ALSFRS {item}" for item in range(1, 13))])
    for name in IDS:
        for step in range(3):
            visits.append([name, german_day(90 * step), *[4] * 11, 4 - step])
    book.create_sheet("leer")
    book.save(folder / "klinik.xlsx")
    return ["klinik.xlsx"]


def french(folder: Path) -> list[str]:
    """Text files with semicolons in Windows' encoding, dates with slashes."""
    day = (BASELINE + timedelta(days=0)).strftime("%d/%m/%Y")
    onset = (BASELINE - timedelta(days=400)).strftime("%d/%m/%Y")
    rows = ["Numéro patient;Sexe;Âge au début;Date de début;Date d'inclusion;Site de début"]
    rows += [f"{n};{'FH'[i % 2]};{50 + i};{onset};{day};bulbaire" for i, n in enumerate(IDS)]
    (folder / "patients.csv").write_bytes("\r\n".join(rows).encode("cp1252"))
    rows = ["Identifiant patient;Date de prélèvement;Paramètre;Résultat;Unité"]
    rows += [f"{n};{day};NfL sérum;{30 + i},25;pg/mL" for i, n in enumerate(IDS)]
    (folder / "biologie.csv").write_bytes("\r\n".join(rows).encode("cp1252"))
    return ["patients.csv", "biologie.csv"]


def american(folder: Path) -> list[str]:
    """Comma-separated files, month first, and a VCF whose names are written otherwise."""
    day = BASELINE.strftime("%m/%d/%Y")
    onset = (BASELINE - timedelta(days=400)).strftime("%m/%d/%Y")
    rows = ["MRN,Gender,Age at symptom onset,Onset Date,Baseline Date,Race"]
    rows += [
        f"{n},{'Female' if i % 2 else 'Male'},{50 + i},{onset},{day},white"
        for i, n in enumerate(IDS)
    ]
    (folder / "demographics.csv").write_text("\n".join(rows) + "\n")
    rows = ["Patient ID,Visit Date,ALSFRS-R total"]
    rows += [f"{n},{BASELINE:%m/%d/%Y},{40 - i}" for i, n in enumerate(IDS)]
    (folder / "alsfrs.csv").write_text("\n".join(rows) + "\n")
    names = "\t".join(f"ALS-{int(name)}_S{i}" for i, name in enumerate(IDS))
    head = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="">']
    head += ["##contig=<ID=1,length=248956422>", "##contig=<ID=21,length=46709983>"]
    head += [f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}"]
    with gzip.open(folder / "cohort.vcf.gz", "wt") as file:
        file.write("\n".join(head) + "\n")
    return ["demographics.csv", "alsfrs.csv", "cohort.vcf.gz"]


@pytest.fixture(params=[german, french, american], ids=lambda made: made.__name__)
def export(request, tmp_path):
    files = [str(tmp_path / name) for name in request.param(tmp_path)]
    assert als_ml(["init", *files, "--output", str(tmp_path), "--quiet"]) == 0
    return tmp_path / "cohort.yaml"


def test_what_is_proposed_is_read_without_an_error(export):
    report = check_cohort(open_cohort(export))
    assert [one for one in report["problems"] if one["severity"] == "error"] == []
    cohort = read_cohort(open_cohort(export), plain_reading())
    assert cohort.patients["sample_id"].tolist() == IDS
    assert cohort.patients["age_at_onset"].tolist() == [50 + i for i in range(12)]
    assert set(cohort.patients["sex"]) == {"female", "male"}
    assert cohort.patients["onset_days"].tolist() == [-400] * 12
    assert len(cohort.biomarkers) + len(cohort.alsfrs) >= 12


def test_german_tables_days_and_words(tmp_path):
    files = [str(tmp_path / name) for name in german(tmp_path)]
    assert als_ml(["init", *files, "--output", str(tmp_path), "--quiet"]) == 0
    text = (tmp_path / "cohort.yaml").read_text()
    said = yaml.safe_load(text)
    assert said["patients"]["sheet"] == "Stammdaten"
    assert said["patients"]["header_row"] == 3
    assert said["values"]["onset_site"] == {"bulbär": "bulbar"}  # Arm is known to the reader
    assert said["wide"]["columns"]["NfL Serum (pg/mL)"] == {"analyte": "nfl_serum", "unit": "pg/mL"}
    # A year of death is no day 2022; that it stands at its middle is to be looked at.
    assert "partial_dates: middle  # CHECK" in text
    cohort = read_cohort(open_cohort(tmp_path / "cohort.yaml"), plain_reading())
    assert cohort.patients["death_days"].between(670, 1036).sum() == 1
    assert cohort.biomarkers["value"].tolist()[:2] == [30.5, 31.5]
    assert cohort.alsfrs["days"].tolist()[:3] == [0, 90, 180]
    for listed in ("sheet 'Deckblatt'", "sheet 'leer'", "column 'Lieblingsfarbe'"):
        assert listed in text
    assert "CK (U/L): {analyte: ck_serum, unit: U/L}  # CHECK" in text  # which fluid?


def test_names_of_genomes_are_proposed_with_their_score(tmp_path):
    files = [str(tmp_path / name) for name in american(tmp_path)]
    assert als_ml(["init", *files, "--output", str(tmp_path), "--quiet"]) == 0
    lines = (tmp_path / "sample_map.csv").read_text().splitlines()
    assert lines[0] == "sample_id,vcf_id,score,why"
    assert lines[1] == "0032000,ALS-32000_S0,0.6,the same number"
    assert len(lines) == 13
    said = yaml.safe_load((tmp_path / "cohort.yaml").read_text())
    assert (said["sample_map"], said["genome_build"]) == ("sample_map.csv", "GRCh38")
    assert said["dates"] == "month_first" or "dates" not in said


@pytest.mark.parametrize(
    ("patients", "samples", "pairs"),
    [
        (["A"], ["A"], [("A", 1.0)]),
        (["p-01"], ["P01"], [("P01", 0.9)]),
        (["P01"], ["P01_S7"], [("P01_S7", 0.9)]),
        (["0012", "12"], ["12"], [("12", 1.0)]),  # the other one has no genome
        (["0012", "00012"], ["X12"], []),  # two could be meant
        (["7"], ["A7", "B7"], []),
        (["A"], ["B"], []),
    ],
)
def test_names_match_only_where_one_fits(patients, samples, pairs):
    assert [(one.vcf_id, one.score) for one in match_names(patients, samples)] == pairs


@pytest.mark.parametrize(
    ("days", "order", "unsure"),
    [
        (["13/02/2020"], "day_first", ()),
        (["12/02/2020"], "day_first", ("dates",)),
        (["02/13/2020"], "month_first", ()),
        (["13-02-2020"], "day_first", ()),
        (["12-02-2020"], "day_first", ("dates",)),
        (["13.02.2020"], None, ()),
        (["2020-02-13"], None, ()),
        (["2020-02-13", "2019"], None, ("partial_dates",)),
        (["2020-02-13", "06/2020"], None, ("partial_dates",)),
        (["-400", "2019"], None, ()),  # days, none of them a date
    ],
)
def test_how_days_are_written(days, order, unsure):
    found = written(days, [])
    assert (found.dates, found.unsure) == (order, unsure)


@pytest.mark.parametrize(
    ("values", "decimal"),
    [(["1,5"], None), (["1,234"], None), (["1,234", "1,5"], ","), (["1.5"], None)],
)
def test_a_decimal_comma_is_said_where_cells_leave_it_open(values, decimal):
    assert written([], values).decimal == decimal


def test_words_mean_columns_and_values_of_the_contract():
    contract = patient_columns(shipped())
    before_it = {"days", "birth_date", "age_at_index"}  # als_ml.cohort.anchors makes an age of them
    assert set(column_words("patients").values()) - before_it <= set(contract.index)
    for column, levels in contract["levels"].items():
        if levels:
            assert set(value_words(str(column)).values()) <= set(levels), column


def said(capsys) -> str:
    return capsys.readouterr().err


def test_nothing_is_overwritten(tmp_path, capsys):
    files = [str(tmp_path / name) for name in french(tmp_path)]
    assert als_ml(["init", *files, "--output", str(tmp_path), "--quiet"]) == 0
    before = (tmp_path / "cohort.yaml").read_text()
    assert als_ml(["init", *files, "--output", str(tmp_path), "--quiet"]) == 2
    assert "is there already" in said(capsys)
    assert (tmp_path / "cohort.yaml").read_text() == before


def test_a_sample_map_that_is_there_is_not_overwritten(tmp_path, capsys):
    files = named_otherwise(tmp_path)
    (tmp_path / "sample_map.csv").write_text("mine")
    assert als_ml(["init", *files, "--output", str(tmp_path), "--quiet"]) == 2
    assert "sample_map.csv: is there already" in said(capsys)
    assert (tmp_path / "sample_map.csv").read_text() == "mine"
    assert not (tmp_path / "cohort.yaml").exists()


@pytest.mark.parametrize("folder", ["there", "new/below"])
def test_who_cannot_write_the_last_file_leaves_the_folder_as_it_was(folder, tmp_path, monkeypatch):
    """Links to tables of another folder, and the map, go again; so does a folder that was made."""
    source, target = tmp_path / "export", tmp_path / folder
    source.mkdir()
    files = [Path(path) for path in named_otherwise(source)]
    (tmp_path / "there").mkdir()
    (tmp_path / "there/notes.txt").write_text("mine")
    before = sorted(path for path in tmp_path.rglob("*"))
    proposal = propose(files, "mine")

    def full(*_):
        assert {path.name for path in target.iterdir()} >= {"p.csv", "sample_map.csv"}
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("als_ml.proposal.writing._write", full)
    with pytest.raises(OSError, match="No space"):
        write_proposal(proposal, target)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_empty_tables_are_written_with_their_cohort_file_or_not_at_all(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("als_ml.proposal.templates.scalar", full)
    with pytest.raises(OSError, match="No space"):
        write_templates(tmp_path / "new", "mine")
    assert list((tmp_path / "new").iterdir()) == []


def named_otherwise(folder: Path) -> list[str]:
    """A table and a genome whose names of patients differ."""
    (folder / "p.csv").write_text(PEOPLE)
    names = "\t".join(f"ALS-{n}" for n in ("0012", "0013", "0014"))
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=21,length=46709983>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="GT">',
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}",
    ]
    (folder / "g.vcf").write_text("\n".join(lines) + "\n")
    return [str(folder / "p.csv"), str(folder / "g.vcf")]


def test_files_of_a_folder_below_are_taken_along(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below/p.csv").write_text(PEOPLE)
    words = ["init", str(tmp_path / "below/p.csv"), "--output", str(tmp_path), "--quiet"]
    assert als_ml(words) == 0
    assert len(read_cohort(open_cohort(tmp_path / "cohort.yaml"), plain_reading()).patients) == 3


HOSTILE = [
    'a"b',
    "a\nindex_date: first_visit",
    "a\x85b\u2028c",
    "\u202egnp.exe",
    "a: [&x *x]",
    "\x7f",
]


@pytest.mark.parametrize("name", [*HOSTILE, "😀 #", "null", "- x", "'"])
def test_a_name_is_read_back_as_it_was_given(name, tmp_path):
    """Of the cohort and of a file, whatever YAML makes of its characters."""
    write_templates(tmp_path / "empty", name)
    assert open_cohort(tmp_path / "empty/cohort.yaml").described.name == name
    table = tmp_path / f"{name}.csv"
    table.write_text(PEOPLE.replace("Sex", "Favourite colour"))
    strange = tmp_path / f"{name}.tsv"  # not understood, so named in a comment
    strange.write_text("size\tcolour\n1\tblue\n")
    words = ["init", str(table), str(strange), "--output", str(tmp_path / "made"), "--quiet"]
    assert als_ml([*words, "--name", name]) == 0
    text = (tmp_path / "made/cohort.yaml").read_text()
    assert all(char.isprintable() for char in text.replace("\n", ""))
    described = yaml.safe_load(text)
    assert described["name"] == name
    assert described["patients"]["file"] == table.name
    assert set(described) == {"name", "genome_build", "patients"}


def test_files_of_another_folder_are_taken_along(tmp_path):
    source, folder = tmp_path / "export", tmp_path / "cohort"
    source.mkdir()
    files = [str(source / name) for name in french(source)]
    assert als_ml(["init", *files, "--output", str(folder), "--quiet"]) == 0
    assert read_cohort(open_cohort(folder / "cohort.yaml"), plain_reading()).name == "cohort"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.csv", None, "there is no such file"),
        ("a.csv", b"size,colour\n1,blue\n", "no table has one row a patient"),
        ("a.csv", b"", "not a readable table"),
        ("a.xlsx", b"no workbook", "not a readable workbook"),
        ("a.vcf.gz", b"no genome", "not a VCF"),
    ],
)
def test_what_is_no_cohort(tmp_path, capsys, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert als_ml(["init", str(tmp_path / name), "--output", str(tmp_path), "--quiet"]) in (1, 2)
    assert reason in said(capsys)
    assert not (tmp_path / "cohort.yaml").exists()


def test_a_name_that_is_only_like_a_known_one_is_marked(tmp_path):
    (tmp_path / "p.csv").write_text("Patient ID,Gendre,Age at onsett\nA,f,50\nB,m,60\n")
    tables, _ = find_tables(tmp_path / "p.csv")
    found = recognise(tables[0])
    assert found is not None
    assert found.columns["age_at_onset"] == "Age at onsett"
    assert "age_at_onset" in found.likely


def proposed(folder, **files: str) -> dict:
    """The cohort file that is proposed for some text files."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    paths = [str(folder / f"{name}.csv") for name in files]
    assert als_ml(["init", *paths, "--output", str(folder / "cohort"), "--quiet"]) == 0
    return yaml.safe_load((folder / "cohort/cohort.yaml").read_text())


PEOPLE = "Patient ID,Sex,Age at onset\n0012,f,50\n0013,m,60\n0014,m,61\n"


@pytest.mark.parametrize(
    ("header", "cells", "meant"),
    [
        ("PEG", ["01.02.2020", "", ""], {"gastrostomy_days": "PEG"}),
        ("PEG", ["ja", "nein", ""], {}),  # whether, not when: no column of the contract
        ("Riluzol seit", ["ja", "nein", "ja"], {"riluzole": "Riluzol seit"}),
        ("Riluzol", ["01.02.2020", "", ""], {"riluzole_start_days": "Riluzol"}),
        ("Onset", ["bulbar", "arm", "leg"], {"onset_site": "Onset"}),
        ("Onset", ["2019-01-01", "2019-02-01", ""], {"onset_days": "Onset"}),
        ("Date des premiers symptômes", ["01.02.2019", "", ""], {"onset_days": None}),
        ("Geburtsdatum", ["01.02.1960", "", ""], {"birth_date": "Geburtsdatum"}),
        ("Alter", ["60", "61", "62"], {"age_at_index": "Alter"}),
    ],
)
def test_cells_decide_where_a_name_leaves_it_open(tmp_path, header, cells, meant):
    lines = PEOPLE.splitlines()
    text = "\n".join(f"{a},{b}" for a, b in zip(lines, [header, *cells], strict=True))
    said = proposed(tmp_path, p=text + "\n")
    plain = {"sample_id": "Patient ID", "sex": "Sex", "age_at_onset": "Age at onset"}
    expected = {ours: theirs or header for ours, theirs in meant.items()}
    assert said["patients"]["columns"] == plain | expected


def test_ids_name_a_column_that_no_name_tells(tmp_path):
    visits = "Kennung,Wann,Summe\n12,2020-01-01,40\n13,2020-02-01,41\n99,2020-02-01,41\n"
    said = proposed(tmp_path, p=PEOPLE, v=visits)
    assert said["alsfrs"]["columns"] == {"sample_id": "Kennung", "days": "Wann", "total": "Summe"}
    assert (said["leading_zeros"], said["index_date"]) == ("ignored", "first_visit")
    text = (tmp_path / "cohort/cohort.yaml").read_text()
    assert "sample_id: Kennung  # CHECK: 67 % of its cells are patients" in text
    assert "days: Wann  # CHECK: the only column of dates" in text
    assert "CHECK: names of patients without them: 2 in v.csv" in text


def test_twelve_columns_of_points_are_the_items(tmp_path):
    head = ",".join(f"c{i}" for i in range(12))
    visits = f"Patient,Date,{head}\n0012,2020-01-01{',3' * 12}\n0013,2020-01-01{',4' * 12}\n"
    said = proposed(tmp_path, p=PEOPLE, v=visits)
    assert [said["alsfrs"]["columns"][f"q{i}"] for i in (1, 12)] == ["c0", "c11"]
    assert "by its place among twelve" in (tmp_path / "cohort/cohort.yaml").read_text()


@pytest.mark.parametrize(
    ("rows", "header", "columns"),
    [
        ("Fallnr;NfL;CK\n;pg/mL;U/L\n0012;30;100\n", (1, 2), ["NfL pg/mL", "CK U/L"]),
        ("Labor\n\nFallnr;NfL;CK\n;pg/mL;U/L\n0012;3;1\n", (3, 2), ["NfL pg/mL", "CK U/L"]),
        (";Labor;\nFallnr;NfL (pg/mL);CK\n0012;30;1\n", (2, 1), ["NfL (pg/mL)", "CK"]),
        ("Fallnr;NfL;CK\n0012;30;100\n", (1, 1), ["NfL", "CK"]),
        ("Fallnr;NfL;CK\n;30;100\n0012;30;100\n", (1, 1), ["NfL", "CK"]),  # a row without an id
    ],
)
def test_headers_of_several_lines(tmp_path, rows, header, columns):
    (tmp_path / "l.csv").write_text(rows)
    (table,), _ = find_tables(tmp_path / "l.csv")
    assert (table.header_row, table.header_rows) == header
    found = recognise(table)
    assert found is not None
    assert list(found.wide) == columns


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("Kreatinin Serum (mg/dL)", ("creatinine_serum", "mg/dL", True)),
        ("Créatinine µmol/l", ("creatinine_serum", "µmol/l", False)),
        ("NfL", ("nfl_serum", None, False)),
        ("NfL Liquor [pg/ml]", ("nfl_csf", "pg/ml", True)),
        ("FVC (L)", ("fvc_litres", "L", True)),
        ("CVF (%)", ("fvc_pct", "%", True)),
        ("CK (kg)", ("ck_serum", None, False)),  # no unit of it
        ("Gewicht kg", ("weight", "kg", True)),
        ("Haarfarbe", None),
        ("", None),
    ],
)
def test_what_a_header_says_of_an_analyte(name, facts):
    found = analyte_name(name)
    said = found and (found.analyte, found.unit, found.is_fluid_said)
    assert said == facts


def test_the_fluid_of_a_row_is_not_guessed_over(tmp_path):
    head = "Patient,Date,Test,Result,Unit,Material\n"
    rows = "0012,2020-01-01,NfL,30,pg/mL,Liquor\n0013,2020-01-01,NfL,30,pg/mL,Serum\n"
    people = PEOPLE.replace("Age at onset", "index_date").replace(",50", ",2020-01-01")
    people = people.replace(",60", ",2020-01-01").replace(",61", ",2020-01-01")
    said = proposed(tmp_path, p=people, b=head + rows)
    assert "NfL" not in said.get("values", {}).get("analyte", {}) or (
        said["values"]["analyte"]["NfL"] == "nfl"
    )
    cohort = read_cohort(open_cohort(tmp_path / "cohort/cohort.yaml"), plain_reading())
    assert cohort.biomarkers["analyte"].tolist() == ["nfl_csf", "nfl_serum"]


def test_words_that_nobody_knows_do_not_stop_the_check(tmp_path):
    people = PEOPLE.replace("0014,m", "0014,divers")
    said = proposed(tmp_path, p=people)
    assert said["on_error"] == "drop_value"
    text = (tmp_path / "cohort/cohort.yaml").read_text()
    assert "# CHECK: 1 words below are not understood" in text
    assert "# divers:   # CHECK: what does it mean?" in text
    report = check_cohort(open_cohort(tmp_path / "cohort/cohort.yaml"))
    assert [one for one in report["problems"] if one["severity"] == "error"] == []


def test_empty_tables_to_fill_in(tmp_path):
    folder = tmp_path / "new"
    assert als_ml(["init", "--output", str(folder), "--quiet"]) == 0
    book = load_workbook(folder / "cohort.xlsx")
    sheet = book["patients"]
    names = [cell.value for cell in sheet[1]]
    assert {"sample_id", "sex", "onset_site"} <= set(names) <= set(patient_columns(shipped()).index)
    assert len(sheet.data_validations.dataValidation) > 10
    filled = {"sample_id": "0012", "sex": "female", "onset_days": -400, "onset_site": "bulbar"}
    sheet.append([filled.get(name) for name in names])
    header = [cell.value for cell in book["alsfrs"][1]]
    book["alsfrs"].append([{"sample_id": "0012", "days": 0, "total": 40}.get(n) for n in header])
    header = [cell.value for cell in book["biomarkers"][1]]
    value = {"sample_id": "0012", "analyte": "nfl_serum", "value": 30, "unit": "pg/mL", "days": 0}
    book["biomarkers"].append([value.get(name) for name in header])
    book.save(folder / "cohort.xlsx")
    report = check_cohort(open_cohort(folder / "cohort.yaml"))
    assert [one["found"] for one in report["problems"] if one["severity"] == "error"] == []
    assert report["contents"]["ALSFRS visits"] == report["contents"]["biomarker values"] == 1


def test_choices_of_the_empty_tables_are_words_of_the_contract(tmp_path):
    write_templates(tmp_path, "x")
    choices = load_workbook(tmp_path / "cohort.xlsx")["choices"]
    levels = patient_columns(shipped())["levels"]
    for column in choices.iter_cols(values_only=True):
        name, *words = [cell for cell in column if cell]
        if name in levels.index:
            assert tuple(words) == levels[name]


def test_empty_tables_overwrite_nothing(tmp_path, capsys):
    assert als_ml(["init", "--output", str(tmp_path), "--quiet"]) == 0
    assert als_ml(["init", "--output", str(tmp_path), "--quiet"]) == 2
    assert "is there already" in said(capsys)


def test_an_index_that_a_star_names_is_passed_over(tmp_path, capsys):
    files = [tmp_path / name for name in french(tmp_path)]
    for name in ("genome.vcf.gz.tbi", "genome.bcf.csi"):
        (tmp_path / name).write_bytes(b"\x1f\x8b\x00")
        files.append(tmp_path / name)
    output = tmp_path / "cohort"
    assert als_ml(["init", *map(str, files), "--output", str(output)]) == 0
    assert "genome." not in (output / "cohort.yaml").read_text()


def test_cells_that_cannot_be_read_do_not_stop_the_check_and_are_counted(tmp_path):
    visits = "Patient,Date,Total\n0012,2020-01-01,40\n0013,2020-01-01,n.d.\n"
    said = proposed(tmp_path, p=PEOPLE, v=visits)
    assert said["on_error"] == "drop_value"
    text = (tmp_path / "cohort/cohort.yaml").read_text()
    assert "# CHECK: 1 cells cannot be read; without this line they are errors" in text
    report = check_cohort(open_cohort(tmp_path / "cohort/cohort.yaml"))
    assert [one for one in report["problems"] if one["severity"] == "error"] == []


def test_what_else_is_wrong_is_listed(tmp_path):
    visits = "Patient,Date,Total\n0012,2020-01-01,40\n0012,2020-01-01,30\n"
    said = proposed(tmp_path, p=PEOPLE, v=visits)
    assert "on_error" not in said
    text = (tmp_path / "cohort/cohort.yaml").read_text()
    assert "# Wrong in the tables" in text
    assert "'2020-01-01' occurs twice with other points" in text


@pytest.mark.parametrize(("columns", "read"), [(2_000, True), (2_001, False)])
def test_a_table_of_more_columns_than_a_clinic_has_is_left_aside(columns, read, tmp_path):
    """Each takes some milliseconds, and a file may have 20,000."""
    (tmp_path / "p.csv").write_text(PEOPLE)
    header = ["Patient ID", *(f"c{i}" for i in range(columns - 1))]
    lines = [",".join(header), *(",".join([one] * columns) for one in ("0012", "0013"))]
    (tmp_path / "w.csv").write_text("\n".join(lines) + "\n")
    proposal = propose([tmp_path / "p.csv", tmp_path / "w.csv"], "x")
    told = [one for one in proposal.left if one == "w.csv: more than 2,000 columns"]
    assert bool(told) != read
