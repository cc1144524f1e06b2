"""No leaf of a tree stands for fewer than five patients, whatever the search may choose."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from models.estimators import estimator

RNG = np.random.default_rng(1)
X = RNG.normal(size=(400, 20)).astype(np.float32)
Y = (RNG.random(400) < 0.5).astype(int)


class Lowest:
    """A trial of a search that chooses the lowest of everything."""

    def suggest_float(self, name, low, high, **more):
        return low

    def suggest_int(self, name, low, high, **more):
        return low

    def suggest_categorical(self, name, choices):
        return choices[0]


def test_five_patients_weigh_what_the_search_allows_at_the_least():
    lowest = estimator("xgboost").space(Lowest(), False)["min_child_weight"]
    assert lowest >= 5 * 0.25  # nobody weighs more than p (1 - p)
    model = XGBClassifier(n_estimators=30, max_depth=12, min_child_weight=lowest, reg_lambda=0)
    model.fit(X, Y)
    leaves = model.apply(X).astype(int)
    smallest = min(np.unique(tree, return_counts=True)[1].min() for tree in leaves.T)
    assert smallest >= 5


@pytest.mark.parametrize("name", ["random_forest", "histogram_boosting"])
def test_leaves_of_the_others_count_patients(name):
    assert estimator(name).space(Lowest(), False)["min_samples_leaf"] >= 5


def test_a_forest_of_the_smallest_leaves():
    lowest = estimator("random_forest").space(Lowest(), False)["min_samples_leaf"]
    forest = RandomForestClassifier(20, min_samples_leaf=lowest, bootstrap=False).fit(X, Y)
    leaves = forest.apply(X)
    assert min(np.unique(tree, return_counts=True)[1].min() for tree in leaves.T) >= 5
