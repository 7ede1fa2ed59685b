"""Delta: its definition, its balancing, the published resampling, and the exact linear world."""

import numpy as np
import pytest

from vae_np.errors import InputError
from vae_np.scgen import (
    decoded_change,
    delta,
    delta_balanced,
    delta_predict,
    delta_resampled,
    shared_types,
)
from vae_np.scgen.arithmetic import Reference, perturbation

COUNTS = {"a": (40, 15), "b": (12, 30), "c": (25, 0), "d": (3, 20)}  # control, stimulated


@pytest.fixture
def cells(rng):
    """Latents of four types: c has no stimulated cell, d few control cells."""
    types = {c: np.repeat(list(COUNTS), [n[c] for n in COUNTS.values()]) for c in (0, 1)}
    means = dict(zip(COUNTS, rng.normal(scale=3, size=(4, 5)), strict=True))
    z = {c: np.array([means[t] for t in types[c]]) + rng.normal(size=(len(types[c]), 5)) for c in (0, 1)}
    z[1] += np.arange(5)
    return z[0], z[1], types[0], types[1]


def type_mean(z, types, name):
    rows = [row for row, t in zip(z, types, strict=True) if t == name]
    return sum(rows) / len(rows)


def test_delta_is_the_difference_of_means_and_the_condition_coefficient(cells):
    z0, z1, _, _ = cells
    z = np.concatenate([z0, z1])
    design = np.stack([np.ones(len(z)), np.repeat([0, 1], [len(z0), len(z1)])], axis=1)
    ols = np.linalg.lstsq(design, z, rcond=None)[0][1]
    np.testing.assert_allclose(delta(z0, z1), ols, rtol=1e-11)
    np.testing.assert_allclose(delta(z1, z0), -delta(z0, z1), rtol=1e-12)


def test_balanced_delta_weights_shared_types_equally(cells):
    z0, z1, t0, t1 = cells
    shared = ["a", "b", "d"]
    by_hand = np.mean([type_mean(z1, t1, t) - type_mean(z0, t0, t) for t in shared], axis=0)
    np.testing.assert_allclose(delta_balanced(*cells), by_hand, rtol=1e-12)
    assert shared_types(t0, t1) == {"a": (40, 15), "b": (12, 30), "d": (3, 20)}
    enough = np.mean([type_mean(z1, t1, t) - type_mean(z0, t0, t) for t in "ab"], axis=0)
    np.testing.assert_allclose(delta_balanced(*cells, min_cells=10), enough, rtol=1e-12)
    with pytest.raises(ValueError, match="no cell type has 50 cells"):
        delta_balanced(*cells, min_cells=50)


def test_resampled_delta_has_the_published_mean_and_spread(cells):
    """Over 4,000 seeds: the mean is that of the type means over all types, the variance is as derived.

    Every stage of the resampling is unbiased, so the mean is exact; a bound of 4.892 standard errors
    a coordinate is a false alarm in a million.
    """
    z0, z1, t0, t1 = cells
    draws = np.array([delta_resampled(*cells, np.random.default_rng(s)) for s in range(4000)])
    limit = np.mean([type_mean(z1, t1, t) for t in "abd"], axis=0)
    limit -= np.mean([type_mean(z0, t0, t) for t in "abcd"], axis=0)
    z_score = np.abs(draws.mean(axis=0) - limit) / (draws.std(axis=0, ddof=1) / np.sqrt(4000))
    assert z_score.max() < 4.892
    # The composition shift that c brings is real: the balanced delta is many standard errors away.
    far = np.abs(draws.mean(axis=0) - delta_balanced(*cells)) / (draws.std(axis=0) / np.sqrt(4000))
    assert far.max() > 50

    # Spread: type means vary by within-type variance / oversampled size; the stimulated pool (3 x 30
    # rows) is used up whole, the control pool (4 x 40) is thinned to 90, which adds the finite-
    # population variance of a draw without replacement, (1/n - 1/N) S^2.
    n, big = 90, 160
    spread = np.zeros(5)
    for z, t, names, size in ((z1, t1, "abd", 30), (z0, t0, "abcd", 40)):
        within = [np.var(z[t == name], axis=0) for name in names]
        spread += np.mean(within, axis=0) / (size * len(names))
    within = np.mean([np.var(z0[t0 == t], axis=0) for t in "abcd"], axis=0)
    between = np.var([type_mean(z0, t0, t) for t in "abcd"], axis=0)
    pool_variance = within * (1 - 1 / 160) + between
    spread += (1 / n - 1 / big) * pool_variance * big / (big - 1)
    squares = (draws - draws.mean(axis=0)) ** 2
    standard_error = squares.std(axis=0, ddof=1) / np.sqrt(4000)
    assert (np.abs(squares.mean(axis=0) - spread) < 4.892 * standard_error).all()


def test_composition_bias_has_its_closed_form(rng):
    """All control cells for the arithmetic: delta is off by the target's absence, 1/K (others - target)."""
    names = np.array(list("abcd"))
    t0, t1 = np.repeat(names, 20), np.repeat(names[:3], 20)
    means = rng.normal(size=(4, 3))
    z0 = np.repeat(means, 20, axis=0)
    z1 = np.repeat(means[:3], 20, axis=0) + 1.0
    # Without within-type noise the oversampled pools have these means exactly; 60 of 80 control rows
    # are then drawn, so compare the expectation over many draws.
    draws = [delta_resampled(z0, z1, t0, t1, np.random.default_rng(s)) for s in range(2000)]
    bias = (means[:3].mean(axis=0) - means[3]) / 4
    error = np.abs(np.mean(draws, axis=0) - (1.0 + bias))
    assert (error < 4.892 * np.std(draws, axis=0, ddof=1) / np.sqrt(2000)).all()
    np.testing.assert_allclose(delta_balanced(z0, z1, t0, t1), 1.0, rtol=1e-12)


def test_an_affine_decoder_moves_every_cell_by_the_same_step(rng):
    W, z, shift, x = (rng.normal(size=s) for s in ((5, 8), (6, 5), 5, (6, 8)))
    moved = delta_predict(z, shift) @ W - z @ W
    np.testing.assert_allclose(moved, np.tile(shift @ W, (6, 1)), rtol=1e-11)
    changed = decoded_change(x, z @ W, delta_predict(z, shift) @ W)
    np.testing.assert_allclose(changed, x + shift @ W, rtol=1e-11)


REFERENCE_LABELS = {"ctrl_key": "0", "stim_key": "1", "only_types": None, "min_cells": 10}


def reference(cells):
    z0, z1, t0, t1 = cells
    condition = np.repeat(["0", "1"], [len(z0), len(z1)])
    return Reference(np.concatenate([z0, z1]), condition, np.concatenate([t0, t1]))


def arithmetic(cells, rng, **changes):
    settings = REFERENCE_LABELS | {"target": "b", "method": "shared", "rng": rng} | changes
    return perturbation(reference(cells), **settings)


def test_shared_arithmetic_leaves_the_target_and_small_types_out(cells, rng):
    z0, z1, t0, t1 = cells
    shift, counts = arithmetic(cells, rng)
    assert counts == {"a": (40, 15)}
    np.testing.assert_allclose(shift, type_mean(z1, t1, "a") - type_mean(z0, t0, "a"), rtol=1e-12)
    _, counts = arithmetic(cells, rng, min_cells=1)
    assert list(counts) == ["a", "d"]
    _, counts = arithmetic(cells, rng, target=None)
    assert list(counts) == ["a", "b"]
    _, counts = arithmetic(cells, rng, target=None, only_types=["b"])
    assert counts == {"b": (12, 30)}


def test_pooled_arithmetic_leaves_the_target_out_on_both_sides(cells, rng):
    z0, z1, t0, t1 = cells
    shift, counts = arithmetic(cells, rng, method="pooled")
    np.testing.assert_allclose(shift, delta(z0[t0 != "b"], z1[t1 != "b"]), rtol=1e-12)
    assert counts == {"a": (40, 15), "c": (25, 0), "d": (3, 20)}


def test_scgen_arithmetic_keeps_the_targets_control_cells_only(cells):
    z0, z1, t0, t1 = cells
    shift, counts = arithmetic(cells, np.random.default_rng(5), method="scgen")
    published = delta_resampled(z0, z1[t1 != "b"], t0, t1[t1 != "b"], np.random.default_rng(5))
    np.testing.assert_allclose(shift, published, rtol=1e-12)
    assert counts["b"] == (12, 0)


@pytest.mark.parametrize("method", ["shared", "scgen", "pooled"])
def test_stimulated_cells_of_the_target_never_count(cells, method):
    z0, z1, t0, t1 = cells
    poisoned = z1.copy()
    poisoned[t1 == "b"] = 1e6
    shifts = [
        arithmetic((z0, z, t0, t1), np.random.default_rng(0), method=method).delta for z in (z1, poisoned)
    ]
    np.testing.assert_array_equal(*shifts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ctrl_key": "x"}, "condition 'x' does not exist: the names are '0', '1'"),
        ({"stim_key": "0"}, "both '0'"),
        ({"method": "mean"}, "delta_method 'mean' is unknown"),
        ({"only_types": ["a", "q"]}, "cell type 'q' does not exist: the names are 'a', 'b', 'c', 'd'"),
        ({"only_types": ["c"]}, "no cell type is left with 10 cells in both '0' and '1'"),
        ({"only_types": ["b"], "method": "pooled"}, "no cell type is left"),
        ({"only_types": ["c"], "method": "scgen"}, "no cell type is left"),
        ({"min_cells": 41}, "no cell type is left with 41 cells"),
    ],
)
def test_arithmetic_says_what_is_wrong(cells, rng, changes, message):
    with pytest.raises(InputError, match=message):
        arithmetic(cells, rng, **changes)
