"""The weights of a stack: equal where nothing speaks against it, and none for a useless member."""

import numpy as np
import pytest
from scipy.optimize import minimize

from models.fitted import _weights


def scores(n, second, seed=1):
    """A score that is right, one that is `second` parts right, and the labels."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    other = second * truth + np.sqrt(1 - second**2) * rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-1.5 * truth))).astype(float)
    return np.column_stack([truth, other]), y


def test_members_that_say_the_same_get_the_same():
    S, y = scores(400, 1.0)
    first, second = _weights(S, y)
    assert first == pytest.approx(second, rel=1e-3)
    assert first > 0.5


def test_the_scale_of_a_member_does_not_count():
    S, y = scores(400, 0.8)
    plain, scaled = _weights(S, y), _weights(S * [1, 10], y)
    assert scaled * [1, 10] == pytest.approx(plain, rel=1e-3)


def test_a_useless_member_of_a_few_hundred_patients_gets_little():
    S, y = scores(400, 0.0)
    first, second = _weights(S, y)
    assert second < 0.5 * first


def test_a_useless_member_of_thousands_gets_next_to_nothing():
    S, y = scores(6000, 0.0)
    first, second = _weights(S, y)
    assert second < 0.1 * first


def test_a_member_that_is_wrong_gets_nothing():
    S, y = scores(6000, 0.0)
    wrong = np.column_stack([S[:, 0], S[:, 1] - 2 * S[:, 0]])
    assert _weights(wrong, y)[1] == 0


def test_the_weights_minimise_what_is_stated():
    """Against scipy's simplex search on the definition: log loss + 20 x squared distances."""
    S, y = scores(300, 0.6)
    Z = S / S.std(axis=0)

    def loss(b):
        eta = Z @ b[:2] + b[2]
        return np.logaddexp(0, eta).sum() - y @ eta + 20 * ((b[:2] - b[:2].mean()) ** 2).sum()

    oracle = minimize(loss, [0.5, 0.5, 0], method="Nelder-Mead", options={"xatol": 1e-8}).x
    assert _weights(S, y) * S.std(axis=0) == pytest.approx(oracle[:2], abs=1e-3)
