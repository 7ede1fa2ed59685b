"""The simulation has the truth that it says it has."""

import numpy as np
import pytest

from vae_np import simulate
from vae_np.errors import InputError


def test_it_is_reproducible_and_the_seed_matters():
    first, second, other = simulate(100, 30, 3), simulate(100, 30, 3), simulate(100, 30, 3, seed=1)
    np.testing.assert_array_equal(first.X.toarray(), second.X.toarray())
    assert (first.X != other.X).nnz > 0


def test_every_type_has_cells_in_both_conditions_and_counts_are_counts():
    adata = simulate(103, 30, 4)
    sizes = adata.obs.groupby(["cell_type", "condition"], observed=False).size()
    assert sizes.sum() == 103
    assert sizes.min() >= 12
    counts = adata.layers["counts"].toarray()
    np.testing.assert_array_equal(counts, np.floor(counts))
    expected = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    np.testing.assert_allclose(adata.X.toarray(), expected, rtol=1e-5)


def test_the_latent_shift_is_the_stated_one():
    """Per type, the mean difference of z_true is shift + the type's own part, within sampling error."""
    adata = simulate(4000, 10, 2, shift=1.5, type_specific=0.3, seed=4)
    truth, z = adata.uns["truth"], adata.obsm["z_true"]
    for t in range(2):
        is_type = adata.obs["cell_type"] == f"type {t + 1}"
        means = [z[is_type & (adata.obs["condition"] == c)].mean(axis=0) for c in ("control", "stimulated")]
        n = int(is_type.sum()) / 2
        bound = 4.892 * 0.3 * np.sqrt(2 / n)  # cells scatter by 0.3 in each dimension
        assert np.abs(means[1] - means[0] - truth["type_shifts"][t]).max() < bound
    np.testing.assert_allclose(np.linalg.norm(truth["shift"]), 1.5)


def test_only_responding_genes_load_on_the_shift():
    truth = simulate(60, 200, 2).uns["truth"]
    effect = truth["shift"] @ truth["loadings"]
    responds = simulate(60, 200, 2).var["responds"].to_numpy()
    np.testing.assert_array_equal(effect != 0, responds)
    assert 0 < responds.sum() < 60


def test_dropout_makes_more_zeros_and_depth_makes_fewer():
    def zeros(**settings):
        return (simulate(300, 100, 2, **settings).layers["counts"].toarray() == 0).mean()

    assert zeros(dropout=0.9) > zeros(dropout=0.0) > zeros(dropout=0.0, library_size=30_000)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_cells": 3},
        {"n_genes": 1},
        {"n_cell_types": 0},
        {"shift": -1},
        {"dropout": 1.0},
        {"library_size": 0},
        {"type_specific": np.nan},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        simulate(**settings)
