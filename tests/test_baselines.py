"""Each baseline against its definition by another route: NumPy by hand, SciPy's line fit, full SVD."""

import anndata
import numpy as np
import pytest
from scipy import sparse
from scipy import stats as scipy_stats

from vae_np.data.matrix import checked_matrix
from vae_np.errors import InputError
from vae_np.evaluate import baselines
from vae_np.evaluate.baselines import BASELINES, Seen, projected, too_large_for_pca

KINDS = [np.asarray, sparse.csr_matrix, sparse.csr_array]
TYPES = list("abcdt")
COUNTS = {"0": 14, "1": 11}


def cells_of(rng, n_genes=6, types=TYPES, counts=COUNTS):
    """Cells of each type in both conditions, in mixed order; the target t has control cells only."""
    groups = [(t, c) for t in types for c in counts if (t, c) != ("t", "1")]
    of = {(t, c): np.abs(rng.normal(size=(counts[c], n_genes)) + rng.normal(size=n_genes)) for t, c in groups}
    x = np.concatenate(list(of.values()))
    cell_type = np.concatenate([[t] * len(cells) for (t, _), cells in of.items()])
    condition = np.concatenate([[c] * len(cells) for (_, c), cells in of.items()])
    order = rng.permutation(len(x))
    control = x[order][(cell_type[order] == "t") & (condition[order] == "0")]
    return of, control, Seen(x[order], condition[order], cell_type[order], "0", "1", "t")


def changes(of, types="abcd"):
    return np.array([of[t, "1"].mean(axis=0) - of[t, "0"].mean(axis=0) for t in types])


@pytest.mark.parametrize("kind", KINDS)
def test_no_change_and_mean_shift(rng, kind):
    of, control, seen = cells_of(rng)
    seen = seen._replace(x=kind(seen.x.astype(np.float32)))
    unmoved = BASELINES["no_change"](seen)
    assert unmoved.dtype == float
    np.testing.assert_array_equal(unmoved, control.astype(np.float32))
    predicted = BASELINES["mean_shift"](seen)
    np.testing.assert_allclose(predicted, control + changes(of).mean(axis=0), atol=1e-6)


def test_the_example_in_the_documentation():
    x = np.array([1, 2, 3, 2, 4, 6, 3, 5.0])[:, None]
    seen = Seen(x, np.array(list("00011100")), np.array(list("abcabctt")), "0", "1", "t", min_cells=1)
    expected = {
        "mean_shift": [5, 7],
        "no_change": [3, 5],
        "pca_shift": [5, 7],
        "regression": [7, 9],
        "nearest_type": [6, 8],
    }
    assert expected.keys() == BASELINES.keys()
    for name, cells in expected.items():
        np.testing.assert_allclose(BASELINES[name](seen).ravel(), cells, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_genes", [40, 160], ids=["more cells", "more genes"])
def test_pca_shift_is_the_decoded_shift_of_the_scores(rng, kind, n_genes):
    of, control, seen = cells_of(rng, n_genes)
    n_components = 5
    x = seen.x
    v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:n_components].T

    def encode(cells):
        return (cells - x.mean(axis=0)) @ v

    z_change = [encode(of[t, "1"]).mean(axis=0) - encode(of[t, "0"]).mean(axis=0) for t in "abcd"]
    decoded = (encode(control) + np.mean(z_change, axis=0)) @ v.T + x.mean(axis=0)
    expected = control + decoded - (encode(control) @ v.T + x.mean(axis=0))
    predicted = BASELINES["pca_shift"](seen._replace(x=kind(x), n_components=n_components))
    np.testing.assert_allclose(predicted, expected, atol=1e-10)
    assert np.abs(predicted - BASELINES["mean_shift"](seen)).max() > 0.05


@pytest.mark.parametrize("n_genes", [40, 160])
def test_pca_shift_with_all_components_is_the_mean_shift(rng, n_genes):
    _, _, seen = cells_of(rng, n_genes)
    everything = min(len(seen.x) - 1, n_genes)
    for n_components in (everything, everything + 1, 1000):
        predicted = BASELINES["pca_shift"](seen._replace(n_components=n_components))
        np.testing.assert_allclose(predicted, BASELINES["mean_shift"](seen), rtol=1e-12)
    predicted = BASELINES["pca_shift"](seen._replace(n_components=everything - 1))
    assert np.abs(predicted - BASELINES["mean_shift"](seen)).max() > 1e-6


@pytest.mark.parametrize("shape", [(50, 30), (30, 50)])
def test_a_direction_that_no_cell_has_is_no_component(rng, shape):
    """Cells of rank 3 and 10 components: what lies in their span comes back unchanged, and finite."""
    x = rng.normal(size=(shape[0], 3)) @ rng.normal(size=(3, shape[1]))
    vector = x[0] - x[1]
    np.testing.assert_allclose(projected(vector, x, 10), vector, atol=1e-10)


def test_projection_takes_more_than_one_chunk_of_cells(rng):
    x = rng.normal(size=(1500, 8)) * np.arange(1, 9)
    v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:3].T
    vector = x[3] - x[1400]
    np.testing.assert_allclose(projected(vector, x, 3), v @ (v.T @ vector), atol=1e-10)


def test_cells_in_a_file_whose_components_would_take_too_much_memory_have_none(rng, tmp_path, monkeypatch):
    _, control, seen = cells_of(rng, 160)
    in_file = anndata.AnnData(seen.x)
    in_file.write_h5ad(tmp_path / "cells.h5ad")
    stored = seen._replace(x=checked_matrix(anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r").X))
    small = BASELINES["pca_shift"](stored._replace(n_components=5))
    np.testing.assert_array_equal(small, BASELINES["pca_shift"](seen._replace(n_components=5)))
    monkeypatch.setattr(baselines, "MOST_VALUES", seen.x.size - 1)
    with pytest.raises(
        InputError, match=r"^the principal components of 114 cells x 160 genes in a file would"
    ):
        BASELINES["pca_shift"](stored)
    assert len(BASELINES["pca_shift"](seen)) == len(control)  # in memory


def test_what_is_too_large_for_components():
    assert too_large_for_pca(10**6, 8192) == too_large_for_pca(2000, 30_000) == ""
    for n, d in ((10**6, 8193), (8193, 10**6), (8000, 10_000)):
        assert f"{n} cells x {d} genes" in too_large_for_pca(n, d)


@pytest.mark.parametrize("kind", KINDS)
def test_regression_is_scipys_line_of_each_gene(rng, kind):
    of, control, seen = cells_of(rng)
    predicted = BASELINES["regression"](seen._replace(x=kind(seen.x)))
    for gene in range(6):
        means = [[of[t, c][:, gene].mean() for t in "abcd"] for c in "01"]
        line = scipy_stats.linregress(*means)
        mean = line.intercept + line.slope * control[:, gene].mean()
        expected = control[:, gene] + mean - control[:, gene].mean()
        np.testing.assert_allclose(predicted[:, gene], expected, rtol=1e-9)


def test_regression_of_a_gene_that_is_alike_in_all_types_is_the_mean_shift(rng):
    """Its control means are equal but for rounding, which must not be taken for a slope."""
    _, _, seen = cells_of(rng)
    x = seen.x.copy()
    of_others = (seen.condition == "0") & (seen.cell_type != "t")
    x[of_others, 0] = 0
    x[of_others, 1:4] = [0.1, 0.7, 1 / 3]
    kept = np.ones(len(x), bool)
    kept[np.flatnonzero((seen.cell_type == "a") & of_others)[:3]] = False  # 11 cells, the others have 14
    seen = Seen(x[kept], seen.condition[kept], seen.cell_type[kept], "0", "1", "t")
    assert (np.ptp(seen.type_means().control, axis=0)[1:4] > 0).any()  # there is rounding
    predicted, shifted = BASELINES["regression"](seen), BASELINES["mean_shift"](seen)
    np.testing.assert_allclose(predicted[:, :4], shifted[:, :4], atol=1e-12)
    assert np.abs(predicted[:, 4:] - shifted[:, 4:]).max() > 0.01


def test_nearest_type_takes_the_change_of_the_type_with_the_nearest_control_mean(rng):
    of, control, seen = cells_of(rng)
    distance = {t: np.sqrt(sum((of[t, "0"].mean(axis=0) - control.mean(axis=0)) ** 2)) for t in "abcd"}
    nearest = min(distance, key=distance.get)
    expected = control + changes(of, nearest)[0]
    np.testing.assert_allclose(BASELINES["nearest_type"](seen), expected, rtol=1e-12)


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_looks_at_the_targets_stimulated_cells_for_a_change(rng, name):
    """Should they be there after all, only the principal components could know of them."""
    _, _, seen = cells_of(rng)
    leaked = Seen(
        np.vstack([seen.x, np.full((20, 6), 50.0)]),
        np.append(seen.condition, ["1"] * 20),
        np.append(seen.cell_type, ["t"] * 20),
        "0",
        "1",
        "t",
    )
    np.testing.assert_allclose(BASELINES[name](leaked), BASELINES[name](seen), rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "no_change"])
def test_other_conditions_and_small_types_are_left_out(rng, name):
    _, _, seen = cells_of(rng)
    n = len(seen.x)
    added = Seen(
        np.vstack([seen.x, rng.random((60, 6))]),
        np.concatenate([seen.condition, np.repeat(["0", "1", "2"], [9, 31, 20])]),
        np.concatenate([seen.cell_type, np.repeat(["e", "a"], [40, 20])]),
        "0",
        "1",
        "t",
    )
    assert len(added.x) == n + 60
    np.testing.assert_allclose(BASELINES[name](added), BASELINES[name](seen), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "no_change"])
def test_too_few_types_are_an_error(rng, name):
    _, _, seen = cells_of(rng)
    with pytest.raises(InputError, match="no cell type other than 't' has 12 cells in both '0' and '1'"):
        BASELINES[name](seen._replace(min_cells=12))


def test_a_line_through_two_types_is_refused(rng):
    _, _, seen = cells_of(rng, types=list("abt"))
    with pytest.raises(InputError, match=r"2 cell types other than 't' .* needs 3"):
        BASELINES["regression"](seen)
    BASELINES["mean_shift"](seen)


@pytest.mark.parametrize("name", BASELINES)
def test_a_target_without_control_cells_is_an_error(rng, name):
    _, _, seen = cells_of(rng)
    with pytest.raises(InputError, match="cell type 'x' has no cell in condition '0'"):
        BASELINES[name](seen._replace(target="x"))
