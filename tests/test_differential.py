"""P-values against SciPy's Mann-Whitney test, scanpy, and all permutations of a small example."""

import math
from itertools import combinations

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse
from scipy import stats as scipy_stats

from vae_np.errors import InputError
from vae_np.evaluate import differential_expression
from vae_np.evaluate.differential import rank_sum_scores


@pytest.fixture
def sides(rng):
    """Control and stimulated cells of 25 genes, mostly zeros; gene 3 is silent, gene 4 is always 1."""
    rates = rng.gamma(1, 1, size=25)
    x = [np.log1p(rng.poisson(rates * factor, size=(n, 25))) for n, factor in ((40, 1), (55, 1.6))]
    for cells in x:
        cells[:, 3], cells[:, 4] = 0, 1
    return x


GENES = [f"g{i}" for i in range(25)]


def test_p_values_are_scipys(sides):
    control, stimulated = sides
    found = differential_expression(control, stimulated, GENES)
    for i, gene in enumerate(GENES):
        if i in (3, 4):
            continue
        u, p = scipy_stats.mannwhitneyu(
            stimulated[:, i], control[:, i], use_continuity=False, method="asymptotic"
        )
        np.testing.assert_allclose(found.loc[gene, "p_value"], p, rtol=1e-9)
        assert np.sign(found.loc[gene, "score"]) == np.sign(u - 40 * 55 / 2)
        # without the direction, the test of Kruskal and Wallis is the same one
        square = scipy_stats.kruskal(stimulated[:, i], control[:, i]).statistic
        np.testing.assert_allclose(found.loc[gene, "score"] ** 2, square, rtol=1e-9)


def test_a_constant_gene_has_no_score_and_p_one(sides):
    found = differential_expression(*sides, GENES)
    for gene in ("g3", "g4"):
        assert found.loc[gene].tolist() == [0, 0, 1, 1]


def test_the_score_is_standardized_over_all_permutations(rng):
    """Mean 0 and variance 1, exactly, over all ways to label 3 of 7 cells with ties as stimulated."""
    values = np.array([0, 0, 0, 1, 1, 2.5, 3])
    scores = []
    for chosen in combinations(range(7), 3):
        stimulated = np.isin(np.arange(7), chosen)
        scores.append(rank_sum_scores(values[~stimulated, None], values[stimulated, None])[0])
    assert len(scores) == 35
    np.testing.assert_allclose([np.mean(scores), np.mean(np.square(scores))], [0, 1], atol=1e-12)


def test_the_example_in_the_documentation():
    score = rank_sum_scores(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]))
    np.testing.assert_allclose(score, 2 / math.sqrt(5 / 3), rtol=1e-12)


def test_fold_change_and_adjusted_p_by_hand(sides):
    control, stimulated = sides
    found = differential_expression(control, stimulated, GENES).loc[GENES]
    for i in (0, 1, 2, 5):
        ratio = (math.exp(stimulated[:, i].mean()) - 1) / (math.exp(control[:, i].mean()) - 1)
        np.testing.assert_allclose(found["log2_fold_change"].iloc[i], math.log2(ratio), rtol=1e-6)
    p = found["p_value"].to_numpy()
    for i in range(25):  # the smallest of p_j 25 / rank_j over all p_j >= p_i, and at most 1
        bounds = [q * 25 / np.sum(p <= q) for q in p if q >= p[i]]
        np.testing.assert_allclose(found["p_adjusted"].iloc[i], min(1, *bounds), rtol=1e-12)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_cells_and_many_genes_give_the_same(rng, kind):
    x = [np.log1p(rng.poisson(0.5, size=(n, 1100))).astype(np.float32) for n in (12, 15)]
    names = [str(i) for i in range(1100)]
    dense, found = (differential_expression(*cells, names) for cells in (x, [kind(c) for c in x]))
    np.testing.assert_array_equal(dense.index, found.index)
    np.testing.assert_allclose(dense, found, rtol=1e-6, atol=1e-6)
    one = differential_expression(x[0][:, 1050:1051], x[1][:, 1050:1051], ["one"])
    np.testing.assert_allclose(dense.loc["1050", "score"], one["score"].iloc[0], rtol=1e-12)


def test_the_table_starts_with_the_largest_absolute_score(sides):
    found = differential_expression(*sides, GENES)
    assert found.columns.tolist() == ["score", "log2_fold_change", "p_value", "p_adjusted"]
    assert sorted(found.index) == sorted(GENES)
    assert (np.diff(found["score"].abs()) <= 0).all()
    assert (np.diff(found["p_value"]) >= 0).all()
    back = differential_expression(*sides[::-1], GENES)
    np.testing.assert_allclose(back.loc[GENES, "score"], -found.loc[GENES, "score"], atol=1e-12)


def test_what_cannot_be_tested_is_an_error(sides):
    control, stimulated = sides
    with pytest.raises(InputError, match="there is no stimulated cell"):
        differential_expression(control, stimulated[:0], GENES)
    with pytest.raises(InputError, match="the control cells have 24 genes, the names are 25"):
        differential_expression(control[:, 1:], stimulated, GENES)
    with pytest.raises(InputError, match="there is no gene to test"):
        differential_expression(control[:, :0], stimulated[:, :0], [])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # scanpy's, at constant genes
def test_the_table_is_scanpys(sides, scanpy):
    control, stimulated = sides
    adata = AnnData(np.concatenate([control, stimulated]))
    adata.var_names = GENES
    adata.obs["side"] = np.repeat(["control", "stimulated"], [len(control), len(stimulated)])
    adata.obs["side"] = adata.obs["side"].astype("category")
    scanpy.tl.rank_genes_groups(
        adata, "side", groups=["stimulated"], reference="control", method="wilcoxon", tie_correct=True
    )
    theirs = scanpy.get.rank_genes_groups_df(adata, "stimulated").set_index("names").loc[GENES]
    ours = differential_expression(control, stimulated, GENES).loc[GENES]
    columns = {"scores": "score", "logfoldchanges": "log2_fold_change"}
    columns |= {"pvals": "p_value", "pvals_adj": "p_adjusted"}
    for their_name, our_name in columns.items():  # scores and fold changes are float32 there
        np.testing.assert_allclose(ours[our_name], theirs[their_name], rtol=1e-5, atol=1e-6)
