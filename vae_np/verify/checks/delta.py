"""Delta: differences of latent means, what composition and the decoder do to them, and batches.

Page: `derivations/delta.md`. The other routes are least squares, exactly rounded sums, worlds whose truth
is known by construction, and quadrature along the path of a shift.
"""

from collections import Counter
from collections.abc import Callable
from math import fsum
from typing import Any, NamedTuple

import numpy as np

from vae_np.scgen.delta import (
    decoded_change,
    delta,
    delta_balanced,
    delta_predict,
    delta_resampled,
    shared_types,
)
from vae_np.scgen.uncertainty import type_deltas
from vae_np.verify import oracle
from vae_np.verify.judges import (
    identities,
    monte_carlo,
    proved,
    refined,
    rounding,
)
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]
Counts = dict[str, tuple[int, int]]

# control and stimulated cells of each type: very different shares, a type missing on either side
UNEQUAL: Counts = {"a": (40, 3), "b": (2, 25), "c": (9, 12), "d": (20, 0), "e": (0, 7), "f": (1, 30)}
SHARED: Counts = {"a": (40, 3), "b": (2, 25), "c": (9, 12)}

# roundings on both routes together
OF_MEANS = 300  # two means of at most 120 cells, and a few sums, differences and products around them
OF_A_FIT = 2000  # least squares by singular values, at most 77 cells x 5 columns: 5 terms each, 5 times
OF_A_DECODER = 40  # three products of 3 terms, and the sums and differences around them
ON_A_PATH = 1000  # 60 nodes, about 16 operations at each


class Cells(NamedTuple):
    """Latents (n0, k) and (n1, k) of control and stimulated cells, and their types."""

    z_ctrl: np.ndarray
    z_stim: np.ndarray
    type_ctrl: np.ndarray
    type_stim: np.ndarray

    @property
    def scale(self) -> float:
        """Size of the numbers that are added up."""
        return float(max(np.abs(self.z_ctrl).max(), np.abs(self.z_stim).max()))


def place(
    rng: np.random.Generator, counts: Counts, means: np.ndarray, steps: np.ndarray, spread: float
) -> Cells:
    """Cells in random order: type mean + (step of the type, if stimulated) + spread times noise."""
    names = np.array(list(counts))
    z, types = [], []
    for stimulated in (0, 1):
        index = np.repeat(np.arange(len(counts)), [n[stimulated] for n in counts.values()])
        index = rng.permutation(index)
        noise = spread * rng.normal(size=(len(index), means.shape[1]))
        z.append(means[index] + stimulated * steps[index] + noise)
        types.append(names[index])
    return Cells(z[0], z[1], types[0], types[1])


def random_means(rng: np.random.Generator, counts: Counts, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and step of each type, (K, k) each."""
    return rng.normal(scale=3, size=(len(counts), k)), rng.normal(size=(len(counts), k))


def random_cells(rng: np.random.Generator, counts: Counts, k: int = 3) -> Cells:
    """Cells of types with means, steps and noise."""
    return place(rng, counts, *random_means(rng, counts, k), spread=1.0)


def mean_by_fsum(rows: np.ndarray) -> np.ndarray:
    """Mean of each column, the sums rounded once."""
    return np.array([fsum(column) / len(column) for column in rows.T])


def group_means(z: np.ndarray, *labels: np.ndarray) -> dict[tuple, np.ndarray]:
    """Mean of each group of cells, by least squares on a column of zeros and ones for each group."""
    groups = list(zip(*(a.tolist() for a in labels), strict=True))
    names = sorted(set(groups))
    design = np.array([[group == name for name in names] for group in groups], dtype=float)
    return dict(zip(names, np.linalg.lstsq(design, z, rcond=None)[0], strict=True))


# ------------------------------------------------------------------------------- the difference


def delta_is_the_coefficient_of_the_condition(f: Values, rng: np.random.Generator) -> Measured:
    """Least squares of z on a constant and on stimulated = 0 or 1."""
    got, expected = [], []
    for n0, n1, k in ((3, 9, 2), (20, 7, 5), (1, 1, 1), (4, 4, 4)):
        z = rng.normal(size=(n0 + n1, k)) + rng.normal(size=k)
        design = np.stack([np.ones(n0 + n1), np.repeat([0.0, 1.0], [n0, n1])], axis=1)
        expected.append(np.linalg.lstsq(design, z, rcond=None)[0][1])
        got.append(f(z[:n0], z[n0:]))
    return rounding(tuple(got), tuple(expected), OF_A_FIT)


def delta_by_exact_sums(f: Values, rng: np.random.Generator) -> Measured:
    cells = random_cells(rng, SHARED)
    expected = mean_by_fsum(cells.z_stim) - mean_by_fsum(cells.z_ctrl)
    return rounding(f(cells.z_ctrl, cells.z_stim), expected, OF_MEANS, cells.scale)


def delta_of_an_affine_encoder(f: Values, rng: np.random.Generator) -> Measured:
    """Cells that all move by s in expression move by s V in the latents of an affine encoder."""
    got, expected = [], []
    for n, d, k in ((1, 2, 1), (8, 5, 3), (30, 3, 6)):
        x, s, V, c = (rng.normal(size=size) for size in ((n, d), d, (d, k), k))
        stimulated = np.concatenate([x, x[::-1], x]) + s  # three times as many cells, the same mean
        got.append(f(x @ V + c, stimulated @ V + c))
        expected.append(s @ V)
    return rounding(tuple(got), tuple(expected), OF_MEANS)


def delta_keeps_its_symmetries(f: Values, rng: np.random.Generator) -> Measured:
    """Exchange the conditions: the sign turns. Move them by a and b: delta moves by b - a."""
    z0, z1, a, b = (rng.normal(size=size) for size in ((4, 3), (9, 3), 3, 3))
    got = (f(z1, z0) + f(z0, z1), f(z0 + a, z1 + b) - f(z0, z1), f(np.repeat(z0, 5, axis=0), z0))
    return rounding(got, (np.zeros(3), b - a, np.zeros(3)), OF_MEANS, float(np.abs(z1).max()))


def delta_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    """The normal equations of z = intercept + coefficient * stimulated, solved for any n0, n1."""
    import sympy

    n0, n1 = sympy.symbols("n0 n1", positive=True)
    sum0, sum1, intercept, slope = sympy.symbols("sum0 sum1 intercept slope")
    equations = ((n0 + n1) * intercept + n1 * slope - sum0 - sum1, n1 * (intercept + slope) - sum1)
    solution = sympy.solve(equations, (intercept, slope))[slope]
    z0, z1 = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    formula = sympy.lambdify((n0, n1, sum0, sum1), solution)
    expected = np.array([formula(6, 4, fsum(a), fsum(b)) for a, b in zip(z0.T, z1.T, strict=True)])
    return proved(rounding(f(z0, z1), expected, OF_MEANS), solution - (sum1 / n1 - sum0 / n0))


def mean_of_every_state_for_the_control(f: Values, rng: np.random.Generator) -> Measured:
    """Taking z0 as the mean of all cells, both states, makes delta n0 / (n0 + n1) of its length."""
    z0, z1 = rng.normal(size=(8, 3)), 1 + rng.normal(size=(5, 3))
    every_state = np.concatenate([z0, z1])
    return rounding(mean_by_fsum(z1) - mean_by_fsum(every_state), f(z0, z1), OF_MEANS)


# -------------------------------------------------------------------------- balanced over cell types


def balanced_by_least_squares(f: Values, rng: np.random.Generator) -> Measured:
    got, expected, scale = [], [], 0.0
    for k, settings, types in ((3, {}, "abcf"), (1, {"min_cells": 2}, "abc"), (4, {"min_cells": 3}, "ac")):
        cells = random_cells(rng, UNEQUAL, k)
        z0, z1 = group_means(cells.z_ctrl, cells.type_ctrl), group_means(cells.z_stim, cells.type_stim)
        differences = [z1[(t,)] - z0[(t,)] for t in types]
        got.append(f(*cells, **settings))
        expected.append(np.array([fsum(d) / len(types) for d in np.transpose(differences)]))
        scale = max(scale, cells.scale)
    return rounding(tuple(got), tuple(expected), OF_A_FIT, scale)


def balanced_recovers_the_steps(f: Values, rng: np.random.Generator) -> Measured:
    """Without noise the types' steps are known: their plain mean comes out, whatever the cell numbers."""
    means, steps = random_means(rng, UNEQUAL, 3)
    cells = place(rng, UNEQUAL, means, steps, spread=0.0)
    return rounding(f(*cells), steps[[0, 1, 2, 5]].sum(axis=0) / 4, OF_MEANS, cells.scale)


def balanced_ignores_cell_numbers(f: Values, rng: np.random.Generator) -> Measured:
    """Every control cell of one type, and every stimulated cell of another, three times: no change."""
    cells = random_cells(rng, UNEQUAL)
    rows0 = np.repeat(np.arange(len(cells.z_ctrl)), np.where(cells.type_ctrl == "a", 3, 1))
    rows1 = np.repeat(np.arange(len(cells.z_stim)), np.where(cells.type_stim == "c", 3, 1))
    more = Cells(cells.z_ctrl[rows0], cells.z_stim[rows1], cells.type_ctrl[rows0], cells.type_stim[rows1])
    return rounding(f(*more), f(*cells), OF_MEANS, cells.scale)


def pooled_bias_is_the_difference_of_shares(f: Values, rng: np.random.Generator) -> Measured:
    """With one step for all types: pooled delta - balanced delta = sum_k (p1_k - p0_k) m_k."""
    means, steps = random_means(rng, SHARED, 3)
    steps[:] = steps[0]
    cells = place(rng, SHARED, means, steps, spread=0.0)
    n0, n1 = np.array(list(SHARED.values())).T
    bias = (n1 / n1.sum() - n0 / n0.sum()) @ means
    pooled = mean_by_fsum(cells.z_stim) - mean_by_fsum(cells.z_ctrl)
    return rounding(pooled - f(*cells), bias, OF_MEANS, cells.scale)


def balanced_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    """Three types, any cell numbers, a common step s: balanced is s, pooled is s + sum (p1 - p0) m."""
    import sympy

    n0, n1 = sympy.symbols("a1:4", positive=True), sympy.symbols("b1:4", positive=True)
    m, s = sympy.symbols("m1:4"), sympy.symbols("s")
    total0 = [n0[i] * m[i] for i in range(3)]
    total1 = [n1[i] * (m[i] + s) for i in range(3)]
    balanced = sum(total1[i] / n1[i] - total0[i] / n0[i] for i in range(3)) / 3
    pooled = sum(total1) / sum(n1) - sum(total0) / sum(n0)
    bias = sum((n1[i] / sum(n1) - n0[i] / sum(n0)) * m[i] for i in range(3))
    means, steps = random_means(rng, SHARED, 2)
    steps[:] = steps[0]
    cells = place(rng, SHARED, means, steps, spread=0.0)
    agrees = rounding(f(*cells), steps[0], OF_MEANS, cells.scale)
    return proved(agrees, balanced - s, pooled - s - bias)


def types_are_counted(_: object, rng: np.random.Generator) -> Measured:
    """Python's Counter, for several smallest numbers of cells; the order is that of the names."""
    cells = random_cells(rng, UNEQUAL)
    count0, count1 = Counter(cells.type_ctrl.tolist()), Counter(cells.type_stim.tolist())
    wrong = 0
    for arguments in ((), (1,), (2,), (3,), (10,)):
        least = (*arguments, 1)[0]
        names = sorted(t for t in count0 if count0[t] >= least and count1[t] >= least)
        expected = [(t, (count0[t], count1[t])) for t in names]
        wrong += list(shared_types(cells.type_ctrl, cells.type_stim, *arguments).items()) != expected
    return Measured(float(wrong), 0.0, "number of differing counts")


def balanced_is_the_mean_of_the_types(f: Values, rng: np.random.Generator) -> Measured:
    """The types' own deltas by least squares, in the order of the names; balanced delta is their mean."""
    got, expected, scale = [], [], 0.0
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "abcf"),
        ({"min_cells": 2}, "abc"),
        ({"min_cells": 3}, "ac"),
    )
    for settings, types in cases:
        cells = random_cells(rng, UNEQUAL)
        z0, z1 = group_means(cells.z_ctrl, cells.type_ctrl), group_means(cells.z_stim, cells.type_stim)
        names, deltas = type_deltas(*cells, **settings)
        got += [deltas, f(*cells, **settings)]
        expected += [np.array([z1[(t,)] - z0[(t,)] for t in types]), mean_by_fsum(deltas)]
        scale = max(scale, cells.scale) if names == list(types) else np.nan
    return rounding(tuple(got), tuple(expected), OF_A_FIT, scale)


def no_shared_type_is_refused(f: Values, rng: np.random.Generator) -> Measured:
    cells = random_cells(rng, {"a": (3, 0), "b": (0, 4), "c": (2, 5)})
    f(*cells, min_cells=2)  # type c has them
    try:
        f(*cells, min_cells=3)
    except ValueError:
        return Measured(0.0, 0.0, "number of missing refusals")
    return Measured(1.0, 0.0, "number of missing refusals")


def all_cells_pooled(f: Values, rng: np.random.Generator) -> Measured:
    """The printed formula without the adjustment."""
    cells = random_cells(rng, SHARED)
    return rounding(delta(cells.z_ctrl, cells.z_stim), f(*cells), OF_MEANS, cells.scale)


def types_weighted_by_their_cells(f: Values, rng: np.random.Generator) -> Measured:
    """Differences within types, but averaged with the number of cells as weight."""
    cells = random_cells(rng, SHARED)
    z0, z1 = group_means(cells.z_ctrl, cells.type_ctrl), group_means(cells.z_stim, cells.type_stim)
    weights = [sum(n) for n in SHARED.values()]
    weighted = np.average([z1[(t,)] - z0[(t,)] for t in SHARED], axis=0, weights=weights)
    return rounding(weighted, f(*cells), OF_A_FIT, cells.scale)


# -------------------------------------------------------------------------- the published resampling


def without_chance(rng: np.random.Generator, n_ctrl: int, k: int = 3) -> tuple[Cells, np.ndarray, np.ndarray]:
    """Cells for which the resampling has no randomness left; with the types' control means and steps.

    The first n_ctrl - 1 types have both conditions, the last has control cells only. Cells of a type
    are alike, and both oversampled pools have the same size, n_ctrl (n_ctrl - 1) 3, so that all of
    their rows are used.
    """
    most_ctrl, most_stim = 3 * (n_ctrl - 1), 3 * n_ctrl
    counts = {f"t{i}": (max(most_ctrl - i, 1), max(most_stim - 2 * i, 1)) for i in range(n_ctrl - 1)}
    counts["target"] = (2, 0)
    means, steps = random_means(rng, counts, k)
    return place(rng, counts, means, steps, spread=0.0), means, steps[:-1]


def resampled_without_chance(f: Values, rng: np.random.Generator) -> Measured:
    """Mean over the stimulated types of their means minus the same over the control types."""
    got, expected, scale = [], [], 0.0
    for n_ctrl in (2, 3, 5):
        cells, means, steps = without_chance(rng, n_ctrl)
        got.append(f(*cells, rng))
        expected.append((means[:-1] + steps).sum(axis=0) / (n_ctrl - 1) - means.sum(axis=0) / n_ctrl)
        scale = max(scale, cells.scale)
    return rounding(tuple(got), tuple(expected), OF_MEANS, scale)


def resampled_is_balanced_where_types_are_shared(f: Values, rng: np.random.Generator) -> Measured:
    """The same types and the same largest number on both sides, cells of a type alike: no chance left."""
    counts = {"a": (20, 3), "b": (2, 20), "c": (9, 12)}
    cells = place(rng, counts, *random_means(rng, counts, 3), spread=0.0)
    return rounding(f(*cells, rng), delta_balanced(*cells), OF_MEANS, cells.scale)


def resampled_mean_and_spread(f: Values, rng: np.random.Generator) -> Measured:
    """Mean and total variance over 1200 runs; the cells differ within types, and d has one condition.

    Twenty dimensions make the square of the noise a sum of many terms, not skewed enough to matter, as long
    as the four means differ little.
    """
    counts = {"a": (20, 4), "b": (6, 15), "c": (12, 9), "d": (5, 0)}
    means, steps = rng.normal(scale=0.15, size=(2, 4, 20))
    cells = place(rng, counts, means, steps, spread=1.0)
    draws = np.array([f(*cells, rng) for _ in range(1200)])
    limit, variance = np.zeros(20), np.zeros(20)
    n = min(4 * 20, 3 * 15)
    for sign, z, types, names in (
        (-1, cells.z_ctrl, cells.type_ctrl, "abcd"),
        (1, cells.z_stim, cells.type_stim, "abc"),
    ):
        of_type = [z[types == t] for t in names]
        means = np.array([mean_by_fsum(rows) for rows in of_type])
        within = np.mean(
            [((rows - m) ** 2).mean(axis=0) for rows, m in zip(of_type, means, strict=True)], axis=0
        )
        pool = max(len(rows) for rows in of_type) * len(names)
        limit += sign * means.mean(axis=0)
        # rows drawn with replacement, then n of the pool without: a finite-population correction
        in_pool = within * (1 - 1 / pool) + means.var(axis=0)
        variance += within / pool + (1 / n - 1 / pool) * in_pool * pool / (pool - 1)
    squares = ((draws - limit) ** 2).sum(axis=1, keepdims=True)
    return monte_carlo(np.hstack([draws, squares]), np.append(limit, variance.sum()))


def balanced_for_the_limit(f: Values, rng: np.random.Generator) -> Measured:
    """With a type in one condition only, the limit is not the balanced delta."""
    cells, _, _ = without_chance(rng, 4)
    return rounding(delta_balanced(*cells), f(*cells, rng), OF_MEANS, cells.scale)


def bias_is_what_separates_the_two_deltas(_: object, rng: np.random.Generator) -> Measured:
    """Published minus balanced delta on the same cells, K = 2 .. 6, nothing left to chance."""
    got, expected, scale = [], [], 0.0
    for n_ctrl in range(2, 7):
        cells, means, _ = without_chance(rng, n_ctrl)
        got.append(delta_resampled(*cells, rng) - delta_balanced(*cells))
        expected.append((mean_by_fsum(means[:-1]) - means[-1]) / n_ctrl)
        scale = max(scale, cells.scale)
    return rounding(np.array(got), np.array(expected), OF_MEANS, scale)


def bias_from_the_means_of_noisy_cells(_: object, rng: np.random.Generator) -> Measured:
    """The limit from the means of groups, by least squares, minus the balanced delta."""
    counts = {"a": (20, 4), "b": (6, 15), "c": (12, 9), "target": (5, 0)}
    cells = random_cells(rng, counts, 5)
    z0, z1 = group_means(cells.z_ctrl, cells.type_ctrl), group_means(cells.z_stim, cells.type_stim)
    limit = sum(z1.values()) / 3 - sum(z0.values()) / 4
    others = np.mean([mean_by_fsum(cells.z_ctrl[cells.type_ctrl == t]) for t in "abc"], axis=0)
    target = mean_by_fsum(cells.z_ctrl[cells.type_ctrl == "target"])
    return rounding(limit - delta_balanced(*cells), (others - target) / 4, OF_A_FIT, cells.scale)


def bias_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """K = 2 .. 5 control types, each of the others with its own step."""
    import sympy

    differences = []
    for n in range(2, 6):
        c, s = sympy.symbols(f"c1:{n + 1}"), sympy.symbols(f"s1:{n}")
        all_control = sum(c[i] + s[i] for i in range(n - 1)) / (n - 1) - sum(c) / n
        bias = (sum(c[:-1]) / (n - 1) - c[-1]) / n
        differences.append(all_control - sum(s) / (n - 1) - bias)
    return identities(*differences)


def no_bias(_: object, rng: np.random.Generator) -> Measured:
    """The reading that the target's control cells, taken along, do not matter."""
    cells, _, _ = without_chance(rng, 4)
    return rounding(delta_resampled(*cells, rng), delta_balanced(*cells), OF_MEANS, cells.scale)


# ----------------------------------------------------------------------------------- the prediction


def affine_decoder_moves_every_cell_alike(f: Values, rng: np.random.Generator) -> Measured:
    got, expected, scale = [], [], 0.0
    for n, k, d in ((1, 1, 2), (6, 3, 5), (20, 2, 9)):
        model = oracle.random_linear(rng, k, d)
        z, shift = rng.normal(size=(n, k)), rng.normal(size=k)
        got.append(model.decode(f(z, shift)) - model.decode(z))
        expected.append(np.tile(shift @ model.W, (n, 1)))
        scale = max(scale, float(np.abs(model.decode(z)).max()))
    return rounding(tuple(got), tuple(expected), OF_A_DECODER, scale)


def predicted_mean_is_the_stimulated_mean(f: Values, rng: np.random.Generator) -> Measured:
    """Adding delta moves the mean of the control onto the stimulated mean, and no cell within it."""
    z0, z1 = rng.normal(size=(7, 3)), 2 + rng.normal(size=(12, 3))
    predicted = f(z0, delta(z0, z1))
    got = (mean_by_fsum(predicted), predicted - predicted[0])
    return rounding(got, (mean_by_fsum(z1), z0 - z0[0]), OF_MEANS)


def along_the_path(model: oracle.Curved, z: np.ndarray, shift: np.ndarray, n_nodes: int) -> np.ndarray:
    """Integral of the decoder's slope from z to z + shift: the decoded change."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    on_path = z + (nodes[:, None, None] + 1) / 2 * shift
    return np.einsum("m,mnkd,k->nd", weights / 2, model.decode_slope(on_path), shift)


def curved_decoder_by_its_slope(f: Values, rng: np.random.Generator) -> Measured:
    model = oracle.random_curved(rng, k=2, d=4)
    z, shift = rng.normal(size=(9, 2)), rng.normal(size=2)
    change = model.decode(f(z, shift)) - model.decode(z)
    fine, coarse = (along_the_path(model, z, shift, n_nodes) for n_nodes in (60, 30))
    return refined(change, fine, coarse, ON_A_PATH)


def decoded_delta_for_the_change(f: Values, rng: np.random.Generator) -> Measured:
    """Decoding delta itself adds the decoder's b to the change."""
    model = oracle.random_linear(rng, 3, 5)
    z, shift = rng.normal(size=(6, 3)), rng.normal(size=3)
    change = model.decode(f(z, shift)) - model.decode(z)
    return rounding(np.tile(model.decode(shift), (6, 1)), change, OF_A_DECODER)


def one_step_for_all_cells_of_a_curved_decoder(f: Values, rng: np.random.Generator) -> Measured:
    model = oracle.random_curved(rng, k=2, d=4)
    z, shift = rng.normal(size=(9, 2)), rng.normal(size=2)
    change = model.decode(f(z, shift)) - model.decode(z)
    return rounding(np.tile(change[0], (9, 1)), change, OF_A_DECODER)


def change_of_an_affine_decoder(f: Values, rng: np.random.Generator) -> Measured:
    """Whatever x and however bad its reconstruction: x + delta W."""
    got, expected, scale = [], [], 0.0
    for n, k, d in ((1, 1, 2), (6, 3, 5), (20, 2, 9)):
        model = oracle.random_linear(rng, k, d)
        x, z, shift = rng.normal(size=(n, d)), rng.normal(size=(n, k)), rng.normal(size=k)
        got.append(f(x, model.decode(z), model.decode(z + shift)))
        expected.append(x + shift @ model.W)
        scale = max(scale, float(np.abs(model.decode(z)).max()))
    return rounding(tuple(got), tuple(expected), OF_A_DECODER, scale)


def change_of_a_curved_decoder_by_its_slope(f: Values, rng: np.random.Generator) -> Measured:
    model = oracle.random_curved(rng, k=2, d=4)
    x, z, shift = rng.normal(size=(9, 4)), rng.normal(size=(9, 2)), rng.normal(size=2)
    got = f(x, model.decode(z), model.decode(delta_predict(z, shift)))
    fine, coarse = (x + along_the_path(model, z, shift, n_nodes) for n_nodes in (60, 30))
    return refined(got, fine, coarse, ON_A_PATH)


def no_shift_no_change(f: Values, rng: np.random.Generator) -> Measured:
    """Delta = 0 returns the measured cells themselves."""
    model = oracle.random_curved(rng, k=2, d=4)
    x, z = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    return rounding(f(x, model.decode(z), model.decode(delta_predict(z, np.zeros(2)))), x, 4)


def change_keeps_the_reconstruction_error(f: Values, rng: np.random.Generator) -> Measured:
    """It differs from the decoded prediction by x - decode(z), the same for every delta."""
    model = oracle.random_curved(rng, k=2, d=4)
    x, z = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    shifted = model.decode(z + rng.normal(size=(5, 1, 2)))  # five shifts
    got = np.stack([f(x, model.decode(z), s) - s for s in shifted])
    return rounding(got, np.tile(x - model.decode(z), (5, 1, 1)), OF_A_DECODER)


def decoded_prediction_returns_the_cell(_: object, rng: np.random.Generator) -> Measured:
    """The reading that decode(z + delta) at delta = 0 is the measured cell."""
    model = oracle.random_linear(rng, k=2, d=5)
    x = oracle.sample(model, 9, rng)
    z, _covariance = oracle.linear_gaussian_posterior(model, x)
    return rounding(model.decode(delta_predict(z, np.zeros(2))), x, OF_A_DECODER)


# ------------------------------------------------------------------------------------- two factors


def four_groups(rng: np.random.Generator, additive: bool) -> dict[str, np.ndarray]:
    """Cells of other and target (o, t) in control and stimulated (0, 1), of unequal numbers."""
    context, condition = rng.normal(size=3), rng.normal(size=3)
    interaction = np.zeros(3) if additive else rng.choice([-1, 1], 3) * rng.uniform(0.5, 2, 3)
    means = {"o0": np.zeros(3), "o1": condition, "t0": context, "t1": context + condition + interaction}
    noise = {"o0": (9, 3), "o1": (4, 3), "t0": (7, 3), "t1": (12, 3)}
    groups = {g: rng.normal(size=size) for g, size in noise.items()}
    return {g: means[g] + z - mean_by_fsum(z) for g, z in groups.items()}  # these means exactly


def predicted(f: Values, groups: dict[str, np.ndarray]) -> np.ndarray:
    """Mean of the fourth group, as predicted from the other three."""
    return mean_by_fsum(f(groups["o1"], groups["o0"], groups["t0"]))


def two_orders_one_number(f: Values, rng: np.random.Generator) -> Measured:
    """Or the target's control cells, moved by what the stimulus does to the other context."""
    groups = four_groups(rng, additive=False)
    across_conditions = delta_predict(groups["t0"], delta(groups["o0"], groups["o1"]))
    return rounding(predicted(f, groups), mean_by_fsum(across_conditions), OF_MEANS)


def two_factors_keep_the_stimulated_cells(f: Values, rng: np.random.Generator) -> Measured:
    """A row for each stimulated cell of the other context; between cells nothing changes."""
    groups = four_groups(rng, additive=False)
    moved = f(groups["o1"], groups["o0"], groups["t0"])
    return rounding(moved - moved[0], groups["o1"] - groups["o1"][0], OF_MEANS)


def two_factors_by_regression(f: Values, rng: np.random.Generator) -> Measured:
    """Fit intercept, context and condition to the three groups that are seen; predict the fourth."""
    groups = four_groups(rng, additive=False)
    factors = {"o0": (1, 0, 0), "o1": (1, 0, 1), "t0": (1, 1, 0)}
    design = np.concatenate([np.tile(row, (len(groups[g]), 1)) for g, row in factors.items()])
    z = np.concatenate([groups[g] for g in factors])
    fitted = np.linalg.lstsq(design.astype(float), z, rcond=None)[0].sum(axis=0)
    return rounding(predicted(f, groups), fitted, OF_A_FIT)


def error_is_the_interaction(f: Values, rng: np.random.Generator) -> Measured:
    """Fit context, condition and their product to all four groups: the last coefficient is the error."""
    groups = four_groups(rng, additive=False)
    factors = {"o0": (1, 0, 0, 0), "o1": (1, 0, 1, 0), "t0": (1, 1, 0, 0), "t1": (1, 1, 1, 1)}
    design = np.concatenate([np.tile(row, (len(groups[g]), 1)) for g, row in factors.items()])
    coefficients = np.linalg.lstsq(design.astype(float), np.concatenate([groups[g] for g in factors]))[0]
    return rounding(mean_by_fsum(groups["t1"]) - predicted(f, groups), coefficients[3], OF_A_FIT)


def additive_is_exact(f: Values, rng: np.random.Generator) -> Measured:
    groups = four_groups(rng, additive=True)
    scale = float(np.abs(groups["t1"]).max())
    return rounding(predicted(f, groups), mean_by_fsum(groups["t1"]), OF_MEANS, scale)


def two_factors_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Both orders are one; they miss m11 by the interaction of m = u + a_i + b_j + g_ij."""
    import sympy

    m = {i: sympy.Symbol(f"m{i}") for i in ("00", "01", "10", "11")}
    across_conditions = m["10"] + (m["01"] - m["00"])
    across_contexts = m["01"] + (m["10"] - m["00"])
    u, a0, a1, b0, b1, g00, g01, g10, g11 = sympy.symbols("u a0 a1 b0 b1 g00 g01 g10 g11")
    effects = {"00": u + a0 + b0 + g00, "01": u + a0 + b1 + g01, "10": u + a1 + b0 + g10}
    effects["11"] = u + a1 + b1 + g11
    error = (m["11"] - across_conditions).subs({m[i]: effect for i, effect in effects.items()})
    return identities(across_conditions - across_contexts, error - (g11 - g10 - g01 + g00))


def always_exact(f: Values, rng: np.random.Generator) -> Measured:
    groups = four_groups(rng, additive=False)
    scale = float(np.abs(groups["t1"]).max())
    return rounding(predicted(f, groups), mean_by_fsum(groups["t1"]), OF_MEANS, scale)


# -------------------------------------------------------------------------- shrinkage by a linear VAE


class Spectrum(NamedTuple):
    """Cells (n, d) whose covariance has the given eigenvalues (d,) and eigenvectors (columns of U)."""

    x: np.ndarray
    eigenvalues: np.ndarray
    U: np.ndarray
    kept: int

    @property
    def factor(self) -> np.ndarray:
        """What is left of a shift along each eigenvector, (lambda_j - s2) / lambda_j or 0."""
        variance = fsum(self.eigenvalues[self.kept :]) / (len(self.eigenvalues) - self.kept)
        factor = (self.eigenvalues - variance) / self.eigenvalues
        factor[self.kept :] = 0
        return factor


def cells_with_spectrum(rng: np.random.Generator, n: int, eigenvalues: np.ndarray, kept: int) -> Spectrum:
    """Cells with these eigenvalues by construction: orthonormal scores, scaled and turned."""
    d = len(eigenvalues)
    scores = rng.normal(size=(n, d))
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0] * np.sqrt(n * eigenvalues)
    U = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return Spectrum(scores @ U.T + rng.normal(size=d), eigenvalues, U, kept)


def spectra(rng: np.random.Generator) -> list[Spectrum]:
    """Three sets of cells, one, two and three latent dimensions."""
    return [
        cells_with_spectrum(rng, 30, np.array([5.0, 1.0, 0.5]), 1),
        cells_with_spectrum(rng, 40, np.array([9.0, 4.0, 1.0, 0.4]), 2),
        cells_with_spectrum(rng, 60, np.array([9.0, 4.0, 2.0, 0.6, 0.5, 0.3]), 3),
    ]


def encode(model: oracle.LinearGaussian, x: np.ndarray) -> np.ndarray:
    """Latent means of the linear VAE at its optimum: those of the exact posterior."""
    return oracle.linear_gaussian_posterior(model, x)[0]


# covariance of 60 cells, an eigenvalue problem of 6 x 6, a Cholesky factor, means of 30 cells; the
# eigenvectors turn by rounding times largest eigenvalue over smallest gap, less than 16
SHRINKAGE_OPERATIONS = 200 * 16


def shrinkage_of_each_eigenvector(_: object, rng: np.random.Generator) -> Measured:
    """A shift by the eigenvector U_j comes back as factor_j U_j; beyond the latent space, as nothing."""
    got, expected = [], []
    for world in spectra(rng):
        model, _best = oracle.ppca_optimum(world.x, world.kept)
        start = world.x[0]
        z0, z1 = encode(model, start[None]), encode(model, start + world.U.T)
        got.append(model.decode(z1) - model.decode(z0))
        expected.append(world.factor[:, None] * world.U.T)
    return rounding(tuple(got), tuple(expected), SHRINKAGE_OPERATIONS)


def shrinkage_of_the_pipeline(_: object, rng: np.random.Generator) -> Measured:
    """From delta to the decoded mean of a target: b + P (mean target - b) + P (mean stim - mean ctrl)."""
    got, expected = [], []
    for world in spectra(rng):
        model, _best = oracle.ppca_optimum(world.x, world.kept)
        target, control, stimulated = np.split(world.x, [8, 17])
        shift = delta(encode(model, control), encode(model, stimulated))
        z = encode(model, target)
        decoded = model.decode(delta_predict(z, shift))
        changed = decoded_change(target, model.decode(z), decoded)
        P = world.U * world.factor @ world.U.T
        b, mean = mean_by_fsum(world.x), mean_by_fsum(target)
        step = P @ (mean_by_fsum(stimulated) - mean_by_fsum(control))
        got += [decoded.mean(axis=0), changed.mean(axis=0)]
        expected += [b + P @ (mean - b) + step, mean + step]
    return rounding(tuple(got), tuple(expected), SHRINKAGE_OPERATIONS)


def shrinkage_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Two genes, one latent, any W of length^2 = lambda - s2: V = W C^-1 from C = W'W + s2 I."""
    import sympy

    p, q = sympy.symbols("p q", real=True)
    s2 = sympy.symbols("s2", positive=True)
    W, across = sympy.Matrix([[p, q]]), sympy.Matrix([[-q, p]])
    value = p**2 + q**2 + s2
    V = W * (W.T * W + s2 * sympy.eye(2)).inv()
    return identities(*(W * V.T * W - (value - s2) / value * W), *(across * V.T * W))


def shift_comes_back_whole(_: object, rng: np.random.Generator) -> Measured:
    """Even a shift within the directions that the model keeps does not."""
    world = spectra(rng)[2]
    model, _best = oracle.ppca_optimum(world.x, world.kept)
    shift = world.U[:, : world.kept].sum(axis=1)
    control = world.x[:20]
    step = delta(encode(model, control), encode(model, control + shift))
    return rounding(step @ model.W, shift, SHRINKAGE_OPERATIONS)


# -------------------------------------------------------------------------------------- batches


class Batches(NamedTuple):
    """Latents, batch and cell type of each cell, and the largest batch of each type."""

    z: np.ndarray
    batch: np.ndarray
    cell_type: np.ndarray
    largest: dict[str, str]


def random_batches(rng: np.random.Generator, effects: dict[str, np.ndarray], spread: float) -> Batches:
    """Type mean + effect of the batch + spread times noise, in random order; type N has one batch."""
    counts = {"T": {"b1": 5, "b2": 9, "b3": 2}, "B": {"b1": 6, "b2": 1, "b3": 6}, "N": {"b3": 4}}
    means = {t: rng.normal(scale=3, size=3) for t in counts}
    pairs = [(b, t) for t, numbers in counts.items() for b, n in numbers.items() for _ in range(n)]
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    z = np.array([means[t] + effects[b] for b, t in pairs]) + spread * rng.normal(size=(len(pairs), 3))
    batch, cell_type = np.array(pairs).T
    return Batches(z, batch, cell_type, {"T": "b2", "B": "b1", "N": "b3"})  # in B two are the largest


def random_effects(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the effect of each batch."""
    return {b: rng.normal(scale=2, size=3) for b in ("b1", "b2", "b3")}


def batches_by_regression(f: Values, rng: np.random.Generator) -> Measured:
    """In each type: z minus the batch columns of a fit in which the largest batch has none.

    And the input stays as it was.
    """
    z, batch, cell_type, largest = random_batches(rng, random_effects(rng), 1.0)
    expected = z.copy()
    for t, reference in largest.items():
        rows = np.flatnonzero(cell_type == t)
        others = sorted(set(batch[rows].tolist()) - {reference})
        columns = [np.ones(len(rows)), *(batch[rows] == b for b in others)]
        design = np.array(columns, dtype=float).T
        coefficients = np.linalg.lstsq(design, z[rows], rcond=None)[0]
        expected[rows] -= design[:, 1:] @ coefficients[1:]
    given = z.copy()
    return rounding((f(given, batch, cell_type), given), (expected, z), OF_A_FIT)


def batches_of_known_effect(f: Values, rng: np.random.Generator) -> Measured:
    """Without noise all cells of a type meet at type mean + effect of its largest batch."""
    effects = random_effects(rng)
    z, batch, cell_type, largest = random_batches(rng, effects, 0.0)
    effect = np.array([effects[b] for b in batch.tolist()])
    effect_of_largest = np.array([effects[largest[t]] for t in cell_type.tolist()])
    return rounding(f(z, batch, cell_type), z - effect + effect_of_largest, OF_MEANS)


def batches_keep_what_is_within(f: Values, rng: np.random.Generator) -> Measured:
    """A second removal does nothing, and neither does any other order of the cells."""
    z, batch, cell_type, _ = random_batches(rng, random_effects(rng), 1.0)
    once = f(z, batch, cell_type)
    order = rng.permutation(len(z))
    got = (f(once, batch, cell_type), f(z[order], batch[order], cell_type[order]))
    return rounding(got, (once, once[order]), OF_MEANS)


def one_shift_for_each_batch(f: Values, rng: np.random.Generator) -> Measured:
    """Ignoring the types mixes composition into the shift, as in the pooled delta."""
    z, batch, cell_type, _ = random_batches(rng, random_effects(rng), 1.0)
    means = group_means(z, batch)
    shift = np.array([means[("b1",)] - means[(b,)] for b in batch.tolist()])
    return rounding(z + shift, f(z, batch, cell_type), OF_A_FIT)


def no_batch_effect_is_left(f: Values, rng: np.random.Generator) -> Measured:
    """Types whose largest batches differ keep those batches' effects: only within types are they gone."""
    effects = random_effects(rng)
    z, batch, cell_type, _ = random_batches(rng, effects, 0.0)
    without = z - np.array([effects[b] for b in batch.tolist()])
    moved = f(z, batch, cell_type)
    first_T, first_B = (np.flatnonzero(cell_type == t)[0] for t in "TB")
    return rounding(moved[first_T] - moved[first_B], without[first_T] - without[first_B], OF_MEANS)
