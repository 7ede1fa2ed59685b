"""The trained model on many cells: in evaluation mode, a chunk at a time."""

from collections.abc import Iterator

import numpy as np

from vae_np.data.matrix import Matrix, chunks, dense_rows, in_chunks, some_rows
from vae_np.data.stored import smaller_form
from vae_np.elbo.likelihood import Likelihood
from vae_np.model.params import Params, Stats
from vae_np.model.vae import decode, encode


def _encoded(params: Params, stats: Stats, x: Matrix) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Encode a chunk at a time: its rows, mu, log_var."""
    for rows, part in zip(chunks(x.shape[0]), in_chunks(x), strict=True):
        batch = some_rows(smaller_form(part), slice(None), params.flat.dtype)
        mu, log_var, *_ = encode(params, stats, batch)
        yield rows, mu, log_var


def posterior(params: Params, stats: Stats, x: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log variance of q(z|x) for every cell [gaussian-q].

    Parameters
    ----------
    params, stats
        The model.
    x
        Matrix (n, d), in memory or in its file.

    Returns
    -------
    tuple of np.ndarray
        mu, log_var, each (n, k).
    """
    mu, log_var = np.empty((2, x.shape[0], params.sizes.n_latent), params.flat.dtype)
    for rows, *part in _encoded(params, stats, x):
        mu[rows], log_var[rows] = part
    return mu, log_var


def posterior_mean(params: Params, stats: Stats, x: Matrix) -> np.ndarray:
    """Mean of q(z|x) for every cell, (n, k), with half the memory of `posterior`."""
    mu = np.empty((x.shape[0], params.sizes.n_latent), params.flat.dtype)
    for rows, part, _ in _encoded(params, stats, x):
        mu[rows] = part
    return mu


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
    mean = np.empty((len(z), params.sizes.n_genes), params.flat.dtype)
    for rows in chunks(len(z)):
        mean[rows] = likelihood.mean(decode(params, stats, z[rows])[0])
    return mean


def residual_variance(
    params: Params, stats: Stats, x: Matrix, cells: np.ndarray, likelihood: Likelihood
) -> np.ndarray:
    """Mean square of x - E[x | z = mean of q] over some cells: what the decoder leaves unexplained.

    Parameters
    ----------
    params, stats
        The model.
    x
        Matrix (n, d), in memory or in its file.
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
    for part in in_chunks(x, cells):
        mu = posterior_mean(params, stats, part)
        measured = dense_rows(part, slice(None), params.flat.dtype)
        residual = measured - expectation(params, stats, mu, likelihood)
        total += np.sum(residual**2, axis=0, dtype=float)
    return total / len(cells)
