"""Whatever command writes a file: on a full disk it says so, and what was there is as it was.

Each option that names an output is tried; a new one without a case here fails. The limit falls in
the middle of the largest file, and before its last byte; where a command writes several, so it does
for each of them, and all are as they were.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from als_ml.__main__ import COMMANDS
from als_ml.prediction.example import EXAMPLE
from tests.conftest import ROOT

PROGRESSION = "models:/als-progression@champion"
# Options that name what is written.
WRITTEN = {"--output", "--issues", "--explanations", "--carriers", "--phenopackets", "--table"}
# Of these, what is not tried here, and why.
ELSEWHERE = {
    ("references", "--output"): "it fetches; each file by `whole_file` (tests/als_ml/references)",
    ("import-proact", "--output"): "by `whole_folder`, as --phenopackets is",
    ("import-phenopackets", "--output"): "by `whole_folder`, as --phenopackets is",
    ("import-amp-als", "--output"): "by `whole_folder`, as --phenopackets is",
    ("trial", "--output"): "by `whole_folder`, as --phenopackets is",
    ("import-omop", "--output"): "by `whole_folder`, as --phenopackets is",
}


def cases(demo: Path, place: Path) -> list[tuple[list[str], list[str]]]:
    """Words of a command, and the options of it that name what it writes."""

    def out(name: str) -> str:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        return str(place / name)

    cohort, sites = ["--cohort", f"{demo}/cohort.yaml"], f"{demo}/variants.vcf.gz"
    model, variants = ["--model", PROGRESSION], ["variants", "--vcf", sites, "--genome-build"]
    packets, record = out("packets/all"), Path(out("record/x.json"))
    record.write_text(json.dumps(EXAMPLE))
    rows = out("rows/features.parquet")
    return [
        (["check", *cohort], {"--issues": out("issues/x.csv")}),
        (["features", *cohort, *model], {"--output": rows}),
        (
            ["features", *cohort, *model, "--labels", "configs/progression.yaml"],
            {"--output": out("features/x.csv")},
        ),
        (["init", f"{demo}/patients.csv", f"{demo}/alsfrs.csv"], {"--output": out("init/new")}),
        ([*variants, "GRCh38"], {"--output": out("v/x.csv"), "--carriers": out("c/x.csv")}),
        (
            [*variants, "GRCh38"],
            {"--output": out("vp/x.parquet"), "--carriers": out("vp/c.parquet")},
        ),
        ([*variants, "GRCh38"], {"--output": out("vcf/x.vcf.gz")}),
        (["extract", *cohort, *model], {"--extracts": out("extracts/all")}),
        (
            ["predict.py", *cohort, *model],
            {"--output": out("p/x.csv"), "--explanations": out("p/e.csv")},
        ),
        (["predict.py", *model, "--features", rows], {"--output": out("pf/x.parquet")}),
        (
            ["report", *cohort, *model, "--pseudonymise"],
            {"--output": out("r/x.html"), "--phenopackets": packets, "--table": out("t/x.csv")},
        ),
        (["report", *model, "--patient", str(record)], {"--output": out("one/x.html")}),
        (["compare", PROGRESSION, PROGRESSION, *cohort], {"--output": out("compare/x.csv")}),
        (["monitor", *cohort, *model], {"--output": out("monitor/x.csv")}),
        (["lock", *model], {"--output": out("lock/x.json")}),
        (["simulate", "--patients", "20"], {"--output": out("simulated/all")}),
    ]


@pytest.fixture(scope="module")
def tried(store, demo, tmp_path_factory):
    place = tmp_path_factory.mktemp("full")
    asked = [
        ([*words, *(part for pair in options.items() for part in pair)], list(options.values()))
        for words, options in cases(demo, place)
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.full_disk", json.dumps(asked)],
        cwd=ROOT,
        env=os.environ | {"MLFLOW_TRACKING_URI": store["MLFLOW_TRACKING_URI"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_full_disk_leaves_what_was_there(tried, demo, tmp_path):
    assert {command for command, *_ in tried} == {words[0] for words, _ in cases(demo, tmp_path)}
    for command, limit, status, said, changed in tried:
        assert status in (1, 2), (command, limit, said)
        assert "Traceback" not in said
        assert changed == [], (command, limit, said)


def test_every_option_that_names_an_output_is_tried(tmp_path):
    known = {
        (words[0].removesuffix(".py"), name)
        for words, named in cases(tmp_path, tmp_path)
        for name in named
    }
    asked = set()
    for name, command in COMMANDS.items():
        parser = argparse.ArgumentParser()
        command.add_options(parser)
        asked |= {(name, word) for action in parser._actions for word in action.option_strings}
    written = {pair for pair in asked if pair[1] in WRITTEN}
    assert written - known - set(ELSEWHERE) == set()
