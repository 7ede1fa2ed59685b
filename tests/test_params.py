"""The flat vector and its views are one memory; lengths are checked; initial values have their law."""

import numpy as np
import pytest

from vae_np.model import Params, Sizes, Stats, initialize

SIZES = [Sizes(7, 5, 3, 2), Sizes(7, 5, 3, 1), Sizes(7, 5, 3, 0)]


@pytest.mark.parametrize("sizes", SIZES)
def test_views_cover_the_flat_vector_once_and_in_order(sizes):
    """Rows in memory are genes where a layer reads genes, outputs everywhere else."""
    params = Params(sizes, np.arange(sizes.n_params, dtype=float))
    reads_genes = ("encoder[0].W",) if sizes.n_layers else ("mu.W", "log_var.W")
    rows = [view if name in reads_genes else view.T for name, view in params.named()]
    np.testing.assert_array_equal(np.concatenate([r.ravel() for r in rows]), params.flat)
    stats = Stats(sizes, np.arange(sizes.n_stats, dtype=float))
    arrays = [a.ravel() for layer in (*stats.encoder, *stats.decoder) for a in layer]
    np.testing.assert_array_equal(np.concatenate([np.zeros(0), *arrays]), stats.flat)


def test_a_view_writes_through_and_a_copy_does_not():
    params, _ = initialize(SIZES[0], np.random.default_rng(0))
    copy = params.copy()
    params.encoder[1].W[2, 3] = 42
    assert np.count_nonzero(params.flat == 42) == 1
    assert not np.any(copy.flat == 42)


def test_names_and_shapes_are_those_of_the_design():
    params, _ = initialize(Sizes(7, 5, 3, 2), np.random.default_rng(0))
    shapes = {name: view.shape for name, view in params.named()}
    assert shapes["encoder[0].W"] == (7, 5)
    assert shapes["encoder[1].gamma"] == (5,)
    assert shapes["mu.W"] == shapes["log_var.W"] == (5, 3)
    assert shapes["decoder[0].W"] == (3, 5)
    assert shapes["output.W"] == (5, 7)
    # 2,000 genes, 800 x 2, latent 100: the published model has this many (PyTorch, printed)
    assert Sizes(2000, 800, 100, 2).n_params == 4_731_800


@pytest.mark.parametrize("sizes", SIZES)
def test_join_is_the_inverse_of_taking_apart(sizes):
    params, _ = initialize(sizes, np.random.default_rng(0), np.float64)
    again = Params.join(sizes, [view for _, view in params.named()])
    np.testing.assert_array_equal(again.flat, params.flat)
    assert not np.shares_memory(again.flat, params.flat)


@pytest.mark.parametrize("kind", [Params, Stats])
def test_a_wrong_length_is_refused(kind):
    with pytest.raises(ValueError, match="these sizes need"):
        kind(SIZES[0], np.zeros(3))


def test_initial_weights_pass_variance_on():
    params, stats = initialize(Sizes(400, 300, 20, 1), np.random.default_rng(0))
    assert params.flat.dtype == stats.flat.dtype == np.float32
    for _, part in params.parts():
        n_in = part.W.shape[0]
        assert np.abs(part.W).max() <= np.sqrt(3 / n_in)
        # variance of U(-b, b) is b^2/3; its estimate from n values has standard error b^2 sqrt(4/45 / n)
        assert abs(part.W.var() - 1 / n_in) < 4.892 * 3 / n_in * np.sqrt(4 / 45 / part.W.size)
        assert (part.b == 0).all()
    assert (params.decoder[0].gamma == 1).all()
    assert (params.decoder[0].beta == 0).all()
    assert (stats.encoder[0].mean == 0).all()
    assert (stats.decoder[0].var == 1).all()
