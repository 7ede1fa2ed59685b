"""The conditional variational autoencoder: encoder and decoder are told the condition c of each cell.

It models log p(x|c) where the plain one models log p(x): q(z|x, c), p(x|z, c), and a prior N(0, I) that
does not know c. c is a few numbers a cell, one-hot as a rule, and more columns beside what is read:

    [x, c] --encoder--> mu, log_var --eps--> z,    [z, c] --decoder--> a --likelihood--> log p(x|z, c)

Scalar case. A layer that reads one number and one condition is a = w x + u c + b: to read c is to have
another bias, b + u c, in each condition. Full case. The rows of W that meet c are such biases; all else
is the plain model, and with no conditions it is the plain model altogether.

Source: Sohn, Lee and Yan 2015, "Learning structured output representation".
"""

import numpy as np
from scipy import sparse

from vae_np.elbo.gaussian import kl_standard_normal
from vae_np.elbo.likelihood import Likelihood
from vae_np.elbo.monte_carlo import (
    monte_carlo_reconstruction,
    monte_carlo_reconstruction_backward,
)
from vae_np.elbo.reparameterize import reparameterize
from vae_np.layers.linear import Rows, dense
from vae_np.model.heads import heads_backward
from vae_np.model.params import Params, Stats
from vae_np.model.vae import (
    UNIT_GAUSSIAN,
    Loss,
    LossCache,
    Masks,
    decode,
    decode_backward,
    encode,
    encode_backward,
)


def beside(rows: Rows, c: np.ndarray | None) -> Rows:
    """Put the conditions of the cells beside their other columns, [x, c] or [z, c] [conditional-objective].

    Parameters
    ----------
    rows
        Shape (n, m), dense or CSC, or (L, n, m).
    c
        Shape (n, C), the same in all draws; None adds nothing.

    Returns
    -------
    np.ndarray or scipy.sparse.csc_matrix
        Shape (n, m + C) or (L, n, m + C); sparse stays sparse.
    """
    if c is None:
        return rows
    if not isinstance(rows, np.ndarray):
        return sparse.hstack([rows, sparse.csc_matrix(c)], format="csc")
    n_cells, n_conditions = c.shape
    return np.concatenate([rows, np.broadcast_to(c, (*rows.shape[:-2], n_cells, n_conditions))], axis=-1)


def conditional_loss(
    params: Params,
    stats: Stats,
    x: Rows,
    c: np.ndarray,
    eps: np.ndarray,
    masks: Masks,
    likelihood: Likelihood = UNIT_GAUSSIAN,
    kl_weight: float = 1.0,
    train: bool = True,
) -> tuple[Loss, LossCache, Stats]:
    """Loss of each cell, -1/L sum_l log p(x|z_l, c) + kl_weight KL(q(z|x, c)||p(z)) [conditional-objective].

    Parameters
    ----------
    params, stats
        The model, of `Sizes` with n_conditions = C.
    x
        Shape (n, d), dense or CSC.
    c
        Conditions of the cells, (n, C), of the dtype of x.
    eps, masks, likelihood, kl_weight, train
        As in `loss`.

    Returns
    -------
    tuple
        `Loss` with three vectors (n,) in nats, the cache for `conditional_loss_backward`, the new `Stats`.

    Raises
    ------
    ValueError
        If c or eps has another shape.
    """
    sizes, measured = params.sizes, dense(x)
    if c.shape != (len(measured), sizes.n_conditions):
        raise ValueError(f"c has shape {c.shape}: give {len(measured), sizes.n_conditions}")
    if eps.ndim != 3 or eps.shape[1:] != (len(measured), sizes.n_latent):
        raise ValueError(f"eps has shape {eps.shape}: give (L, {len(measured)}, {sizes.n_latent})")
    kl_weight = float(kl_weight)  # a NumPy float64 would widen float32
    encoder_masks = None if masks is None else masks[: sizes.n_layers]
    decoder_masks = None if masks is None else masks[sizes.n_layers :]
    mu, log_var, encoder, encoder_stats = encode(params, stats, beside(x, c), encoder_masks, train)
    z = reparameterize(mu, log_var, eps)
    x_hat, decoder, decoder_stats = decode(params, stats, beside(z, c), decoder_masks, train)
    reconstruction = -monte_carlo_reconstruction(likelihood.log_prob(measured, x_hat))
    kl = kl_standard_normal(mu, log_var)
    cache = LossCache(measured, mu, log_var, eps, z, x_hat, encoder, decoder, likelihood, kl_weight)
    total = reconstruction + kl_weight * kl
    return Loss(total, reconstruction, kl), cache, stats.updated(encoder_stats, decoder_stats)


def conditional_loss_backward(cache: LossCache) -> Params:
    """Gradient of the mean over cells of the total loss [conditional-objective].

    On the way back from [z, c] only the part that belongs to z goes on: c is data.

    Parameters
    ----------
    cache
        From `conditional_loss`.

    Returns
    -------
    Params
        The gradient: same type, same views, same flat order as the parameters.
    """
    n_draws, n_cells, n_latent = cache.eps.shape
    d_total = np.full(n_cells, 1 / n_cells, dtype=cache.mu.dtype)
    d_log_lik = monte_carlo_reconstruction_backward(-d_total, n_draws)
    d_x_hat = cache.likelihood.backward(d_log_lik, cache.x, cache.x_hat)
    d_z_and_c, d_decoder, d_output = decode_backward(d_x_hat, cache.decoder)
    d_z = d_z_and_c[..., :n_latent]
    d_mu, d_log_var = heads_backward(d_z, cache.kl_weight * d_total, cache.mu, cache.log_var, cache.eps)
    _, d_encoder, d_mu_head, d_log_var_head = encode_backward(d_mu, d_log_var, cache.encoder)
    parts = [*d_encoder, d_mu_head, d_log_var_head, *d_decoder, d_output]
    return Params.join(cache.encoder.params.sizes, [array for part in parts for array in part])
