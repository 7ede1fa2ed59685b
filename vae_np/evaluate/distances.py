"""Distances between two *sets of cells*: whether the predicted cells have the true distribution.

Scores of means do not see whether the spread of the predicted cells is right. Two distances that do are
zero, in expectation, exactly if both sets are drawn from the same distribution.

Scalar case. Predicted cells 0 and 2, true cells 1 and 3: the mean distance between the sets is
(1 + 3 + 1 + 1) / 4 = 1.5, within each set it is 2, so the energy distance is 2 * 1.5 - 2 - 2 = -1.

It may be negative, since the means within a set are over pairs of *different* cells (U-statistic). The
V-statistic, which counts each cell's distance 0 to itself, is never negative, but its expectation is
above zero for equal distributions and grows as the sets get smaller: with 50 cells and thousands of
genes that bias is larger than what is to be measured.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist, pdist

MAX_CELLS = 500


class Distances(NamedTuple):
    """Euclidean distances of all pairs of cells.

    Attributes
    ----------
    between
        Predicted to true cells, (m, n).
    predicted, true
        Within each set, each pair of different cells once, (m (m - 1) / 2,) and (n (n - 1) / 2,).
    """

    between: np.ndarray
    predicted: np.ndarray
    true: np.ndarray


def some_cells(cells: np.ndarray, n: int = MAX_CELLS) -> np.ndarray:
    """Take at most `n` rows, evenly spaced, the first one included: the same ones each time."""
    n = min(n, len(cells))
    return cells[np.arange(n) * len(cells) // n]


def distances(predicted: np.ndarray, true: np.ndarray) -> Distances | None:
    """Measure all distances between at most 500 predicted and 500 true cells.

    Parameters
    ----------
    predicted, true
        Dense cells, (n0, d) and (n1, d).

    Returns
    -------
    Distances or None
        None where a set has fewer than two cells: it has no distance within.
    """
    if min(len(predicted), len(true)) < 2:
        return None
    predicted, true = (some_cells(cells).astype(float, copy=False) for cells in (predicted, true))
    return Distances(cdist(predicted, true), pdist(predicted), pdist(true))


def energy_distance(measured: Distances) -> float:
    """Energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased (Székely and Rizzo 2013).

    Parameters
    ----------
    measured
        From `distances`.

    Returns
    -------
    float
        In units of expression; the smaller, the better.
    """
    return float(2 * measured.between.mean() - measured.predicted.mean() - measured.true.mean())


def mmd(measured: Distances) -> float | None:
    """Squared maximum mean discrepancy E k(X, X') + E k(Y, Y') - 2 E k(X, Y), unbiased.

    The kernel is Gaussian, k = exp(-|x - y|^2 / (2 h^2)), and h the median distance between true cells,
    so that it is the same for every prediction (Gretton et al. 2012, lemma 6 and section 8).

    Parameters
    ----------
    measured
        From `distances`.

    Returns
    -------
    float or None
        At most 2, the smaller the better; None where the median is zero.
    """
    h = np.median(measured.true)
    if h == 0:
        return None
    between, predicted, true = (np.exp(-0.5 * (pairs / h) ** 2).mean() for pairs in measured)
    return float(predicted + true - 2 * between)
