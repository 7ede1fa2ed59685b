"""The simulation has the truth that it says it has."""

import numpy as np
import pytest

from vae_np import simulate
from vae_np.data import simulate_species
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


def test_the_types_own_part_has_the_stated_size():
    truth = simulate(400, 3, 200, shift=2.0, type_specific=0.15).uns["truth"]
    own = truth["type_shifts"] - truth["shift"]
    mean_square = (own**2).sum(axis=1).mean()
    # own.size independent normal squares: the relative standard error of their mean is sqrt(2 / n)
    assert abs(mean_square / (0.15 * 2) ** 2 - 1) < 4.892 * np.sqrt(2 / own.size)


def test_types_do_not_differ_in_the_response_program():
    adata = simulate(2000, 10, 4)
    control = adata[adata.obs["condition"] == "control"]
    program, types = control.obsm["z_true"][:, -1], control.obs["cell_type"].to_numpy()
    means = [program[types == t].mean() for t in np.unique(types)]
    assert len(means) == 4
    assert np.abs(means).max() < 4.892 * 0.3 / np.sqrt(250)  # 250 cells, which scatter by 0.3


def test_expression_follows_the_latent_state():
    adata = simulate(400, 60, 1, type_specific=0, dropout=0.0, library_size=1e6)
    logs = np.log1p(adata.layers["counts"].toarray())
    logits = adata.obsm["z_true"] @ adata.uns["truth"]["loadings"]
    well_seen = logs.min(axis=0) > np.log(50)  # counting noise is small there
    assert well_seen.sum() > 5
    # log share is the logit up to a number for each cell, which centering takes away
    seen, true = (m[:, well_seen] - m[:, well_seen].mean(axis=1, keepdims=True) for m in (logs, logits))
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(seen.T, true.T, strict=True)]
    assert np.median(r) > 0.9


def test_the_library_size_is_the_median():
    totals = simulate(4000, 50, 2, dropout=0.0).layers["counts"].toarray().sum(axis=1)
    # log totals scatter by 0.3 and the counting noise of 2,000 counts; a median of n normal values has
    # standard error sqrt(pi / 2 / n)
    spread = np.hypot(0.3, 1 / np.sqrt(2000))
    assert abs(np.log(np.median(totals) / 2000)) < 4.892 * spread * np.sqrt(np.pi / 2 / 4000)


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


def test_dropout_spares_large_counts():
    kept, dropped = (simulate(300, 50, 2, dropout=d).layers["counts"].toarray() for d in (0.0, 0.9))
    large = kept > 40
    assert large.any()
    np.testing.assert_array_equal(dropped[large], kept[large])  # exp(-expectation) is nothing
    assert (dropped[kept == 1] == 0).mean() > 0.2  # where one is expected, 0.9 / e = 0.33


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


def test_species_are_reproducible_and_every_group_has_cells():
    first, second, other = (simulate_species(200, 30, 3, 2, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.X.toarray(), second.X.toarray())
    assert (first.X != other.X).nnz > 0
    sizes = first.obs.groupby(["species", "cell_type", "condition"], observed=False).size()
    assert len(sizes) == 12
    assert set(sizes) == {16, 17}
    counts = first.layers["counts"].toarray()
    expected = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    np.testing.assert_allclose(first.X.toarray(), expected, rtol=1e-5)


def latent_means(adata):
    """Mean latent state of each species, type and condition, shape (., ., 2, k); n of the smallest."""
    groups = adata.obs.groupby(["species", "cell_type", "condition"], observed=False).indices
    keys = [[*adata.obs[c].cat.categories] for c in ("species", "cell_type", "condition")]
    means = [
        [[adata.obsm["z_true"][groups[s, t, c]].mean(axis=0) for c in keys[2]] for t in keys[1]]
        for s in keys[0]
    ]
    return np.array(means), min(len(rows) for rows in groups.values())


@pytest.mark.parametrize("interaction", [0.0, 0.4])
def test_species_types_and_stimulus_add_up_as_stated(interaction):
    adata = simulate_species(6000, 5, 3, 2, species_effect=2.0, shift=1.5, interaction=interaction, seed=3)
    truth = adata.uns["truth"]
    means, n = latent_means(adata)
    control = truth["species_effects"][:, None] + truth["type_effects"][None]
    expected = np.stack([control, control + truth["species_shifts"][:, None]], axis=2)
    assert np.abs(means - expected).max() < 4.892 * 0.3 / np.sqrt(n)  # cells scatter by 0.3 in each dimension
    np.testing.assert_allclose(np.linalg.norm(truth["shift"]), 1.5)
    if not interaction:
        np.testing.assert_array_equal(truth["species_shifts"], np.tile(truth["shift"], (3, 1)))


def test_species_effects_and_interaction_have_the_stated_sizes():
    truth = simulate_species(800, 3, 400, shift=2.0, species_effect=1.7, interaction=0.25).uns["truth"]
    effects, own = truth["species_effects"], truth["species_shifts"] - truth["shift"]
    assert not effects[:, -1].any()  # the response program is the stimulus' own
    for squares, expected in ((effects[:, :-1] ** 2, 1.7**2), (own**2, (0.25 * 2) ** 2 / own.shape[1])):
        assert abs(squares.mean() / expected - 1) < 4.892 * np.sqrt(2 / squares.size)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_species": 0},
        {"n_cells": 7},
        {"n_cell_types": 0},
        {"species_effect": -1},
        {"interaction": np.inf},
        {"dropout": 1.0},
        {"seed": -1},
    ],
)
def test_impossible_species_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        simulate_species(**settings)
