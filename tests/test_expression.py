"""Counts and logarithms are told apart, normalized by the definition, and bad matrices are refused."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from vae_np.data import log_normalize, read_h5ad, select_genes
from vae_np.data.expression import expression_matrix, log_matrix, scale_of
from vae_np.data.matrix import chunks, gene_mean, gene_variance
from vae_np.errors import InputError

KINDS = [np.array, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array]


def cells(x, **parts):
    return anndata.AnnData(
        x,
        obs=pd.DataFrame(index=[f"c{i}" for i in range(x.shape[0])]),
        var=pd.DataFrame(index=[f"g{i}" for i in range(x.shape[1])]),
        **parts,
    )


@pytest.fixture
def counts(rng):
    counts = rng.poisson(1.5, size=(20, 7)).astype(np.float32)
    counts[3] = 0
    return counts


@pytest.mark.parametrize("kind", KINDS)
def test_log_normalize_is_its_definition(counts, kind):
    adata = cells(kind(counts), layers={"other": 2 * counts})
    result = log_normalize(adata)
    totals = np.maximum(counts.astype(float).sum(axis=1, keepdims=True), 1)  # the empty cell stays zero
    expected = np.log(1 + counts / totals * 10_000)
    x = result.X if isinstance(result.X, np.ndarray) else result.X.toarray()
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, expected, rtol=1e-6)
    before = adata.X if isinstance(adata.X, np.ndarray) else adata.X.toarray()
    np.testing.assert_array_equal(before, counts)
    np.testing.assert_array_equal(result.layers["other"], 2 * counts)
    result.layers["other"][:] = 0
    np.testing.assert_array_equal(adata.layers["other"], 2 * counts)
    np.testing.assert_allclose(log_normalize(adata, layer="other").X, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_select_genes_takes_the_largest_variances_in_order(rng, kind):
    x = np.abs(rng.normal(size=(30, 6)) * [1, 5, 0.1, 3, 0, 3])
    x[:, 5] = x[:, 3]  # a tie goes to the earlier gene
    adata = cells(kind(x))
    assert select_genes(adata, 2) == ["g1", "g3"]
    assert select_genes(adata, 3) == ["g1", "g3", "g5"]
    assert select_genes(adata, 6) == list(adata.var_names)
    for n in (0, 7):
        with pytest.raises(InputError, match=f"{n} genes are asked for: the data have 6"):
            select_genes(adata, n)


@pytest.mark.parametrize("kind", KINDS)
def test_means_and_variances_are_numpys(rng, kind):
    x = np.abs(rng.normal(size=(30, 6)))
    np.testing.assert_allclose(gene_mean(kind(x)), x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(gene_variance(kind(x)), x.var(axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_means_and_variances_are_taken_in_float64(rng, kind):
    x = (1000 + rng.random((5000, 3))).astype(np.float32)
    double = x.astype(float)
    np.testing.assert_allclose(gene_mean(kind(x)), double.mean(axis=0), rtol=1e-12)
    # squares of 1e6 around a variance of 1/12: of float64's sixteen digits seven are lost
    np.testing.assert_allclose(gene_variance(kind(x)), double.var(axis=0), rtol=1e-6)


@pytest.fixture(params=KINDS)
def stored(counts, request, tmp_path):
    """Counts in a file and in memory: X and a layer that differ, and a raw."""
    adata = cells(request.param(counts), layers={"other": request.param(3 * counts)})
    adata.raw = adata
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = read_h5ad(tmp_path / "cells.h5ad", backed=True)
    yield backed, counts
    assert backed.isbacked  # reading the values leaves the file as it was
    backed.file.close()


def dense(x):
    return x if isinstance(x, np.ndarray) else x.toarray()


def test_backed_data_are_read(stored):
    backed, counts = stored
    rows = np.array([1, 4, 5])
    np.testing.assert_array_equal(dense(expression_matrix(backed)), counts)
    np.testing.assert_array_equal(dense(expression_matrix(backed, "other")), 3 * counts)
    np.testing.assert_array_equal(dense(expression_matrix(backed[rows])), counts[rows])
    np.testing.assert_array_equal(dense(expression_matrix(backed[:, ["g4", "g2"]])), counts[:, [4, 2]])
    np.testing.assert_array_equal(dense(expression_matrix(backed[rows], "other")), 3 * counts[rows])
    with pytest.raises(InputError, match="holds raw counts"):
        log_matrix(backed)


def test_backed_data_are_normalized_in_memory(stored):
    backed, counts = stored
    for adata, expected in ((backed, cells(counts)), (backed[2:9], cells(counts[2:9]))):
        logs = log_normalize(adata)
        assert not logs.isbacked
        np.testing.assert_array_equal(dense(logs.X), log_normalize(expected).X)
        assert select_genes(logs, 3) == select_genes(log_normalize(expected), 3)


@pytest.mark.parametrize("kind", KINDS)
def test_views_and_their_layers_are_read(counts, kind):
    adata = cells(kind(counts), layers={"other": kind(3 * counts)})
    view = adata[[5, 2], ["g6", "g0"]]
    chosen = counts[np.ix_([5, 2], [6, 0])]
    np.testing.assert_array_equal(dense(expression_matrix(view)), chosen)
    np.testing.assert_array_equal(dense(expression_matrix(view, "other")), 3 * chosen)
    assert log_normalize(view).shape == (2, 2)
    np.testing.assert_array_equal(dense(adata.X), counts)


def test_scaled_values_are_refused_and_raw_is_named(counts):
    logs = log_normalize(cells(counts))
    scaled = logs.copy()
    scaled.X = (scaled.X - scaled.X.mean(axis=0)) / scaled.X.std(axis=0)
    with pytest.raises(InputError, match="negative values: expression is not negative"):
        log_matrix(scaled)
    scaled.raw = logs
    with pytest.raises(
        InputError, match=r"negative values: it looks scaled; .* use adata\.raw\.to_adata\(\)"
    ):
        log_matrix(scaled)
    np.testing.assert_array_equal(log_matrix(scaled.raw.to_adata()), logs.X)
    scaled.layers["scaled"] = scaled.X
    with pytest.raises(InputError, match=r"layer 'scaled' holds .* expression is not negative"):
        log_matrix(scaled, "scaled")


def test_entries_stored_twice_count_once_summed():
    x = sparse.csr_matrix((np.array([1.5, 1.5, 2.0]), np.array([0, 0, 1]), np.array([0, 2, 3])))
    taken = expression_matrix(cells(x))
    np.testing.assert_allclose(gene_variance(taken), np.array([[3, 0], [0, 2.0]]).var(axis=0), rtol=1e-14)
    assert x.nnz == 3  # the caller's matrix is left alone


def test_float16_counts_do_not_overflow():
    counts = np.full((2, 3), 30000, np.float16)
    np.testing.assert_allclose(log_normalize(cells(counts)).X, np.log1p(10_000 / 3), rtol=1e-6)


def test_chunks_cover_the_rows_in_order():
    rows = np.arange(2500)
    np.testing.assert_array_equal(np.concatenate([rows[c] for c in chunks(2500)]), rows)
    assert list(chunks(0)) == []


def test_counts_and_logarithms_are_told_apart(counts):
    assert scale_of(counts) == scale_of(counts.astype(int)) == "counts"
    assert scale_of(np.log1p(counts)) == scale_of(sparse.csr_matrix(np.log1p(counts))) == "log"
    with pytest.raises(InputError, match="neither counts nor log-normalized"):
        scale_of(counts * 10.5)
    with pytest.raises(InputError, match="holds raw counts"):
        log_matrix(cells(counts))
    with pytest.raises(InputError, match="not all integers, they look log-normalized already"):
        log_normalize(cells(np.log1p(counts)))
    assert not log_matrix(cells(np.zeros((2, 3)))).any()


def test_the_largest_logarithm_is_20():
    assert scale_of(np.array([[20.0, 0.5]])) == "log"
    with pytest.raises(InputError, match="neither counts nor"):
        scale_of(np.array([[20.5, 0.5]]))


def nan(x):
    x[2, 3] = np.nan


def infinite(x):
    x[2, 3] = np.inf


def negative(x):
    x[2, 3] = -1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nan, "X holds 1 NaN or infinite values"),
        (infinite, "X holds 1 NaN or infinite values"),
        (negative, "X holds 1 negative values"),
    ],
)
def test_bad_values_are_refused(counts, kind, spoil, message):
    spoil(counts)
    with pytest.raises(InputError, match=message):
        expression_matrix(cells(kind(counts)))


def test_bad_shapes_names_layers_and_types_are_refused(counts):
    adata = cells(counts, layers={"a": counts, "b": counts})
    with pytest.raises(InputError, match="layer 'c' does not exist: the layers are a, b"):
        expression_matrix(adata, "c")
    with pytest.raises(InputError, match="X has 0 cells and 7 genes"):
        expression_matrix(adata[:0])
    with pytest.raises(InputError, match="X is empty"):
        expression_matrix(anndata.AnnData(obs=adata.obs, var=adata.var))
    with pytest.raises(InputError, match="values of type complex128"):
        expression_matrix(cells(counts.astype(complex)))
    with pytest.raises(InputError, match="an AnnData is needed, got str"):
        expression_matrix("cells.h5ad")
    doubled = adata.copy()
    doubled.var.index = ["g0", "g1", "g1", "g3", "g4", "g5", "g6"]
    with pytest.raises(InputError, match="1 gene names stand more than once, such as 'g1'"):
        expression_matrix(doubled)
