"""Scores of one model asked by many threads at once, as the endpoint does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

from models.estimators.xgboost_trees import contributions, score

THREADS = 8


@pytest.mark.parametrize("scored", [score, contributions])
def test_many_threads_get_what_one_gets(scored):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 20)).astype(np.float32), rng.integers(0, 2, 100)
    pipeline = make_pipeline(XGBClassifier(n_estimators=50, max_depth=3, n_jobs=2).fit(X, y))
    together = threading.Barrier(THREADS)

    def ask(_: int) -> list[np.ndarray]:
        together.wait()
        return [scored(pipeline, X[:1]) for _ in range(300)]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = [answer for answers in pool.map(ask, range(THREADS)) for answer in answers]
    alone = scored(pipeline, X)[:1]
    assert all(np.array_equal(answer, alone) for answer in answers)
