"""The perturbation vector delta: where the stimulus moves a cell in latent space, and how it is used.

Scalar case. With one cell type, delta = mean of the stimulated z - mean of the control z.

Several types. The plain difference also contains the difference in *composition*: with shares p1, p0
of the types among stimulated and control cells and type means m, it is off by sum_k (p1_k - p0_k) m_k.
The balanced delta takes the difference within each type that has both conditions, and averages the
types with equal weight. The published tools reach the same mean by random resampling.

Prediction. x_hat = decode(z_control + delta). The decoder does not reproduce the cell it started from
exactly; adding only the *change* that the shift makes to the measured cell,
x + decode(z + delta) - decode(z), drops that error.
"""

import numpy as np


def delta(z_ctrl: np.ndarray, z_stim: np.ndarray) -> np.ndarray:
    """Difference of the mean latents, delta = mean z_stim - mean z_ctrl [delta].

    Parameters
    ----------
    z_ctrl, z_stim
        Latent means of control and stimulated cells, (n0, k) and (n1, k).

    Returns
    -------
    np.ndarray
        Shape (k,).
    """
    return z_stim.mean(axis=0) - z_ctrl.mean(axis=0)


def shared_types(
    type_ctrl: np.ndarray, type_stim: np.ndarray, min_cells: int = 1
) -> dict[str, tuple[int, int]]:
    """Count the cells of each type that has at least `min_cells` in both conditions [delta-balanced].

    Parameters
    ----------
    type_ctrl, type_stim
        Cell type of each control cell (n0,) and of each stimulated cell (n1,).
    min_cells
        Smallest number of cells in each condition.

    Returns
    -------
    dict
        Type -> (control cells, stimulated cells), types in sorted order.
    """
    names = np.union1d(type_ctrl, type_stim).tolist()
    counts = {t: (int(np.sum(type_ctrl == t)), int(np.sum(type_stim == t))) for t in names}
    return {t: pair for t, pair in counts.items() if min(pair) >= min_cells}


def delta_balanced(
    z_ctrl: np.ndarray,
    z_stim: np.ndarray,
    type_ctrl: np.ndarray,
    type_stim: np.ndarray,
    min_cells: int = 1,
) -> np.ndarray:
    """Mean over shared cell types of the difference within each type [delta-balanced].

    delta = 1/K sum_k ( mean z_stim of type k - mean z_ctrl of type k )

    Parameters
    ----------
    z_ctrl, z_stim
        Latent means, (n0, k) and (n1, k); any space will do, expression too.
    type_ctrl, type_stim
        Cell type of each cell, (n0,) and (n1,).
    min_cells
        A type enters if it has this many cells in both conditions.

    Returns
    -------
    np.ndarray
        Shape (k,).

    Raises
    ------
    ValueError
        If no type has enough cells in both conditions.
    """
    types = shared_types(type_ctrl, type_stim, min_cells)
    if not types:
        raise ValueError(f"no cell type has {min_cells} cells in both conditions")
    return np.mean([delta(z_ctrl[type_ctrl == t], z_stim[type_stim == t]) for t in types], axis=0)


def _oversample(types: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw, with replacement, as many cells of every type as the largest type has."""
    names, counts = np.unique(types, return_counts=True)
    return np.concatenate([rng.choice(np.flatnonzero(types == t), counts.max()) for t in names])


def delta_resampled(
    z_ctrl: np.ndarray,
    z_stim: np.ndarray,
    type_ctrl: np.ndarray,
    type_stim: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The published arithmetic: oversample, equalize, subtract [delta-resampling-limit].

    In each condition every type is oversampled, with replacement, to the size of the largest; then
    min(n0, n1) rows of each condition are drawn without replacement. The expectation is the mean over
    the stimulated types of their means minus the same over the control types: types found in one
    condition only stay in, so a composition shift is part of it [delta-composition-bias].

    Parameters
    ----------
    z_ctrl, z_stim, type_ctrl, type_stim
        As in `delta_balanced`.
    rng
        Source of randomness.

    Returns
    -------
    np.ndarray
        Shape (k,).
    """
    rows_ctrl, rows_stim = _oversample(type_ctrl, rng), _oversample(type_stim, rng)
    n = min(len(rows_ctrl), len(rows_stim))
    rows_ctrl = rng.choice(rows_ctrl, n, replace=False)
    rows_stim = rng.choice(rows_stim, n, replace=False)
    return delta(z_ctrl[rows_ctrl], z_stim[rows_stim])


def delta_predict(z_ctrl: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Latent of the cells as if stimulated, z + delta; the decoder does the rest [delta-predict].

    Parameters
    ----------
    z_ctrl
        Latent means of control cells, (n, k).
    delta
        Shape (k,).

    Returns
    -------
    np.ndarray
        Shape (n, k).
    """
    return z_ctrl + delta


def two_factor(z_other_stim: np.ndarray, z_other_ctrl: np.ndarray, z_target_ctrl: np.ndarray) -> np.ndarray:
    """Another context's stimulated cells, moved by what separates the contexts [delta-two-factor].

    z + ( mean z_target_ctrl - mean z_other_ctrl ): the context difference is seen in control cells. The
    other way, the target's control cells plus delta of the other context, has the same mean.

    Parameters
    ----------
    z_other_stim
        Latent means of the other context's stimulated cells, (n, k); the result has a row for each.
    z_other_ctrl, z_target_ctrl
        Latent means of the control cells of both contexts, (n0, k) and (m, k).

    Returns
    -------
    np.ndarray
        Shape (n, k).
    """
    return delta_predict(z_other_stim, delta(z_other_ctrl, z_target_ctrl))


def decoded_change(x: np.ndarray, decoded: np.ndarray, decoded_shifted: np.ndarray) -> np.ndarray:
    """Measured cell plus the decoded change, x + decode(z + delta) - decode(z) [decoded-change].

    Parameters
    ----------
    x
        Measured control cells, (n, d).
    decoded, decoded_shifted
        Decoder at z and at z + delta, (n, d).

    Returns
    -------
    np.ndarray
        Shape (n, d).
    """
    return x + (decoded_shifted - decoded)
