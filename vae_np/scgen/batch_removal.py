"""Batch removal: within each cell type, every batch is moved onto the type's largest batch.

Scalar case. A type has the latents 1, 2, 3 in batch a and 7, 9 in batch b. Their means are 2 and 8, so
the cells of b move by -6, to 1 and 3, and those of a stay.

Only means move, type by type, each by a difference as in [delta], with batches in the place of
conditions. A type found in one batch only says nothing about batches, and stays where it is.
"""

import numpy as np


def remove_batch_shift(z: np.ndarray, batch: np.ndarray, cell_type: np.ndarray) -> np.ndarray:
    """Move each batch of a type to the mean of the type's largest batch [batch-removal].

    z_i + mean z of (type of i, its largest batch) - mean z of (type of i, batch of i)

    Parameters
    ----------
    z
        Latent means, (n, k).
    batch, cell_type
        Batch and cell type of each cell, (n,), strings. Of batches of the same size, the first in
        sorted order counts as the largest.

    Returns
    -------
    np.ndarray
        Shape (n, k), cells in the given order.
    """
    moved = z.copy()
    for name in np.unique(cell_type):
        rows = np.flatnonzero(cell_type == name)
        groups = [rows[batch[rows] == b] for b in np.unique(batch[rows])]
        largest = max(groups, key=len)  # of several, the first
        for group in groups:
            moved[group] += z[largest].mean(axis=0) - z[group].mean(axis=0)
    return moved
