"""Latent points and arrows stand where projections by other means put them."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import cosine, pdist

from vae_np.errors import InputError
from vae_np.plots import delta_arrows_plot, embedding_plot, latent_plot
from vae_np.plots.arrows import cosines
from vae_np.plots.plane import side_view


def points_of(figure):
    """Coordinates of each set of dots, by its label."""
    return {dots.get_label(): np.asarray(dots.get_offsets()) for dots in figure.axes[0].collections}


def arrows_of(figure):
    """Start and end of each arrow, (2, 2)."""
    return [np.array([text.xyann, text.xy]) for text in figure.axes[0].texts if text.get_text() == ""]


def test_latent_plot_draws_delta_horizontally(rng):
    delta = rng.normal(size=6)
    control = rng.normal(size=(20, 6))
    others, true = rng.normal(size=(60, 6)) * 3, rng.normal(size=(15, 6))
    points = points_of(latent_plot(others, control, control + delta, true))
    before, after = points["control cells of the target"], points["control + delta (predicted)"]
    np.testing.assert_allclose(after - before, np.tile([np.linalg.norm(delta), 0], (20, 1)), atol=1e-9)
    assert len(points["training cells"]) == 60
    seen = points["real stimulated cells of the target (held out)"]
    np.testing.assert_allclose(seen[:, 0], true @ delta / np.linalg.norm(delta))


def test_latent_plot_looks_across_the_training_cells_and_points_to_the_shifted(rng):
    others, control = rng.normal(size=(300, 4)) * [1, 1, 9, 1] + 5, rng.normal(size=(40, 4)) * [1, 4, 1, 1]
    figure = latent_plot(others, control, control + np.array([2.0, 0, 0, 0]), control)
    heights = points_of(figure)["training cells"][:, 1]
    assert abs(np.corrcoef(heights, others[:, 2])[0, 1]) > 0.99
    ((start, end),) = arrows_of(figure)
    np.testing.assert_allclose(end - start, [2, 0], atol=1e-12)


def test_latent_plot_needs_a_direction_and_cells(rng):
    z = rng.normal(size=(5, 3))
    with pytest.raises(InputError, match="control and shifted have the same mean"):
        latent_plot(z, z, z, z)
    with pytest.raises(InputError, match=r"true has shape \(0, 3\): give \(cells, 3\), with nothing empty"):
        latent_plot(z, z, z + 1, z[:0])
    with pytest.raises(InputError, match=r"shifted has shape \(4, 3\): give \(5, 3\)"):
        latent_plot(z, z, z[1:] + 1, z)


def test_side_view_is_orthonormal_and_finds_the_largest_spread(rng):
    z = rng.normal(size=(200, 4)) * [1, 9, 1, 5]
    view = side_view(z, np.array([0.0, 2.0, 0.0, 0.0]))
    np.testing.assert_allclose(view.T @ view, np.eye(2), atol=1e-12)
    assert abs(view[3, 1]) > 0.99
    np.testing.assert_array_equal(side_view(rng.normal(size=(9, 1)), np.array([-2.0])), [[-1, 0]])


@pytest.mark.parametrize("n", [1, 5])
def test_side_view_of_parallel_vectors_is_still_orthonormal(rng, n):
    direction = rng.normal(size=7)
    for vectors in (np.zeros((n, 7)), np.outer(rng.random(n) + 1, direction)):
        view = side_view(vectors, direction)
        np.testing.assert_allclose(view.T @ view, np.eye(2), atol=1e-12)


def test_pca_keeps_the_distances_of_points_in_a_plane(rng):
    plane, _ = np.linalg.qr(rng.normal(size=(9, 2)))
    flat = rng.normal(size=(30, 2)) * [3, 1]
    z = flat @ plane.T + 7
    figure = embedding_plot({"a": z[:10], "_b": z[10:11], "$c": z[11:]})
    points = points_of(figure)
    assert [len(points[name]) for name in ("a", "_b", "$c")] == [10, 1, 19]
    together = np.concatenate([points[name] for name in ("a", "_b", "$c")])
    np.testing.assert_allclose(pdist(together), pdist(z), rtol=1e-9)
    shares = np.linalg.svd(z - z.mean(axis=0), compute_uv=False) ** 2
    assert f"({shares[0] / shares.sum():.0%} of" in figure.axes[0].get_xlabel()
    assert f"({shares[1] / shares.sum():.0%} of" in figure.axes[0].get_ylabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "_b", "$c"]


def test_pca_is_fitted_to_all_points_together_and_shows_the_largest_variance(rng):
    z = rng.normal(size=(50, 6)) * [1, 2, 8, 1, 5, 1]
    groups = {"low": z, "high": z + 100.0 * np.eye(6)[0]}
    points = points_of(embedding_plot(groups))
    coordinates = np.concatenate([points["low"], points["high"]])
    everything = np.concatenate(list(groups.values()))
    wanted = np.linalg.svd(everything - everything.mean(axis=0), compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(coordinates, axis=0), wanted)
    assert abs(points["high"][:, 0].mean() - points["low"][:, 0].mean()) > 99


def test_umap_is_fitted_to_all_points_together(rng, monkeypatch):
    seen = {}

    class Umap:
        def __init__(self, **settings):
            seen.update(settings)

        def fit_transform(self, z):
            seen["z"] = z
            return z[:, 1:3]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    a, b = rng.normal(size=(6, 4)), rng.normal(size=(3, 4))
    points = points_of(embedding_plot({"a": a, "b": b}, "umap", rng))
    np.testing.assert_array_equal(seen["z"], np.concatenate([a, b]))
    np.testing.assert_array_equal(points["a"], a[:, 1:3])
    np.testing.assert_array_equal(points["b"], b[:, 1:3])
    assert seen["n_neighbors"] == 8
    with pytest.raises(InputError, match="3 points are too few for UMAP"):
        embedding_plot({"b": b}, "umap", rng)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ImportWarning")  # umap misses TensorFlow, which it does not need here
def test_the_real_umap_keeps_distant_groups_apart_and_repeats_itself(rng, scanpy):  # which brings umap
    z = rng.normal(size=(40, 5))
    first, again = (
        points_of(embedding_plot({"a": z, "b": z + 100}, "umap", np.random.default_rng(3))) for _ in range(2)
    )
    np.testing.assert_array_equal(first["a"], again["a"])
    widest = max(pdist(first["a"]).max(), pdist(first["b"]).max())
    assert np.linalg.norm(first["a"].mean(axis=0) - first["b"].mean(axis=0)) > widest


@pytest.mark.parametrize(
    ("groups", "method", "message"),
    [
        ({}, "pca", "groups is empty"),
        ({"a": np.ones((0, 2))}, "pca", r"group 'a' has shape \(0, 2\)"),
        (
            {"a": np.ones((3, 2)), "b": np.ones((3, 4))},
            "pca",
            r"group 'b' has shape \(3, 4\): give \(cells, 2\)",
        ),
        ({"a": np.ones((3, 2))}, "tsne", "method is 'tsne': give pca or umap"),
        ({"a": np.ones((3, 2))}, "umap", "umap-learn is not installed: install it"),
    ],
)
def test_embeddings_that_cannot_be_drawn(rng, monkeypatch, groups, method, message):
    monkeypatch.setitem(sys.modules, "umap", None)  # as if it were not installed
    with pytest.raises(InputError, match=message):
        embedding_plot(groups, method, rng)


def test_umap_needs_a_source_of_randomness():
    with pytest.raises(InputError, match="give a numpy Generator"):
        embedding_plot({"a": np.ones((9, 2))}, "umap")


def test_each_arrow_is_its_delta_seen_from_the_side(rng):
    origins, deltas = rng.normal(size=(4, 6)), rng.normal(size=(4, 6)) + 2
    shared = deltas.mean(axis=0)
    figure = delta_arrows_plot(origins, deltas, list("abcd"), shared)
    *own, last = arrows_of(figure)
    along = shared / np.linalg.norm(shared)
    residual = deltas - np.outer(deltas @ along, along)
    strongest = np.linalg.svd(residual)[2][0]
    for (start, end), origin, delta in zip(own, origins, deltas, strict=True):
        assert start[0] == pytest.approx(origin @ along)
        assert end[0] - start[0] == pytest.approx(delta @ along)
        assert abs(end[1] - start[1]) == pytest.approx(abs(delta @ strongest))
    np.testing.assert_allclose(last[1] - last[0], [np.linalg.norm(shared), 0], atol=1e-12)
    wanted = {f"{name}  {1 - cosine(delta, shared):.2f}" for name, delta in zip("abcd", deltas, strict=True)}
    assert {text.get_text() for text in figure.axes[0].texts} - {""} == wanted
    axes = figure.axes[0]
    assert np.diff(axes.get_xlim()) == pytest.approx(np.diff(axes.get_ylim()))  # angles are seen as they are


def test_cosines_are_scipys_and_a_zero_vector_has_none(rng):
    vectors, direction = rng.normal(size=(5, 3)), rng.normal(size=3)
    np.testing.assert_allclose(cosines(vectors, direction), [1 - cosine(v, direction) for v in vectors])
    assert np.isnan(cosines(np.zeros((1, 3)), direction)).all()
    np.testing.assert_allclose(cosines(np.array([[3.0, 4]]), np.array([1.0, 0])), [0.6])


def test_arrows_need_a_direction_and_fitting_shapes(rng):
    z = rng.normal(size=(3, 2))
    with pytest.raises(InputError, match="shared is zero"):
        delta_arrows_plot(z, z, list("abc"), np.zeros(2))
    with pytest.raises(InputError, match="2 types are named, but the numbers have 3"):
        delta_arrows_plot(z, z, list("ab"), z[0])
    with pytest.raises(InputError, match=r"deltas has shape \(0, 2\)"):
        delta_arrows_plot(z[:0], z[:0], [], z[0])
