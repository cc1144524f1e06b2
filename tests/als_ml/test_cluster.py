"""The same answers from the workers of a cluster, and what becomes of work that meets a fault."""

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from als_ml import cluster
from als_ml.__main__ import main
from als_ml.cluster import attempt, is_on_cluster, map_parts, on_cluster
from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from als_ml.training.folds import cross_validate, leave_one_site_out, probabilities_for
from als_ml.training.task_data import prepared
from features.errors import DataError
from features.genotypes import extraction
from features.genotypes.extraction import gather
from features.genotypes.gathered import Gathered
from features.genotypes.genotype import Genotypes
from features.tables.problems import Problems
from tests.conftest import ROOT
from tests.features.genotypes.test_extraction import PANEL, SAMPLES, digest, read, records
from tests.vcf_files import write_vcf


def read_on_cluster(paths: list[Path]) -> Genotypes:
    patients = {name: i for i, name in enumerate(SAMPLES)}
    gathered = Gathered(PANEL.definitions, len(patients))
    gather(PANEL, paths, patients, gathered, Problems(), map_parts=map_parts())
    return gathered.genotypes()


def cohort_of(folder: Path, paths: list[str]) -> Path:
    pd.DataFrame({"sample_id": SAMPLES}).to_csv(folder / "patients.csv", index=False)
    described = {"patients": "patients.csv", "variants": paths}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(described))
    return folder / "cohort.yaml"


@pytest.fixture
def one_a_patient(tmp_path) -> Path:
    """A cohort with one file a patient; some genotypes are missing."""
    for name in SAMPLES:
        write_vcf(tmp_path / f"{name}.vcf.gz", [name], records([name]))
    return cohort_of(tmp_path, ["*.vcf.gz"])


# What is asked


@pytest.mark.parametrize(
    "where", ["", "local:", "local:0", "local:-1", "locale", "remote", "http://a:1", "slurm", "tcp"]
)
def test_what_is_not_a_cluster_is_refused(where, capsys):
    assert main(["features", "--cohort", "x", "--output", "y.csv", f"--cluster={where}"]) == 2
    assert "this is not a cluster. Give local, local:4, " in capsys.readouterr().err


def test_a_configuration_names_a_cluster_as_the_option_does(capsys):
    words = ["train", "--config", str(ROOT / "configs/quick.yaml"), "--set", "cluster.where=x"]
    assert main(words) == 2
    assert "--cluster x: this is not a cluster" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_told(capsys, monkeypatch):
    monkeypatch.setattr("als_ml.cluster.ANSWER", 1)
    words = ["check", "--cohort", "x", "--cluster", "tcp://127.0.0.1:9"]
    assert main(words) == 2
    assert "--cluster tcp://127.0.0.1:9: no scheduler answers" in capsys.readouterr().err


def test_a_scheduler_with_tls_needs_keys(capsys):
    assert main(["check", "--cohort", "x", "--cluster", "tls://127.0.0.1:9"]) == 2
    said = capsys.readouterr().err
    assert "--cluster tls://127.0.0.1:9: there are no keys for TLS. Name them in " in said


@pytest.mark.slow
def test_without_a_cluster_nothing_of_dask_is_imported(one_a_patient, tmp_path):
    code = """
import sys
import threading
import urllib.error
import urllib.request
from contextlib import nullcontext
from als_ml import cluster
from als_ml.__main__ import main
assert main(["features", "--cohort", sys.argv[1], "--output", sys.argv[2], "--quiet"]) == 0
print(sorted({name.split(".")[0] for name in sys.modules} & {"dask", "distributed", "tornado"}))
"""
    words = [sys.executable, "-c", code, str(one_a_patient), str(tmp_path / "f.csv")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_without_dask_a_cluster_is_refused_with_the_remedy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["check", "--cohort", "x", "--cluster", "local:2"]) == 2
    assert "Dask is not installed here. Install it: pip install 'als-ml[cluster]'" in (
        capsys.readouterr().err
    )


# A part in a worker


class Flaky:
    """Fails the first few times."""

    def __init__(self, error: Exception, times: int):
        self.error, self.left, self.calls = error, times, 0

    def __call__(self, shared: int, part: int) -> int:
        self.calls += 1
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return shared + part


BROKEN = DataError("a.vcf", "broken", "Mend it.")


@pytest.mark.parametrize(
    ("error", "times", "calls", "value"),
    [
        (OSError("disk"), 0, 1, 5),
        (OSError("disk"), 3, 4, 5),
        (OSError("disk"), 4, 4, None),
        (BROKEN, 1, 1, None),
        (ValueError("x"), 1, 1, None),
    ],
)
def test_an_error_of_the_disk_is_tried_again_one_of_the_data_is_not(error, times, calls, value):
    function = Flaky(error, times)
    outcome = attempt(function, 2, 3)
    assert function.calls == calls
    if value is None:
        assert outcome.error is error
        assert outcome.packed == b""
    else:
        assert outcome.error is None
        assert outcome.value() == value


def test_an_error_that_cannot_travel_is_told_by_its_kind():
    outcome = attempt(Flaky(ValueError(threading.Lock()), 1), 2, 3)
    assert isinstance(outcome.error, RuntimeError)
    assert str(outcome.error) == "ValueError in a worker"


def test_what_travels_of_twenty_thousand_patients_is_packed():
    numbers = np.arange(0, 20_000, 3, dtype=np.int32)
    outcome = attempt(lambda shared, part: (shared, part), numbers, None)
    assert np.array_equal(outcome.value()[0], numbers)
    assert len(outcome.packed) < numbers.nbytes / 2


# The same answers


@pytest.mark.slow
def test_variants_and_check_on_two_workers_say_the_same(one_a_patient, tmp_path, capsys):
    path = write_vcf(tmp_path / "whole.vcf.gz", SAMPLES, records())
    written, said = [], []
    for where in ([], ["--cluster", "local:2"]):
        outputs = [str(tmp_path / f"{name}{len(where)}.csv") for name in ("v", "c")]
        words = ["--vcf", str(path), "--genome-build", "GRCh38", "--quiet"]
        words += ["--output", outputs[0], "--carriers", outputs[1]]
        assert main(["variants", *words, *where]) == 0
        written.append([Path(output).read_bytes() for output in outputs])
        capsys.readouterr()
        assert main(["check", "--cohort", str(one_a_patient), "--json", *where]) == 0
        said.append(capsys.readouterr().out)
    assert written[0] == written[1]
    assert said[0] == said[1]


@pytest.mark.slow
def test_features_on_two_workers_are_the_same_to_the_last_bit(one_a_patient, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "BATCH", 1)
    outputs = [tmp_path / "here.parquet", tmp_path / "there.parquet"]
    words = ["features", "--cohort", str(one_a_patient), "--quiet", "--output"]
    assert main([*words, str(outputs[0])]) == 0
    assert main([*words, str(outputs[1]), "--cluster", "local:2"]) == 0
    assert not is_on_cluster()
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


@pytest.mark.slow
def test_files_of_every_form_give_one_digest_on_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "MANY_SAMPLES", 2)
    whole = write_vcf(tmp_path / "one.vcf.gz", SAMPLES, records())
    each = [write_vcf(tmp_path / f"{name}.vcf.gz", [name], records([name])) for name in SAMPLES]
    here = digest(read([whole]))
    with on_cluster("local:2"):
        assert is_on_cluster()
        for paths in ([whole], each, each[::-1]):
            assert digest(read_on_cluster(paths)) == here


@pytest.mark.slow
def test_folds_sites_and_refits_on_two_workers_are_the_same_to_the_last_bit(demo):
    config = load_config(ROOT / "configs/quick.yaml", [f"cohort={demo}/cohort.yaml"])
    data = prepared(config, open_cohort(demo / "cohort.yaml"))
    other = np.where(np.arange(len(data.y)) % 7 == 0, 1 - data.y, data.y)

    def results() -> list[np.ndarray]:
        told: list[tuple[str, int, int]] = []
        whole = cross_validate(data, config, lambda *what: told.append(what))
        assert told[-1] == ("cross-validation", 3, 3)
        sites = leave_one_site_out(data, config)
        found = [*whole.probability.values(), *whole.predicted.values(), whole.covered]
        found += [fold.importance for fold in [*whole.folds, *sites.values()]]
        return [*found, probabilities_for(data, config, other)]

    assert not is_on_cluster()
    here = results()
    with on_cluster("local:2"):
        there = results()
    assert len(here) == len(there) > 10
    for one, two in zip(here, there, strict=True):
        assert np.array_equal(one, two, equal_nan=True)


# What travels, and what is left behind


def named(shared: str, part: str) -> str:
    """Raises an error that names a patient, as no part of ours does."""
    if part == "bad":
        raise ValueError(f"{shared} carries it")
    return shared


def listening(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition("://")[2].partition(":")
    return host, int(port)


@pytest.mark.slow
def test_no_name_of_a_patient_is_in_a_spill_folder_or_a_log(capfd, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    secret, arrived = "PATIENT-4711", []
    with on_cluster("local:2"):
        client = map_parts().client
        parts = map_parts()(named, secret, ["good", "bad"], lambda *of: arrived.append(of), None)
        with pytest.raises(ValueError, match="PATIENT-4711 carries it"):
            list(parts)
        [folder] = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        logs = repr([client.get_worker_logs(), client.get_scheduler_logs()])
        assert [part for part, _ in arrived] == ["good"]
    assert secret.encode() not in written
    assert secret not in logs
    assert secret not in "".join(capfd.readouterr())
    # The folder goes with the cluster.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_local_workers_take_no_stranger_and_serve_no_page():
    from distributed import Client
    from distributed.security import Security

    with on_cluster("local:1"):
        client = map_parts().client
        scheduler = client.scheduler.address
        workers = list(client.scheduler_info()["workers"])
        assert all(address.startswith("tls://127.0.0.1:") for address in [scheduler, *workers])
        host, port = listening(scheduler)
        with pytest.raises(OSError, match=r".*"):
            Client(f"tcp://{host}:{port}", timeout=2)
        with pytest.raises(OSError, match=r".*"):
            Client(scheduler, timeout=2, security=Security.temporary())
        services = client.scheduler_info()["services"]
        for path in ("", "info/main/workers.html", "json/identity.json", "metrics", "status"):
            url = f"http://127.0.0.1:{services['dashboard']}/{path}"
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(url, timeout=60)


class Fetched:
    """A future whose result went with its worker, and comes again or not."""

    def __init__(self, then: str, error: Exception | None = None):
        self.status, self.then, self.error = "lost", then, error

    def result(self, timeout):
        if self.error is not None:
            raise self.error
        return cluster.Outcome(error=None) if timeout else None


@pytest.mark.parametrize(("then", "lost"), [("finished", False), ("lost", True)])
def test_a_result_that_went_with_its_worker_is_waited_for(monkeypatch, then, lost):
    pytest.importorskip("distributed")
    monkeypatch.setattr(
        "distributed.wait", lambda futures, timeout: setattr(futures[0], "status", futures[0].then)
    )
    with pytest.raises(DataError, match="the cluster is gone") if lost else nullcontext():
        assert cluster._outcome(Fetched(then)).error is None


def test_workers_that_die_while_a_result_is_fetched_are_told(monkeypatch):
    killed = pytest.importorskip("distributed.scheduler").KilledWorker("a", None, 4)
    monkeypatch.setattr("distributed.wait", lambda futures, timeout: None)
    future = Fetched("finished", killed)
    future.status = "finished"
    assert "died each of the 4 times" in str(cluster._outcome(future).error)
