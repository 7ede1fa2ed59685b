"""Metrics against their definitions and SciPy; the held-out experiment leaks nothing."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from vae_np import simulate
from vae_np.errors import InputError
from vae_np.evaluate import BASELINES, coverage, hold_out, responding_genes, score, score_held_out
from vae_np.evaluate.distances import distances, energy_distance, mmd

MEANS = {"r2_mean", "r2_mean_deg100", "r2_var", "r2_var_deg100", "pearson_delta", "r2_delta", "mse"}
CELLS = {"overlap_at_100", "direction_match_deg100", "energy_distance", "mmd"}


@pytest.fixture
def cells(rng):
    """Predicted, true and control cells of 30 genes."""
    means = np.abs(rng.normal(size=(3, 30)))
    return [
        np.abs(mean + rng.normal(scale=0.3, size=(n, 30)))
        for n, mean in zip((20, 25, 15), means, strict=True)
    ]


def test_scores_are_their_definitions_and_scipys_correlations(cells):
    predicted, true, control = cells
    degs = np.array([3, 7, 11, 20])
    values = score(predicted, true, control, degs)
    p, t, c = (x.mean(axis=0) for x in cells)

    def r(a, b):
        return scipy_stats.linregress(a, b).rvalue

    largest = sorted(range(30), key=lambda g: -abs(p[g] - c[g]))[:4]
    measured = distances(predicted, true)
    expected = {
        "r2_mean": r(p, t) ** 2,
        "r2_mean_deg100": r(p[degs], t[degs]) ** 2,
        "r2_var": r(predicted.var(axis=0), true.var(axis=0)) ** 2,
        "r2_var_deg100": r(predicted.var(axis=0)[degs], true.var(axis=0)[degs]) ** 2,
        "pearson_delta": r(p - c, t - c),
        "r2_delta": 1 - sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / sum((t - c) ** 2),
        "mse": ((p - t) ** 2).sum() / 30,
        "overlap_at_100": len(set(largest) & set(degs.tolist())) / 4,
        "direction_match_deg100": sum((p[g] > c[g]) == (t[g] > c[g]) for g in degs) / 4,
        "energy_distance": energy_distance(measured),
        "mmd": mmd(measured),
    }
    assert values.keys() == expected.keys() == MEANS | CELLS
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-10)


def test_overlap_and_direction_count_genes():
    """Six genes, the first three respond: up, down, up. The prediction moves 1, 3, 4, and 3 wrongly."""
    control = np.ones((4, 6))
    true = control + np.array([1, -1, 2, 0.5, 0, 0])
    predicted = control + np.array([2, 0, -3, 1, 0, 0.5])
    values = score(predicted, true, control, np.arange(3))
    np.testing.assert_allclose(values["overlap_at_100"], 2 / 3, rtol=1e-12)  # genes 3, 1, 4
    np.testing.assert_allclose(values["direction_match_deg100"], 1 / 3, rtol=1e-12)
    values = score(predicted, true, control, np.array([0, 1, 2, 4]))  # the last does not move in truth
    np.testing.assert_allclose(values["direction_match_deg100"], 1 / 3, rtol=1e-12)


def test_a_perfect_prediction_has_the_scores_it_must(cells):
    _, true, control = cells
    degs = np.argsort(-np.abs(true.mean(axis=0) - control.mean(axis=0)))[:10]
    perfect = score(true, true, control, degs)
    assert perfect.pop("mse") == 0
    for name in ("energy_distance", "mmd"):  # the same cells: nearer than other cells could be
        assert perfect.pop(name) < 0
    assert len(perfect) == 8
    np.testing.assert_allclose(list(perfect.values()), 1, rtol=1e-12)


def test_no_change_explains_and_finds_nothing(cells):
    _, true, control = cells
    values = score(control, true, control, np.arange(10))
    assert "pearson_delta" not in values  # a constant has no correlation
    for name in ("r2_delta", "overlap_at_100", "direction_match_deg100"):
        assert values[name] == 0


def test_a_change_of_the_right_shape_and_the_wrong_size(cells):
    """Twice the true change: a perfect correlation, and no better than no change; three times is worse."""
    _, true, control = cells
    change = true.mean(axis=0) - control.mean(axis=0)
    for factor, expected in ((0.5, 0.75), (2, 0), (3, -3)):
        values = score(control + factor * change, true, control, np.arange(10))
        np.testing.assert_allclose(values["pearson_delta"], 1, rtol=1e-12)
        np.testing.assert_allclose(values["r2_delta"], expected, atol=1e-12)


def test_what_is_not_defined_is_left_out():
    rng = np.random.default_rng(1)
    control = rng.random((5, 4))
    every = np.arange(4)
    assert not score(control + 1, control, control, every).keys() & {
        "r2_delta",  # nothing changes in truth
        "direction_match_deg100",
        "overlap_at_100",  # there is no other gene
    }
    one_cell = score(control, control[:1], control, np.arange(2))
    assert not one_cell.keys() & {"energy_distance", "mmd"}


def test_coverage_is_the_share_of_true_means_inside():
    low, high = np.array([0.0, 0, 0, 0]), np.array([1.0, 1, 1, 1])
    true = np.array([0.5, 1, 1.5, -0.1])  # inside, on the bound, above, below
    assert coverage(low, high, true, slice(None)) == 0.5
    assert coverage(low, high, true, np.array([0, 1, 2])) == 2 / 3


def test_intervals_of_a_mean_cover_it_as_often_as_they_say(rng):
    """Each gene's 90 % interval around its estimate: within 4.892 binomial standard errors of 0.9."""
    n_genes = 4000
    true, half = rng.normal(size=n_genes), scipy_stats.norm.ppf(0.95)
    estimate = true + rng.normal(size=n_genes)
    share = coverage(estimate - half, estimate + half, true, slice(None))
    assert abs(share - 0.9) < 4.892 * np.sqrt(0.9 * 0.1 / n_genes)


def test_responding_genes_are_ranked_by_the_rank_sum_statistic(cells):
    _, true, control = cells
    statistic = [abs(scipy_stats.ranksums(true[:, g], control[:, g]).statistic) for g in range(30)]
    ranked = responding_genes(control, true, n_genes=12)
    np.testing.assert_array_equal(ranked, np.argsort(-np.array(statistic), kind="stable")[:12])
    assert len(responding_genes(control, true)) == 30


def test_hold_out_takes_the_targets_stimulated_cells_and_nothing_else():
    adata = simulate(120, 20, 3)
    split = hold_out(adata, "condition", "cell_type", "stimulated", "type 2")
    assert split.train.n_obs + split.held_out.n_obs == 120
    assert set(split.held_out.obs["cell_type"]) == {"type 2"}
    assert set(split.held_out.obs["condition"]) == {"stimulated"}
    left = split.train.obs[["cell_type", "condition"]].astype(str).drop_duplicates()
    assert len(left) == 5
    with pytest.raises(InputError, match="cell type 'type 9' does not exist"):
        hold_out(adata, "condition", "cell_type", "stimulated", "type 9")
    with pytest.raises(InputError, match="condition 'x' does not exist"):
        hold_out(adata, "condition", "cell_type", "x", "type 2")
    with pytest.raises(InputError, match="none is left to train on"):
        hold_out(split.held_out, "condition", "cell_type", "stimulated", "type 2")


def test_held_out_scores_name_every_method_clipped_and_not():
    adata = simulate(240, 30, 3)
    split = hold_out(adata, "condition", "cell_type", "stimulated", "type 2")
    keys = ("condition", "cell_type", "control", "stimulated", "type 2")
    cells = split.train[(split.train.obs["cell_type"] == "type 2").to_numpy()].copy()
    cells.X = (
        0.9 * cells.X.toarray() - 0.5
    )  # a 'prediction' with negative values, whose change is not constant
    rows = score_held_out(cells, split, *keys, seed=3)
    values = {(row.method, row.metric): row.value for row in rows}
    methods = list(dict.fromkeys(row.method for row in rows))
    assert methods == ["scgen", *(name for name in BASELINES if name != "regression")]  # two types, no line
    assert {(row.context, row.seed) for row in rows} == {("type 2", 3)}
    control = split.train[(split.train.obs["cell_type"] == "type 2").to_numpy()].X.toarray()
    true = split.held_out.X.toarray()
    moved = 0.9 * control - 0.5
    mse = ((np.maximum(moved, 0).mean(axis=0) - true.mean(axis=0)) ** 2).mean()
    unclipped = ((moved.mean(axis=0) - true.mean(axis=0)) ** 2).mean()
    np.testing.assert_allclose(values["scgen", "mse"], mse, rtol=1e-5)
    np.testing.assert_allclose(values["scgen", "mse_unclipped"], unclipped, rtol=1e-5)
    assert values["no_change", "mse"] == values["no_change", "mse_unclipped"]
    assert {metric for method, metric in values if method == "scgen"} == (
        MEANS | CELLS - {"overlap_at_100"} | {f"{metric}_unclipped" for metric in MEANS}
    )
    assert len(values) == len(rows)


def held_out_case(n_types=4):
    """A split, the arguments that name things, and the cells to predict."""
    adata = simulate(60 * n_types, 30, n_types)
    split = hold_out(adata, "condition", "cell_type", "stimulated", "type 2")
    chosen = (split.train.obs["cell_type"] == "type 2").to_numpy()
    keys = ("condition", "cell_type", "control", "stimulated", "type 2")
    return split, keys, split.train[chosen].copy()


def values_of(rows, method):
    return {row.metric: row.value for row in rows if row.method == method}


def test_further_predictions_are_scored_like_scgen():
    split, keys, cells = held_out_case()
    cells.X = cells.X.toarray() + 0.25
    more = {"conditional_vae": cells.X, "worse": cells.X + 3}
    rows = score_held_out(cells, split, *keys, seed=0, further=more)
    assert list(dict.fromkeys(row.method for row in rows)) == ["scgen", *more, *BASELINES]
    assert values_of(rows, "conditional_vae") == values_of(rows, "scgen")
    assert values_of(rows, "worse")["mse"] > values_of(rows, "scgen")["mse"] + 1
    for wrong in (cells.X[:, :29], cells.X[0]):
        with pytest.raises(InputError, match=r"'short' has shape .* each of the 30 genes"):
            score_held_out(cells, split, *keys, seed=0, further={"short": wrong})


def test_baselines_can_be_chosen_and_know_the_latent_size():
    split, keys, cells = held_out_case()
    rows = score_held_out(cells, split, *keys, seed=0, baselines={})
    assert {row.method for row in rows} == {"scgen"}
    dense = cells.copy()
    dense.X = cells.X.toarray()
    assert rows == score_held_out(dense, split, *keys, seed=0, baselines={})
    sizes = []

    def spy(seen):
        sizes.append(seen.n_components)
        return seen.target_control() + 1

    rows = score_held_out(cells, split, *keys, seed=0, baselines={"spy": spy}, n_components=7)
    assert sizes == [7]
    assert {row.method for row in rows} == {"scgen", "spy"}


def test_genes_are_matched_by_name():
    """A model of ten of the genes, in another order: each score as if the data had these genes only."""
    split, keys, cells = held_out_case()
    order = [8, 3, 21, 0, 29, 5, 14, 15, 2, 11]
    cells = cells[:, order].copy()
    cells.X = cells.X.toarray() + np.linspace(0, 1, 10)
    smaller = type(split)(*(part[:, order].copy() for part in split))
    assert score_held_out(cells, split, *keys, seed=0) == score_held_out(cells, smaller, *keys, seed=0)


def test_a_target_without_control_cells_is_an_error():
    split, keys, cells = held_out_case()
    stimulated = (split.train.obs["cell_type"] != "type 2").to_numpy()
    with pytest.raises(InputError, match="cell type 'type 2' has no cell in condition 'control'"):
        score_held_out(cells, split._replace(train=split.train[stimulated].copy()), *keys, seed=0)


@pytest.mark.parametrize("layer", [None, "log"])
def test_held_out_scores_are_their_definitions(rng, layer):
    adata = simulate(240, 150, 3)
    log = adata.X.toarray()
    if layer is not None:
        adata.layers[layer], adata.X = adata.X, adata.X * 0.5
    of = {
        (t, c): log[((adata.obs["cell_type"] == t) & (adata.obs["condition"] == c)).to_numpy()]
        for t in ("type 1", "type 2", "type 3")
        for c in ("control", "stimulated")
    }
    control, true = of["type 2", "control"], of["type 2", "stimulated"]
    changes = [of[t, "stimulated"].mean(axis=0) - of[t, "control"].mean(axis=0) for t in ("type 1", "type 3")]
    split = hold_out(adata, "condition", "cell_type", "stimulated", "type 2")
    predicted = split.train[(split.train.obs["cell_type"] == "type 2").to_numpy()].copy()
    predicted.X = control + rng.normal(size=150)
    keys = ("condition", "cell_type", "control", "stimulated", "type 2")
    rows = score_held_out(predicted, split, *keys, seed=0, layer=layer)
    values = {(row.method, row.metric): row.value for row in rows}

    statistic = [abs(scipy_stats.ranksums(true[:, g], control[:, g]).statistic) for g in range(150)]
    top = np.argsort(-np.array(statistic), kind="stable")[:100]
    c, t = control.mean(axis=0), true.mean(axis=0)
    methods = {"scgen": predicted.X, "no_change": control, "mean_shift": control + np.mean(changes, axis=0)}
    for method, cells in methods.items():
        p = cells.mean(axis=0)
        expected = {"mse": ((p - t) ** 2).mean(), "r2_mean_deg100": np.corrcoef(p[top], t[top])[0, 1] ** 2}
        if method != "no_change":  # a constant has no correlation
            expected["pearson_delta"] = np.corrcoef(p - c, t - c)[0, 1]
        for metric, value in expected.items():
            # means of 40 float32 values here, in float64 there; the differences cost a digit or two
            np.testing.assert_allclose(values[method, f"{metric}_unclipped"], value, rtol=1e-4)
