"""Tables of missense scores: cut to the panel, fetched only with their licence accepted, and read
as they are cut.
"""

import gzip
import io
import json
import zipfile

import pytest

from als_ml.__main__ import main
from als_ml.references import cohort_block, fetch_references
from als_ml.references.cut_table import cut_table
from features.catalogue import shipped
from features.errors import DataError, RequestError
from features.variants.scores import read_missense_score

REGIONS = [("1", 100, 200), ("21", 50, 60), ("21", 61, 70)]
ALPHA = (
    "# Copyright\n#CHROM\tPOS\tREF\tALT\tgenome\tuniprot_id\ttranscript_id\tprotein_variant\t"
    "am_pathogenicity\tam_class\n"
)
REVEL = "chr,hg19_pos,grch38_pos,ref,alt,aaref,aaalt,REVEL,Ensembl_transcriptid\n"


def alpha(chrom: str, pos: int) -> str:
    return f"{chrom}\t{pos}\tA\tC\thg38\tP\tENST1\tA5G\t0.9\tx\n"


def revel(chrom: str, old: object, new: object) -> str:
    return f"{chrom},{old},{new},A,C,A,G,0.5,ENST1\n"


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("revel", text)
    return buffer.getvalue()


def cut(tmp_path, content: bytes, build: str = "GRCh38") -> list[str]:
    path, target = tmp_path / "in", tmp_path / "out.gz"
    path.write_bytes(content)
    n = cut_table([path], target, REGIONS, build)
    lines = gzip.decompress(target.read_bytes()).decode().splitlines(keepends=True)
    assert n == len([line for line in lines if line[0] != "#" and not line.startswith("chr,")])
    return lines


PLACES = [("chr1", 99), ("chr1", 100), ("chr1", 200), ("chr1", 201), ("chr21", 60), ("chr21", 71)]


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_alphamissense_is_cut_to_the_regions(tmp_path, pack):
    lines = cut(tmp_path, pack(ALPHA + "".join(alpha(*place) for place in PLACES)))
    kept = [alpha("chr1", 100), alpha("chr1", 200), alpha("chr21", 60)]
    assert lines == [*ALPHA.splitlines(keepends=True), *kept]


@pytest.mark.parametrize("build", ["GRCh37", "GRCh38"])
def test_revel_is_cut_by_the_positions_of_the_build(tmp_path, build):
    inside, outside = revel("1", 150, 999), revel("1", 999, 150)
    if build == "GRCh38":
        inside, outside = outside, inside
    text = REVEL + inside + outside + revel("21", ".", ".")
    assert cut(tmp_path, zipped(text), build) == [REVEL, inside]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ALPHA.encode() + alpha("chr2", 5).encode(), "none of its lines lies in the gene panel"),
        (b"a\tb\n1\t2\n", "columns are not those of a table of scores"),
        (gzip.compress(ALPHA.encode() + alpha("chr1", 150).encode() * 99)[:-9], "it is damaged"),
        (zipped(REVEL)[:20], "it is damaged"),
        (b"", "none of its lines"),
    ],
    # Named: an archive holds the time at which it was made.
    ids=["other_genes", "other_columns", "cut_gzip", "cut_zip", "empty"],
)
def test_what_is_no_table_of_scores_is_refused(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        cut(tmp_path, content)
    assert not (tmp_path / "out.gz").exists()


@pytest.fixture
def sources(tmp_path):
    """A sources file with one table that is to be accepted first."""
    table = tmp_path / "AlphaMissense_hg38.tsv.gz"
    inside = alpha("chr21", 31659783)
    table.write_bytes(gzip.compress((ALPHA + inside + alpha("chr1", 5)).encode()))
    path = tmp_path / "sources.yaml"
    path.write_text(
        f"GRCh38:\n  alphamissense:\n    url: file://{table}\n    ask: true\n    licence: theirs\n"
    )
    return path


def test_a_licence_is_accepted_first(tmp_path, sources):
    with pytest.raises(RequestError, match="its licence is to be accepted first: theirs"):
        fetch_references(tmp_path / "r", "GRCh38", sources, ("alphamissense",), lambda *_: None)
    paths = fetch_references(
        tmp_path / "r",
        "GRCh38",
        sources,
        ("alphamissense",),
        lambda *_: None,
        accepted=("alphamissense",),
    )
    path = paths["alphamissense"]
    found = read_missense_score(shipped(), path, "", "GRCh38")
    assert found == ("alphamissense", {"21-31659783-A-C": 0.9})
    block = cohort_block(paths)
    assert "missense_score: alphamissense" in block
    assert f"scores: {path.resolve()}" in block
    record = json.loads((tmp_path / "r" / "references.json").read_text())[path.name]
    assert record["licence"] == "theirs"


def test_the_command(tmp_path, sources, capsys):
    given = ["--output", str(tmp_path / "r"), "--sources", str(sources), "--only", "alphamissense"]
    assert main(["references", *given]) == 2
    assert "give --accept-licence alphamissense" in capsys.readouterr().err
    assert main(["references", *given, "--accept-licence", "alphamissense"]) == 0
    assert "missense_score: alphamissense" in capsys.readouterr().out
