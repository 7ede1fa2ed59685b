"""The Bernoulli likelihood: binary x, each feature a coin whose log odds the decoder gives.

Scalar case. With p = sigmoid(a), log p(x|a) = x log p + (1 - x) log(1 - p) = x a - log(1 + e^a),
and d/da = x - p. The right-hand form never takes the logarithm of 0.
Full case: features are independent given z, so the logarithms add up over the d features.

For x strictly between 0 and 1 (gray values) the same formula is the usual cross-entropy loss; it is
then no normalized density of x.
"""

import numpy as np

from vae_np.elbo.likelihood import Likelihood
from vae_np.errors import InputError


def _softplus(a: np.ndarray) -> np.ndarray:
    """log(1 + e^a), computed as max(a, 0) + log(1 + e^-|a|) so that nothing overflows."""
    positive = a.real > 0
    return np.where(positive, a, 0) + np.log1p(np.exp(np.where(positive, -a, a)))


def _sigmoid(a: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-a), computed from e^-|a| so that nothing overflows."""
    positive = a.real > 0
    small = np.exp(np.where(positive, -a, a))
    return np.where(positive, 1, small) / (1 + small)


def bernoulli_log_likelihood(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Log probability of the data under the decoder [bernoulli-likelihood].

    log p(x|z) = sum_g [ x_g a_g - log(1 + exp(a_g)) ], a the logits

    Parameters
    ----------
    x
        Shape (n, d), entries in [0, 1].
    logits
        Shape (n, d), or (L, n, d) for L draws.

    Returns
    -------
    np.ndarray
        Shape (n,) or (L, n), nats.
    """
    return (x * logits - _softplus(logits)).sum(axis=-1)


def bernoulli_log_likelihood_backward(d_ll: np.ndarray, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Carry the gradient back, d_logits = d_ll (x - sigmoid(logits)) [grad-bernoulli-likelihood].

    Parameters
    ----------
    d_ll
        Shape (n,) or (L, n).
    x, logits
        What `bernoulli_log_likelihood` was given.

    Returns
    -------
    np.ndarray
        d_logits, shape of `logits`.
    """
    return d_ll[..., None] * (x - _sigmoid(logits))


def bernoulli_sample(logits: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Toss the decoder's coins, x = 1 where noise < sigmoid(logits), else 0 [bernoulli-likelihood].

    Parameters
    ----------
    logits
        Shape (n, d), or (L, n, d).
    noise
        Uniform on [0, 1), shape of `logits`.

    Returns
    -------
    np.ndarray
        x, shape and dtype of `logits`.
    """
    return (noise < _sigmoid(logits)).astype(logits.dtype)


def _require_unit_interval(values: np.ndarray) -> None:
    """Raise `InputError` for data outside [0, 1], where the likelihood has no maximum."""
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise InputError(
            f"x holds values from {values.min():.4g} to {values.max():.4g}: "
            "the Bernoulli likelihood takes binary values, or values in [0, 1]"
        )


def bernoulli() -> Likelihood:
    """Make the Bernoulli likelihood; the decoder's output is the logits, the mean their sigmoid.

    Returns
    -------
    Likelihood
        The record the model takes.
    """
    return Likelihood(
        bernoulli_log_likelihood,
        bernoulli_log_likelihood_backward,
        _sigmoid,
        _require_unit_interval,
    )
