"""Figures show the numbers they were given."""

import io

import numpy as np
import pytest

from vae_np.plots import latent_plot, reg_mean_plot
from vae_np.plots.latent import side_view


@pytest.mark.parametrize(("settings", "n_named"), [({"n_named": 5}, 5), ({}, 10)])
def test_reg_mean_plot_shows_all_genes_and_names_those_that_change_most(rng, settings, n_named):
    true, control = rng.random(50) * 3, rng.random(50) * 3
    figure = reg_mean_plot(true * 0.9, true, control, [f"g{i}" for i in range(50)], **settings)
    figure.savefig(io.BytesIO())
    axes = figure.axes[0]
    at = [np.asarray(points.get_offsets()) for points in axes.collections]
    np.testing.assert_allclose(at[0], np.stack([true, control], axis=1))
    np.testing.assert_allclose(at[1], np.stack([true, true * 0.9], axis=1))
    np.testing.assert_array_equal(*axes.lines[0].get_data())  # the diagonal
    largest = np.argsort(-np.abs(true - control))[:n_named]
    np.testing.assert_allclose(at[2], np.stack([true, true * 0.9], axis=1)[largest])
    assert {text.get_text() for text in axes.texts} == {f"g{i}" for i in largest}
    heights = sorted(text.xyann[1] for text in axes.texts)
    assert np.diff(heights).min() > 0.1 * heights[-1]  # names do not cover each other


def test_gene_names_are_not_formulas(rng):
    true, control = rng.random(3), rng.random(3)
    figure = reg_mean_plot(true, true, control, ["$x_{1$", "a_b", "c"])
    figure.savefig(io.BytesIO())


def test_latent_plot_draws_delta_horizontally(rng):
    delta = rng.normal(size=6)
    control = rng.normal(size=(20, 6))
    others, true = rng.normal(size=(60, 6)) * 3, rng.normal(size=(15, 6))
    figure = latent_plot(others, control, control + delta, true)
    points = {c.get_label(): np.asarray(c.get_offsets()) for c in figure.axes[0].collections}
    before, after = points["control cells of the target"], points["control + delta (predicted)"]
    np.testing.assert_allclose(after - before, np.tile([np.linalg.norm(delta), 0], (20, 1)), atol=1e-9)
    assert len(points["training cells"]) == 60


def test_latent_plot_looks_across_the_training_cells_and_points_to_the_shifted(rng):
    others, control = rng.normal(size=(300, 4)) * [1, 1, 9, 1], rng.normal(size=(40, 4)) * [1, 4, 1, 1]
    axes = latent_plot(others, control, control + np.array([2.0, 0, 0, 0]), control).axes[0]
    heights = np.asarray(axes.collections[0].get_offsets())[:, 1]
    assert abs(np.corrcoef(heights, others[:, 2])[0, 1]) > 0.99
    arrow = next(text for text in axes.texts if text.get_text() == "")
    np.testing.assert_allclose(np.subtract(arrow.xy, arrow.xyann), [2, 0], atol=1e-12)


def test_side_view_is_orthonormal_and_finds_the_largest_spread(rng):
    z = rng.normal(size=(200, 4)) * [1, 9, 1, 5]
    view = side_view(z, np.array([0.0, 2.0, 0.0, 0.0]))
    np.testing.assert_allclose(view.T @ view, np.eye(2), atol=1e-12)
    assert abs(view[3, 1]) > 0.99
    np.testing.assert_array_equal(side_view(rng.normal(size=(9, 1)), np.array([-2.0])), [[-1, 0]])
