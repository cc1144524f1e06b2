"""Where medicine is sure: a causal variant never lowers the familial score, and a benign one never
counts.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from als_ml.config import load_config
from als_ml.prediction.predictor import Predictor
from als_ml.training.task_data import prepare
from features.blocks.genetics import genetic_features, repeat_genes, rising_features
from features.catalogue import known_variants, shipped
from models.estimators import estimator, fit, make_pipeline, names
from models.linear import ElasticNetLogistic
from tests.conftest import ROOT
from tests.records import record

CAUSAL = known_variants(shipped(), "GRCh38").query("als_role == 'causal_dominant'").index


@pytest.fixture(scope="module", params=["elastic_net", "xgboost"])
def familial(request, cohort, demo):
    """A familial predictor of the 240 simulated patients, and some of them as records."""
    from als_ml.cohort.source import open_cohort

    changes = [
        f"cohort={demo}/cohort.yaml",
        f"model.estimator={request.param}",
        "model.parameters={}",
        "validation.inner_folds=3",
    ]
    config = load_config(ROOT / "configs/familial.yaml", changes)
    data = prepare(config, cohort, open_cohort(demo / "cohort.yaml").described)
    fitted, _ = data.fit(data.rows.to_numpy(), np.arange(len(data.y)), config)
    predictor = Predictor(fitted, data.spec, cohort.lookups, cohort.definitions)
    patients = [record(cohort, row) for row in range(0, 240, 6)]
    replies = predictor.predict_records(patients, drivers=False)
    return predictor, [p for p, reply in zip(patients, replies, strict=True) if not reply["error"]]


@settings(max_examples=40)
@given(data=st.data())
def test_a_causal_variant_never_lowers_the_familial_score(familial, data):
    predictor, records = familial
    plain = dict(data.draw(st.sampled_from(records)))
    if data.draw(st.booleans()):
        plain |= {"assayed": {}, "variants": []}  # nothing is known to be tested
    plain["variants"] = [v for v in plain["variants"] if v.split()[0] not in set(CAUSAL)]
    carrier = {
        **plain,
        "variants": [*plain["variants"], f"{data.draw(st.sampled_from(sorted(CAUSAL)))} 0/1"],
    }
    without, with_it = predictor.predict_records([plain, carrier], drivers=False)
    assert without["error"] is None
    assert with_it["error"] is None
    assert with_it["probability"] >= without["probability"]


def test_a_benign_variant_and_one_in_a_repeat_gene_count_nowhere(cohort):
    """The points of every variant are set by hand; only what is not benign is counted."""
    benign = replace(cohort, variants=cohort.variants.assign(points=-3.0, role="", frequency=0.0))
    neutral = replace(cohort, variants=benign.variants.assign(points=1.0))
    found, other = (genetic_features(own, "GRCh38", 0.001) for own in (benign, neutral))
    counted = genetic_features(benign, "GRCh38", 0.001, benign_counted=True)
    assert np.nansum(found["rare_alleles"]) == 0
    assert np.nansum(counted["rare_alleles"]) >= np.nansum(other["rare_alleles"]) > 0
    for gene in repeat_genes(cohort.definitions):
        assert np.nansum(other[f"rare_{gene}"]) == 0


@pytest.mark.parametrize(("points", "counts"), [(-2.0, False), (-1.0, False), (0.0, True)])
def test_likely_benign_begins_at_one_point_below_none(cohort, points, counts):
    own = replace(cohort, variants=cohort.variants.assign(points=points, role="", frequency=0.0))
    assert (np.nansum(genetic_features(own, "GRCh38", 0.001)["rare_alleles"]) > 0) == counts


def test_evidence_columns_are_bounded_and_others_are_not():
    names = rising_features(shipped())
    assert {"causal_any", "c9orf72_expanded", "damaging_SOD1", "rare_alleles"} <= names
    assert not {"atxn2_longest", "risk_alleles", "rs12608932_c", "c9orf72_intermediate"} & names


@pytest.mark.parametrize("name", names())
def test_a_bounded_column_never_lowers_the_score(name):
    """Its true effect is negative, that of the free column too."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = (-X[:, 0] - X[:, 1] + X[:, 2] + 0.5 * rng.normal(size=400) > 0).astype(float)
    few = {} if name in ("elastic_net", "histogram_boosting") else {"n_estimators": 30}
    unfitted = make_pipeline(name, few, 1, 1, False, rising=(True, False, False))
    pipeline = fit(name, unfitted, X, y, 1, False)
    grid = np.zeros((41, 3))
    for column, sign in ((0, 1), (1, -1)):
        moved = grid.copy()
        moved[:, column] = np.linspace(-2, 2, 41)
        steps = np.diff(estimator(name).score(pipeline, moved))
        assert (sign * steps >= 0).all() or column == 1
        assert column == 0 or steps.sum() < 0


def test_a_bound_that_does_not_bind_changes_nothing():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 4))
    y = (X[:, 0] + 0.3 * X[:, 1] - X[:, 2] + rng.normal(size=500) > 0).astype(float)
    free = ElasticNetLogistic(C=0.1, tol=1e-7).fit(X, y)
    bounded = ElasticNetLogistic(C=0.1, tol=1e-7, rising=(0, 1)).fit(X, y)
    assert np.allclose(free.coef_, bounded.coef_, atol=1e-4)
