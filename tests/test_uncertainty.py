"""Uncertainty of delta: coverage of the intervals, recovery of known effects, and what is refused.

The equations themselves are decided by their judges (test_equations.py); here the functions meet drawn
cells, SciPy, and bad input. 4.892 standard errors: a right function fails once in a million.
"""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cosine

from vae_np.errors import InputError
from vae_np.scgen.delta import delta, delta_balanced, delta_predict, two_factor
from vae_np.scgen.uncertainty import (
    agreement,
    bootstrap_deltas,
    jackknife_variance,
    prediction_interval,
    shrinkage_factor,
    type_deltas,
)

NAMES = np.array(list("abcdefg"))


def drawn_types(rng, n_types, n_cells, k=2, spread=1.0):
    """Cells of types whose steps are normal around a common one, with the steps: (z0, z1, t0, t1), (K, k)."""
    means, steps = rng.normal(scale=3, size=(n_types, k)), 2 + spread * rng.normal(size=(n_types, k))
    types = np.repeat(NAMES[:n_types], n_cells)
    z0, z1 = (
        np.repeat(m, n_cells, axis=0) + rng.normal(size=(len(types), k)) for m in (means, means + steps)
    )
    return (z0, z1, types, types), steps


# ------------------------------------------------------------------------------- coverage of the interval


@pytest.mark.parametrize(("n_types", "level"), [(2, 0.9), (5, 0.9), (5, 0.5)])
def test_intervals_cover_a_new_type_as_often_as_they_say(n_types, level):
    """Linear-normal worlds, one gene each, from cells to the interval.

    The new type has as many cells as the others, so its measured step is one more draw of the same law, and
    the level is exact. Hits are binomial.
    """
    rng, n_worlds, hits = np.random.default_rng(3), 2000, 0
    gene = np.array([0.8, -1.7])  # the affine decoder's column
    for _ in range(n_worlds):
        (z0, z1, t0, t1), _ = drawn_types(rng, n_types + 1, 4)
        new = NAMES[n_types]
        known0, known1 = t0 != new, t1 != new
        _, deltas = type_deltas(z0[known0], z1[known1], t0[known0], t1[known1])
        shift = delta_balanced(z0[known0], z1[known1], t0[known0], t1[known1])
        target = z0[t0 == new]
        by_type = np.array([[np.mean(delta_predict(target, d) @ gene)] for d in deltas])
        half = prediction_interval(by_type, level=level)
        miss = np.mean(z1[t1 == new] @ gene) - np.mean(delta_predict(target, shift) @ gene)
        hits += int(abs(miss) <= half[0])
    assert abs(hits - level * n_worlds) < 4.892 * np.sqrt(level * (1 - level) * n_worlds)


def test_intervals_over_cells_alone_miss_a_new_type():
    """Types differ much, cells little: what the resampled cells say is far too narrow for a new type."""
    rng, hits = np.random.default_rng(4), []
    for _ in range(100):
        (z0, z1, t0, t1), steps = drawn_types(rng, 5, 20, k=1, spread=3)
        known = t0 != "e"
        draws = bootstrap_deltas(z0[known], z1[known], t0[known], t1[known], 200, rng)
        low, high = np.quantile(draws, [0.05, 0.95])
        hits.append(low <= steps[4, 0] <= high)
    # the spread of the draws is about sqrt(2/20/4) = 0.16, that of a new type 3 sqrt(5/4) = 3.4: the
    # interval is 1.64 * 0.16 = 0.26 to each side, 0.08 standard deviations, and covers 6 in a hundred
    assert np.mean(hits) < 0.9 - 4.892 * np.sqrt(0.9 * 0.1 / 100)


def test_the_interval_is_scipys(rng):
    values = rng.normal(size=(7, 4))
    low, high = stats.t.interval(0.8, 6, loc=0, scale=np.sqrt(values.var(axis=0, ddof=1) * 8 / 7 + 0.3))
    half = prediction_interval(values, 0.3, 0.8)
    np.testing.assert_allclose(half, high, rtol=1e-10)
    np.testing.assert_allclose(-half, low, rtol=1e-10)


# --------------------------------------------------------------------------------------- two factors


def test_species_and_stimulus_are_recovered_where_effects_are_additive(rng):
    """Each estimate is a sum of independent means of cells: its standard error is known."""
    k, n = 6, {"rat0": 80, "rat1": 50, "mouse0": 120}
    species, stimulus = rng.normal(scale=2, size=(2, k))
    means = {"rat0": 0 * species, "rat1": stimulus, "mouse0": species}
    z = {group: means[group] + rng.normal(size=(n[group], k)) for group in n}

    def z_scores(got, truth, *groups):
        return np.abs(got - truth) / np.sqrt(sum(1 / n[group] for group in groups))

    bound = stats.norm.isf(1e-6 / 2 / k)  # one in a million, shared by the coordinates
    assert z_scores(delta(z["rat0"], z["rat1"]), stimulus, "rat0", "rat1").max() < bound
    assert z_scores(delta(z["rat0"], z["mouse0"]), species, "rat0", "mouse0").max() < bound
    predicted = two_factor(z["rat1"], z["rat0"], z["mouse0"]).mean(axis=0)
    assert z_scores(predicted, species + stimulus, "rat1", "rat0", "mouse0").max() < bound
    # an interaction of 1 in every coordinate is not recovered: no corner shows it
    assert z_scores(predicted, species + stimulus + 1, "rat1", "rat0", "mouse0").max() > bound


def test_two_factors_return_the_stimulated_cells_moved():
    moved = two_factor(np.array([[3.0], [5.0]]), np.array([[0.0], [2.0]]), np.array([[4.0]]))
    np.testing.assert_array_equal(moved, [[6.0], [8.0]])  # 4 - 1 = 3 to each


# ----------------------------------------------------------------------------------- types and cells


def test_each_types_delta_is_the_difference_of_its_means(rng):
    (z0, z1, t0, t1), steps = drawn_types(rng, 4, 400, k=3)
    names, deltas = type_deltas(z0[t0 != "b"], z1, t0[t0 != "b"], t1)
    assert names == ["a", "c", "d"]
    by_hand = [
        [z1[t1 == t][:, j].sum() / 400 - z0[t0 == t][:, j].sum() / 400 for j in range(3)] for t in names
    ]
    np.testing.assert_allclose(deltas, by_hand, rtol=1e-11)
    bound = stats.norm.isf(1e-6 / 2 / 9)  # one in a million, shared by nine numbers
    assert np.abs(deltas - steps[[0, 2, 3]]).max() < bound * np.sqrt(2 / 400)


def test_agreement_tells_a_type_that_answers_otherwise(rng):
    step = rng.normal(size=20)
    deltas = np.stack([step, 2 * step, 0.5 * step, -step])
    np.testing.assert_allclose(agreement(deltas), [1, 1, 1, -1], rtol=1e-12)
    random = rng.normal(size=(9, 4))
    cosines = agreement(random)
    for t in range(9):
        others = np.delete(random, t, axis=0).mean(axis=0)
        assert cosines[t] == pytest.approx(1 - cosine(random[t], others))


def test_the_jackknife_is_the_squared_standard_error_of_the_mean(rng):
    deltas = rng.normal(size=(6, 4))
    np.testing.assert_allclose(jackknife_variance(deltas), stats.sem(deltas, axis=0) ** 2, rtol=1e-11)


def test_resamples_have_the_law_of_cells_drawn_one_by_one(rng):
    """Two types; the other route lays out every cell that is drawn."""
    groups = [rng.exponential(size=n) for n in (12, 5, 30, 4)]  # control a, b; stimulated a, b
    z0, z1 = (np.concatenate(pair)[:, None] for pair in (groups[:2], groups[2:]))
    types = np.repeat(["a", "b"], [12, 5]), np.repeat(["a", "b"], [30, 4])
    ours = bootstrap_deltas(z0, z1, *types, 5000, rng)[:, 0]
    a0, b0, a1, b1 = (rng.choice(z, size=(5000, len(z))).mean(axis=1) for z in groups)
    theirs = (a1 - a0 + b1 - b0) / 2
    assert abs(ours.mean() - theirs.mean()) < 4.892 * np.sqrt((ours.var() + theirs.var()) / 5000)
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-6


def test_resamples_rest_on_shared_types_and_on_the_generator_alone(rng):
    (z0, z1, t0, t1), _ = drawn_types(rng, 3, 10)
    z0, t0 = z0[t0 != "c"], t0[t0 != "c"]
    poisoned = z1.copy()
    poisoned[t1 == "c"] = 1e6
    first, again = (bootstrap_deltas(z0, z, t0, t1, 50, np.random.default_rng(7)) for z in (z1, poisoned))
    assert first.shape == (50, 2)
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first[:, 0])) == 50


def test_the_factor_brings_a_shrunk_change_back(rng):
    changes = rng.normal(size=(4, 9))
    assert shrinkage_factor(changes, 0.75 * changes) == pytest.approx(4 / 3)
    noisy = 0.75 * changes + rng.normal(scale=0.1, size=changes.shape)
    slope = stats.linregress(
        np.r_[noisy.ravel(), -noisy.ravel()], np.r_[changes.ravel(), -changes.ravel()]
    ).slope
    assert shrinkage_factor(changes, noisy) == pytest.approx(slope)  # through zero, by symmetry


# ------------------------------------------------------------------------------------------ refusals


def test_what_cannot_be_said_is_refused(rng):
    one, two = np.ones((1, 3)), np.arange(6.0).reshape(2, 3)
    with pytest.raises(InputError, match="at least two types: there is 1"):
        jackknife_variance(one)
    with pytest.raises(InputError, match="at least two types: there is 1"):
        prediction_interval(one)
    for level in (0, 1, -0.5, 90, np.nan):
        with pytest.raises(InputError, match="give a number between 0 and 1"):
            prediction_interval(two, level=level)
    with pytest.raises(InputError, match="all zero"):
        shrinkage_factor(two, 0 * two)
    cells = two, two, np.array(["a", "b"]), np.array(["b", "c"])
    with pytest.raises(InputError, match="no cell type has 2 cells in both conditions"):
        type_deltas(*cells, min_cells=2)
    with pytest.raises(InputError, match="no cell type has 2 cells in both conditions"):
        bootstrap_deltas(*cells, 10, rng, min_cells=2)
