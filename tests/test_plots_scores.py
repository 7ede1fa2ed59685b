"""History, classifier, violins, heat map, intervals: the artists hold the numbers that were given."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy import stats

from vae_np.errors import InputError
from vae_np.plots import (
    auc,
    classifier_plot,
    history_plot,
    intervals_plot,
    score_heatmap,
    violin_plot,
)


def a_history(rng, n_epochs, parts=("train", "validation")):
    names = [f"{part}_{loss}" for part in parts for loss in ("total", "reconstruction", "kl")]
    return {name: rng.random(n_epochs) for name in names} | {"kl_weight": np.ones(n_epochs)}


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_history_shows_every_loss_and_marks_the_lowest_validation(rng):
    history = a_history(rng, 30)
    figure = history_plot(history)
    assert len(figure.axes) == 3
    for axes, loss in zip(figure.axes, ("total", "reconstruction", "kl"), strict=True):
        train, validation, mark = axes.lines
        np.testing.assert_array_equal(train.get_data(), [np.arange(1, 31), history[f"train_{loss}"]])
        np.testing.assert_array_equal(
            validation.get_data(), [np.arange(1, 31), history[f"validation_{loss}"]]
        )
        assert set(mark.get_xdata()) == {1 + np.argmin(history["validation_total"])}
        assert train.get_linestyle() != validation.get_linestyle()
    kept = 1 + np.argmin(history["validation_total"])
    assert legend_of(figure) == ["training", "validation", f"epoch kept: {kept} (lowest validation loss)"]


def test_history_without_validation_keeps_the_last_epoch_and_a_warm_up_is_drawn(rng):
    history = a_history(rng, 7, parts=["train"]) | {"kl_weight": np.arange(7.0)}
    figure = history_plot(history)
    np.testing.assert_array_equal(figure.axes[3].lines[0].get_ydata(), np.arange(7.0))
    assert legend_of(figure) == ["training", "epoch kept: 7 (the last)"]


def test_history_of_a_real_training_is_understood(rng):
    from vae_np.model import Sizes, gaussian, initialize
    from vae_np.train import fit

    params, stats_ = initialize(Sizes(n_genes=4, n_hidden=3, n_latent=2, n_layers=1), rng)
    trained = fit(params, stats_, rng.random((20, 4)), gaussian(), rng=rng, max_epochs=3)
    figure = history_plot(trained.history)
    np.testing.assert_array_equal(figure.axes[2].lines[1].get_ydata(), trained.history["validation_kl"])


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "history has no train_total"),
        ({f"train_{loss}": [] for loss in ("total", "reconstruction", "kl")}, "with nothing empty"),
        ({"train_total": [1], "train_reconstruction": [1], "train_kl": [1, 2]}, r"train_kl has shape \(2,\)"),
    ],
)
def test_a_history_that_is_none(history, message):
    with pytest.raises(InputError, match=message):
        history_plot(history)


@pytest.mark.parametrize(("n0", "n1", "ties"), [(40, 25, False), (30, 50, True), (1, 1, False)])
def test_auc_is_the_mann_whitney_statistic(rng, n0, n1, ties):
    control, stimulated = rng.normal(size=n0), rng.normal(size=n1) + 0.7
    if ties:
        control, stimulated = control.round(), stimulated.round()
    wanted = stats.mannwhitneyu(stimulated, control, method="asymptotic").statistic / (n0 * n1)
    assert auc(control, stimulated) == pytest.approx(wanted, rel=1e-12)
    above = (stimulated[:, None] > control).mean() + (stimulated[:, None] == control).mean() / 2
    assert auc(control, stimulated) == pytest.approx(above, rel=1e-12)
    assert auc(stimulated, control) == pytest.approx(1 - above)


def test_classifier_histograms_count_all_cells_and_the_line_is_halfway(rng):
    control, stimulated = rng.normal(size=300), rng.normal(size=50) + 9
    figure = classifier_plot(control, stimulated, ("$ctrl_", "_stim"))
    axes = figure.axes[0]
    for patch, scores in zip(axes.patches[::2], (control, stimulated), strict=True):
        shares, edges, _ = patch.get_data()
        np.testing.assert_allclose(shares, np.histogram(scores, edges)[0] / len(scores))
        assert shares.sum() == pytest.approx(1)
    (line,) = axes.lines
    assert line.get_xdata()[0] == pytest.approx((control.mean() + stimulated.mean()) / 2)
    assert axes.get_title().endswith("AUC 1.000")
    assert legend_of(figure)[:2] == ["$ctrl_", "_stim"]


@pytest.mark.parametrize("other", [1.0, np.nextafter(1.0, 2)])
def test_classifier_of_cells_that_hardly_differ(other):
    patch = classifier_plot([1.0], [other]).axes[0].patches[2]
    shares, edges, _ = patch.get_data()
    assert shares.sum() == 1
    assert np.diff(edges).min() > 0.01  # bars that can be seen


def test_classifier_needs_cells():
    with pytest.raises(InputError, match="stimulated_scores has shape"):
        classifier_plot([1.0], [])
    with pytest.raises(InputError, match="control_scores holds inf"):
        auc([np.inf], [1.0])


@pytest.mark.parametrize("n_genes", [1, 6, 7, 20])
def test_violins_span_the_values_and_mark_the_means(rng, n_genes):
    values = {name: rng.random((30, n_genes)) for name in ("control", "true", "predicted")}
    values["control"][:, 0] = 0
    figure = violin_plot(values, [f"g_{i}$" for i in range(n_genes)])
    drawn = {name: [] for name in values}
    spans = []
    for axes in figure.axes:
        for dots in axes.collections:
            if dots.get_label() in drawn:
                drawn[dots.get_label()].extend(np.asarray(dots.get_offsets())[:, 1])
            else:
                heights = dots.get_paths()[0].vertices[:, 1]
                spans.append((heights.min(), heights.max()))
    for name, means in drawn.items():
        np.testing.assert_allclose(means, values[name].mean(axis=0))
    wanted = [(x.min(), x.max()) for group in values.values() for x in group.T]
    np.testing.assert_allclose(sorted(spans), sorted(wanted))
    ticks = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]
    assert ticks == [f"g_{i}$" for i in range(n_genes)]


def test_violins_of_one_constant_cell():
    violin_plot({"control": [[0.0]], "_other": [[2.0]]}, ["g"]).canvas.draw()


@pytest.mark.parametrize(
    ("values", "genes", "message"),
    [
        ({}, ["g"], "no group of cells or no gene"),
        ({"a": np.ones((3, 0))}, [], "no group of cells or no gene"),
        ({"a": np.ones((0, 1))}, ["g"], r"group 'a' has shape \(0, 1\): give \(cells, 1\)"),
        ({"a": np.ones((3, 2))}, ["g"], r"group 'a' has shape \(3, 2\): give \(cells, 1\)"),
    ],
)
def test_violins_that_cannot_be_drawn(values, genes, message):
    with pytest.raises(InputError, match=message):
        violin_plot(values, genes)


def luminance(color):
    """Relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("best", ["highest", "lowest"])
def test_heatmap_writes_each_score_readably_and_frames_the_best(rng, best):
    values = rng.random((5, 8))
    values[2, 3] = values[:, 6] = np.nan
    values[0, 1] = values[4, 1] = 2 if best == "highest" else -2  # a tie: both are framed
    figure = score_heatmap(values, list("abcde"), [f"c{i}" for i in range(8)], "score", best)
    axes = figure.axes[0]
    image = axes.images[0]
    np.testing.assert_array_equal(image.get_array().filled(np.nan), values)
    texts = {tuple(map(round, text.get_position())): text for text in axes.texts}
    framed = {tuple(round(at + 0.5) for at in frame.get_xy()) for frame in axes.patches}
    lowest_or_highest = np.nanmax if best == "highest" else np.nanmin
    for (row, column), value in np.ndenumerate(values):
        text = texts[column, row]
        assert text.get_text() == ("–" if np.isnan(value) else f"{value:.2f}")
        behind = luminance(image.cmap(image.norm(value))) if np.isfinite(value) else 1.0
        contrast = sorted([luminance(text.get_color()) + 0.05, behind + 0.05])
        assert contrast[1] / contrast[0] >= 4.5  # what WCAG 2 asks of text
        wins = np.isfinite(value) and value == lowest_or_highest(values[:, column])
        assert ((column, row) in framed) == wins


@pytest.mark.parametrize(
    ("value", "text"), [(0.9714, "0.971"), (0.00123, "0.00123"), (31.4, "31.40"), (0, "0.00")]
)
def test_heatmap_gives_small_scores_more_decimals(value, text):
    assert score_heatmap([[value]], ["m"], ["c"], "score").axes[0].texts[0].get_text() == text


@pytest.mark.parametrize(
    ("values", "best", "message"),
    [
        ([[np.nan]], "highest", "values are all NaN"),
        ([[np.inf]], "highest", "values holds inf"),
        ([[1.0]], "largest", "best is 'largest'"),
        ([[1.0, 2.0]], "highest", "1 contexts are named, but the numbers have 2"),
        (np.ones((0, 1)), "highest", r"values has shape \(0, 1\)"),
    ],
)
def test_heatmaps_that_cannot_be_drawn(values, best, message):
    with pytest.raises(InputError, match=message):
        score_heatmap(values, ["m"], ["c"], "score", best)


def test_intervals_are_changes_against_control_of_the_genes_that_change_most(rng):
    mean, true, control = rng.random((3, 40))
    low, high = mean - 0.3 * rng.random(40), mean + 0.3 * rng.random(40)
    figure = intervals_plot(mean, low, high, true, control, [f"g{i}" for i in range(40)], n_genes=12)
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    genes = [int(name[1:]) for name in names]
    assert set(genes) == set(np.argsort(-np.abs(true - control))[:12])
    bars, middles, truths = axes.collections
    rows = np.arange(12)
    np.testing.assert_allclose(middles.get_offsets(), np.stack([(mean - control)[genes], rows], axis=1))
    np.testing.assert_allclose(truths.get_offsets(), np.stack([(true - control)[genes], rows], axis=1))
    ends = np.array([segment[:, 0] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, np.stack([low - control, high - control], axis=1)[genes])
    assert (np.diff((true - control)[genes]) >= 0).all()
    inside = ((low <= true) & (true <= high))[genes].sum()
    assert axes.get_title() == f"True change inside the interval: {inside} of 12 genes shown"


def test_intervals_that_cannot_be_drawn():
    one = [1.0]
    with pytest.raises(InputError, match="interval of g is 1 to 0: give low <= high"):
        intervals_plot(one, one, [0.0], one, one, ["g"])
    with pytest.raises(InputError, match=r"true has shape \(2,\): give \(1,\)"):
        intervals_plot(one, one, one, [1.0, 2], one, ["g"])
    with pytest.raises(InputError, match="n_genes is 0"):
        intervals_plot(one, one, one, one, one, ["g"], n_genes=0)
