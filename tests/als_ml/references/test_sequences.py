"""Coding sequences are fetched from a local server, checked, kept, and used from then on.

The server serves the 14 that are shipped; the tables that ask for them know only some of their
bases and their proteins, as they do of the genes that are not shipped.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from als_ml.__main__ import main
from als_ml.references.sequences import fetch_sequences
from als_ml.references.sources import Source, sequence_addresses
from features import catalogue
from features.catalogue import SEQUENCES, Definitions, own_folder, shipped
from features.errors import DataError, RequestError
from features.variants.gene_models import transcripts
from features.variants.sequences import checked_sequence, coding_sequences, translate
from tests.conftest import ROOT
from tests.vcf_files import write_vcf

SHIPPED_SOURCES = ROOT / "configs" / "references" / "sources.yaml"
WHOLE = {
    row["gene"]: row["bases"].replace("R", "G")  # OPTN c.964 is G on GRCh38
    for row in shipped().rows("coding_sequences")
    if "N" not in row["bases"]
}


def quiet(*_: object) -> None:
    pass


def hidden() -> Definitions:
    """The shipped tables with three of four bases of the 14 sequences hidden, proteins given."""
    table = shipped().table("coding_sequences").copy()
    mine = table["gene"].isin(list(WHOLE))
    table = table[mine]
    table["bases"] = [
        "".join(b if i % 4 == 0 else "N" for i, b in enumerate(text)) for text in table["bases"]
    ]
    proteins = pd.DataFrame(
        [
            {"gene": gene, "accession": "x", "residues": translate(bases)[:-1], "source": "x"}
            for gene, bases in WHOLE.items()
        ]
    )
    texts = {
        "coding_sequences": table.to_csv(sep="\t", index=False, lineterminator="\n"),
        "proteins": proteins.to_csv(sep="\t", index=False, lineterminator="\n"),
    }
    return Definitions({**shipped().texts, **texts})


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.server.files.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.files, made.url = {}, f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    monkeypatch.setenv("ALS_ML_DATA", str(folder))
    return folder


def fasta(bases: str) -> str:
    return ">x\n" + "\n".join(bases[i : i + 60] for i in range(0, len(bases), 60)) + "\n"


def serve(server, changed=None, names="transcript"):
    """Put the 14 sequences, some of them changed, on the server."""
    models = transcripts(shipped(), "GRCh38")
    for gene, bases in {**WHOLE, **(changed or {})}.items():
        name = models[gene].name if names == "transcript" else models[gene].refseq
        server.files[f"/{names}/{name}?type=cds"] = fasta(bases)


def address(server, names="transcript") -> Source:
    return Source(url=f"{server.url}/{names}/{{{names}}}?type=cds", licence="a licence")


def fetched(server, addresses=None, **more):
    return fetch_sequences(
        hidden(), addresses or [address(server)], quiet, wait=lambda _: None, **more
    )


def test_all_that_is_missing_is_fetched_checked_and_used(server, own):
    serve(server)
    found = fetched(server)
    assert found.path == own / SEQUENCES
    assert set(found.kept) == set(WHOLE)
    assert not found.refused
    assert sum(c.compared for c in found.kept.values()) == sum(
        -(-len(b) // 4) for b in WHOLE.values()
    )
    assert sum(c.different + c.residues_different for c in found.kept.values()) == 0
    table = pd.read_csv(found.path, sep="\t").set_index("gene")
    assert table["bases"].to_dict() == WHOLE
    assert table["source"].str.contains("a licence").all()
    joined = catalogue._with_sequences(hidden(), found.path)
    assert all(s.known for s in coding_sequences(joined).values())


def test_what_was_fetched_is_in_the_tables_from_then_on(server, own, monkeypatch):
    """Also in those that a model keeps: they are the tables of the installation."""
    before = shipped()
    serve(server)
    models = transcripts(shipped(), "GRCh38")
    tbk1 = "ATG" + "GCA" * (models["TBK1"].coding_length // 3 - 2) + "TAA"
    own.mkdir()
    line = f"TBK1\t{models['TBK1'].name}\t{tbk1}\tmade up"
    old = "FUS\tENST00000000000.1\tATGTAA\tof an older model"
    (own / SEQUENCES).write_text(f"gene\ttranscript\tbases\tsource\n{line}\n{old}\n")
    rows = {row["gene"]: row for row in shipped().rows("coding_sequences")}
    assert rows["TBK1"]["bases"] == tbk1
    assert rows["FUS"]["source"] != "of an older model"
    assert shipped().version != before.version
    monkeypatch.setenv("ALS_ML_DATA", str(own / "absent"))
    assert shipped().version == before.version


def test_a_broken_table_of_the_user_leaves_ours(own):
    before = shipped().texts["coding_sequences"]
    own.mkdir()
    model = transcripts(shipped(), "GRCh38")["TBK1"].name
    (own / SEQUENCES).write_bytes(f"gene\nTBK1\t{model}\tATG\n".encode() + b"\xff\xfe\n\t\t\t\n")
    assert shipped().texts["coding_sequences"] == before


def test_the_second_address_is_tried_where_the_first_has_nothing(server, own):
    serve(server, names="refseq")
    found = fetched(server, [address(server), address(server, "refseq")])
    assert set(found.kept) == set(WHOLE)


def changed(gene: str, *places: tuple[int, str]) -> str:
    bases = list(WHOLE[gene])
    for i, base in places:
        assert bases[i] != base
        bases[i] = base
    return "".join(bases)


def silent_places(gene: str, n: int) -> list[tuple[int, str]]:
    """Third bases known here whose change leaves the residue."""
    found = []
    for i in range(8, len(WHOLE[gene]) - 3, 12):
        for base in "ACGT":
            other = WHOLE[gene][:i] + base + WHOLE[gene][i + 1 :]
            if base != WHOLE[gene][i] and translate(other) == translate(WHOLE[gene]):
                found.append((i, base))
                break
    return found[:n]


@pytest.mark.parametrize(
    ("gene", "bases", "words"),
    [
        ("SOD1", WHOLE["SOD1"][:-3], "it has 462 bases, the gene model has 465"),
        ("SOD1", "N" + WHOLE["SOD1"][1:], "other letters"),
        ("SOD1", "CTG" + WHOLE["SOD1"][3:], "does not read from a start"),
        ("SOD1", WHOLE["SOD1"][:-3] + "GCA", "does not read from a start to its one stop"),
        ("SOD1", "ATGTAA" + WHOLE["SOD1"][6:], "does not read from a start to its one stop"),
        ("VCP", WHOLE["VCP"][:3] + WHOLE["VCP"][6:-3] + "GCATAA", "of 606 known bases differ"),
    ],
)
def test_a_sequence_that_does_not_hold_is_refused(server, own, gene, bases, words):
    serve(server, {gene: bases})
    found = fetched(server)
    assert words in found.refused[gene]
    assert set(found.kept) == set(WHOLE) - {gene}


@pytest.mark.parametrize(("n", "kept"), [(0, True), (1, True), (2, True), (3, False)])
def test_how_many_bases_may_differ(n, kept):
    places = silent_places("VCP", n)
    assert len(places) == n
    bases = changed("VCP", *places)
    if not kept:
        with pytest.raises(DataError, match="3 of 606 known bases differ"):
            checked_sequence(hidden(), "VCP", bases)
        return
    found = checked_sequence(hidden(), "VCP", bases)
    assert (found.compared, found.different) == (606, n)
    # Where both are known, neither is taken for certain.
    assert [i for i, b in enumerate(found.bases) if b not in "ACGT"] == [i for i, _ in places]


@pytest.mark.parametrize(("n", "kept"), [(2, True), (3, False)])
def test_how_many_residues_may_differ(n, kept):
    tables = hidden()
    protein = translate(WHOLE["SOD1"])[:-1]
    wrong = "".join("W" if i in range(20, 20 + n) else r for i, r in enumerate(protein))
    texts = {**tables.texts, "proteins": tables.texts["proteins"].replace(protein, wrong)}
    if kept:
        assert checked_sequence(Definitions(texts), "SOD1", WHOLE["SOD1"]).residues_different == n
        return
    with pytest.raises(DataError, match="3 of 154 known residues differ"):
        checked_sequence(Definitions(texts), "SOD1", WHOLE["SOD1"])


def test_a_server_without_anything_is_one_message(server, own):
    with pytest.raises(DataError, match="none of 14 could be fetched"):
        fetched(server)
    assert not own.exists()


def test_a_maintainer_writes_into_the_package(server, tmp_path, monkeypatch):
    serve(server)
    monkeypatch.setattr("als_ml.references.sequences.FOLDER", tmp_path)
    found = fetched(server, into_package=True)
    assert found.path == tmp_path / SEQUENCES
    read = pd.read_csv(found.path, sep="\t").set_index("gene")
    assert read["bases"].to_dict() == WHOLE


def test_a_later_run_keeps_what_an_earlier_one_fetched(server, own):
    serve(server, {"SOD1": "ATGTAA"})
    assert "SOD1" in fetched(server).refused
    serve(server)
    server.files = {p: t for p, t in server.files.items() if "ENST00000270142" in p}
    assert set(fetched(server).kept) == {"SOD1"}
    assert len(pd.read_csv(own / SEQUENCES, sep="\t")) == 14


def test_the_command(server, own, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("als_ml.references.sequences.PAUSE", 0)
    sources = tmp_path / "sources.yaml"
    sources.write_text(
        f"sequences:\n  - url: {server.url}/transcript/{{transcript}}?type=cds\n    licence: x\n"
    )
    model = transcripts(shipped(), "GRCh38")["TARDBP"]
    tardbp = made_of(shipped(), "TARDBP")
    server.files[f"/transcript/{model.name}?type=cds"] = fasta(tardbp)
    vcf = write_vcf(tmp_path / "a.vcf", ["p"], ["1 11022418 A G PASS 0/1"])
    table = ["--vcf", str(vcf), "--genome-build", "GRCh38", "--output", str(tmp_path / "v.csv")]
    assert main(["variants", *table]) == 0
    assert "coding sequence of TARDBP not here" in capsys.readouterr().err
    assert main(["references", "--only", "sequences", "--sources", str(sources)]) == 0
    told = capsys.readouterr()
    assert "TARDBP" in told.out
    assert "FUS: not fetched" in told.err
    assert main(["variants", *table]) == 0
    assert "not here" not in capsys.readouterr().err
    assert pd.read_csv(tmp_path / "v.csv")["hgvs_c"].tolist() == ["c.1009A>G"]


def made_of(definitions: Definitions, gene: str) -> str:
    """A sequence that fits all that is known of a gene: each codon the first possible one."""
    return "".join(codons[0] for codons in coding_sequences(definitions)[gene].codons)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--only", "fasta,sequences", "--output", "x"], "sequences are kept elsewhere"),
        (["--only", "fasta"], "--output: it is missing"),
        (["--only", "fasta", "--output", "x", "--into-package"], "it is for --only sequences"),
    ],
)
def test_options_that_do_not_fit(options, words, capsys):
    assert main(["references", *options]) == 2
    assert words in capsys.readouterr().err


def test_the_shipped_addresses():
    found = sequence_addresses(SHIPPED_SOURCES)
    assert ["ensembl" in found[0].url, "ncbi" in found[1].url] == [True, True]


@pytest.mark.parametrize("text", ["GRCh38: {}\n", "sequences: []\n", "sequences: x\n"])
def test_sources_without_addresses(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(RequestError, match="it has no list of addresses"):
        sequence_addresses(path)


def test_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ALS_ML_DATA", str(tmp_path))
    assert own_folder() == tmp_path
    monkeypatch.delenv("ALS_ML_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert own_folder() == tmp_path / "als-ml"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_folder() == tmp_path / ".local/share/als-ml"
