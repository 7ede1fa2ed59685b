"""Has batch removal worked? Cells should sit among their own type, and not among their own batch.

The silhouette of a cell compares its mean distance a to the cells of its own label with b, that to the
nearest other label: (b - a) / max(a, b), between -1 and 1 (Rousseeuw 1987). It is 1 for labels far apart,
and about 0 for labels that are mixed.

Scalar case. Cells 0 and 1 of label p, 4 and 6 of label q. For the cell 0: a = 1, b = (4 + 6) / 2 = 5,
silhouette 4/5.

By batch it should be low and by type high; a method that shrinks all cells into one point has both low,
so the two are shown together.
"""

import numpy as np
from scipy.spatial.distance import cdist

from vae_np.data.matrix import chunks
from vae_np.errors import InputError


def silhouette(z: np.ndarray, label: np.ndarray) -> float:
    """Mean silhouette of the cells.

    Parameters
    ----------
    z
        Cells in any space, (n, k).
    label
        Label of each cell, (n,). A cell alone in its label counts 0.

    Returns
    -------
    float
        Between -1 and 1.

    Raises
    ------
    InputError
        If there is one label only, or not one for each cell, or z holds NaN or infinite values.
    """
    if len(label) != len(z):
        raise InputError(f"there are {len(z)} cells and {len(label)} labels: give each cell one")
    if not np.isfinite(z).all():
        raise InputError("z holds NaN or infinite values: a silhouette needs the distances of all cells")
    names, code, counts = np.unique(label, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(f"{len(names)} label among {len(z)} cells: a silhouette compares at least two")
    member = np.eye(len(names))[code]
    values = np.zeros(len(z))
    for rows in chunks(len(z)):  # never all n x n distances
        sums = cdist(z[rows], z) @ member
        own = np.arange(len(sums)), code[rows]
        size = counts[code[rows]]
        a = sums[own] / np.maximum(size - 1, 1)  # of the others: the distance to itself is 0
        means = sums / counts
        means[own] = np.inf
        b = means.min(axis=1)
        larger = np.maximum(a, b)
        np.divide(b - a, larger, out=values[rows], where=(size > 1) & (larger > 0))
    return float(values.mean())


def batch_scores(z: np.ndarray, batch: np.ndarray, cell_type: np.ndarray) -> dict[str, float]:
    """Score batch removal by two silhouettes.

    Parameters
    ----------
    z
        Cells in latent space, or principal components of corrected expression, (n, k).
    batch, cell_type
        Labels, (n,).

    Returns
    -------
    dict
        ``silhouette_batch`` (lower is better mixed) and ``silhouette_type`` (higher is better kept).

    Raises
    ------
    InputError
        As in `silhouette`.
    """
    return {"silhouette_batch": silhouette(z, batch), "silhouette_type": silhouette(z, cell_type)}
