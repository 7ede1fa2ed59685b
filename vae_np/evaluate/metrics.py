"""How good predicted cells are: scores of the gene means, and scores of the cells as a distribution.

R2 is the squared Pearson correlation over genes, as the published tools report it. It is high even for
'no change', since most genes do not respond; so it is also taken over the 100 genes that respond most,
and the *change* against the control mean is scored for itself. With p, t, c the gene means of predicted,
true and control cells: the correlation of p - c with t - c, blind to a change that is too small or too
large everywhere, and

r2_delta = 1 - sum (p - t)^2 / sum (t - c)^2,

the share of the true change that is explained: 1 is perfect, 0 is as good as no change, below 0 is worse
than none. It is no squared correlation, which could not be negative and would forgive a wrong size.
"""

import numpy as np
from scipy import stats

from vae_np.evaluate.baselines import CONSTANT
from vae_np.evaluate.distances import distances, energy_distance, mmd

N_DEGS = 100


def pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson correlation over the entries, or None where one side is constant up to rounding.

    There is no such number then: SciPy gives NaN, or that of the rounding errors, with a warning.
    """
    if any(np.ptp(side) <= CONSTANT * np.abs(side).max() for side in (a, b)):
        return None
    a, b = ((side - side.mean()) / np.ptp(side) for side in (a, b))  # squares neither overflow nor vanish
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def r_squared(a: np.ndarray, b: np.ndarray) -> float | None:
    """Squared Pearson correlation, or None where one side is constant."""
    r = pearson(a, b)
    return None if r is None else r * r


def responding_genes(control: np.ndarray, true: np.ndarray, n_genes: int = N_DEGS) -> np.ndarray:
    """Rank genes by the Wilcoxon rank-sum statistic between real stimulated and control cells.

    Parameters
    ----------
    control, true
        Dense log-normalized cells, (n0, d) and (n1, d).
    n_genes
        How many; all where there are fewer.

    Returns
    -------
    np.ndarray
        Columns of the genes of largest absolute statistic, the largest first; ties to the earlier.
    """
    statistic = stats.ranksums(true, control, axis=0).statistic
    return np.argsort(-np.abs(statistic), kind="stable")[:n_genes]


def coverage(low: np.ndarray, high: np.ndarray, true_mean: np.ndarray, genes: np.ndarray | slice) -> float:
    """Share of genes whose true mean lies in its interval, low <= true mean <= high.

    Intervals of level 0.9 are honest if this is near 0.9.

    Parameters
    ----------
    low, high, true_mean
        Bounds of the intervals and true mean of each gene, (d,).
    genes
        Columns of the genes to count.

    Returns
    -------
    float
        Between 0 and 1.
    """
    inside = (low <= true_mean) & (true_mean <= high)
    return float(inside[genes].mean())


def _defined(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def mean_scores(
    predicted: np.ndarray, true: np.ndarray, control: np.ndarray, degs: np.ndarray
) -> dict[str, float]:
    """Score the means and variances of predicted cells, gene by gene.

    Parameters
    ----------
    predicted, true, control
        Dense log-normalized cells with the same genes: predicted and real stimulated cells, and the
        control cells of the same type.
    degs
        Columns of the responding genes, from `responding_genes`.

    Returns
    -------
    dict
        ``r2_mean, r2_mean_deg100, r2_var, r2_var_deg100, pearson_delta, r2_delta, mse`` (of the means);
        what is not defined, such as the correlation of no change, is left out.
    """
    p, t, c = (cells.mean(axis=0, dtype=float) for cells in (predicted, true, control))
    v, w = (cells.var(axis=0, dtype=float) for cells in (predicted, true))
    change = float(np.sum((t - c) ** 2))
    has_changed = change > CONSTANT**2 * float(t @ t + c @ c)
    return _defined(
        {
            "r2_mean": r_squared(p, t),
            "r2_mean_deg100": r_squared(p[degs], t[degs]),
            "r2_var": r_squared(v, w),
            "r2_var_deg100": r_squared(v[degs], w[degs]),
            "pearson_delta": pearson(p - c, t - c),
            "r2_delta": 1 - float(np.sum((p - t) ** 2)) / change if has_changed else None,
            "mse": float(np.mean((p - t) ** 2)),
        }
    )


def cell_scores(
    predicted: np.ndarray, true: np.ndarray, control: np.ndarray, degs: np.ndarray
) -> dict[str, float]:
    """Score what a biologist would read off the predicted cells, and their distribution.

    Parameters
    ----------
    predicted, true, control, degs
        As in `mean_scores`.

    Returns
    -------
    dict
        ``overlap_at_100``: share of the 100 genes of largest predicted mean change that are among `degs`;
        left out where there are no other genes. The rank sums of predicted cells are no ranking: a gene
        that is zero in most control cells, moved by a thousandth, has all its ranks changed.
        ``direction_match_deg100``: share of `degs` whose predicted mean moves to the same side as the
        true one. ``energy_distance, mmd``: as in `vae_np.evaluate.distances`.
    """
    p, t, c = (cells.mean(axis=0, dtype=float) for cells in (predicted, true, control))
    largest = np.argsort(-np.abs(p - c), kind="stable")[: len(degs)]
    found = np.isin(largest, degs) & (p != c)[largest]  # a gene that does not change is not named
    moved = degs[t[degs] != c[degs]]
    same_side = np.sign(p - c)[moved] == np.sign(t - c)[moved]
    measured = distances(predicted, true)
    return _defined(
        {
            "overlap_at_100": float(found.mean()) if len(degs) < len(t) else None,
            "direction_match_deg100": float(same_side.mean()) if len(moved) else None,
            "energy_distance": None if measured is None else energy_distance(measured),
            "mmd": None if measured is None else mmd(measured),
        }
    )


def score(predicted: np.ndarray, true: np.ndarray, control: np.ndarray, degs: np.ndarray) -> dict[str, float]:
    """Compare predicted with real stimulated cells by all metrics: `mean_scores` and `cell_scores`."""
    parts = [scores(predicted, true, control, degs) for scores in (mean_scores, cell_scores)]
    return parts[0] | parts[1]
