"""Metrics and baselines against their definitions and SciPy; the held-out experiment leaks nothing."""

import csv

import numpy as np
import pytest
from scipy import sparse
from scipy import stats as scipy_stats

from vae_np import simulate
from vae_np.errors import InputError
from vae_np.evaluate import Row, hold_out, mean_shift, responding_genes, score, score_held_out
from vae_np.evaluate.report import table, write_report, write_scores


@pytest.fixture
def cells(rng):
    """Predicted, true and control cells of 30 genes."""
    means = np.abs(rng.normal(size=(3, 30)))
    return [
        np.abs(mean + rng.normal(scale=0.3, size=(n, 30)))
        for n, mean in zip((20, 25, 15), means, strict=True)
    ]


def test_scores_are_scipys_correlations(cells):
    predicted, true, control = cells
    degs = np.array([3, 7, 11, 20])
    values = score(predicted, true, control, degs)
    p, t, c = (x.mean(axis=0) for x in cells)

    def r(a, b):
        return scipy_stats.linregress(a, b).rvalue

    expected = {
        "r2_mean": r(p, t) ** 2,
        "r2_mean_deg100": r(p[degs], t[degs]) ** 2,
        "r2_var": r(predicted.var(axis=0), true.var(axis=0)) ** 2,
        "r2_var_deg100": r(predicted.var(axis=0)[degs], true.var(axis=0)[degs]) ** 2,
        "pearson_delta": r(p - c, t - c),
        "mse": ((p - t) ** 2).sum() / 30,
    }
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-10)


def test_a_perfect_prediction_and_no_change_have_the_scores_they_must(cells):
    _, true, control = cells
    degs = np.arange(10)
    perfect = score(true, true, control, degs)
    assert perfect.pop("mse") == 0
    np.testing.assert_allclose(list(perfect.values()), 1, rtol=1e-12)
    assert "pearson_delta" not in score(control, true, control, degs)  # a constant has no correlation


def test_responding_genes_are_ranked_by_the_rank_sum_statistic(cells):
    _, true, control = cells
    statistic = [abs(scipy_stats.ranksums(true[:, g], control[:, g]).statistic) for g in range(30)]
    ranked = responding_genes(control, true, n_genes=12)
    np.testing.assert_array_equal(ranked, np.argsort(-np.array(statistic), kind="stable")[:12])
    assert len(responding_genes(control, true)) == 30


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_mean_shift_is_the_balanced_delta_in_expression_space(rng, kind):
    x = np.abs(rng.normal(size=(120, 4)))
    types, conditions = np.repeat(list("abc"), 40), np.tile(np.repeat(["0", "1"], [12, 28]), 3)
    by_hand = np.mean(
        [
            x[(types == t) & (conditions == "1")].mean(axis=0)
            - x[(types == t) & (conditions == "0")].mean(axis=0)
            for t in "ab"
        ],
        axis=0,
    )
    shift = mean_shift(kind(x), conditions, types, "0", "1", target="c")
    np.testing.assert_allclose(shift, by_hand, rtol=1e-12)
    with pytest.raises(InputError, match="no cell type other than 'c' has 13 cells"):
        mean_shift(kind(x), conditions, types, "0", "1", target="c", min_cells=13)


def test_mean_shift_wants_ten_cells_a_type(rng):
    types, conditions = np.repeat(list("abc"), 24), np.tile(np.repeat(["0", "1"], [9, 15]), 3)
    with pytest.raises(InputError, match="has 10 cells"):
        mean_shift(rng.random((72, 4)), conditions, types, "0", "1", target="c")


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
    cells.X = cells.X.toarray() - 0.5  # a 'prediction' with negative values
    rows = score_held_out(cells, split, *keys, seed=3)
    values = {(row.method, row.metric): row.value for row in rows}
    assert {row.method for row in rows} == {"scgen", "no_change", "mean_shift"}
    assert {(row.context, row.seed) for row in rows} == {("type 2", 3)}
    control = split.train[(split.train.obs["cell_type"] == "type 2").to_numpy()].X.toarray()
    true = split.held_out.X.toarray()
    mse = ((np.maximum(control - 0.5, 0).mean(axis=0) - true.mean(axis=0)) ** 2).mean()
    unclipped = (((control - 0.5).mean(axis=0) - true.mean(axis=0)) ** 2).mean()
    np.testing.assert_allclose(values["scgen", "mse"], mse, rtol=1e-5)
    np.testing.assert_allclose(values["scgen", "mse_unclipped"], unclipped, rtol=1e-5)
    assert values["no_change", "mse"] == values["no_change", "mse_unclipped"]


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


ROWS = [
    Row("a, <b>", 0, "scgen", "r2_mean", 0.5),
    Row("a, <b>", 0, "no_change", "r2_mean", 0.25),
]


def test_the_table_has_a_dash_where_a_score_is_not_defined():
    heading, first, second, third = table(ROWS)
    assert heading[:2] == ["method", "R² means"]
    assert first[:2] == ["scGen", "0.500"]
    assert second[1] == first[2] == "–"
    assert third[:2] == ["no change", "0.250"]


def test_the_table_shows_the_clipped_scores_its_heading_names():
    metrics = ["r2_mean", "r2_mean_deg100", "r2_var", "r2_var_deg100", "pearson_delta", "mse"]
    rows = [Row("a", 0, "scgen", metric, i) for i, metric in enumerate(metrics)]
    rows += [Row("a", 0, "scgen", f"{metric}_unclipped", 50 + i) for i, metric in enumerate(metrics)]
    heading, scgen, *_ = table(rows)
    assert dict(zip(heading, scgen, strict=True)) == {
        "method": "scGen",
        "R² means": "0.000",
        "R² top 100": "1.000",
        "r of change": "4.000",
        "R² variances": "2.000",
        "MSE": "5.000",
    }


def test_scores_are_written_as_csv_that_reads_back(tmp_path):
    write_scores(tmp_path / "scores.csv", ROWS)
    with (tmp_path / "scores.csv").open(newline="") as file:
        heading, *lines = csv.reader(file)
    assert heading == ["context", "seed", "method", "metric", "value"]
    assert lines[0] == ["a, <b>", "0", "scgen", "r2_mean", "0.5"]


def test_the_report_is_one_page_and_escapes_names(tmp_path):
    from vae_np.plots import reg_mean_plot

    mean = np.arange(3.0)
    figure = reg_mean_plot(mean, mean + 1, mean, ["g<0>", "g1", "g2"])
    captioned = {'a <caption> "x"': figure}
    write_report(tmp_path / "report.html", "<b>title</b>", ["1 < 2 & 3"], ROWS, captioned)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;title&lt;/b&gt;" in page
    assert "1 &lt; 2 &amp; 3" in page
    assert page.count("a &lt;caption&gt; &quot;x&quot;") == 2  # below the figure and in its alt text
    assert "<caption>" not in page
    assert "data:image/png;base64," in page
    assert "http" not in page
