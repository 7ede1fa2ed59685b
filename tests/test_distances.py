"""Distances of sets of cells: SciPy in one dimension, loops over pairs, and no bias for equal sets."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from vae_np.evaluate.distances import distances, energy_distance, mmd, some_cells


def pairs(x):
    return [math.dist(a, b) for a, b in combinations(x, 2)]


def test_distances_are_the_means_over_pairs(rng):
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)) + 0.5
    measured = distances(x, y)
    across = [math.dist(a, b) for a in x for b in y]
    expected = 2 * np.mean(across) - np.mean(pairs(x)) - np.mean(pairs(y))
    np.testing.assert_allclose(energy_distance(measured), expected, rtol=1e-12)

    h = np.median(pairs(y))  # of the true cells

    def kernel(values):
        return np.mean([math.exp(-(v**2) / (2 * h**2)) for v in values])

    expected = kernel(pairs(x)) + kernel(pairs(y)) - 2 * kernel(across)
    np.testing.assert_allclose(mmd(measured), expected, rtol=1e-12)


def test_energy_distance_is_scipys_without_its_bias(rng):
    """SciPy has the square root of the V-statistic, in which a cell is a pair with itself."""
    x, y = rng.normal(size=40), rng.normal(size=30) + 1
    within = [np.abs(v[:, None] - v).mean() for v in (x, y)]  # pairs with itself included
    bias = sum(w * (n / (n - 1) - 1) for w, n in zip(within, (40, 30), strict=True))
    expected = scipy_stats.energy_distance(x, y) ** 2 - bias
    np.testing.assert_allclose(energy_distance(distances(x[:, None], y[:, None])), expected, rtol=1e-10)


def test_the_example_in_the_documentation():
    measured = distances(np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]]))
    assert energy_distance(measured) == -1


def test_equal_distributions_have_distance_zero_in_expectation(rng):
    """Means over 400 independent draws of sets of 6 and 9 cells, within 4.892 standard errors of zero."""
    drawn = [distances(rng.normal(size=(6, 4)), rng.normal(size=(9, 4))) for _ in range(400)]
    for distance in (energy_distance, mmd):
        values = np.array([distance(measured) for measured in drawn])
        assert abs(values.mean()) < 4.892 * values.std(ddof=1) / math.sqrt(400)


def test_a_wrong_spread_is_seen_where_the_means_agree(rng):
    true = rng.normal(size=(300, 5))
    for distance in (energy_distance, mmd):
        right = distance(distances(rng.normal(size=(300, 5)), true))
        wrong = distance(distances(rng.normal(size=(300, 5)) * 0.5, true))
        assert wrong > 10 * abs(right)


def test_at_most_500_evenly_spaced_cells_are_used(rng):
    assert some_cells(np.arange(7), 3).tolist() == [0, 2, 4]
    assert some_cells(np.arange(3), 3).tolist() == [0, 1, 2]
    assert some_cells(np.arange(2), 3).tolist() == [0, 1]
    x, y = rng.normal(size=(1000, 2)), rng.normal(size=(1500, 2))
    for got, expected in zip(distances(x, y), distances(x[::2], y[::3]), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert distances(x, y).between.shape == (500, 500)


@pytest.mark.parametrize("n", [(1, 5), (5, 1), (5, 0)])
def test_fewer_than_two_cells_have_no_distance(rng, n):
    assert distances(rng.random((n[0], 3)), rng.random((n[1], 3))) is None


def test_equal_true_cells_have_no_kernel_width(rng):
    measured = distances(rng.random((4, 3)), np.ones((5, 3)))
    assert mmd(measured) is None
    assert math.isfinite(energy_distance(measured))
