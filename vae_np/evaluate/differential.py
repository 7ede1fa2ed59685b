"""Differential expression: which genes differ between two conditions, with P-values fit to be shown.

The test asks how high the stimulated cells *rank* among all cells, gene by gene (Wilcoxon rank sum,
Mann-Whitney). If the labels meant nothing, their ranks would be n1 draws without replacement from the N
ranks that are there. Such a sum has

mean n1 times the mean rank, variance n1 n0 / (N (N - 1)) * sum (rank - mean rank)^2,

equal ranks for equal values included: that is the correction for ties, and single-cell data are mostly
tied zeros.

Scalar case. Stimulated 3 and 4, control 1 and 2: the centered ranks are 0.5, 1.5 and -1.5, -0.5; their
sum over the stimulated cells is 2, its variance 4 / 12 * 5 = 5/3, the score 2 / sqrt(5/3) = 1.55.

With thousands of genes, small P-values come by chance; the adjusted ones bound the share of false
discoveries (Benjamini and Hochberg 1995). The ranking behind the scores is another one, without the
correction for ties, as published: `vae_np.evaluate.metrics.responding_genes`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse, stats

from vae_np.data.matrix import InMemory, chunks, dense_rows, gene_mean
from vae_np.errors import InputError

PSEUDOCOUNT = 1e-9  # scanpy's: keeps the fold change of a gene without counts finite


def rank_sum_scores(control: np.ndarray, stimulated: np.ndarray) -> np.ndarray:
    """Standardized rank sum of the stimulated cells, corrected for ties, not for continuity.

    Parameters
    ----------
    control, stimulated
        Dense cells, (n0, d) and (n1, d).

    Returns
    -------
    np.ndarray
        Standard normal if nothing differs; positive where stimulated is higher, 0 for a constant gene,
        (d,).
    """
    n0, n1 = len(control), len(stimulated)
    n = n0 + n1
    centered = stats.rankdata(np.concatenate([stimulated, control]), axis=0) - (n + 1) / 2
    variance = n1 * n0 / (n * (n - 1)) * np.sum(centered**2, axis=0)
    rank_sum = np.sum(centered[:n1], axis=0)
    return np.divide(rank_sum, np.sqrt(variance), out=np.zeros_like(rank_sum), where=variance > 0)


def differential_expression(control: InMemory, stimulated: InMemory, genes: Sequence[str]) -> pd.DataFrame:
    """Test every gene for a difference between control and stimulated cells.

    What ``scanpy.tl.rank_genes_groups(method="wilcoxon", tie_correct=True)`` computes.

    Parameters
    ----------
    control, stimulated
        Log-normalized cells (log1p, natural logarithm), dense or sparse, (n0, d) and (n1, d).
    genes
        Names of the d genes.

    Returns
    -------
    pandas.DataFrame
        One line a gene, the largest absolute score first; columns ``score`` (standard normal if nothing
        differs), ``log2_fold_change`` = log2 (expm1(mean stimulated) / expm1(mean control)), ``p_value``
        (two-sided), ``p_adjusted`` (Benjamini-Hochberg).

    Raises
    ------
    InputError
        If a side has no cell, there is no gene, or the numbers of genes differ.
    """
    sides = {"control": control, "stimulated": stimulated}
    for name, x in sides.items():
        if x.shape[0] == 0:
            raise InputError(f"there is no {name} cell: a test needs cells on both sides")
        if x.shape[1] != len(genes):
            raise InputError(f"the {name} cells have {x.shape[1]} genes, the names are {len(genes)}")
    if not len(genes):
        raise InputError("there is no gene to test: give at least one")
    low, high = (gene_mean(x) for x in sides.values())
    # cut by genes, so that the ranks of all cells fit in memory
    by_gene = [sparse.csr_matrix(x.T) if sparse.issparse(x) else x.T for x in sides.values()]
    parts = [
        rank_sum_scores(*(dense_rows(x, part, np.dtype(float)).T for x in by_gene))
        for part in chunks(len(genes))
    ]
    score = np.concatenate(parts)
    p_value = 2 * stats.norm.sf(np.abs(score))
    result = pd.DataFrame(
        {
            "score": score,
            "log2_fold_change": np.log2((np.expm1(high) + PSEUDOCOUNT) / (np.expm1(low) + PSEUDOCOUNT)),
            "p_value": p_value,
            "p_adjusted": stats.false_discovery_control(p_value),
        },
        index=pd.Index(genes, name="gene"),
    )
    return result.iloc[np.argsort(-np.abs(score), kind="stable")]
