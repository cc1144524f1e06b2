"""Drift: quiet on a model's own cohort and on others of its source, loud on what has moved.

No small cell is stored.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import CohortFile, CohortSource, open_cohort
from als_ml.lifecycle.monitoring import chance_limit, drift_table, stability_index
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.training_aggregates import (
    in_cells,
    missing_shares,
    training_aggregates,
    training_shares,
)
from benchmarks.drift import CONFIGS, SIZES, false_alarms, finds, flagged, monitored
from features.blocks.rows import FeatureSpec
from features.catalogue import shipped
from features.tables.problems import Problems
from features.variants.lookups import NO_LOOKUPS


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """One simulated source of 1,500 patients, read once."""
    from als_ml.simulate import simulate

    folder = tmp_path_factory.mktemp("source") / "cohort"
    simulate(folder, patients=1500, seed=4)
    source = open_cohort(folder / "cohort.yaml")
    return read_cohort(source, plain_reading()), source.described


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_model_sees_no_drift_in_its_own_cohort(config, cohort, demo):
    described = open_cohort(demo / "cohort.yaml").described
    model = monitored(config, cohort, described, len(cohort))
    own = flagged(model, model.own)
    assert len(own) > 50  # configs without genomes have fewer than 100
    assert [name for name, is_flagged in own.items() if is_flagged] == []


@pytest.mark.slow
@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_monitoring_is_quiet_on_its_source_and_finds_what_is_planted(config, sources):
    model = monitored(config, *sources, 700)
    rng = np.random.default_rng(1)
    for size in SIZES:
        _, cohorts = false_alarms(model, size, 100, rng)
        assert cohorts < 0.03 + 2 * np.sqrt(0.03 * 0.97 / 100)
    found, planted = finds(model, 500, rng)
    assert found == planted > 10


@pytest.mark.parametrize(
    ("trained", "now", "warned"),
    [
        ({}, {}, False),
        ({"fasta": "a.fa"}, {"fasta": "b.fa"}, False),  # one build: another name says nothing
        ({"fasta": "a.fa"}, {}, True),
        ({}, {"fasta": "a.fa"}, True),
        ({"fasta": "a.fa"}, {"fasta": "a.fa", "gff": "g.gff3"}, True),
        # A model keeps the frequencies and the ClinVar that it was trained with.
        ({"frequencies": "f.vcf.gz", "clinvar": "c.vcf.gz"}, {}, False),
        (None, {"fasta": "a.fa"}, False),  # a model of an earlier release does not say
    ],
)
@pytest.mark.parametrize("variants", [("v.vcf.gz",), ()])
def test_another_reading_of_the_genes_is_said(trained, now, warned, variants):
    """Where nothing has moved but the references, what differs is told as what it is."""
    described = CohortFile(patients="p.csv", variants=variants, reference=now)
    before = {} if trained is None else CohortFile(patients="p.csv", reference=trained)
    training = {"consequences": before.consequences} if before else {}
    predictor = Predictor(
        SimpleNamespace(), FeatureSpec(), NO_LOOKUPS, shipped(), training=training
    )
    problems = Problems()
    predictor._compare_consequences(CohortSource(Path("cohort.yaml"), described), problems)
    assert bool(problems.found) == (warned and bool(variants))
    if problems.found:
        assert before.consequences in problems.found[0].found
        assert described.consequences in problems.found[0].found


def rows_of(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    gene = np.where(rng.random(n) < 0.03, 1.0, 0.0)
    return pd.DataFrame(
        {
            "age": rng.normal(60, 10, n),
            "level": rng.choice([0.0, 1, 2, 3], n, p=[0.5, 0.3, 0.15, 0.05]),
            "gene": gene,
            "nfl": np.where(rng.random(n) < 0.4, np.nan, np.exp(rng.normal(4, 1, n))),
        }
    )


def model_of(rows: pd.DataFrame):
    """Drift asks nothing of a predictor but its aggregates."""
    return SimpleNamespace(training=training_aggregates(rows, np.ones(len(rows))))


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100, 500])
def test_few_cohorts_of_the_same_source_are_flagged(n):
    """Over cohorts: any feature flagged.

    The family-wise 3 %, with two standard errors of 400 cohorts.
    """
    model = model_of(rows_of(600, 0))
    alarms = [
        any(row["verdict"] != "stable" for row in drift_table(model, rows_of(n, seed)))
        for seed in range(1, 401)
    ]
    assert np.mean(alarms) < 0.03 + 2 * np.sqrt(0.03 * 0.97 / 400)  # below 5 %


@pytest.mark.parametrize(
    ("name", "how", "verdict"),
    [
        ("age", lambda rows: rows["age"] + 10, "shifted"),
        ("level", lambda rows: rows["level"].mask(rows.index % 2 == 0, 3.0), "shifted"),
        ("gene", lambda rows: rows["gene"].mask(rows.index % 4 == 0, 1.0), "shifted"),
        ("gene", lambda rows: rows["gene"] + 7, "shifted"),  # a value that training never saw
        ("nfl", lambda rows: rows["nfl"].mask(rows.index % 2 == 0), "look"),
    ],
)
def test_a_planted_shift_is_found_and_nothing_else(name, how, verdict):
    model, rows = model_of(rows_of(600, 0)), rows_of(400, 7)
    found = {
        row["feature"]: row["verdict"]
        for row in drift_table(model, rows.assign(**{name: how(rows)}))
    }
    assert found.pop(name) == verdict
    assert set(found.values()) == {"stable"}


def test_older_models_know_deciles_only():
    """A 0/1 column is stable against itself, a moved one is found, and each row says what it rests
    on.
    """
    model, rows = model_of(rows_of(600, 0)), rows_of(600, 0)
    del model.training["shares"]
    table = drift_table(model, rows)
    assert {row["basis"] for row in table} == {"deciles"}
    assert {row["verdict"] for row in table} == {"stable"}
    moved = drift_table(model, rows.assign(age=rows["age"] + 10))
    assert moved[0]["feature"] == "age"
    assert moved[0]["verdict"] == "shifted"


def test_the_index_by_hand():
    """Shares of .25 and .75 against .5 and .5: 0.25 ln 2 + 0.25 ln 1.5."""
    found = stability_index(np.array([249.5, 749.5]), np.array([499.5, 499.5]))
    assert found == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5))
    assert np.isfinite(stability_index(np.array([0, 10]), np.array([10, 0])))


@pytest.mark.parametrize(
    "shares", [np.full(10, 0.1), np.array([0.9, 0.1]), np.array([0.6, 0.3, 0.1])]
)
@pytest.mark.parametrize(("now", "trained"), [(100, 600), (500, 240)])
def test_the_limit_is_what_chance_exceeds(shares, now, trained):
    """Against 20,000 pairs of samples of one source, at 1 %."""
    rng = np.random.default_rng(2)
    pairs = zip(
        rng.multinomial(now, shares, 20000), rng.multinomial(trained, shares, 20000), strict=True
    )
    index = np.array([stability_index(o, e) for o, e in pairs])
    limit = chance_limit(len(shares), now, trained, 0.01)
    assert np.mean(index > limit) == pytest.approx(0.01, abs=0.003)


def test_no_stored_cell_stands_for_fewer_than_five_people():
    n = 200
    rows = pd.DataFrame(
        {
            "four": np.r_[np.ones(4), np.zeros(n - 4)],
            "five": np.r_[np.ones(5), np.zeros(n - 5)],
            "many": np.r_[
                np.arange(1, 9), np.zeros(n - 8)
            ],  # eight people with a value of their own
            "long": np.arange(n, dtype=float) ** 2,
            "heavy": np.r_[np.zeros(n - 30), np.arange(30.0)],
            "few": np.r_[np.full(n - 3, np.nan), np.zeros(3)],
            "known": np.r_[np.full(3, np.nan), np.zeros(n - 3)],
        }
    )
    shares = training_shares(rows)
    assert shares["four"] == {"n": n, "values": [0.0], "shares": [1.0, 0.0]}
    assert shares["five"]["values"] == [0.0, 1.0]
    assert shares["many"] == {"n": n, "values": [0.0], "shares": [0.96, 0.04]}
    for cells in shares.values():
        people = np.array(cells["shares"]) * cells["n"]
        assert ((people == 0) | (people >= 5 - 1e-9)).all()
    for name in ("long", "heavy"):
        assert in_cells(rows[name].to_numpy(), shares[name]).min() >= 5
    assert not set(shares["long"]["edges"]) & set(
        rows["long"]
    )  # means of neighbours, no patient's value
    assert missing_shares(rows)["few"] == 1.0
    assert missing_shares(rows)["known"] == 0.0
    assert "few" not in shares


def test_aggregates_are_those_of_the_rows_given(training):
    """The predictor keeps cells of every feature known in 50 patients."""
    kept = training.predictor.training["shares"]
    known = training.rows.notna().sum()
    assert set(kept) == set(known.index[known >= 50])
    assert replace(training.predictor).training is training.predictor.training
