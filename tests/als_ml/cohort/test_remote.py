"""Genomes behind URLs, from an S3 server on this machine (moto): the same bits as from files."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main
from als_ml.cohort.digests import genomes_digest, times_digest
from features.genotypes import extraction
from features.genotypes.bcftools import stop_workers
from tests.features.genotypes.test_extraction import SAMPLES, records
from tests.tls import certificates, files_behind_https
from tests.vcf_files import write_vcf

BUCKET = "genomes"
URL = f"s3+http://{BUCKET}"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """A client of a server that holds one file a patient, with its index."""
    boto3 = pytest.importorskip("boto3", reason="als-ml[remote] is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    folder = tmp_path_factory.mktemp("bucket")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("HTS_S3_HOST", f"{host}:{port}")
        patch.setenv("HTS_S3_ADDRESS_STYLE", "path")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        stop_workers()  # a new one knows the server
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
        client.create_bucket(Bucket=BUCKET)
        for name in SAMPLES:
            path = write_vcf(folder / f"{name}.vcf.gz", [name], records([name]))
            for file in (path, Path(f"{path}.tbi")):
                client.upload_file(str(file), BUCKET, file.name)
        yield client
        stop_workers()
        running.stop()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A cohort of files, and one of URLs."""
    for name in SAMPLES:
        write_vcf(tmp_path / f"{name}.vcf.gz", [name], records([name]))
    pd.DataFrame({"sample_id": SAMPLES}).to_csv(tmp_path / "patients.csv", index=False)
    described(tmp_path, "here.yaml", "*.vcf.gz")
    described(tmp_path, "there.yaml", *(f"{URL}/{name}.vcf.gz" for name in SAMPLES))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return tmp_path


def described(folder: Path, name: str, *variants: str) -> None:
    (folder / name).write_text(
        yaml.safe_dump({"patients": "patients.csv", "variants": list(variants)})
    )


def written(folder: Path, name: str, *more: str) -> int:
    words = ["features", "--cohort", str(folder / f"{name}.yaml"), "--quiet"]
    return main([*words, "--output", str(folder / f"{name}.csv"), *more])


@pytest.mark.parametrize("pattern", [None, f"{URL}/*.vcf.gz", f"{URL}/p[0-5].vcf.gz"])
def test_urls_give_the_bits_of_files_and_leave_no_index_behind(bucket, folder, pattern):
    if pattern:
        described(folder, "there.yaml", pattern)
    assert written(folder, "here") == 0
    assert written(folder, "there", "--allow-remote") == 0
    assert (folder / "here.csv").read_bytes() == (folder / "there.csv").read_bytes()
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.vcf.gz", "s3://b/a.vcf.gz", "gs://b/*.vcf.gz", f"{URL}/p0.vcf.gz"],
)
def test_a_cohort_file_alone_may_name_no_url(folder, capsys, url):
    described(folder, "there.yaml", url)
    assert written(folder, "there") == 2
    said = capsys.readouterr().err
    assert f"{url} is not on this machine. Allow it with --allow-remote" in said


def test_what_was_read_is_kept_until_the_remote_file_changes(bucket, folder, monkeypatch):
    monkeypatch.setattr(extraction, "BATCH", 1)
    kept = ("--allow-remote", "--extracts", str(folder / "kept"))
    assert written(folder, "there", *kept) == 0
    first = (folder / "there.csv").read_bytes()
    own, read = extraction.extract, []

    def noting(paths, *more):
        read.extend(path.name for path in paths)
        return own(paths, *more)

    monkeypatch.setattr(extraction, "extract", noting)
    assert written(folder, "there", *kept) == 0
    assert read == []
    other = write_vcf(folder / "other.vcf.gz", ["p1"], records(["p1"])[:3])
    path = Path(f"{URL}/p1.vcf.gz")
    before = [genomes_digest([path]), times_digest([path])]
    for name in ("p1.vcf.gz", "p1.vcf.gz.tbi"):
        shutil.copy(folder / name, folder / f"old-{name}")
        new = str(other) + name.removeprefix("p1.vcf.gz")
        bucket.upload_file(new, BUCKET, name)
    assert genomes_digest([path]) != before[0]
    assert times_digest([path]) != before[1]
    assert written(folder, "there", *kept) == 0
    assert read == ["p1.vcf.gz"]
    assert (folder / "there.csv").read_bytes() != first
    for name in ("p1.vcf.gz", "p1.vcf.gz.tbi"):
        bucket.upload_file(str(folder / f"old-{name}"), BUCKET, name)


def test_what_is_wrong_with_remote_files_is_named_by_url(bucket, folder, capsys):
    path = write_vcf(folder / "bare.vcf.gz", ["p0"], records(["p0"]))
    bucket.upload_file(str(path), BUCKET, "bare.vcf.gz")
    wrong = write_vcf(folder / "wrong.vcf.gz", ["p1"], records(["p1"]), build="GRCh37")
    for file in (wrong, Path(f"{wrong}.tbi")):
        bucket.upload_file(str(file), BUCKET, file.name)
    names = ("absent", "bare", "wrong", "p2")
    described(folder, "there.yaml", *(f"{URL}/{name}.vcf.gz" for name in names))
    assert written(folder, "there", "--allow-remote") == 1
    said = capsys.readouterr().err
    assert "3 of 4 files cannot be used" in said
    for name in names[:3]:
        assert f"{URL}/{name}.vcf.gz: " in said
    assert "as in GRCh37" in said
    assert "testing" not in said  # the key
    assert list(Path.cwd().iterdir()) == []
    described(folder, "there.yaml", f"{URL}/*.bcf")
    assert written(folder, "there", "--allow-remote") == 1
    assert "matches no file" in capsys.readouterr().err


def test_a_store_that_does_not_answer_is_told(folder, capsys, monkeypatch):
    monkeypatch.setenv("HTS_S3_HOST", "127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    described(folder, "there.yaml", f"{URL}/*.vcf.gz")
    assert written(folder, "there", "--allow-remote") == 1
    assert f"{URL}/*.vcf.gz: the store does not answer" in capsys.readouterr().err


@pytest.mark.slow
def test_workers_of_a_cluster_read_urls(bucket, folder, monkeypatch):
    monkeypatch.setattr(extraction, "BATCH", 1)
    assert written(folder, "here") == 0
    assert written(folder, "there", "--allow-remote", "--cluster", "local:2") == 0
    assert (folder / "here.csv").read_bytes() == (folder / "there.csv").read_bytes()
    assert list(Path.cwd().iterdir()) == []
    assert os.environ["HTS_S3_ADDRESS_STYLE"] == "path"


@pytest.fixture(scope="module")
def behind_https(tmp_path_factory):
    """A server on this machine with a certificate of a site's own authority."""
    pytest.importorskip("aiohttp", reason="als-ml[remote] is not installed")
    folder, keys = tmp_path_factory.mktemp("https"), tmp_path_factory.mktemp("keys")
    for name in SAMPLES:
        write_vcf(folder / f"{name}.vcf.gz", [name], records([name]))
    files = certificates(keys)
    with pytest.MonkeyPatch.context() as patch, files_behind_https(folder, files) as server:
        # By these libcurl and OpenSSL know the authority.
        for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.setenv(name, files["authority.pem"])
        stop_workers()
        yield server
        stop_workers()


def address(server) -> str:
    return f"https://127.0.0.1:{server.server_address[1]}"


@pytest.mark.slow
def test_files_behind_https_give_the_bits_of_files(behind_https, folder):
    own = (f"{address(behind_https)}/{name}.vcf.gz" for name in SAMPLES)
    described(folder, "there.yaml", *own)
    assert written(folder, "here") == 0
    assert written(folder, "there", "--allow-remote") == 0
    assert (folder / "here.csv").read_bytes() == (folder / "there.csv").read_bytes()
    assert list(Path.cwd().iterdir()) == []


def test_a_server_that_is_not_trusted_or_lacks_the_file_is_told(behind_https, folder, capsys):
    described(folder, "there.yaml", f"{address(behind_https)}/absent.vcf.gz")
    assert written(folder, "there", "--allow-remote") == 1
    assert f"{address(behind_https)}/absent.vcf.gz" in capsys.readouterr().err
    described(folder, "there.yaml", f"{address(behind_https)}/p0.vcf.gz")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CURL_CA_BUNDLE")
        stop_workers()
        assert written(folder, "there", "--allow-remote") == 1
    assert f"{address(behind_https)}/p0.vcf.gz: bcftools cannot read it" in capsys.readouterr().err
    stop_workers()


def table_of(vcf: object, folder: Path, name: str) -> bytes:
    options = ["--genome-build", "GRCh38", "--output", str(folder / name), "--quiet"]
    carriers = ["--carriers", str(folder / f"carriers-{name}")]
    assert main(["variants", "--vcf", str(vcf), *options, *carriers]) == 0
    return (folder / name).read_bytes() + (folder / f"carriers-{name}").read_bytes()


def test_variants_of_a_url_are_those_of_the_file(behind_https, bucket, folder):
    local = table_of(folder / "p1.vcf.gz", folder, "here.csv")
    assert local == table_of(f"{address(behind_https)}/p1.vcf.gz", folder, "https.csv")
    assert local == table_of(f"{URL}/p1.vcf.gz", folder, "s3.csv")
    assert list(Path.cwd().iterdir()) == []


def test_what_is_wrong_with_a_url_of_variants_names_the_url(behind_https, folder, capsys):
    url = f"{address(behind_https)}/p1.vcf.gz"
    options = ["--genome-build", "GRCh37", "--output", str(folder / "v.csv")]
    assert main(["variants", "--vcf", url, *options]) == 1
    said = capsys.readouterr().err
    assert f"{url}: contig" in said
    assert "panel.bcf" not in said
    options = ["--genome-build", "GRCh38", "--output", str(folder / "v.csv")]
    assert main(["variants", "--vcf", url, *options]) == 0
    said = capsys.readouterr().err
    assert url in said
    assert "panel.bcf" not in said
    assert "no index" not in said
