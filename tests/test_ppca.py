"""End to end on an exactly solvable model: a linear VAE trained by our Adam reaches the pPCA optimum.

With an affine decoder, log p(x) has a closed form, its maximum over the parameters is known
(Tipping and Bishop 1999), and the best diagonal posterior is the exact one, so the ELBO can reach it.
The 2^k sign vectors have mean 0 and covariance I, hence as noise they make the Monte Carlo loss of
an affine model the exact ELBO, and training is deterministic.
"""

import itertools

import numpy as np
import pytest

from vae_np.model import Params, Sizes, gaussian, initialize, loss, loss_backward
from vae_np.train import AdamState, adam_step

N, D, K = 500, 8, 2


@pytest.fixture(scope="module")
def world():
    """Data whose sample covariance has separated eigenvalues, and the pPCA solution of it."""
    rng = np.random.default_rng(11)
    scales = np.array([3.0, 1.8] + [0.7] * (D - K))
    basis, _ = np.linalg.qr(rng.normal(size=(D, D)))
    x = rng.normal(size=(N, D)) * scales @ basis + rng.normal(size=D)
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    values, vectors = values[::-1], vectors[:, ::-1]
    variance = values[K:].mean()
    best = -0.5 * (D * np.log(2 * np.pi) + np.log(values[:K]).sum() + (D - K) * np.log(variance) + D)
    return x, values, vectors, variance, best


SIGNS = np.array(list(itertools.product([-1.0, 1.0], repeat=K)))


def exact_loss(params, stats, x, variance):
    """The Monte Carlo loss with the sign vectors as noise: exactly -ELBO for an affine model."""
    eps = np.broadcast_to(SIGNS[:, None, :], (len(SIGNS), len(x), K))
    return loss(params, stats, x, eps, None, gaussian(variance))


def affine(rng):
    return initialize(Sizes(D, 1, K, n_layers=0), rng, np.float64)


def test_the_analytic_optimum_attains_the_closed_form(world):
    x, values, vectors, variance, best = world
    params, stats = affine(np.random.default_rng(0))
    W = vectors[:, :K] * np.sqrt(values[:K] - variance)  # (d, k)
    M = W.T @ W + variance * np.eye(K)
    params.output.W[:], params.output.b[:] = W.T, x.mean(axis=0)
    params.mu.W[:] = (np.linalg.solve(M, W.T)).T
    params.mu.b[:] = -x.mean(axis=0) @ params.mu.W
    params.log_var.W[:] = 0
    params.log_var.b[:] = 10 * np.arctanh(np.log(variance / np.diag(M)) / 10)  # through the guard
    value, cache, _ = exact_loss(params, stats, x, variance)
    assert abs(-value.total.mean() - best) < 1e-12 * abs(best)
    assert np.abs(loss_backward(cache).flat).max() < 1e-12

    # A rotation of the latent space leaves log p(x) as it is and costs the ELBO the Hadamard gap.
    R = np.linalg.qr(np.random.default_rng(1).normal(size=(K, K)))[0]
    M_rotated = R.T @ M @ R
    rotated = Params(params.sizes, params.flat.copy())
    rotated.output.W[:] = R.T @ params.output.W
    rotated.mu.W[:], rotated.mu.b[:] = params.mu.W @ R, params.mu.b @ R
    rotated.log_var.b[:] = 10 * np.arctanh(np.log(variance / np.diag(M_rotated)) / 10)
    gap = 0.5 * (np.log(np.diag(M_rotated)).sum() - np.linalg.slogdet(M)[1])
    rotated_value = exact_loss(rotated, stats, x, variance)[0].total.mean()
    assert gap > 0.01
    assert abs(rotated_value - value.total.mean() - gap) < 1e-12


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_adam_reaches_the_ppca_likelihood(world, seed):
    x, _, _, variance, best = world
    params, stats = affine(np.random.default_rng(seed))
    params.flat *= 0.1  # a start that has no direction of its own, which would have to be rotated away
    state, n_steps = AdamState.zeros_like(params), 5000
    for step in range(n_steps):
        _, cache, _ = exact_loss(params, stats, x, variance)
        lr = 0.05 * 0.5 * (1 + np.cos(np.pi * step / n_steps))
        adam_step(params, loss_backward(cache), state, lr=lr)
    gap = best + exact_loss(params, stats, x, variance)[0].total.mean()
    print(f"pPCA gap: {gap:.2e} nats per cell")
    assert -1e-10 <= gap <= 1e-6
