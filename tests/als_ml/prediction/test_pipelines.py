"""skops without scikit-learn's walk: the same types are trusted, and nothing else is changed."""

import subprocess
import sys

import pytest
import sklearn
import sklearn.utils

from als_ml.prediction import pipelines

WALKED = """
import sys
from als_ml.prediction.pipelines import skops_io
io = skops_io()
import sklearn.utils
from io import BytesIO
names = sys.modules["skops.io._trusted_types"].SKLEARN_ESTIMATOR_TYPE_NAMES
print("dask" in sys.modules, sklearn.utils.all_estimators.__module__, *names)
"""


def _walked():
    """Every estimator of the installed scikit-learn, as skops asks for them."""
    found = {f"{kind.__module__}.{kind.__name__}" for _, kind in sklearn.utils.all_estimators()}
    return {name for name in found if name.startswith("sklearn.")}


@pytest.mark.slow
def test_the_kept_names_are_those_of_the_release_in_the_lock():
    """Another release is walked over, so that they are then not used."""
    lock = (pipelines.NAMES.parents[2] / "requirements.lock").read_text()
    release, *names = pipelines.kept_names()
    assert f"\nscikit-learn=={release} " in lock
    if release == sklearn.__version__:
        assert set(names) == _walked()


@pytest.mark.slow
def test_nothing_is_walked_over_and_nothing_stays_changed():
    run = subprocess.run([sys.executable, "-c", WALKED], capture_output=True, text=True, check=True)
    dask, module, *names = run.stdout.split()
    assert (dask, module) == ("False", "sklearn.utils.discovery")
    assert tuple(names) == pipelines.kept_names()[1:]


def test_another_release_is_walked_over(monkeypatch):
    """Its names may be others, and a type that we do not know of is not to be refused."""
    walk, asked = sklearn.utils.all_estimators, []
    monkeypatch.setattr(pipelines, "_without_walk", asked.append)
    monkeypatch.setattr(sklearn, "__version__", "0.0")
    monkeypatch.delitem(sys.modules, "skops.io", raising=False)
    monkeypatch.setattr(pipelines, "import_module", lambda name: name)
    assert pipelines.skops_io() == "skops.io"
    assert (asked, sklearn.utils.all_estimators) == ([], walk)
