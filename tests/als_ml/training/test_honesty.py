"""What a model must not see: later values, relatives in the test fold, who was tested, the label's
sources.
"""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from als_ml.cohort.record_keys import PAGE_FIELDS
from als_ml.config import load_config
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.storage import load_predictor, save_predictor
from als_ml.training.task_data import prepare, recipe_of
from features.blocks.rows import feature_rows, with_columns
from features.blocks.spec import FeatureSpec
from features.catalogue import shipped
from features.cohort import Cohort
from features.errors import RequestError
from models.choice import choose
from models.estimators import donor_filled
from models.fitted import fit_model
from models.members import family_folds
from tests.test_config import ROOT


def changed(cohort: Cohort, **tables) -> Cohort:
    return replace(cohort, **tables)


def test_no_value_after_the_landmark_reaches_a_feature(cohort):
    """Plant absurd later values in each table that has days, and in each dated column of
    patients.
    """
    spec = FeatureSpec(landmark_days=90)
    before = feature_rows(cohort, spec)
    biomarkers, visits, patients = (
        cohort.biomarkers.copy(),
        cohort.alsfrs.copy(),
        cohort.patients.copy(),
    )
    biomarkers.loc[biomarkers["days"] > 90, "value"] = 1e6
    visits.loc[visits["days"] > 90, ["q1", "total"]] = 0.0
    outcome = ["death_days", "tracheostomy_days", "niv_23h_days", "last_contact_days"]
    patients[outcome] = 91.0
    for name in ("riluzole_start_days", "gastrostomy_days", "niv_start_days"):
        patients[name] = patients[name].where(patients[name] <= 90, 91.0)
    after = feature_rows(
        changed(cohort, biomarkers=biomarkers, alsfrs=visits, patients=patients), spec
    )
    assert before.equals(after)


def test_an_earlier_landmark_sees_less(cohort):
    early, late = (feature_rows(cohort, FeatureSpec(landmark_days=day)) for day in (0, 90))
    assert early["early_slope"].isna().all()
    assert late["early_slope"].notna().mean() > 0.5


@pytest.mark.parametrize(
    "column", ["family_history", "family_id", "site", "genetic_test_reason", "death_days", "sex"]
)
def test_columns_of_the_contract_cannot_be_smuggled_in(cohort, column):
    with pytest.raises(
        RequestError, match=r"its own meaning in the patients table|what the label is made of"
    ):
        with_columns(shipped(), FeatureSpec(), cohort.patients, [column], {"family_history"})


def test_a_glob_leaves_them_out(cohort):
    """And the signs of any day, which only pages read, unless one is named."""
    others = (shipped(), FeatureSpec(), cohort.patients)
    spec = with_columns(*others, ["*"], {"family_history"}, aside=PAGE_FIELDS)
    assert spec.columns == ()
    assert spec.levels == {}
    named = with_columns(*others, ["cramps", "*"], {"family_history"}, aside=PAGE_FIELDS)
    assert named.columns == ()
    assert set(named.levels) == {"cramps"}


def test_relatives_stay_in_one_fold(cohort):
    y = (np.arange(len(cohort)) % 3 == 0).astype(float)
    assert len(np.unique(cohort.families)) < len(cohort)
    for train, test in family_folds(y, cohort.families, 5, 1):
        assert not set(cohort.families[train]) & set(cohort.families[test])


def blind_scores(X, y, recipe):
    """Out-of-fold scores of the recipe's estimator."""
    folds = family_folds(y, np.arange(len(y)), recipe.inner_folds, recipe.seed)
    return choose(*recipe.members[0], X, y, y, folds, recipe).score


@pytest.mark.parametrize("estimator", ["elastic_net", "xgboost", "random_forest"])
def test_who_was_tested_does_not_give_the_familial_label_away(estimator):
    """Noise features whose missingness is the label: a familial model must stay blind."""
    rng = np.random.default_rng(0)
    y = (rng.random(600) < 0.3).astype(float)
    X = np.column_stack([rng.random(600) < 0.2, rng.normal(size=600), rng.normal(size=600)]).astype(
        np.float32
    )
    X[(y == 0) & (rng.random(600) < 0.8), 0] = np.nan
    config = load_config(
        ROOT / "configs/familial.yaml",
        [f"model.estimator={estimator}", "model.parameters={}", "validation.inner_folds=3"],
    )
    if estimator != "elastic_net":
        config = load_config(
            ROOT / "configs/familial.yaml",
            [f"model.estimator={estimator}", "model.parameters={n_estimators: 60}"],
        )
    recipe = recipe_of(config)
    blind = roc_auc_score(y, blind_scores(X, y, recipe))
    assert blind < 0.6
    if (
        estimator == "xgboost"
    ):  # the same data give the label away to an estimator that may learn missingness
        assert roc_auc_score(y, blind_scores(X, y, replace(recipe, task="progression"))) > 0.8


def test_donors_come_from_the_same_column():
    X = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]], dtype=np.float32)
    filled = donor_filled(X, np.random.default_rng(1))
    assert filled[1, 0] in (1.0, 3.0)
    assert (filled[:, 1] == 0).all()


@pytest.mark.parametrize("estimator", ["elastic_net", "xgboost", "random_forest"])
def test_a_saved_model_is_the_same_model(cohort, demo, tmp_path, estimator):
    changes = [
        f"model.estimator={estimator}",
        f"cohort={demo}/cohort.yaml",
        "validation.inner_folds=3",
    ]
    changes += ["model.parameters={}"]
    changes += [] if estimator == "elastic_net" else ["model.parameters.n_estimators=20"]
    config = load_config(ROOT / "configs/progression.yaml", changes)
    from als_ml.cohort.source import open_cohort

    data = prepare(config, cohort, open_cohort(demo / "cohort.yaml").described)
    fitted = fit_model(data.rows.to_numpy(), data.y, data.families, recipe_of(config))
    predictor = Predictor(fitted, data.spec, cohort.lookups, cohort.definitions)
    loaded = load_predictor(**save_predictor(predictor, tmp_path))
    assert loaded.predict_cohort(cohort) == predictor.predict_cohort(cohort)
    assert loaded.names == list(data.rows.columns)


def test_contributions_add_up_to_the_score(cohort, demo):
    from als_ml.cohort.source import open_cohort

    for estimator in ("elastic_net", "xgboost"):
        config = load_config(
            ROOT / "configs/progression.yaml",
            [f"model.estimator={estimator}", "model.parameters={}"],
        )
        data = prepare(config, cohort, open_cohort(demo / "cohort.yaml").described)
        X = data.rows.to_numpy()
        (member,) = fit_model(X, data.y, data.families, recipe_of(config)).members
        rest = member.score(X) - member.contributions(X).sum(axis=1)
        assert np.ptp(rest) < 1e-4  # a constant remains: the intercept
