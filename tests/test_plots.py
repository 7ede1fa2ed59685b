"""Predicted against true, gene by gene: the points are those given, names stand apart, R2 is SciPy's."""

import io
import re

import numpy as np
import pytest
from scipy import optimize, stats

from vae_np.errors import InputError
from vae_np.plots import reg_mean_plot, reg_var_plot
from vae_np.plots.labels import spread

BOTH = pytest.mark.parametrize("plot", [reg_mean_plot, reg_var_plot])


def points_of(axes):
    """Coordinates of each set of dots, by its label."""
    return {dots.get_label(): np.asarray(dots.get_offsets()) for dots in axes.collections}


@BOTH
@pytest.mark.parametrize(("settings", "n_named"), [({"n_named": 5}, 5), ({}, 10), ({"n_named": 0}, 0)])
def test_all_genes_are_shown_and_those_that_change_most_are_named(rng, plot, settings, n_named):
    true, control = rng.random(50) * 3, rng.random(50) * 3
    axes = plot(true * 0.9, true, control, [f"g{i}" for i in range(50)], **settings).axes[0]
    at = points_of(axes)
    np.testing.assert_allclose(at["control (no change)"], np.stack([true, control], axis=1))
    np.testing.assert_allclose(at["predicted"], np.stack([true, true * 0.9], axis=1))
    np.testing.assert_array_equal(*axes.lines[0].get_data())  # the diagonal
    largest = np.argsort(-np.abs(true - control))[:n_named]
    if n_named:
        np.testing.assert_allclose(at["largest true change"], np.stack([true, true * 0.9], axis=1)[largest])
    assert {text.get_text(): text.xy for text in axes.texts} == {
        f"g{i}": pytest.approx((true[i], true[i] * 0.9)) for i in largest
    }


@BOTH
def test_the_title_gives_scipys_r2_of_all_and_of_chosen_genes(rng, plot):
    true, control = rng.random(40), rng.random(40)
    predicted = true + rng.normal(size=40) * 0.3
    named = np.argsort(-np.abs(true - control))[:10]
    chosen = np.arange(40) % 3 == 0
    for settings, some in (({}, named), ({"subset": chosen}, chosen), ({"subset": [1, 5, 7]}, [1, 5, 7])):
        title = plot(predicted, true, control, [f"g{i}" for i in range(40)], **settings).axes[0].get_title()
        wanted = [
            stats.linregress(true, predicted).rvalue ** 2,
            stats.linregress(true[some], predicted[some]).rvalue ** 2,
        ]
        assert [float(number) for number in re.findall(r"\d\.\d{3}", title)] == pytest.approx(
            wanted, abs=6e-4
        )
        assert f"all genes: 40), {wanted[1]:.3f}" in title
        assert title.endswith(f"genes: {len(true[some])})")
    assert "R²" not in plot(predicted, true, control, [""] * 40, r2=False).axes[0].get_title()


def test_mean_and_variance_say_which_they_are():
    one = np.array([1.0])
    mean, var = (plot(one, one, one, ["g"]).axes[0] for plot in (reg_mean_plot, reg_var_plot))
    assert "mean" in mean.get_xlabel()
    assert "variance" in var.get_xlabel()
    assert mean.get_title().startswith("Mean")
    assert var.get_title().startswith("Variance")


def test_r2_of_constants_is_undefined():
    title = reg_mean_plot(np.ones(4), np.arange(4.0), np.zeros(4), list("abcd")).axes[0].get_title()
    assert "R² undefined (all genes: 4)" in title


def test_unclipped_means_below_zero_are_inside_the_axes(rng):
    axes = reg_mean_plot(np.array([-0.5, 1]), np.array([0.0, 2]), np.zeros(2), ["a", "b"]).axes[0]
    assert axes.get_ylim()[0] < -0.5
    assert axes.get_xlim() == axes.get_ylim()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicted": [1.0]}, r"predicted has shape \(1,\): give \(2,\)"),
        ({"control": [1.0, np.nan]}, "control holds nan"),
        (
            {"true": [], "predicted": [], "control": [], "genes": []},
            r"true has shape \(0,\): give \(genes,\)",
        ),
        ({"true": ["a", "b"]}, "true is no dense array of numbers"),
        ({"genes": ["a"]}, "1 genes are named, but the numbers have 2"),
        ({"n_named": -1}, "n_named is -1"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(change, message):
    given = {"predicted": [1.0, 2], "true": [1.0, 3], "control": [0.0, 1], "genes": ["a", "b"]} | change
    with pytest.raises(InputError, match=message):
        reg_mean_plot(**given)


def test_gene_names_are_not_formulas(rng):
    true, control = rng.random(3), rng.random(3)
    figure = reg_mean_plot(true, true, control, ["$x_{1$", "a_b", "c"])
    figure.savefig(io.BytesIO())


def test_very_long_names_keep_both_ends():
    figure = reg_mean_plot([1.0], [1.0], [0.0], ["start" + 100 * "x" + "end"])
    (label,) = figure.axes[0].texts
    assert re.fullmatch(r"startx+…x+end", label.get_text())
    assert len(label.get_text()) == 40


def test_labels_are_as_near_to_their_points_as_the_gap_allows(rng):
    np.testing.assert_allclose(spread(np.array([0.5, 0.5]), 0.1), [0.45, 0.55])
    np.testing.assert_allclose(spread(np.array([0.0, 0.0, 1.0]), 0.1), [0, 0.1, 1])
    for n in (1, 4, 9):
        wanted, gap = np.sort(rng.random(n) ** 3), 0.1
        constraints = {"type": "ineq", "fun": lambda h, gap=gap: np.diff(h) - gap} if n > 1 else ()
        best = optimize.minimize(
            lambda h, wanted=wanted: ((h - wanted) ** 2).sum(),
            np.linspace(0, 1, n),
            bounds=[(0, 1)] * n,
            constraints=constraints,
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(spread(wanted, gap), best.x, atol=1e-5)
