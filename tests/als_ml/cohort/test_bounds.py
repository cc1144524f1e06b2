"""Files that are small to send and huge to read, or broken where a reader would stumble: one
message each, before the work.
"""

import gzip
import io
import re
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path

import openpyxl
import pysam
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.serving.access import SHORTEST_KEY
from features import bounds
from features.catalogue import shipped
from features.errors import DataError
from features.genotypes import extraction
from features.genotypes.bcftools import bcftools, stop_workers
from features.genotypes.genotype import MOST_ALLELES, MOST_ALTERNATIVES, parse_genotype
from features.tables.files import read_table
from features.tables.problems import Problems
from features.yaml_text import read_yaml
from tests.conftest import ROOT

PLAIN = {"cohort.yaml": "patients: p.csv\n", "p.csv": "sample_id,sex\nA,male\n"}
VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr21,length=46709983>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\n"
)


def vcf(genotype: str, header: str = VCF) -> dict[str, str]:
    record = f"chr21\t31667299\t.\tG\tC\t.\tPASS\t.\tGT\t{genotype}\n"
    return {"cohort.yaml": "patients: p.csv\nvariants: [v.vcf]\n", "v.vcf": header + record}


def checked(folder, capsys, **files) -> tuple[int, str]:
    """Status of `check`, and what it says."""
    for name, text in {**PLAIN, **files}.items():
        (folder / name).write_text(text)
    status = als_ml(["check", "--cohort", str(folder / "cohort.yaml")])
    told = capsys.readouterr()
    return status, told.out + told.err


# --- YAML

_BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 32 + "]" * 32, None),
        ("[" * 33 + "]" * 33, "nested deeper than 32"),
        ("[" * 100_000, "nested deeper than 32"),
        ("{a: " * 33 + "1" + "}" * 33, "nested deeper than 32"),
        ("a: &a [x]\nb: *a\nc: *a", None),
        (_BOMB, "an alias stands inside"),
        ('a: "x\\0y"', "NUL"),
        ("a: 2024-13-01", "month must be in"),
        ("a: " + "9" * 6000, "digits"),
        ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("a: '" + "x" * bounds.CONFIG_BYTES + "'", "longer than"),
    ],
)
def test_yaml_within_bounds(text, message):
    import yaml

    if message is None:
        read_yaml(text)
    else:
        with pytest.raises(yaml.YAMLError, match=message):
            read_yaml(text)


def test_a_cohort_file_beyond_them_is_one_message(tmp_path, capsys):
    for text in ("patients: " + "[" * 1000, 'patients: "p\\0.csv"', "name: 2024-13-01"):
        status, told = checked(tmp_path, capsys, **{"cohort.yaml": text})
        assert status == 2
        assert "this is not YAML" in told
        assert len(told.splitlines()) == 1


# --- tables


def sheet(*cells: str, extent: str = "") -> bytes:
    """An xlsx with a header, one patient, and further cells."""
    book, made = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["sample_id"])
    book.active.append(["A"])
    book.save(made)
    changed = io.BytesIO()
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.infolist():
            text = old.read(part)
            if part.filename.endswith("sheet1.xml"):
                rows = "".join(f'<row r="{c}"><c r="{c}"><v>1</v></c></row>' for c in cells)
                text = text.replace(b"</sheetData>", rows.encode() + b"</sheetData>")
                text = text.replace(b'ref="A1:A2"', f'ref="{extent or "A1:A2"}"'.encode())
            new.writestr(part, text)
    return changed.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (sheet(), None),
        (sheet(extent="A1:XFD1048576"), "spans 1,048,576 rows and 16,384 columns"),
        (sheet(extent="A1:XFD3051"), None),  # 49,987,584 cells
        (sheet(extent="A1:XFD3052"), "spans 3,052 rows"),
        (sheet("XFD1048576"), "spans 1,048,576 rows and 16,384 columns"),
        (sheet()[:200], "not a zip file"),
        (b"PK\x05\x06" + b"\0" * 18, "not a sheet"),
    ],
)
def test_a_sheet_is_refused_by_its_extent(content, message, tmp_path):
    (tmp_path / "p.xlsx").write_bytes(content)
    if message is None:
        assert list(read_table(tmp_path / "p.xlsx")["sample_id"].dropna()) == ["A"]
    else:
        with pytest.raises(DataError, match=message):
            read_table(tmp_path / "p.xlsx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n", None),
        ("a,b,c,d\n1,2,3,4\n", "more than 3 columns"),
        ('"' + "x" * 200_000 + '"\n1\n', "field larger than field limit"),
    ],
)
def test_columns_are_counted_in_the_first_line(text, message, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_COLUMNS", 3)
    (tmp_path / "p.csv").write_text(text)
    if message is None:
        assert read_table(tmp_path / "p.csv").shape == (1, 3)
    else:
        with pytest.raises(DataError, match=message):
            read_table(tmp_path / "p.csv")


# --- genomes


@pytest.mark.parametrize(
    ("genotype", "message"),
    [
        ("0/1", None),
        ("/".join(["1"] * 5000), "is not one of up to 100 alleles"),
    ],
)
def test_a_genotype_of_too_many_alleles(genotype, message, tmp_path, capsys):
    status, told = checked(tmp_path, capsys, **vcf(genotype))
    assert status == (1 if message else 0)
    assert message is None or message in told


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("/".join(["0"] * MOST_ALLELES), False),
        ("/".join(["0"] * (MOST_ALLELES + 1)), True),
        (f"0/{MOST_ALTERNATIVES}", False),
        (f"0/{MOST_ALTERNATIVES + 1}", True),
        ("0/65537", True),  # 1, in 16 bits
    ],
)
def test_a_genotype_within_what_its_columns_hold(text, refused):
    if refused:
        with pytest.raises(ValueError, match="a genotype of"):
            parse_genotype(text)
    else:
        parse_genotype(text)


def test_the_lines_of_a_header_are_counted(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_HEADER_LINES", 5)
    more = "".join(f"##x{i}=y\n" for i in range(3))
    assert checked(tmp_path, capsys, **vcf("0/1"))[0] == 0  # it has three
    head, _, rest = VCF.partition("\n")
    status, told = checked(tmp_path, capsys, **vcf("0/1", f"{head}\n{more}{rest}"))
    assert status == 1
    assert "its header has more than 5 lines" in told


# The record of `vcf` has 20 characters in its cells (FILTER is written out), and prints 32 with its
# genotype.
@pytest.mark.parametrize(
    ("name", "most", "message"),
    [
        ("RECORD_BYTES", 32, None),
        ("RECORD_BYTES", 31, "a record prints more than 0 MB"),
        ("ANNOTATION_BYTES", 20, None),
        ("ANNOTATION_BYTES", 19, "the record at chr21:31667299 has 20 characters"),
        ("PANEL_BYTES", 20 + bounds.EACH_RECORD, None),
        ("PANEL_BYTES", 19 + bounds.EACH_RECORD, "its 0 first records in the gene panel alone"),
    ],
)
def test_what_the_records_of_a_genome_take_is_bounded(
    name, most, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(bounds, name, most)
    status, told = checked(tmp_path, capsys, **vcf("0/1"))
    assert status == (1 if message else 0), told
    assert message is None or message in told


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="macOS bounds no memory of a process")
@pytest.mark.parametrize(("megabytes", "refused"), [(200, False), (40, True)])
def test_a_record_that_packs_well_ends_its_process_alone(megabytes, refused, tmp_path, monkeypatch):
    """One of a gigabyte takes 1 MB on the way; 48 MB of them are enough to see it here."""
    monkeypatch.setattr(bounds, "GENOME_MEMORY", megabytes << 20)
    stop_workers()
    path = tmp_path / "v.vcf.gz"
    line = b"chr21\t31667299\t.\tG\tC\t.\tPASS\tX=" + b"x" * (48 << 20) + b"\tGT\t0/1\n"
    path.write_bytes(gzip.compress(VCF.encode() + line, 1))
    with (
        pytest.raises(DataError, match="cannot read it") if refused else nullcontext(),
        bcftools(["query", "-f", "%POS\n", str(path)], where="v") as lines,
    ):
        assert list(lines) == ([] if refused else [b"31667299\n"])
    stop_workers()


RECORD = "chr21\t{}\t.\tG\tC\t.\tPASS\t.\tGT\t0/1\n"


@pytest.fixture(scope="module")
def long_genome(tmp_path_factory):
    """300,000 records, of which none but the last is of the panel: bcftools takes 0.1 s or more."""
    path = tmp_path_factory.mktemp("long") / "v.vcf"
    lines = (RECORD.format(n) for n in range(1_000_000, 1_300_000))
    path.write_text(VCF + "".join(lines) + RECORD.format(31667299))
    return path


def read(path, progress=lambda _: None):
    """What is wrong with a genome of one patient."""
    problems = Problems(collect=True)
    panel = extraction.Panel(shipped(), "GRCh38")
    extraction.read_genotypes(panel, [path], {"A": 0}, 1, problems, progress)
    return [(problem.where, problem.found) for problem in problems.errors]


@pytest.mark.parametrize(("seconds", "refused"), [(0.01, True), (60, False)])
def test_a_genome_that_takes_too_long_is_refused_by_its_name(
    seconds, refused, long_genome, monkeypatch
):
    monkeypatch.setattr(bounds, "GENOME_SECONDS", seconds)
    found = "it has no index, and was not read to its end in"
    errors = read(long_genome)
    assert [(where, what.startswith(found)) for where, what in errors] == (
        [(str(long_genome), True)] if refused else []
    )


def test_a_genome_with_an_index_may_take_its_time(long_genome, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "GENOME_SECONDS", 0.0)
    path = tmp_path / "v.vcf.gz"
    pysam.tabix_compress(str(long_genome), str(path))
    pysam.tabix_index(str(path), preset="vcf")
    assert read(path) == []


@pytest.mark.parametrize(("least", "named"), [(1, True), (100, False)])
def test_what_takes_long_is_named_before_it_is_read(least, named, long_genome, monkeypatch):
    monkeypatch.setattr(extraction, "ANNOUNCED", least)
    said = []
    read(long_genome, said.append)
    size = long_genome.stat().st_size / 1e6
    before = [f"v.vcf: {size:.0f} MB without an index, from end to end"] if named else []
    assert said == [*before, "v.vcf"]


# Each bound as docs/security.md says it, in its own words.
SAID = {
    "archives": f"{bounds.MOST_RATIO} times their size and {bounds.MOST_UNPACKED >> 20} MB",
    "sheets": f"({bounds.MOST_CELLS // 1_000_000} million cells)",
    "columns": f"{bounds.MOST_COLUMNS:,} columns",
    "first line": f"{bounds.LONGEST_HEADER >> 20} MB of a first line",
    "header": f"{bounds.MOST_HEADER_LINES:,} header lines of a VCF",
    "alleles": f"{MOST_ALLELES} alleles of a genotype",
    "record": f"{bounds.RECORD_BYTES >> 20} MB of a record",
    "annotations": f"{bounds.ANNOTATION_BYTES >> 20} MB of its annotations",
    "panel": f"{bounds.PANEL_BYTES >> 30} GB of records in the gene panel",
    "genome": f"{bounds.GENOME_MEMORY >> 30} GB of memory and"
    f" {bounds.GENOME_SECONDS / 3600:g} hours for bcftools",
    "far": f"More than {bounds.FAR_RECORDS:,} of them are refused",
    "YAML": f"YAML of {bounds.CONFIG_BYTES >> 20} MB and {bounds.CONFIG_DEPTH} levels",
    "body": f"`--max-megabytes` ({bounds.REQUEST_MEGABYTES:g})",
    "patients": f"`--max-patients` ({bounds.REQUEST_PATIENTS:,})",
    "elements": f"{bounds.REQUEST_ELEMENTS:,} elements",
    "depth": f"depth {bounds.REQUEST_DEPTH}:",
    "at once": f"{bounds.REQUESTS_AT_ONCE} requests a process",
    "bodies": f"bodies of {bounds.BODIES_AT_ONCE * bounds.REQUEST_MEGABYTES:g} MB in all",
    "large": f"those above {bounds.LARGE_BODY / 1e6:g} MB one after the other",
    "small": f"those up to {bounds.SMALL_BODY >> 10} KB where they are read",
    "connections": f"{bounds.CONNECTIONS} connections",
    "seconds": f"{bounds.HEADER_SECONDS:g} s for headers, {bounds.BODY_SECONDS:g} s for a body,"
    f" {bounds.IDLE_SECONDS} s between two",
    "keys": f"{SHORTEST_KEY} characters or more",
}


@pytest.mark.parametrize("bound", SAID)
def test_the_page_says_each_bound_as_it_is(bound):
    page = " ".join((ROOT / "docs/security.md").read_text().split())
    assert SAID[bound] in page


def test_no_bound_is_missing_on_the_page():
    """But for what is not about size: seconds of an answer, and bytes that a record costs us."""
    named = set(re.findall(r"bounds\.([A-Z_]+)", Path(__file__).read_text().partition("SAID =")[2]))
    stated = {name for name in vars(bounds) if name.isupper()}
    assert stated - named == {
        "ANSWER_SECONDS",
        "EACH_RECORD",
        "MOST_SEED",
        "PROPOSED_COLUMNS",
    }
