"""One step of training on one page: the loss of a batch, its gradient and Adam, a layer at a time.

The clear form is three calls: `loss`, then `loss_backward`, a vector as long as the parameters, then
`adam_step`, which reads it. With a batch of few cells nearly all the time of a step goes into moving
such vectors through memory. Here the matrix of a layer is updated as soon as the backward pass has left
it, so that its gradient, a product of two thin matrices, can be used while it is in cache, and
the output layer, the likelihood and their way back are done a few genes at a time. Losses and parameters
are those of the three calls; a test holds the two forms together.
"""

from typing import Any

import numpy as np

from vae_np.elbo.gaussian import kl_standard_normal
from vae_np.elbo.gaussian_likelihood import gaussian_variance
from vae_np.elbo.likelihood import Likelihood
from vae_np.elbo.monte_carlo import (
    monte_carlo_reconstruction,
    monte_carlo_reconstruction_backward,
)
from vae_np.elbo.reparameterize import reparameterize
from vae_np.kernels import accelerated, compiled
from vae_np.layers.linear import Rows, dense, linear, linear_backward
from vae_np.layers.mlp import mlp, mlp_backward
from vae_np.model.conditional import beside
from vae_np.model.heads import heads_backward
from vae_np.model.params import Head, Params, Stats
from vae_np.model.vae import Loss, Masks, encode, encode_backward
from vae_np.train.adam import AdamState, adam_update, adam_update_in_place
from vae_np.train.diagnosis import bad_tensor, bad_weight


@accelerated
def linear_backward_step(
    d_a: np.ndarray,
    x: Rows,
    W: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    wants_d_x: bool,
    *settings: Any,  # noqa: ANN401 - numbers
) -> tuple[Any, np.ndarray]:
    """Carry the gradient back through a linear layer, then update W, in place [adam-step].

    Parameters
    ----------
    d_a, x, W
        As in `linear_backward`.
    m, v
        Adam's moments of W.
    wants_d_x
        Whether the gradient goes on to x; where x is data, nothing asks for it.
    settings
        t, lr, beta1, beta2, epsilon, weight_decay, as in `adam_update`.

    Returns
    -------
    tuple
        d_x (n, n_in), or None if it is not wanted; d_b (n_out,).
    """
    d_x, d_W, d_b = linear_backward(d_a, x, W)
    W[:], m[:], v[:] = adam_update(W, d_W, m, v, *settings)
    return d_x if wants_d_x else None, d_b


def output_step(
    d_log_lik: np.ndarray,
    x: Rows,
    h: np.ndarray,
    output: Head,
    likelihood: Likelihood,
    m: np.ndarray,
    v: np.ndarray,
    *settings: Any,  # noqa: ANN401 - numbers
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take the output layer and the likelihood forth and back, then update W, in place [adam-step].

    Parameters
    ----------
    d_log_lik
        Gradient of the loss in the log-likelihood of each draw and cell, (L, n).
    x
        The data, (n, d), dense or CSC.
    h
        What the output layer reads, (L*n, n_hidden).
    output, likelihood
        The layer, and what its result means.
    m, v
        Adam's moments of W.
    settings
        t, lr, beta1, beta2, epsilon, weight_decay, as in `adam_update`.

    Returns
    -------
    tuple of np.ndarray
        log p(x|z) (L, n), d_h (L*n, n_hidden), d_b (d,).
    """
    variance = gaussian_variance(likelihood)
    if variance is not None and compiled(h, output, d_log_lik):
        from vae_np.kernels.step import gaussian_output_step

        return gaussian_output_step(d_log_lik, x, h, output, variance, m, v, *settings)
    measured = dense(x)
    x_hat = linear(h, *output).reshape(*d_log_lik.shape, -1)
    d_x_hat = likelihood.backward(d_log_lik, measured, x_hat)
    d_h, d_b = linear_backward_step(d_x_hat.reshape(len(h), -1), h, output.W, m, v, True, *settings)
    return likelihood.log_prob(measured, x_hat), d_h, d_b


def train_step(
    params: Params,
    stats: Stats,
    state: AdamState,
    x: Rows,
    eps: np.ndarray,
    masks: Masks,
    likelihood: Likelihood,
    kl_weight: float = 1.0,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    c: np.ndarray | None = None,
) -> tuple[Loss, Stats]:
    """Do what `loss`, `loss_backward` and `adam_step` do one after the other, in place [adam-step].

    Parameters
    ----------
    params, stats, state
        The model and its optimizer; `params` and `state` change in place.
    x, eps, masks, likelihood, kl_weight
        As in `loss`.
    lr, beta1, beta2, epsilon, weight_decay
        As in `adam_step`.
    c
        Conditions of the cells, (n, C): the loss is then `conditional_loss`.

    Returns
    -------
    tuple
        The loss of each cell before the step, and the new running statistics.

    Raises
    ------
    FloatingPointError
        If a loss is not finite; the message names the first quantity that went wrong.
    """
    state.t += 1
    settings = state.t, lr, beta1, beta2, epsilon, weight_decay
    m, v = Params(params.sizes, state.m), Params(params.sizes, state.v)
    layers = [[part for _, part in each.parts()] for each in (params, m, v)]
    moments_of = {id(layer.W): (of_m.W, of_v.W) for layer, of_m, of_v in zip(*layers, strict=True)}
    n_layers, n_draws, n_cells = params.sizes.n_layers, *eps.shape[:2]
    first = params.encoder[0].W if n_layers else None
    encoder_masks, decoder_masks = (None, None) if masks is None else (masks[:n_layers], masks[n_layers:])

    def update_matrix(d_a: np.ndarray, x: Rows, W: np.ndarray) -> tuple[Any, Any, Any]:
        d_x, d_b = linear_backward_step(d_a, x, W, *moments_of[id(W)], W is not first, *settings)
        return d_x, W, d_b

    mu, log_var, encoder, encoder_stats = encode(params, stats, beside(x, c), encoder_masks, train=True)
    z = reparameterize(mu, log_var, eps)
    rows = beside(z, c).reshape(n_draws * n_cells, -1)
    h, decoder, decoder_stats = mlp(params.decoder, rows, decoder_masks, stats.decoder, train=True)

    d_total = np.full(n_cells, 1 / n_cells, dtype=mu.dtype)
    d_log_lik = monte_carlo_reconstruction_backward(-d_total, n_draws)
    log_lik, d_h, d_b = output_step(
        d_log_lik, x, h, params.output, likelihood, m.output.W, v.output.W, *settings
    )
    reconstruction, kl = -monte_carlo_reconstruction(log_lik), kl_standard_normal(mu, log_var)
    total = reconstruction + float(kl_weight) * kl
    if not np.isfinite(total).all():
        weight = bad_weight(params, stats, but="output.W")  # this batch has updated that one by now
        raise FloatingPointError(
            weight
            or bad_tensor(x=x, mu=mu, log_var=log_var, z=z, kl=kl, reconstruction=reconstruction, total=total)
        )

    d_rows, d_decoder = mlp_backward(d_h, decoder, update_matrix)
    d_z = d_rows[:, : params.sizes.n_latent].reshape(eps.shape)  # the other columns are c
    d_mu, d_log_var = heads_backward(d_z, kl_weight * d_total, mu, log_var, eps)
    _, d_encoder, *d_heads = encode_backward(d_mu, d_log_var, encoder, update_matrix)
    gradients = [*d_encoder, *d_heads, *d_decoder, Head(params.output.W, d_b)]
    for (_, *thetas), (_, *grads), (_, *ms), (_, *vs) in zip(layers[0], gradients, *layers[1:], strict=True):
        for vectors in zip(thetas, grads, ms, vs, strict=True):
            adam_update_in_place(*vectors, *settings)
    return Loss(total, reconstruction, kl), stats.updated(encoder_stats, decoder_stats)
