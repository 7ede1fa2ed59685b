"""The Gaussian likelihood: real-valued x scatters around the decoder's output with a known variance.

Scalar case. log N(x; x_hat, v) = -1/2 [log 2 pi v + (x - x_hat)^2 / v], derivative (x - x_hat) / v.
Full case: features are independent given z, so the logarithms add up over the d features.

No constant is dropped: the value is a log density, comparable between variances and between models.
"""

from functools import partial

import numpy as np

from vae_np.elbo.gaussian import LOG_2PI
from vae_np.elbo.likelihood import Likelihood
from vae_np.kernels import accelerated


def _in_dtype_of(x_hat: np.ndarray, variance: float | np.ndarray) -> np.ndarray:
    """Give the variance the dtype of the data; only a complex step in it may widen that."""
    dtype = x_hat.dtype if x_hat.dtype.kind in "fc" else np.dtype(float)
    return np.asarray(variance, np.result_type(dtype, 1j) if np.iscomplexobj(variance) else dtype)


@accelerated
def gaussian_log_likelihood(x: np.ndarray, x_hat: np.ndarray, variance: float | np.ndarray) -> np.ndarray:
    """Log density of the data under the decoder [gaussian-likelihood].

    log p(x|z) = -1/2 sum_g [ log(2 pi variance_g) + (x_g - x_hat_g)^2 / variance_g ]

    Parameters
    ----------
    x
        Shape (n, d).
    x_hat
        Shape (n, d), or (L, n, d) for L draws.
    variance
        A positive float, or one a feature, (d,).

    Returns
    -------
    np.ndarray
        Shape (n,) or (L, n), nats.
    """
    variance = _in_dtype_of(x_hat, variance)
    return -0.5 * (LOG_2PI + np.log(variance) + (x - x_hat) ** 2 / variance).sum(axis=-1)


@accelerated
def gaussian_log_likelihood_backward(
    d_ll: np.ndarray, x: np.ndarray, x_hat: np.ndarray, variance: float | np.ndarray
) -> np.ndarray:
    """Carry the gradient back, d_x_hat = d_ll (x - x_hat) / variance [grad-likelihood].

    Parameters
    ----------
    d_ll
        Shape (n,) or (L, n).
    x, x_hat, variance
        What `gaussian_log_likelihood` was given.

    Returns
    -------
    np.ndarray
        d_x_hat, shape of `x_hat`.
    """
    return d_ll[..., None] * (x - x_hat) / _in_dtype_of(x_hat, variance)


def gaussian_sample(x_hat: np.ndarray, variance: float | np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Draw data from the decoder's density, x = x_hat + sqrt(variance) * noise [gaussian-likelihood].

    Parameters
    ----------
    x_hat
        Shape (n, d), or (L, n, d).
    variance
        A positive float, or one a feature, (d,).
    noise
        Standard normal, shape of `x_hat`.

    Returns
    -------
    np.ndarray
        x, shape of `x_hat`.
    """
    return x_hat + np.sqrt(_in_dtype_of(x_hat, variance)) * noise


def gaussian_variance(likelihood: Likelihood) -> float | np.ndarray | None:
    """Return the variance of a Gaussian likelihood, None for another one."""
    log_prob = likelihood.log_prob
    if isinstance(log_prob, partial) and log_prob.func is gaussian_log_likelihood:
        return log_prob.keywords["variance"]
    return None


def _identity(x_hat: np.ndarray) -> np.ndarray:
    return x_hat


def gaussian(variance: float | np.ndarray = 1.0) -> Likelihood:
    """Make the Gaussian likelihood of a fixed variance; the decoder's output is the mean.

    Parameters
    ----------
    variance
        A positive number, or one a feature, (d,).

    Returns
    -------
    Likelihood
        The record the model takes.

    Raises
    ------
    ValueError
        If a variance is not positive and finite.
    """
    values = np.asarray(variance)
    if values.dtype.kind not in "fiu" or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"variance must be positive and finite, got {variance}")
    return Likelihood(
        partial(gaussian_log_likelihood, variance=variance),
        partial(gaussian_log_likelihood_backward, variance=variance),
        _identity,
    )
