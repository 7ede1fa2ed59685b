"""How good predicted cells are: R2 of means and variances, correlation of the change, squared error.

R2 is the squared Pearson correlation over genes, as the published tools report it. It is high even for
'no change', since most genes do not respond; so it is also taken over the 100 genes that respond most,
and the correlation of the *change* against the control mean stands beside it.
"""

import numpy as np
from scipy import stats

N_DEGS = 100


def pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson correlation over the entries, or None where one side is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else None


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


def score(predicted: np.ndarray, true: np.ndarray, control: np.ndarray, degs: np.ndarray) -> dict[str, float]:
    """Compare predicted with real stimulated cells.

    Parameters
    ----------
    predicted, true, control
        Dense log-normalized cells with the same genes: predicted and real stimulated cells, and the
        control cells of the same type.
    degs
        Columns of the responding genes.

    Returns
    -------
    dict
        ``r2_mean, r2_mean_deg100, r2_var, r2_var_deg100, pearson_delta, mse`` (of the means); a
        correlation that is not defined, such as that of no change, is left out.
    """
    means = [cells.mean(axis=0, dtype=float) for cells in (predicted, true, control)]
    variances = [cells.var(axis=0, dtype=float) for cells in (predicted, true)]
    values = {
        "r2_mean": r_squared(means[0], means[1]),
        "r2_mean_deg100": r_squared(means[0][degs], means[1][degs]),
        "r2_var": r_squared(variances[0], variances[1]),
        "r2_var_deg100": r_squared(variances[0][degs], variances[1][degs]),
        "pearson_delta": pearson(means[0] - means[2], means[1] - means[2]),
        "mse": float(np.mean((means[0] - means[1]) ** 2)),
    }
    return {name: value for name, value in values.items() if value is not None}
