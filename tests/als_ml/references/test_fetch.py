"""References are fetched from a server that breaks off, forgets or lies, and cut to small made-up
regions.
"""

import gzip
import hashlib
import json
import random
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pysam
import pytest
import yaml

from als_ml.references import cohort_block, fetch_references
from als_ml.references.cut import FREQUENCY_FIELDS, cut_fasta, cut_vcf
from als_ml.references.download import download
from als_ml.references.regions import fasta_regions
from als_ml.references.sources import KINDS, Source, read_sources
from features.catalogue import BUILDS, genes, shipped
from features.errors import DataError, RequestError
from features.genotypes.vcf import panel_regions

SHIPPED = Path(__file__).resolve().parents[3] / "configs" / "references" / "sources.yaml"
REGIONS = [("1", 101, 160), ("21", 51, 70), ("21", 201, 205)]


def quiet(*_: object) -> None:
    pass


@dataclass
class Served:
    """What the server does with one path."""

    body: bytes
    etag: str | None = '"v1"'
    ranges: bool = True
    cuts: list[int] = field(
        default_factory=list
    )  # bytes after which each of the first answers breaks off
    status: int = 200
    location: str = ""
    asked: list[str | None] = field(default_factory=list)  # the Range header of each request


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        served = self.server.files.get(self.path)
        if served is None or served.status != 200:
            self.send_response(served.status if served else 404)
            if served and served.location:
                self.send_header("Location", served.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        served.asked.append(self.headers.get("Range"))
        start, end = self.wanted(served)
        self.send_response(206 if start is not None else 200)
        body = served.body[start or 0 : end]
        self.send_header("Content-Length", str(len(body)))
        if start is not None:
            self.send_header(
                "Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(served.body)}"
            )
        if served.etag:
            self.send_header("ETag", served.etag)
        self.end_headers()
        cut = served.cuts.pop(0) if served.cuts else len(body)
        self.close_connection = cut < len(body)
        try:
            self.wfile.write(body[:cut])
        except OSError:  # htslib closes the connection when it has enough
            self.close_connection = True

    def wanted(self, served):
        asked = self.headers.get("Range")
        if (
            not served.ranges
            or not asked
            or self.headers.get("If-Range", served.etag) != served.etag
        ):
            return None, None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1 if last else None


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("als_ml.references.download.WAITS", (0, 0, 0))
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.files, made.url = {}, f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def small(monkeypatch):
    """Put small regions in the place of the panel."""
    monkeypatch.setattr("als_ml.references.sources.panel_regions", lambda *_: REGIONS)
    monkeypatch.setattr("als_ml.references.sources.fasta_regions", lambda *_: REGIONS)


BODY = random.Random(1).randbytes(300_000)  # noqa: S311
SHA256 = ("sha256", hashlib.sha256(BODY).hexdigest())


# Downloads


def test_a_download_is_whole_and_leaves_no_part(server, tmp_path):
    server.files["/x.gz"] = Served(BODY)
    told = []
    download(f"{server.url}/x.gz", tmp_path / "x.gz", SHA256, lambda *what: told.append(what))
    assert (tmp_path / "x.gz").read_bytes() == BODY
    assert not (tmp_path / "x.gz.part").exists()
    assert told[-1] == ("downloading x.gz", len(BODY), len(BODY))


def test_a_broken_connection_is_continued_within_one_call(server, tmp_path):
    served = server.files["/x.gz"] = Served(BODY, cuts=[100_000, 50_000])
    download(f"{server.url}/x.gz", tmp_path / "x.gz", SHA256, quiet)
    assert (tmp_path / "x.gz").read_bytes() == BODY
    assert served.asked == [None, "bytes=100000-", "bytes=150000-"]


def broken_off(server, target: Path) -> Served:
    """Leave 100,000 bytes of the file: the first answer breaks off, and the server is down for the
    others.
    """
    served = server.files["/x.gz"] = Served(BODY, cuts=[100_000, 0, 0, 0])
    with pytest.raises(DataError, match="Run the command again to continue"):
        download(f"{server.url}/x.gz", target, SHA256, quiet)
    served.asked.clear()
    return served


def test_the_next_call_continues_and_the_message_says_how_much_is_there(server, tmp_path):
    served = server.files["/x.gz"] = Served(BODY, cuts=[100_000, 0, 0, 0])
    with pytest.raises(
        DataError, match=r"broke off .*; 100,000 of 300,000 bytes are there \(x.gz.part\)"
    ):
        download(f"{server.url}/x.gz", tmp_path / "x.gz", SHA256, quiet)
    assert not (tmp_path / "x.gz").exists()
    download(f"{server.url}/x.gz", tmp_path / "x.gz", SHA256, quiet)
    assert (tmp_path / "x.gz").read_bytes() == BODY
    assert served.asked[-1] == "bytes=100000-"


def test_a_server_without_ranges_starts_again_and_in_the_end_gives_up(server, tmp_path):
    served = server.files["/x.gz"] = Served(BODY, ranges=False, cuts=[100_000])
    download(f"{server.url}/x.gz", tmp_path / "x.gz", SHA256, quiet)
    assert (tmp_path / "x.gz").read_bytes() == BODY
    served = server.files["/y.gz"] = Served(BODY, ranges=False, cuts=[100_000] * 20)
    with pytest.raises(DataError, match="it ended after 100000 of 300000 bytes"):
        download(f"{server.url}/y.gz", tmp_path / "y.gz", SHA256, quiet)
    assert len(served.asked) == 4


def test_a_file_that_changed_on_the_server_is_never_glued(server, tmp_path):
    served = broken_off(server, tmp_path / "x.gz")
    new = BODY[::-1]
    served.body, served.etag = new, '"v2"'
    download(f"{server.url}/x.gz", tmp_path / "x.gz", None, quiet)
    assert (tmp_path / "x.gz").read_bytes() == new


def test_a_change_is_noticed_when_the_server_ignores_if_range(server, tmp_path, monkeypatch):
    served = broken_off(server, tmp_path / "x.gz")
    served.body, served.etag = BODY[::-1], '"v2"'

    def ignoring(self, served):
        return (100_000, None) if self.headers.get("Range") else (None, None)

    monkeypatch.setattr(Handler, "wanted", ignoring)
    download(f"{server.url}/x.gz", tmp_path / "x.gz", None, quiet)
    assert (tmp_path / "x.gz").read_bytes() == BODY[::-1]
    assert served.asked == ["bytes=100000-", None]


def test_a_part_of_unknown_version_is_not_continued(server, tmp_path):
    served = server.files["/x.gz"] = Served(BODY, etag=None, cuts=[100_000])
    download(f"{server.url}/x.gz", tmp_path / "x.gz", SHA256, quiet)
    assert (tmp_path / "x.gz").read_bytes() == BODY
    assert served.asked == [None, None]


def test_a_server_that_has_less_than_the_part_starts_again(server, tmp_path):
    broken_off(server, tmp_path / "x.gz")
    server.files["/x.gz"] = Served(b"", status=416)
    with pytest.raises(DataError, match="the server answered 416"):
        download(f"{server.url}/x.gz", tmp_path / "x.gz", None, quiet)
    assert not (tmp_path / "x.gz.part").exists()


def test_a_wrong_checksum_names_both_digests_and_deletes_the_part(server, tmp_path):
    server.files["/x.gz"] = Served(BODY)
    with pytest.raises(DataError, match=f"its sha256 is {SHA256[1]}, but {'0' * 64} was expected"):
        download(f"{server.url}/x.gz", tmp_path / "x.gz", ("sha256", "0" * 64), quiet)
    assert not list(tmp_path.iterdir())


def test_a_machine_without_the_internet_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x.gz"
        with pytest.raises(DataError, match=r"this machine cannot reach it \(.*refused") as caught:
            download(url, tmp_path / "x.gz", None, quiet)
    assert caught.value.where == url
    assert f"put it at {tmp_path / 'x.gz'} and run the command again" in caught.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (
            "fasta",
            (
                r"download it and http.*/hg38/chr1.fa.gz elsewhere, put both into .*downloads and"
                r" run the command again"
            ),
        ),
        (
            "frequencies",
            (
                "put a VCF with the panel's records at .*downloads/gnomad.chr1.vcf.bgz and run the"
                " command again"
            ),
        ),
    ],
)
def test_the_way_round_names_all_files_that_are_needed(provider, tmp_path, kind, remedy):
    provider.files.clear()
    with pytest.raises(DataError, match=remedy):
        fetch_references(tmp_path / "out", "GRCh38", provider.sources, (kind,), quiet)


def test_a_refusal_is_not_repeated(server, tmp_path):
    with pytest.raises(DataError, match=r"the server answered 404 Not Found. Correct the address"):
        download(f"{server.url}/absent", tmp_path / "x", None, quiet)


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_redirects_leave_http_for_nothing(server, tmp_path, target):
    server.files["/x"] = Served(b"", status=302, location=target)
    with pytest.raises(DataError, match="the server answered 302"):
        download(f"{server.url}/x", tmp_path / "x", None, quiet)
    assert not (tmp_path / "x").exists()


def test_redirects_within_http_are_followed(server, tmp_path):
    server.files |= {"/x": Served(b"", status=302, location="/y"), "/y": Served(BODY)}
    download(f"{server.url}/x", tmp_path / "x", SHA256, quiet)
    assert (tmp_path / "x").read_bytes() == BODY


def test_a_file_address_is_copied(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x.gz").write_bytes(BODY)
    download((tmp_path / "there" / "x.gz").as_uri(), tmp_path / "x.gz", SHA256, quiet)
    assert (tmp_path / "x.gz").read_bytes() == BODY
    with pytest.raises(DataError, match="cannot reach it"):
        download((tmp_path / "absent").as_uri(), tmp_path / "y.gz", None, quiet)


# Cutting


def sequence(n: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("acgtACGT", k=n))  # noqa: S311


def fasta(contigs: dict[str, str], width: int = 60) -> bytes:
    lines = []
    for name, bases in contigs.items():
        lines += [f">{name} made up", *(bases[i : i + width] for i in range(0, len(bases), width))]
    return ("\n".join(lines) + "\n").encode()


GENOME = {"chr1": sequence(337, 1), "chr2": sequence(90, 2), "chr21": sequence(240, 3)}


def expected(name: str) -> str:
    wanted = [(s, e) for chrom, s, e in REGIONS if f"chr{chrom}" == name]
    bases = enumerate(GENOME[name].upper(), 1)
    return "".join(base if any(s <= i <= e for s, e in wanted) else "N" for i, base in bases)


@pytest.mark.parametrize("width", [7, 60, 1000])
def test_bases_outside_the_regions_become_n_and_coordinates_stay(tmp_path, width):
    (tmp_path / "a.fa.gz").write_bytes(
        gzip.compress(fasta({k: GENOME[k] for k in ("chr1", "chr2")}, width))
    )
    (tmp_path / "b.fa").write_bytes(fasta({"chr21": GENOME["chr21"]}, width))
    lengths = cut_fasta([tmp_path / "a.fa.gz", tmp_path / "b.fa"], tmp_path / "cut.fa.gz", REGIONS)
    with pysam.FastaFile(str(tmp_path / "cut.fa.gz")) as cut:
        assert {name: cut.fetch(name) for name in cut.references} == {
            name: expected(name) for name in GENOME
        }
        assert cut.fetch("chr21", 50, 70) == GENOME["chr21"][50:70].upper()
    assert lengths == {name: len(bases) for name, bases in GENOME.items()}


def test_a_genome_of_the_wrong_length_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "a.fa").write_bytes(fasta({"chr1": GENOME["chr1"], "chr21": "ACGT"}))
    with pytest.raises(
        DataError, match="there is 4 bases of chromosome 21, of which 51-70 is needed"
    ):
        cut_fasta([tmp_path / "a.fa"], tmp_path / "cut.fa.gz", REGIONS)
    with pytest.raises(DataError, match="there is no chromosome 9"):
        cut_fasta([tmp_path / "a.fa"], tmp_path / "cut.fa.gz", [("9", 1, 2)])
    assert [path.name for path in tmp_path.iterdir()] == ["a.fa"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>log in</html>", "this is not a FASTA"),
        (b"", "this is not a FASTA"),
        (gzip.compress(fasta(GENOME))[:-20], "it is damaged"),
    ],
)
def test_what_is_no_fasta_is_refused(tmp_path, content, message):
    (tmp_path / "a.fa").write_bytes(content)
    with pytest.raises(DataError, match=message):
        cut_fasta([tmp_path / "a.fa"], tmp_path / "cut.fa.gz", REGIONS)


def vcf(records: list[str], prefix: str = "", contigs: bool = True) -> bytes:
    """Records are 'chrom pos ref alt info' with blanks."""
    lines = ["##fileformat=VCFv4.2", '##FILTER=<ID=AC0,Description="none, after filtering">']
    kinds = {
        "AC": ("A", "Integer"),
        "AN": ("1", "Integer"),
        "AF": ("A", "Float"),
        "AF_grpmax": ("A", "Float"),
    }
    kinds |= {"vep": (".", "String"), "CLNSIG": (".", "String")}
    lines += [
        f'##INFO=<ID={n},Number={k},Type={t},Description="{n}, made up">'
        for n, (k, t) in kinds.items()
    ]
    lines += (
        [f"##contig=<ID={prefix}{name},length=400>" for name in ("1", "2", "21")] if contigs else []
    )
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    for record in records:
        chrom, pos, ref, alt, info = record.split()
        lines.append("\t".join([prefix + chrom, pos, ".", ref, alt, ".", "AC0", info]))
    return ("\n".join(lines) + "\n").encode()


RECORDS = [
    "1 99 AC A CLNSIG=ends_before",
    "1 99 ACG A CLNSIG=reaches_in",
    "1 160 A G,T CLNSIG=last",
    "1 161 A G CLNSIG=after",
    "2 120 A G CLNSIG=elsewhere",
    "21 60 A G CLNSIG=inside",
]
MEANT = ["reaches_in", "last", "inside"]


def read(path: Path, name: str) -> list[str]:
    with pysam.VariantFile(str(path)) as file:
        return [record.info[name][0] for record in file]


@pytest.mark.parametrize("prefix", ["", "chr"])
def test_records_in_the_regions_are_kept_and_indexed(tmp_path, prefix):
    (tmp_path / "clinvar.vcf.gz").write_bytes(gzip.compress(vcf(RECORDS, prefix)))
    assert cut_vcf([tmp_path / "clinvar.vcf.gz"], tmp_path / "cut.vcf.gz", REGIONS) == 3
    assert read(tmp_path / "cut.vcf.gz", "CLNSIG") == MEANT
    with pysam.VariantFile(str(tmp_path / "cut.vcf.gz")) as file:
        assert [record.pos for record in file.fetch(f"{prefix}21", 55, 65)] == [60]


def test_a_file_without_contig_lines_as_clinvar_is(tmp_path):
    (tmp_path / "clinvar.vcf").write_bytes(vcf(RECORDS, contigs=False))
    cut_vcf([tmp_path / "clinvar.vcf"], tmp_path / "cut.vcf.gz", REGIONS)
    with pysam.VariantFile(str(tmp_path / "cut.vcf.gz")) as file:
        assert [record.pos for record in file.fetch("1")] == [99, 160]


def test_files_of_chromosomes_become_one_with_the_frequency_fields_alone(tmp_path):
    (tmp_path / "21.vcf").write_bytes(
        vcf(["21 60 A G AC=1;AN=10;AF=0.1;vep=x|y;AF_grpmax=0.2"], "chr")
    )
    (tmp_path / "1.vcf").write_bytes(vcf(["1 150 A G vep=x", "1 101 A G AC=2;AN=10;AF=0.2"], "chr"))
    files = [tmp_path / "21.vcf", tmp_path / "1.vcf"]
    cut_vcf(files, tmp_path / "cut.vcf.gz", REGIONS, FREQUENCY_FIELDS)
    with pysam.VariantFile(str(tmp_path / "cut.vcf.gz")) as file:
        assert list(file.header.info) == ["AC", "AN", "AF", "AF_grpmax"]
        found = [(r.chrom, r.pos, list(r.filter), dict(r.info)) for r in file]
    assert [record[:2] for record in found] == [("chr1", 101), ("chr1", 150), ("chr21", 60)]
    assert found[1][2:] == (["AC0"], {})
    info = found[2][3]
    assert (info["AC"], info["AN"]) == ((1,), 10)
    assert (*info["AF"], *info["AF_grpmax"]) == pytest.approx((0.1, 0.2), rel=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (vcf(["2 120 A G AF=1"]), "none of its records lies in the gene panel"),
        (b"<html>", "this is not a VCF"),
        (vcf([]) + b"1\tx\n", "this is not a VCF record"),
    ],
)
def test_what_is_no_vcf_of_the_panel_is_refused(tmp_path, content, message):
    (tmp_path / "a.vcf").write_bytes(content)
    with pytest.raises(DataError, match=message):
        cut_vcf([tmp_path / "a.vcf"], tmp_path / "cut.vcf.gz", REGIONS)
    assert not (tmp_path / "cut.vcf.gz").exists()


# The whole command


def bgzipped(folder: Path, name: str, content: bytes) -> tuple[bytes, bytes]:
    """Compressed file and its tabix index, by htslib."""
    folder.mkdir(exist_ok=True)
    (folder / "plain.vcf").write_bytes(content)
    pysam.tabix_compress(str(folder / "plain.vcf"), str(folder / name), force=True)
    pysam.tabix_index(str(folder / name), preset="vcf", force=True)
    return (folder / name).read_bytes(), (folder / f"{name}.tbi").read_bytes()


def blob(n: int, seed: int) -> str:
    """Text that cannot be compressed to nothing."""
    return random.Random(seed).randbytes(n).hex()  # noqa: S311


@pytest.fixture
def provider(server, small, tmp_path):
    """A server that has everything, and the sources file that says so."""
    digests = []
    for chrom in ("1", "21"):
        body = gzip.compress(fasta({f"chr{chrom}": GENOME[f"chr{chrom}"]}))
        server.files[f"/hg38/chr{chrom}.fa.gz"] = Served(body)
        digests.append(f"{hashlib.md5(body, usedforsecurity=False).hexdigest()}  chr{chrom}.fa.gz")
        sites = [f"{chrom} {pos} A G AC=1;AN=10;AF=0.1;vep=x" for pos in (10, 60, 110, 203, 300)]
        compressed, index = bgzipped(tmp_path / "made", "sites.vcf.bgz", vcf(sites, "chr"))
        server.files[f"/gnomad.chr{chrom}.vcf.bgz"] = Served(compressed)
        server.files[f"/gnomad.chr{chrom}.vcf.bgz.tbi"] = Served(index)
    server.files["/hg38/md5sum.txt"] = Served("\n".join(digests).encode())
    clinvar = gzip.compress(vcf(RECORDS))
    server.files["/clinvar.vcf.gz"] = Served(clinvar)
    digest = hashlib.md5(clinvar, usedforsecurity=False).hexdigest()
    server.files["/clinvar.vcf.gz.md5"] = Served(
        f"{digest}  /panfs/some/where/clinvar_2026.vcf.gz\n".encode()
    )
    entries = {
        "fasta": {
            "url": "/hg38/chr{chrom}.fa.gz",
            "checksum_url": "/hg38/md5sum.txt",
            "licence": "free",
        },
        "clinvar": {
            "url": "/clinvar.vcf.gz",
            "checksum_url": "/clinvar.vcf.gz.md5",
            "licence": "public domain",
        },
        "frequencies": {"url": "/gnomad.chr{chrom}.vcf.bgz", "indexed": True, "licence": "CC0"},
    }
    full = {
        kind: {
            key: f"{server.url}{value}" if key.endswith("url") else value
            for key, value in entry.items()
        }
        for kind, entry in entries.items()
    }
    server.sources = tmp_path / "sources.yaml"
    server.sources.write_text(yaml.safe_dump({"GRCh38": full}))
    return server


def test_everything_is_fetched_cut_and_recorded(provider, tmp_path):
    output = tmp_path / "out"
    paths = fetch_references(output, "GRCh38", provider.sources, (), quiet)
    assert {kind: path.name for kind, path in paths.items()} == {
        "fasta": "GRCh38.fa.gz",
        "clinvar": "clinvar.GRCh38.vcf.gz",
        "frequencies": "frequencies.GRCh38.vcf.gz",
    }
    with pysam.FastaFile(str(paths["fasta"])) as file:
        assert file.fetch("chr21") == expected("chr21")
    assert read(paths["clinvar"], "CLNSIG") == MEANT
    with pysam.VariantFile(str(paths["frequencies"])) as file:
        assert [(r.chrom, r.pos) for r in file] == [("chr1", 110), ("chr21", 60), ("chr21", 203)]
        assert [r.pos for r in file.fetch("chr21", 200, 210)] == [203]
    names = {path.name for path in output.iterdir()}
    indexes = {
        "GRCh38.fa.gz.fai",
        "GRCh38.fa.gz.gzi",
        "clinvar.GRCh38.vcf.gz.tbi",
        "frequencies.GRCh38.vcf.gz.tbi",
    }
    assert names == {path.name for path in paths.values()} | indexes | {"references.json"}
    record = json.loads((output / "references.json").read_text())["clinvar.GRCh38.vcf.gz"]
    assert record["urls"] == [f"{provider.url}/clinvar.vcf.gz"]
    assert record["licence"] == "public domain"
    assert record["sha256"] == hashlib.sha256(paths["clinvar"].read_bytes()).hexdigest()
    assert (
        record["files"][0]["sha256"]
        == hashlib.sha256(provider.files["/clinvar.vcf.gz"].body).hexdigest()
    )
    assert record["files"][0]["compared_with_checksum"]
    assert yaml.safe_load(cohort_block(paths))["reference"] == {
        kind: str(path) for kind, path in paths.items()
    }


def test_an_indexed_source_is_read_in_part(provider, tmp_path):
    for chrom in ("1", "21"):
        rows = [
            f"{chrom} {pos} A G AC=1;AN=10;AF=0.1;vep={blob(1_500, pos)}" for pos in range(1, 390)
        ]
        compressed, index = bgzipped(tmp_path / "made", "sites.vcf.bgz", vcf(rows, "chr"))
        provider.files[f"/gnomad.chr{chrom}.vcf.bgz"].body = compressed
        provider.files[f"/gnomad.chr{chrom}.vcf.bgz.tbi"].body = index
    paths = fetch_references(
        tmp_path / "out", "GRCh38", provider.sources, ("frequencies",), quiet, keep=True
    )
    with pysam.VariantFile(str(paths["frequencies"])) as file:
        assert sum(1 for _ in file) == 60 + 20 + 5
    kept = tmp_path / "out" / "downloads" / "gnomad.chr1.vcf.bgz"
    assert kept.stat().st_size < len(provider.files["/gnomad.chr1.vcf.bgz"].body) / 10
    assert not list(Path.cwd().glob("*.tbi"))


def test_an_unreadable_remote_index_is_one_message(provider, tmp_path):
    provider.files["/gnomad.chr21.vcf.bgz.tbi"].body = b"no index"
    with pytest.raises(
        DataError,
        match=r"could not be read through gnomad.chr21.vcf.bgz.tbi \(.+\)\. Run the command",
    ):
        fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("frequencies",), quiet)
    assert not (tmp_path / "out" / "frequencies.GRCh38.vcf.gz").exists()


def test_a_remote_file_that_breaks_off_is_no_shorter_file(provider, tmp_path, monkeypatch):
    monkeypatch.setenv("HTS_RETRY_MAX", "0")
    rows = [f"1 {pos} A G AC=1;AN=10;AF=0.1;vep={blob(12_000, pos)}" for pos in range(1, 300)]
    served = provider.files["/gnomad.chr1.vcf.bgz"]
    served.body, provider.files["/gnomad.chr1.vcf.bgz.tbi"].body = bgzipped(
        tmp_path / "made", "sites.vcf.bgz", vcf(rows, "chr")
    )
    served.cuts = [len(served.body), len(served.body), *[500_000] * 20]
    with pytest.raises(
        DataError, match=r"could not be read through gnomad.chr1.vcf.bgz.tbi \(.*read error\)"
    ):
        fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("frequencies",), quiet)
    assert not list((tmp_path / "out" / "downloads").glob("*.bgz"))
    served.cuts = []
    paths = fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("frequencies",), quiet)
    with pysam.VariantFile(str(paths["frequencies"])) as file:
        assert sum(record.chrom == "chr1" for record in file) == 60


def test_what_is_finished_is_not_fetched_again_until_it_is_deleted(provider, tmp_path):
    served = provider.files["/clinvar.vcf.gz"]
    for _ in range(2):
        paths = fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet)
    assert len(served.asked) == 1
    paths["clinvar"].unlink()
    fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet)
    assert len(served.asked) == 2


def test_files_put_by_hand_are_used_without_the_internet_and_stay(provider, tmp_path):
    downloads = tmp_path / "out" / "downloads"
    downloads.mkdir(parents=True)
    for name in ("clinvar.vcf.gz", "clinvar.vcf.gz.md5"):
        (downloads / name).write_bytes(provider.files.pop(f"/{name}").body)
    paths = fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet)
    assert read(paths["clinvar"], "CLNSIG") == MEANT
    assert sorted(path.name for path in downloads.iterdir()) == [
        "clinvar.vcf.gz",
        "clinvar.vcf.gz.md5",
    ]
    record = json.loads((tmp_path / "out" / "references.json").read_text())
    assert record["clinvar.GRCh38.vcf.gz"]["files"][0]["put_there_by_hand"]


def test_a_file_put_by_hand_after_a_broken_download_is_used_and_stays(provider, tmp_path):
    served = provider.files["/clinvar.vcf.gz"]
    served.cuts = [50, 0, 0, 0]
    with pytest.raises(DataError, match="put it at") as caught:
        fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet)
    mine = tmp_path / "out" / "downloads" / "clinvar.vcf.gz"
    assert str(mine) in caught.value.remedy
    mine.write_bytes(served.body)
    fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet)
    assert [path.name for path in mine.parent.iterdir()] == ["clinvar.vcf.gz"]
    assert len(served.asked) == 4


def test_a_file_put_by_hand_with_another_checksum_is_refused_and_stays(provider, tmp_path):
    (tmp_path / "out" / "downloads").mkdir(parents=True)
    mine = tmp_path / "out" / "downloads" / "clinvar.vcf.gz"
    mine.write_bytes(b"an old one")
    with pytest.raises(DataError, match=r"its md5 is .* was expected"):
        fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet)
    assert mine.read_bytes() == b"an old one"


def test_a_kept_download_of_another_build_with_the_same_name_is_not_used(provider, tmp_path):
    fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet, keep=True)
    provider.files["/37/clinvar.vcf.gz"] = Served(vcf(["1 130 A G CLNSIG=of_the_other_build"]))
    other = {"clinvar": {"url": f"{provider.url}/37/clinvar.vcf.gz", "licence": "public domain"}}
    provider.sources.write_text(yaml.safe_dump({"GRCh37": other}))
    paths = fetch_references(tmp_path / "out", "GRCh37", provider.sources, (), quiet)
    assert read(paths["clinvar"], "CLNSIG") == ["of_the_other_build"]
    record = json.loads((tmp_path / "out" / "references.json").read_text())
    assert list(record) == ["clinvar.GRCh37.vcf.gz", "clinvar.GRCh38.vcf.gz"]


def test_a_kept_download_is_fetched_again_when_the_provider_renews_it(provider, tmp_path):
    first = fetch_references(
        tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet, keep=True
    )
    first["clinvar"].unlink()
    renewed = gzip.compress(vcf(["1 130 A G CLNSIG=renewed"]))
    provider.files["/clinvar.vcf.gz"].body = renewed
    digest = hashlib.md5(renewed, usedforsecurity=False).hexdigest()
    provider.files["/clinvar.vcf.gz.md5"].body = f"{digest}  clinvar.vcf.gz\n".encode()
    paths = fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("clinvar",), quiet)
    assert read(paths["clinvar"], "CLNSIG") == ["renewed"]


def test_a_checksum_file_that_lacks_the_name_is_refused(provider, tmp_path):
    provider.files["/hg38/md5sum.txt"].body = (
        b"0" * 32 + b"  chr8.fa.gz\n" + b"1" * 32 + b"  chr9.fa.gz\n"
    )
    with pytest.raises(DataError, match=r"it has no checksum of chr1.fa.gz"):
        fetch_references(tmp_path / "out", "GRCh38", provider.sources, ("fasta",), quiet)


# The sources file


def test_the_shipped_sources_name_every_file_of_both_builds_once():
    for build in BUILDS:
        assert tuple(read_sources(SHIPPED, build)) == ("fasta", "clinvar", "frequencies")
        chosen = read_sources(SHIPPED, build, accepted=("alphamissense", "revel"))
        assert tuple(chosen) == KINDS
        assert all(
            source.url.startswith("https://") and source.licence for source in chosen.values()
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "GRCh38: {clinvar: {url: 'http://x/y', licence: x, shasum: x}}",
            "GRCh38.clinvar, key shasum: this key is not",
        ),
        (
            "GRCh38: {clinvr: {url: 'http://x/y', licence: x}}",
            "the key clinvr is not known. Did you mean 'clinvar'",
        ),
        ("hg38: {}", "the key hg38 is not known"),
        ("GRCh38: {clinvar: {url: 'http://x/y'}}", "key licence: this key is missing"),
        ("GRCh38: {clinvar: {url: 'ftp://x/y', licence: x}}", "this is not an address of a file"),
        ("GRCh38: {clinvar: {url: 'http://x/', licence: x}}", "this is not an address of a file"),
        ("GRCh38: {clinvar: {url: 'http://x/y', md5: abc, licence: x}}", "key md5"),
        (
            "GRCh38: {fasta: {url: 'http://x/{chrom}', md5: " + "a" * 32 + ", licence: x}}",
            "md5 is that of one file",
        ),
        ("GRCh38: {fasta: {url: 'http://x/{chrom}/y', licence: x}}", "two files are called y"),
        ("GRCh38: {fasta: {url: 'http://x/y', licence: x}}", "it has no entry clinvar"),
        ("GRCh38: [", "this is not YAML"),
        ("- x", "here should be keys"),
    ],
)
def test_a_mistake_in_the_sources_file_is_named(tmp_path, text, message):
    (tmp_path / "sources.yaml").write_text(text)
    only = ("clinvar",) if "no entry" in message else ()
    with pytest.raises(RequestError, match=message):
        read_sources(tmp_path / "sources.yaml", "GRCh38", only)


def test_an_unknown_build_kind_or_file_is_refused(tmp_path):
    with pytest.raises(RequestError, match="is not a known build"):
        read_sources(SHIPPED, "GRCh39")
    with pytest.raises(
        RequestError, match=r"--only fast: this is not a reference file. Did you mean 'fasta'"
    ):
        read_sources(SHIPPED, "GRCh38", ("fast",))
    with pytest.raises(RequestError, match="there is no such sources file"):
        read_sources(tmp_path / "absent.yaml", "GRCh38")


def test_checksums_exclude_each_other_and_an_indexed_read():
    for more in ({"sha256": "0" * 64}, {"indexed": True}):
        with pytest.raises(ValueError, match=r"give one of|read in part"):
            Source(url="http://x/y", licence="", md5="0" * 32, **more)


@pytest.mark.parametrize("build", BUILDS)
def test_the_kept_bases_hold_the_padded_panel_and_lie_on_the_chromosomes(build):
    lengths = shipped().table("contigs").set_index("chrom")[build.lower()].astype(int)
    kept = fasta_regions(shipped(), build)
    assert all(1 <= start <= end <= lengths[chrom] for chrom, start, end in kept)
    for chrom, start, end in panel_regions(shipped(), build):
        assert any(c == chrom and s <= start and end <= e for c, s, e in kept)
    assert {chrom for chrom, _, _ in kept} == set(genes(shipped(), build)["chrom"])
