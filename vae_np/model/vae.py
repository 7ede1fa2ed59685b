"""The variational autoencoder: encode, decode, the loss, and the whole way back.

    x --encoder--> h --heads--> mu, log_var --eps--> z --decoder--> a --likelihood--> log p(x|z)
                                    |                                                    |
                                    +----------------> KL ----> total <------------------+

The loss of a cell is -1/L sum_l log p(x|z_l) + kl_weight KL(q||p): with kl_weight = 1 it is minus the
Monte Carlo ELBO. It stays one number a cell; the single mean over cells is taken by the gradient.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vae_np.elbo.gaussian import kl_standard_normal
from vae_np.elbo.gaussian_likelihood import gaussian
from vae_np.elbo.likelihood import Likelihood
from vae_np.elbo.monte_carlo import (
    monte_carlo_reconstruction,
    monte_carlo_reconstruction_backward,
)
from vae_np.elbo.reparameterize import reparameterize
from vae_np.layers.batch_norm import RunningStats
from vae_np.layers.linear import LinearBackward, Rows, dense, linear, linear_backward
from vae_np.layers.mlp import Block, BlockCache, mlp, mlp_backward
from vae_np.model.heads import guard_log_var, guard_log_var_backward, heads_backward
from vae_np.model.params import Head, Params, Stats

Masks = Sequence[np.ndarray] | None
UNIT_GAUSSIAN = gaussian(variance=1.0)


class EncodeCache(NamedTuple):
    """What `encode_backward` needs."""

    params: Params
    blocks: tuple[BlockCache, ...]
    h: Rows
    log_var: np.ndarray


class DecodeCache(NamedTuple):
    """What `decode_backward` needs."""

    params: Params
    blocks: tuple[BlockCache, ...]
    h: np.ndarray
    shape: tuple[int, ...]


class Loss(NamedTuple):
    """Loss of each cell, (n,), in nats: total = reconstruction + kl_weight * kl, to be minimized."""

    total: np.ndarray
    reconstruction: np.ndarray
    kl: np.ndarray


class LossCache(NamedTuple):
    """What `loss_backward` needs; the tensors of the forward pass have their names."""

    x: np.ndarray
    mu: np.ndarray
    log_var: np.ndarray
    eps: np.ndarray
    z: np.ndarray
    x_hat: np.ndarray
    encoder: EncodeCache
    decoder: DecodeCache
    likelihood: Likelihood
    kl_weight: float


def encode(
    params: Params, stats: Stats, x: Rows, masks: Masks = None, train: bool = False
) -> tuple[np.ndarray, np.ndarray, EncodeCache, tuple[RunningStats, ...]]:
    """Map cells to their approximate posteriors q(z|x) = N(mu, diag(exp(log_var))) [gaussian-q].

    Nothing is drawn here: sampling is a separate step.

    Parameters
    ----------
    params, stats
        The model.
    x
        Shape (n, d), dense or CSC.
    masks
        One dropout mask an encoder block, or None.
    train
        Whether batch norm uses the batch's own statistics.

    Returns
    -------
    tuple
        mu (n, k), log_var (n, k), the cache, the encoder's new running statistics.
    """
    h, blocks, new_stats = mlp(params.encoder, x, masks, stats.encoder, train)
    mu = linear(h, *params.mu)
    log_var = guard_log_var(linear(h, *params.log_var))
    return mu, log_var, EncodeCache(params, blocks, h, log_var), new_stats


def encode_backward(
    d_mu: np.ndarray,
    d_log_var: np.ndarray,
    cache: EncodeCache,
    linear_backward: LinearBackward = linear_backward,
) -> tuple[np.ndarray, tuple[Block, ...], Head, Head]:
    """Carry the gradients of mu and log_var back through the heads and the encoder.

    Parameters
    ----------
    d_mu, d_log_var
        Shape (n, k).
    cache
        From `encode`.
    linear_backward
        As in `mlp_backward`.

    Returns
    -------
    tuple
        d_x (n, d), gradients of the blocks, of the mu head, of the log_var head.
    """
    params, blocks, h, log_var = cache
    d_a = guard_log_var_backward(d_log_var, log_var)
    d_h_mu, *d_mu_head = linear_backward(d_mu, h, params.mu.W)
    d_h_log_var, *d_log_var_head = linear_backward(d_a, h, params.log_var.W)
    d_x, d_blocks = mlp_backward(d_h_mu + d_h_log_var, blocks, linear_backward)
    return d_x, d_blocks, Head(*d_mu_head), Head(*d_log_var_head)


def decode(
    params: Params, stats: Stats, z: np.ndarray, masks: Masks = None, train: bool = False
) -> tuple[np.ndarray, DecodeCache, tuple[RunningStats, ...]]:
    """Map latent points to the decoder's linear output, which the likelihood interprets.

    L and n are flattened into rows, so in training batch norm sees all L*n of them.

    Parameters
    ----------
    params, stats
        The model.
    z
        Shape (n, k) or (L, n, k).
    masks
        One dropout mask a decoder block, of shape (rows, n_hidden), or None.
    train
        Whether batch norm uses the batch's own statistics.

    Returns
    -------
    tuple
        x_hat (n, d) or (L, n, d), the cache, the decoder's new running statistics.
    """
    rows = z.reshape(-1, z.shape[-1])
    h, blocks, new_stats = mlp(params.decoder, rows, masks, stats.decoder, train)
    x_hat = linear(h, *params.output)
    return x_hat.reshape(*z.shape[:-1], -1), DecodeCache(params, blocks, h, z.shape), new_stats


def decode_backward(d_x_hat: np.ndarray, cache: DecodeCache) -> tuple[np.ndarray, tuple[Block, ...], Head]:
    """Carry the gradient of the decoder's output back to z.

    Parameters
    ----------
    d_x_hat
        Shape (n, d) or (L, n, d).
    cache
        From `decode`.

    Returns
    -------
    tuple
        d_z (shape of z), gradients of the blocks, of the output layer.
    """
    params, blocks, h, shape = cache
    rows = d_x_hat.reshape(-1, d_x_hat.shape[-1])
    d_h, *d_output = linear_backward(rows, h, params.output.W)
    d_z, d_blocks = mlp_backward(d_h, blocks)
    return d_z.reshape(shape), d_blocks, Head(*d_output)


def loss(
    params: Params,
    stats: Stats,
    x: Rows,
    eps: np.ndarray,
    masks: Masks,
    likelihood: Likelihood = UNIT_GAUSSIAN,
    kl_weight: float = 1.0,
    train: bool = True,
) -> tuple[Loss, LossCache, Stats]:
    """Loss of each cell, -1/L sum_l log p(x|z_l) + kl_weight KL(q||p) [objective].

    Parameters
    ----------
    params, stats
        The model.
    x
        Shape (n, d), dense or CSC.
    eps
        Standard normal noise, (L, n, k): one encoder pass, L decoder passes.
    masks
        Dropout masks of the encoder blocks (n, n_hidden), then of the decoder blocks
        (L*n, n_hidden), holding 0 or 1/(1-p); None leaves dropout out.
    likelihood
        A `Likelihood`; the default is the Gaussian of variance 1.
    kl_weight
        Factor on the KL; 1 is the ELBO [beta-is-variance].
    train
        Whether batch norm uses the batch's own statistics.

    Returns
    -------
    tuple
        `Loss` with three vectors (n,) in nats, the cache for `loss_backward`, the new `Stats`.

    Raises
    ------
    ValueError
        If eps has another shape.
    """
    measured = dense(x)
    if eps.ndim != 3 or eps.shape[1:] != (len(measured), params.sizes.n_latent):
        raise ValueError(f"eps has shape {eps.shape}: give (L, {len(measured)}, {params.sizes.n_latent})")
    n_layers = len(params.encoder)
    kl_weight = float(kl_weight)  # a NumPy float64 would widen float32
    encoder_masks, decoder_masks = (None, None) if masks is None else (masks[:n_layers], masks[n_layers:])
    mu, log_var, encoder, encoder_stats = encode(params, stats, x, encoder_masks, train)
    z = reparameterize(mu, log_var, eps)
    x_hat, decoder, decoder_stats = decode(params, stats, z, decoder_masks, train)
    reconstruction = -monte_carlo_reconstruction(likelihood.log_prob(measured, x_hat))
    kl = kl_standard_normal(mu, log_var)
    cache = LossCache(measured, mu, log_var, eps, z, x_hat, encoder, decoder, likelihood, kl_weight)
    total = reconstruction + kl_weight * kl
    return Loss(total, reconstruction, kl), cache, stats.updated(encoder_stats, decoder_stats)


def loss_backward(cache: LossCache) -> Params:
    """Gradient of the mean over cells of the total loss, in the layout of the parameters.

    Parameters
    ----------
    cache
        From `loss`.

    Returns
    -------
    Params
        The gradient: same type, same views, same flat order as the parameters.
    """
    n_draws, n_cells = cache.eps.shape[:2]
    d_total = np.full(n_cells, 1 / n_cells, dtype=cache.mu.dtype)
    d_log_lik = monte_carlo_reconstruction_backward(-d_total, n_draws)
    d_x_hat = cache.likelihood.backward(d_log_lik, cache.x, cache.x_hat)
    d_z, d_decoder, d_output = decode_backward(d_x_hat, cache.decoder)
    d_mu, d_log_var = heads_backward(d_z, cache.kl_weight * d_total, cache.mu, cache.log_var, cache.eps)
    _, d_encoder, d_mu_head, d_log_var_head = encode_backward(d_mu, d_log_var, cache.encoder)
    parts = [*d_encoder, d_mu_head, d_log_var_head, *d_decoder, d_output]
    return Params.join(cache.encoder.params.sizes, [array for part in parts for array in part])
