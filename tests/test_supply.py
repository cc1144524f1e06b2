"""The bill of materials, the audit and the notices are of what is really there."""

import json
import tomllib
import zipfile
from pathlib import Path

import mlflow
import pysam
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import als_ml
from tools import audit
from tools.sbom import LOCK, bill, pins

ROOT = Path(__file__).resolve().parents[1]
TEXT = LOCK.read_text(encoding="utf-8")


def test_the_bill_names_every_package_of_the_lock():
    named = json.loads(bill(als_ml.__version__, TEXT))["components"]
    lines = TEXT.splitlines()
    pinned = [line for line in lines if "==" in line and not line.startswith((" ", "#"))]
    assert len(named) == len(pinned) > 100
    assert all(part["properties"] for part in named)
    assert sum(len(part["properties"]) for part in named) == TEXT.count("--hash=sha256:")
    assert {"mlflow", "pysam", "cryptography"} <= {part["name"] for part in named}


def test_the_bill_is_the_same_for_the_same_lock():
    assert bill("1", TEXT) == bill("1", TEXT)


def advisory(name="mlflow", ecosystem="PyPI", events=(), versions=(), **more):
    part = {"package": {"name": name, "ecosystem": ecosystem}, "versions": list(versions)}
    part["ranges"] = [{"type": "ECOSYSTEM", "events": [dict([event]) for event in events]}]
    return {"id": "X-1", "affected": [part], **more}


VERSION = {pin.name: pin.version for pin in pins(TEXT)}["mlflow"]
OLD, NEW = ("introduced", "0"), ("fixed", "99")


@pytest.mark.parametrize(
    ("given", "hit"),
    [
        (advisory(events=[OLD, NEW]), True),
        (advisory(events=[OLD]), True),
        (advisory(events=[OLD, ("fixed", VERSION)]), False),
        (advisory(events=[OLD, ("last_affected", VERSION)]), True),
        (advisory(events=[OLD, ("last_affected", "1.0")]), False),
        (advisory(events=[("introduced", "99")]), False),
        (advisory(events=[OLD, ("fixed", "1"), ("introduced", VERSION)]), True),
        (advisory(versions=[VERSION]), True),
        (advisory(versions=["0.1"]), False),
        (advisory(name="ML_Flow".lower().replace("_", ""), events=[OLD]), True),
        (advisory(name="other", events=[OLD]), False),
        (advisory(ecosystem="npm", events=[OLD]), False),
        (advisory(events=[OLD], withdrawn="2026-01-01"), False),
    ],
)
def test_an_advisory_counts_where_it_names_the_version(given, hit):
    read, _, hits = audit.audited(TEXT, iter([given]))
    assert read == 1
    assert [found.name for found in hits] == (["mlflow"] if hit else [])


@pytest.mark.parametrize("packed", [False, True])
def test_the_audit_of_a_database_by_file(packed, tmp_path, capsys):
    harmless, hit = advisory(name="other"), advisory(events=[OLD, NEW])
    path = tmp_path / ("db.zip" if packed else "db")
    for found, status in (([harmless], 0), ([harmless, hit], 1), ([], 2)):
        texts = {f"{i}.json": json.dumps(one) for i, one in enumerate(found)}
        if packed:
            with zipfile.ZipFile(path, "w") as file:
                for name, text in texts.items():
                    file.writestr(name, text)
        else:
            path.mkdir(exist_ok=True)
            for old in path.glob("*.json"):
                old.unlink()
            for name, text in texts.items():
                (path / name).write_text(text)
        assert audit.main([str(path)]) == status
    told = capsys.readouterr().out
    assert f"mlflow {VERSION}: X-1, fixed in 99" in told
    assert audit.main([""]) == 2


def test_what_is_bundled_is_named():
    notice = (ROOT / "NOTICE").read_text()
    for name in ("proteins.tsv", "coding_sequences.tsv", "constraint.tsv", "DataTables", "Plotly"):
        assert name in notice
    assert "CC BY 4.0" in notice
    assert "patient's data" in (ROOT / "SECURITY.md").read_text()


# docs/security.md names the advisories behind each.
FLOORS = {"htslib": "1.23.1", "mlflow": "3.11.0"}


def test_what_is_installed_is_above_the_floors():
    """And so is the least that the package allows."""
    installed = {"htslib": pysam.version.__htslib_version__, "mlflow": mlflow.__version__}
    for name, floor in FLOORS.items():
        assert Version(installed[name]) >= Version(floor), name
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    least = {
        word.name: min(Version(part.version) for part in word.specifier if part.operator == ">=")
        for word in map(Requirement, wanted)
        if word.name in ("mlflow", "pysam")
    }
    assert least["mlflow"] >= Version(FLOORS["mlflow"])
    assert least["pysam"] >= Version("0.24")  # the first with an htslib above the floor here
    told = (ROOT / "docs/security.md").read_text()
    assert all(f"| {floor} |" in told for floor in FLOORS.values())
