"""A plane to look at latent vectors in: one axis along a direction, one where they vary most across it."""

import numpy as np


def side_view(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Two orthonormal axes: along a direction, and where the vectors are largest across it.

    In the plane of (3, 0, 0) and (0, 4, 5), seen along (1, 0, 0), the second axis is (0, 4, 5)/sqrt(41).

    Parameters
    ----------
    vectors
        Shape (n, k); for points, their differences from the mean.
    direction
        Shape (k,), not zero.

    Returns
    -------
    np.ndarray
        Shape (k, 2); with one latent dimension the second axis is zero.
    """
    along = direction / np.linalg.norm(direction)
    if len(along) == 1:
        return np.stack([along, np.zeros(1)], axis=1)
    across = vectors - np.outer(vectors @ along, along)
    # Vectors that lie along the direction leave only rounding errors: any axis across it will do then.
    if np.abs(across).max() <= 1e-9 * np.abs(vectors).max():
        across = (np.eye(len(along)) - np.outer(along, along))[[np.argmin(np.abs(along))]]
    _, _, axes = np.linalg.svd(across, full_matrices=False)
    return np.stack([along, axes[0]], axis=1)
