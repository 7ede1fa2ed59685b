"""The trained model on many cells: in evaluation mode, a chunk at a time."""

import numpy as np

from vae_np.data.matrix import Matrix, chunks, dense_rows, smaller_form, some_rows
from vae_np.elbo.likelihood import Likelihood
from vae_np.model.params import Params, Stats
from vae_np.model.vae import decode, encode


def posterior(params: Params, stats: Stats, x: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log variance of q(z|x) for every cell [gaussian-q].

    Parameters
    ----------
    params, stats
        The model.
    x
        Dense or CSR matrix (n, d).

    Returns
    -------
    tuple of np.ndarray
        mu, log_var, each (n, k).
    """
    dtype = params.flat.dtype
    batches = (some_rows(smaller_form(x[rows]), slice(None), dtype) for rows in chunks(x.shape[0]))
    parts = [encode(params, stats, batch)[:2] for batch in batches]
    mu, log_var = zip(*parts, strict=True) if parts else ([], [])
    empty = np.zeros((0, params.sizes.n_latent), dtype)
    return np.concatenate([empty, *mu]), np.concatenate([empty, *log_var])


def expectation(params: Params, stats: Stats, z: np.ndarray, likelihood: Likelihood) -> np.ndarray:
    """E[x|z] for every latent point.

    Parameters
    ----------
    params, stats
        The model.
    z
        Shape (n, k).
    likelihood
        It turns the decoder's output into a mean.

    Returns
    -------
    np.ndarray
        Shape (n, d).
    """
    parts = [likelihood.mean(decode(params, stats, z[rows])[0]) for rows in chunks(len(z))]
    return np.concatenate([np.zeros((0, params.sizes.n_genes), params.flat.dtype), *parts])


def residual_variance(
    params: Params, stats: Stats, x: Matrix, cells: np.ndarray, likelihood: Likelihood
) -> np.ndarray:
    """Mean square of x - E[x | z = mean of q] over some cells: what the decoder leaves unexplained.

    Parameters
    ----------
    params, stats
        The model.
    x
        Dense or CSR matrix (n, d).
    cells
        Indices of the cells.
    likelihood
        As in `expectation`.

    Returns
    -------
    np.ndarray
        Shape (d,), float64.
    """
    total = np.zeros(params.sizes.n_genes)
    for rows in chunks(len(cells)):
        batch = dense_rows(x, cells[rows], params.flat.dtype)
        mu, _ = posterior(params, stats, x[cells[rows]])
        residual = batch - expectation(params, stats, mu, likelihood)
        total += np.sum(residual**2, axis=0, dtype=float)
    return total / len(cells)
