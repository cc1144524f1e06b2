"""Unknown values from the patient's known ones: the conditional mean of a multivariate normal
distribution.

A mean in place of an unknown NfL says that the patient is average, and draws the part of every
column that is related to it. The conditional mean given what is known leaves a linear model's parts
as they are (Little 1992, doi:10.2307/2290664, R). Means and covariance are estimated by EM from
training patients only; a patient alone gets the same bits as in a batch.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from sklearn.impute import SimpleImputer

# A column takes part from more than this many distinct values (an ALSFRS item has five) and this
# known share on (P); the ridge keeps a covariance invertible (P).
MOST_EQUAL, LEAST_KNOWN, RIDGE = 4, 0.05, 10.0
# EM ends when no mean and no covariance moves by more than this, in standard deviations, or after
# some rounds (P): correlations of columns that are seldom known together stay a little too small.
STILL, ROUNDS = 0.004, 50
# Numbers that are copied at once: 8 MB.
_CELLS = 1 << 20


class _Gaps(NamedTuple):
    """Patients who lack k of the q columns each, in m patterns.

    `unknown` (m, k), `known` (m, q - k): the columns of each pattern. `rows` (r,), `pattern` (r,):
    of each patient.
    """

    unknown: np.ndarray
    known: np.ndarray
    rows: np.ndarray
    pattern: np.ndarray


class RelatedImputer(SimpleImputer):
    """Means, as its parent.

    In continuous columns the conditional mean given the known continuous columns.

    Attributes
    ----------
    statistics_ : array (p,)
        Means; of the columns that take part by EM, so that what is measured more in some patients
        does not shift them.
    related_ : array (q,)
        Columns that take part.
    spread_ : array (q,)
        Standard deviations of their known values.
    covariance_ : array (q, q)
        Of the standardised columns.
    """

    def fit(self, X: np.ndarray, y: object = None) -> "RelatedImputer":  # noqa: ARG002
        """Estimate from an (n, p) matrix with NaN.

        Parameters
        ----------
        X : array (n, p)
            Training patients, NaN unknown.
        y : object
            Not used.

        Returns
        -------
        RelatedImputer
            This one.
        """
        super().fit(X)
        known = np.isfinite(X)
        enough = known.sum(axis=0) >= max(LEAST_KNOWN * len(X), MOST_EQUAL + 1)
        self.related_ = np.array(
            [j for j in np.flatnonzero(enough) if len(np.unique(X[known[:, j], j])) > MOST_EQUAL],
            dtype=int,
        )
        self.spread_ = np.nanstd(X[:, self.related_], axis=0)
        middle, self.covariance_ = _estimated(self._standardised(X))
        self.statistics_[self.related_] += self.spread_ * middle
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Fill an (n, p) matrix.

        Parameters
        ----------
        X : array (n, p)
            NaN unknown.

        Returns
        -------
        array (n, p)
            float64 without NaN.
        """
        return self.filled(np.asarray(X, dtype=np.float64))

    def fit_transform(self, X: np.ndarray, y: object = None) -> np.ndarray:  # noqa: ARG002
        """Fit, then fill the same matrix.

        Parameters
        ----------
        X : array (n, p)
            Training patients, NaN unknown.
        y : object
            Not used.

        Returns
        -------
        array (n, p)
            float64 without NaN.
        """
        return self.fit(X).transform(X)

    def filled(self, X: np.ndarray) -> np.ndarray:
        """Fill an (n, p) float64 matrix, row by row.

        Parameters
        ----------
        X : array (n, p)
            float64, NaN unknown.

        Returns
        -------
        array (n, p)
            Without NaN; the same bits for one row as in a batch.
        """
        full = np.where(np.isnan(X), self.statistics_, X)
        z = self._standardised(X)
        precision = np.linalg.inv(self.covariance_)
        for gaps in _gaps(z):
            parts = self._parts(gaps, precision)
            for rows, pattern in _few_at_once(gaps):
                unknown, known = gaps.unknown[pattern], gaps.known[pattern]
                terms = z[rows[:, None], known][:, None, :] * parts[pattern]
                columns, moved = self.related_[unknown], self.spread_[unknown] * terms.sum(axis=2)
                full[rows[:, None], columns] = self.statistics_[columns] + moved
        return full

    def _parts(self, gaps: _Gaps, precision: np.ndarray) -> np.ndarray:
        """Weights (m, k, q - k) of the known columns in each unknown one.

        From the unknown block of the precision or from the known block of the covariance, whichever
        is smaller. The row alone decides it, so that its bits do not depend on the batch.
        """
        known, unknown = gaps.known, gaps.unknown
        if unknown.shape[1] <= known.shape[1]:
            among = precision[unknown[:, :, None], unknown[:, None, :]]
            return -np.linalg.solve(among, precision[unknown[:, :, None], known[:, None, :]])
        among = self.covariance_[known[:, :, None], known[:, None, :]]
        between = self.covariance_[known[:, :, None], unknown[:, None, :]]
        return np.ascontiguousarray(np.linalg.solve(among, between).swapaxes(1, 2))

    def _standardised(self, X: np.ndarray) -> np.ndarray:
        return np.asarray((X[:, self.related_] - self.statistics_[self.related_]) / self.spread_)


# The members of a stack, and the settings that are tried, fill the same patients: the last
# estimates are kept.
_LATEST: OrderedDict[bytes, tuple[np.ndarray, np.ndarray]] = OrderedDict()
_KEPT, _KEEPING = 64, threading.Lock()


def _estimated(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`_em`, once for each matrix."""
    key = hashlib.sha256(z.tobytes() + repr(z.shape).encode()).digest()
    with _KEEPING:
        known = _LATEST.get(key)
    if known is None:
        known = _em(z)
        with _KEEPING:
            _LATEST[key] = known
            while len(_LATEST) > _KEPT:
                _LATEST.popitem(last=False)
    return known[0].copy(), known[1].copy()


def _em(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (q,) and covariance (q, q) of standardised columns with NaN, by EM from those of the
    mean-filled ones.
    """
    n, q = z.shape
    ridge = RIDGE / n * np.eye(q)
    mean, covariance = np.zeros(q), np.nan_to_num(z).T @ np.nan_to_num(z) / n + ridge
    if q < 2:
        return mean, covariance
    gaps = list(_gaps(z))
    for _ in range(ROUNDS):
        full, left = _expected(z - mean, covariance, gaps)
        middle = full.mean(axis=0)
        new = (full.T @ full + left) / n - np.outer(middle, middle) + ridge
        moved = max(np.abs(middle).max(), np.abs(new - covariance).max())
        mean, covariance = mean + middle, new
        if moved < STILL:
            break
    return mean, covariance


def _expected(
    z: np.ndarray, covariance: np.ndarray, gaps: Iterable[_Gaps]
) -> tuple[np.ndarray, np.ndarray]:
    """Columns with each unknown value at its conditional mean, and the covariance that this leaves
    out, summed.

    From the precision matrix, of which the block of the unknown columns is the precision that is
    left (Lauritzen 1996, section 5.1.3, R): patients mostly lack few of many columns, and that
    block is small.
    """
    full, left = np.nan_to_num(z), np.zeros(covariance.size)
    precision = np.linalg.inv(covariance)
    pull = full @ precision
    for gap in gaps:
        unknown = gap.unknown
        rest = np.linalg.inv(precision[unknown[:, :, None], unknown[:, None, :]])
        for rows, pattern in _few_at_once(gap):
            columns = unknown[pattern]
            pulled = pull[rows[:, None], columns]
            full[rows[:, None], columns] = -np.einsum("rij,rj->ri", rest[pattern], pulled)
        cells = unknown[:, :, None] * len(covariance) + unknown[:, None, :]
        patients = np.bincount(gap.pattern)[:, None, None]
        left += np.bincount(cells.ravel(), (patients * rest).ravel(), covariance.size)
    return full, left.reshape(covariance.shape)


def patterns(unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of a matrix of truth values in their order, and which of them each row is.

    As `np.unique` by rows, which compares cell by cell and takes seven times as long: eight cells
    go into a byte, and a row of bytes is compared at once.

    Parameters
    ----------
    unknown : bool array (n, p)
        With a column at least.

    Returns
    -------
    masks : bool array (m, p)
        False before true.
    number : int array (n,)
        Row of `masks`.

    >>> masks, number = patterns(np.array([[True, False], [False, True], [True, False]]))
    >>> masks.tolist(), number.tolist()
    ([[False, True], [True, False]], [1, 0, 1])
    """
    packed = np.ascontiguousarray(np.packbits(unknown, axis=1))
    rows = packed.view(f"V{packed.shape[1]}").ravel()
    _, first, number = np.unique(rows, return_index=True, return_inverse=True)
    return unknown[first], number.ravel()


def _gaps(z: np.ndarray) -> Iterator[_Gaps]:
    """Patients with gaps, those who lack as many columns together: their matrices are of one
    size.
    """
    unknown = np.isnan(z)
    if len(z) == 1:  # a patient at the endpoint
        masks, number = unknown, np.zeros(1, dtype=int)
    else:
        masks, number = patterns(unknown)
    lacks = masks.sum(axis=1)
    most = max(_CELLS // max(z.shape[1], 1) ** 2, 1)
    for k in np.unique(lacks[lacks > 0]):
        same = np.flatnonzero(lacks == k)
        for few in np.split(same, range(most, len(same), most)):
            rows = np.flatnonzero(np.isin(number, few))
            yield _Gaps(
                unknown=np.nonzero(masks[few])[1].reshape(len(few), k),
                known=np.nonzero(~masks[few])[1].reshape(len(few), -1),
                rows=rows,
                pattern=np.searchsorted(few, number[rows]),
            )


def _few_at_once(gaps: _Gaps) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Patients and their patterns, so many that a matrix for each takes little memory."""
    most = max(_CELLS // (gaps.unknown.shape[1] * (gaps.unknown.shape[1] + gaps.known.shape[1])), 1)
    for first in range(0, len(gaps.rows), most):
        yield gaps.rows[first : first + most], gaps.pattern[first : first + most]
