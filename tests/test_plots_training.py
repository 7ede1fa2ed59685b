"""Gradient noise, Adam's correction and training frames: what is drawn is what was given."""

import itertools

import numpy as np
import pytest
from legends import legend_of, line_of, look
from matplotlib.patches import Circle, StepPatch

from vae_np.errors import InputError
from vae_np.plots import adam_bias_plot, gradient_noise_plot, palette, training_frames_plot


def noise_figure(rng, n=4000):
    draws = {"quiet": rng.normal(3, 0.1, n), "loud": rng.standard_t(3, n) + 3}
    measured = {"quiet": [0.01, 0.01], "loud": [2.5, 7.5]}
    expected = {"quiet": [0.01, 0.01], "loud": [3.0, 9.0]}
    return draws, gradient_noise_plot(draws, 3.0, [1, 4], measured, expected)


def test_histograms_hold_the_shares_of_the_draws_and_the_legend_the_rest(rng):
    draws, figure = noise_figure(rng)
    for axes, label, (name, values) in zip(figure.axes, legend_of(figure), draws.items(), strict=False):
        (patch,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
        shares, edges, _ = patch.get_data()
        shown = [np.mean((values >= low) & (values < high)) for low, high in itertools.pairwise(edges)]
        np.testing.assert_allclose(shares[:-1], shown[:-1], atol=1e-12)  # the last bin has two closed ends
        hidden = np.mean((values < edges[0]) | (values > edges[-1]))
        assert shares.sum() + hidden == pytest.approx(1)
        mean, error = label.removeprefix(f"{name}: mean ").partition(";")[0].split(" ± ")
        half_a_digit = 0.5 * 10.0 ** -len(mean.partition(".")[2])
        assert float(mean) == pytest.approx(values.mean(), abs=1.001 * half_a_digit)
        assert float(error) == pytest.approx(values.std(ddof=1) / np.sqrt(4000), abs=1.001 * half_a_digit)
        assert half_a_digit < 0.06 * float(error)  # two digits of the error
        assert (f"beyond the axis {hidden:.2%}" in label) == (hidden > 0)
        assert list(axes.lines[0].get_xdata()) == [3, 3]
    for beyond in (draws["loud"] < edges[0], draws["loud"] > edges[-1]):
        assert beyond.mean() == pytest.approx(0.005, abs=1 / 4000)
    assert "exact gradient: 3" in legend_of(figure)


def test_marks_are_the_measured_and_lines_the_expected_variances(rng):
    _, figure = noise_figure(rng)
    growth = figure.axes[-1]
    drawn = [list(line.get_ydata()) for line in growth.lines]
    assert drawn == [[0.01, 0.01], [0.01, 0.01], [3, 9], [2.5, 7.5]]
    assert all(list(line.get_xdata()) == [1, 4] for line in growth.lines)
    assert (growth.get_xscale(), growth.get_yscale()) == ("log", "log")


def test_ticks_and_legend_of_the_noise_name_what_is_drawn(rng):
    names, dimensions = ["quiet", "loud", "louder"], [1, 4, 25]
    draws = {name: rng.normal(3, 1 + i, 500) for i, name in enumerate(names)}
    measured, expected = (dict(zip(names, 1 + rng.random((3, 3)), strict=True)) for _ in range(2))
    figure = gradient_noise_plot(draws, 3.0, dimensions, measured, expected)
    *panels, growth = figure.axes
    assert panels[0].get_title() == "Estimates from one draw: shares of the draws"
    assert growth.get_title() == "Variance: formula (line), sampled (mark)"
    assert (growth.get_xlabel(), growth.get_ylabel()) == ("latent dimensions", "variance of one estimate")
    assert list(growth.get_xticks()) == dimensions
    assert [float(text.get_text()) for text in growth.get_xticklabels()] == dimensions
    legend = legend_of(figure)
    exact = legend.pop("exact gradient: 3")
    for (label, seen), name, axes in zip(legend.items(), names, panels, strict=True):
        assert label.startswith(f"{name}: ")
        (patch,) = axes.patches
        shares, edges, _ = patch.get_data()
        np.testing.assert_array_equal(shares, np.histogram(draws[name], edges)[0] / 500)
        line, mark = (look(line_of(growth, values[name])) for values in (expected, measured))
        at_exact, beside = axes.lines
        assert (line.marker, mark.line) == ("", "")
        assert seen == (line.color, line.line, mark.marker)
        assert {look(patch).color, mark.color} == {seen.color}
        assert look(beside) == mark
        assert list(at_exact.get_xdata()) == [3, 3]
        assert look(at_exact) == exact


def test_gradient_noise_of_one_value_has_bins(rng):
    figure = gradient_noise_plot({"a": [2.0, 2.0]}, 2.0, [1], {"a": [1.0]}, {"a": [1.0]})
    shares, edges, _ = figure.axes[0].patches[0].get_data()
    assert shares.sum() == 1
    assert edges[0] < 2 < edges[-1]


def test_gradient_noise_says_what_is_wrong():
    good = {"a": [1.0, 2.0]}
    with pytest.raises(InputError, match="must name the same estimators"):
        gradient_noise_plot(good, 1.0, [1, 2], good, {"b": [1.0, 2.0]})
    with pytest.raises(InputError, match="at least one"):
        gradient_noise_plot({}, 1.0, [1], {}, {})
    with pytest.raises(InputError, match="one draw only"):
        gradient_noise_plot({"a": [1.0]}, 1.0, [1, 2], good, good)
    with pytest.raises(InputError, match="logarithmic axis"):
        gradient_noise_plot(good, 1.0, [1, 2], good, {"a": [0.0, 1.0]})
    with pytest.raises(InputError, match="measured 'a' has shape"):
        gradient_noise_plot(good, 1.0, [1], good, good)


def test_adam_bias_draws_plain_and_corrected_in_each_panel(rng):
    m, m_hat, v, v_hat, steps, plain_steps = rng.random((6, 30))
    figure = adam_bias_plot(m, m_hat, v, v_hat, steps, plain_steps, mean=0.4, mean_square=0.7)
    first, second, step = figure.axes
    for axes, plain, corrected in ((first, m, m_hat), (second, v, v_hat), (step, plain_steps, steps)):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), plain)
        np.testing.assert_array_equal(axes.lines[1].get_ydata(), corrected)
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), np.arange(1, 31))
        assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    assert set(first.lines[2].get_ydata()) == {0.4}
    assert set(second.lines[2].get_ydata()) == {0.7}
    assert len(step.lines) == 2


def test_titles_and_legend_of_adam_name_what_is_drawn(rng):
    m, m_hat, v, v_hat, steps, plain_steps = rng.random((6, 30))
    figure = adam_bias_plot(m, m_hat, v, v_hat, steps, plain_steps, mean=0.4, mean_square=0.7)
    titles = ["first moment", "second moment", "step / learning rate"]
    assert [axes.get_title() for axes in figure.axes] == titles
    pairs = (m, m_hat, [0.4, 0.4]), (v, v_hat, [0.7, 0.7]), (plain_steps, steps)
    legend = legend_of(figure)
    names = ["without correction", "with correction", "mean of the gradients, and of their squares"]
    assert list(legend) == names
    for axes, curves in zip(figure.axes, pairs, strict=True):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
        assert axes.get_xlabel() == "step"
        for name, curve in zip(names, curves, strict=False):
            assert legend[name] == look(line_of(axes, curve)), name


def test_adam_bias_shows_negative_moments(rng):
    m = -rng.random(5)
    figure = adam_bias_plot(m, m, m**2, m**2, m**2, m**2, mean=-0.5, mean_square=0.3)
    assert figure.axes[0].get_ylim()[0] < m.min()
    assert figure.axes[1].get_ylim()[0] == 0


def test_adam_bias_needs_equal_lengths_and_two_steps():
    with pytest.raises(InputError, match="one step only"):
        adam_bias_plot(*np.ones((6, 1)), mean=1, mean_square=1)
    with pytest.raises(InputError, match=r"v has shape \(3,\): give \(2,\)"):
        adam_bias_plot(np.ones(2), np.ones(2), np.ones(3), np.ones(2), np.ones(2), np.ones(2), 1, 1)


def test_frames_show_each_type_where_it_is_and_share_their_axes(rng):
    means = rng.normal(size=(7, 30, 2)) * np.arange(1, 8)[:, None, None]
    cell_types = np.array(["T", "B", "_odd"])[np.arange(30) % 3]
    figure = training_frames_plot(means, cell_types, [0, 1, 2, 4, 8, 16, 32])
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in panels] == [f"epoch {e}" for e in (0, 1, 2, 4, 8, 16, 32)]
    for axes, z in zip(panels, means, strict=True):
        for dots, name in zip(axes.collections, ["B", "T", "_odd"], strict=True):
            np.testing.assert_array_equal(dots.get_offsets(), z[cell_types == name])
        circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
        assert [(circle.center, circle.radius) for circle in circles] == [((0, 0), 1), ((0, 0), 2)]
        assert axes.get_xlim() == axes.get_ylim() == panels[0].get_xlim()
        assert axes.get_aspect() == 1
        assert axes.get_xlim()[1] > np.abs(means).max()
    assert list(legend_of(figure)) == ["B", "T", "_odd", "the prior's 1 and 2 sigma"]


def test_labels_and_legend_of_the_frames_name_what_is_drawn(rng):
    means = rng.normal(size=(7, 30, 2))
    cell_types = np.array(["T", "B", "_odd"])[np.arange(30) % 3]
    figure = training_frames_plot(means, cell_types, range(7))
    assert [axes.get_ylabel() for axes in figure.axes[:7:5]] == ["dimension 2"] * 2  # the first of each row
    below = [axes for axes in figure.axes if axes.axison and axes.get_xlabel()]
    assert {axes.get_xlabel() for axes in below} == {"latent mean, dimension 1"}
    assert figure.axes[5] in below
    *types, (_, circles) = legend_of(figure).items()
    for axes, z in zip(figure.axes, means, strict=False):
        for name, seen in types:
            (dots,) = [
                dots for dots in axes.collections if np.array_equal(dots.get_offsets(), z[cell_types == name])
            ]
            assert look(dots) == seen
        for circle in axes.patches:
            assert (circle.get_edgecolor()[:3], circle.get_linestyle()) == ((0, 0, 0), ":")
    assert circles == ("#000000", ":", "")


def test_frames_show_the_circles_even_if_all_cells_are_at_zero():
    figure = training_frames_plot(np.zeros((1, 3, 2)), ["a"] * 3, [0])
    assert figure.axes[0].get_xlim()[1] > 2
    assert palette.kind("a", 0).color == palette.BLUE


def test_frames_say_what_is_wrong():
    with pytest.raises(InputError, match="cell_types has 2 names, means has 3 cells"):
        training_frames_plot(np.zeros((1, 3, 2)), ["a", "b"], [0])
    with pytest.raises(InputError, match="means has shape"):
        training_frames_plot(np.zeros((1, 3, 3)), ["a"] * 3, [0])
    with pytest.raises(InputError, match=r"epochs has shape \(2,\): give \(1,\)"):
        training_frames_plot(np.zeros((1, 3, 2)), ["a"] * 3, [0, 1])
