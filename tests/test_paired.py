"""Paired differences against hand computation and the exact bootstrap distribution."""

from itertools import product

import numpy as np
import pytest

from vae_np.evaluate import Paired, Row, paired_differences

VALUES = {  # context -> values of two seeds, scgen and the baseline
    "a": ([0.90, 0.94], [0.90, 0.90]),
    "b": ([0.70, 0.80], [0.80, 0.80]),
    "c": ([0.60, 0.60], [0.30, 0.40]),
}
DIFFERENCES = np.array([0.02, -0.05, 0.25])


def rows_of(metric="r2_mean", contexts="abc"):
    return [
        Row(context, seed, method, metric, value)
        for context in contexts
        for method, values in zip(("scgen", "mean_shift"), VALUES[context], strict=True)
        for seed, value in enumerate(values)
    ]


def test_differences_are_means_over_seeds_and_then_over_contexts(rng):
    (line,) = paired_differences(rows_of(), rng)
    assert line[:2] == ("r2_mean", "mean_shift")
    np.testing.assert_allclose(line.difference, DIFFERENCES.mean(), rtol=1e-12)
    assert (line.n_better, line.n_contexts) == (2, 3)


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_the_interval_is_that_of_all_27_resamples(rng, level):
    """Each bound is a mean of three, of the level asked for within the binomial error.

    That is 4.892 standard errors of 10,000 draws.
    """
    (line,) = paired_differences(rows_of(), rng, level=level)
    means = np.array([np.mean(drawn) for drawn in product(DIFFERENCES, repeat=3)])
    for bound, p in ((line.low, (1 - level) / 2), (line.high, (1 + level) / 2)):
        slack = 4.892 * np.sqrt(p * (1 - p) / 10_000)
        assert np.mean(means < bound - 1e-9) <= p + slack
        assert np.mean(means <= bound + 1e-9) >= p - slack


def test_a_wide_interval_of_few_contexts_reaches_the_worst_and_the_best(rng):
    (line,) = paired_differences(rows_of(), rng, level=1.0)
    np.testing.assert_allclose([line.low, line.high], [-0.05, 0.25], rtol=1e-12)


def test_the_same_generator_gives_the_same_interval():
    lines = [paired_differences(rows_of(), np.random.default_rng(5)) for _ in range(2)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("metric", ["mse", "energy_distance", "mmd", "mse_unclipped"])
def test_of_errors_and_distances_the_smaller_is_better(rng, metric):
    (line,) = paired_differences(rows_of(metric), rng)
    assert (line.n_better, line.n_contexts) == (1, 3)


@pytest.mark.parametrize("metric", ["mse", "r2_mean"])
def test_a_tie_is_not_better(rng, metric):
    rows = [Row("a", 0, method, metric, 0.5) for method in ("scgen", "no_change")]
    (line,) = paired_differences(rows, rng)
    assert line.n_better == 0


def test_one_context_has_no_interval(rng):
    (line,) = paired_differences(rows_of(contexts="a"), rng)
    np.testing.assert_allclose(line.difference, 0.02, rtol=1e-12)
    assert line[3:] == (None, None, 1, 1)


def test_only_contexts_with_both_scores_are_compared(rng):
    """A score that is not defined is not there; a baseline needs no seed, one value is enough."""
    rows = [row for row in rows_of() if (row.context, row.method) != ("b", "mean_shift")]
    rows += [Row("z", 0, "mean_shift", "r2_mean", 0.1), Row("a", 0, "no_change", "r2_mean", 0.5)]
    rows += [Row("a", 0, "scgen", "coverage_90", 0.9), Row("a", 0, "no_change", "other", 0.5)]
    shift, unmoved = paired_differences(rows, rng)
    np.testing.assert_allclose(shift.difference, (0.02 + 0.25) / 2, rtol=1e-12)
    assert shift.n_contexts == 2
    assert unmoved._replace(difference=0) == Paired("r2_mean", "no_change", 0, None, None, 1, 1)
    np.testing.assert_allclose(unmoved.difference, 0.92 - 0.5, rtol=1e-12)


def test_lines_come_in_the_order_of_the_rows(rng):
    rows = [
        Row(context, 0, method, metric, 0.5)
        for context in "ab"
        for method in ("scgen", "y", "x")
        for metric in ("r2_mean", "mse")
    ]
    lines = paired_differences(rows, rng)
    pairs = [("r2_mean", "y"), ("r2_mean", "x"), ("mse", "y"), ("mse", "x")]
    assert [line[:2] for line in lines] == pairs
    assert paired_differences([], rng) == []
