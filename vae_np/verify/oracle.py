"""Exactly solvable worlds: what the estimators and the training must reproduce.

1. The linear-Gaussian model (probabilistic PCA): z ~ N(0, I), x|z ~ N(z W + b, variance I). Everything
   is closed form: the evidence, the posterior, the ELBO of any Gaussian q, the gap between them, the
   best parameters. W has shape (k, d), as `Params.output.W` has.
2. Any decoder with one or two latent dimensions: integrals over z by quadrature.

Nothing here calls the library: an oracle that shared its code could share its mistakes.

Source: Tipping and Bishop 1999 (doi:10.1111/1467-9868.00196).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import logsumexp

LOG_2PI = np.log(2 * np.pi)


class LinearGaussian(NamedTuple):
    """The parameters theta of the linear-Gaussian model: W (k, d), b (d,), variance > 0."""

    W: np.ndarray
    b: np.ndarray
    variance: float

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Mean of x given z, (..., k) -> (..., d)."""
        return z @ self.W + self.b

    @property
    def M(self) -> np.ndarray:
        """W W^T + variance I, (k, k): variance times the precision of the posterior."""
        return self.W @ self.W.T + self.variance * np.eye(len(self.W))


def linear_gaussian_evidence(model: LinearGaussian, x: np.ndarray) -> np.ndarray:
    """Log density of the data, log N(x; b, W^T W + variance I) [linear-gaussian-evidence].

    Parameters
    ----------
    model
        theta.
    x
        Shape (n, d).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    d = len(model.b)
    lower = np.linalg.cholesky(model.W.T @ model.W + model.variance * np.eye(d))
    whitened = solve_triangular(lower, (x - model.b).T, lower=True)
    log_det = 2 * np.log(np.diag(lower)).sum()
    return -0.5 * (d * LOG_2PI + log_det + (whitened**2).sum(axis=0))


def linear_gaussian_posterior(model: LinearGaussian, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of p(z|x) [linear-gaussian-posterior].

    mean = M^-1 W (x - b) and covariance = variance M^-1, the same for every x.

    Parameters
    ----------
    model
        theta.
    x
        Shape (n, d).

    Returns
    -------
    tuple of np.ndarray
        Mean (n, k), covariance (k, k).
    """
    factor = cho_factor(model.M)
    mean = cho_solve(factor, model.W @ (x - model.b).T).T
    return mean, model.variance * cho_solve(factor, np.eye(len(model.W)))


def expected_log_likelihood(
    model: LinearGaussian, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> np.ndarray:
    """E_q log p(x|z) for a diagonal Gaussian q, in closed form [term1-intractable].

    |x - decode(mu)|^2 + sum_j sigma_j^2 |W_j|^2 stands in the place of the square.

    Parameters
    ----------
    model
        theta.
    x
        Shape (n, d).
    mu, log_var
        Shape (n, k).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    d = x.shape[1]
    square = ((x - model.decode(mu)) ** 2).sum(axis=1) + np.exp(log_var) @ (model.W**2).sum(axis=1)
    return -0.5 * (d * np.log(2 * np.pi * model.variance) + square / model.variance)


def linear_gaussian_elbo(
    model: LinearGaussian, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> np.ndarray:
    """ELBO of a diagonal Gaussian q, in closed form: E_q log p(x|z) - KL(q||p).

    Parameters
    ----------
    model
        theta.
    x
        Shape (n, d).
    mu, log_var
        Shape (n, k).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    return expected_log_likelihood(model, x, mu, log_var) - kl


def kl_to_posterior(
    mu: np.ndarray, log_var: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """KL of N(mu, diag(exp(log_var))) from N(mean, covariance): the gap of the ELBO [elbo-gap].

    1/2 [ tr(C^-1 S) + (mean - mu)^T C^-1 (mean - mu) - k + log(|C| / |S|) ]

    Parameters
    ----------
    mu, log_var
        Shape (n, k).
    mean
        Shape (n, k).
    covariance
        C, shape (k, k).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    precision = np.linalg.inv(covariance)
    apart = mean - mu
    square = np.einsum("ni,ij,nj->n", apart, precision, apart)
    trace = np.exp(log_var) @ np.diag(precision)
    log_det = np.linalg.slogdet(covariance).logabsdet - log_var.sum(axis=-1)
    return 0.5 * (trace + square - len(covariance) + log_det)


def ppca_optimum(x: np.ndarray, k: int) -> tuple[LinearGaussian, float]:
    """Parameters that maximize the mean log evidence of the linear-Gaussian model [ppca-optimum].

    With l_1 >= ... >= l_d the eigenvalues of the sample covariance (1/n) and U its eigenvectors:
    variance = mean of l_(k+1) .. l_d, W_j = sqrt(l_j - variance) U_j, b = mean of x, and the maximum is
    -1/2 [ d log 2 pi + sum_(j<=k) log l_j + (d - k) log variance + d ].

    Parameters
    ----------
    x
        Shape (n, d).
    k
        Number of latent dimensions, less than d.

    Returns
    -------
    tuple
        theta, and the maximum in nats per cell.
    """
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    values, vectors, d = values[::-1], vectors[:, ::-1], len(values)
    variance = values[k:].mean()
    W = (vectors[:, :k] * np.sqrt(values[:k] - variance)).T
    best = -0.5 * (d * LOG_2PI + np.log(values[:k]).sum() + (d - k) * np.log(variance) + d)
    return LinearGaussian(W, x.mean(axis=0), float(variance)), float(best)


def rotation_gap(M: np.ndarray) -> float:
    """What the best diagonal q loses to a correlated posterior, 1/2 [sum_j log M_jj - log|M|] [rotation-gap].

    M is the posterior's precision up to a factor; by Hadamard's inequality the gap is at least 0, and
    0 only where M is diagonal.

    Parameters
    ----------
    M
        Symmetric positive definite, (k, k).

    Returns
    -------
    float
        Nats.
    """
    return float(0.5 * (np.log(np.diag(M)).sum() - np.linalg.slogdet(M).logabsdet))


class LatentGrid(NamedTuple):
    """Nodes (m, k) and log weights (m,) of a rule for integrals over all of z."""

    z: np.ndarray
    log_weight: np.ndarray


def latent_grid(k: int, limit: float = 9.0, n_nodes: int = 400) -> LatentGrid:
    """Equally spaced nodes on [-limit, limit]^k, k = 1 or 2, all of the same weight.

    For a smooth integrand that vanishes at both ends this trapezoid rule is as exact as rounding
    allows; for a Gaussian of width sigma, with the step h, it is off by exp(-2 pi^2 sigma^2 / h^2).

    Parameters
    ----------
    k
        Number of latent dimensions.
    limit
        The prior holds less than exp(-limit^2 / 2) beyond it.
    n_nodes
        In each dimension.

    Returns
    -------
    LatentGrid
        The rule.
    """
    nodes, step = np.linspace(-limit, limit, n_nodes, retstep=True)
    z = np.stack(np.meshgrid(*[nodes] * k, indexing="ij"), axis=-1).reshape(-1, k)
    return LatentGrid(z, np.full(len(z), k * np.log(step)))


class Curved(NamedTuple):
    """A decoder that is not affine, x|z ~ N(tanh(z W + b) C, variance I): W (k, h), b (h,), C (h, d)."""

    W: np.ndarray
    b: np.ndarray
    C: np.ndarray
    variance: float

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Mean of x given z, (..., k) -> (..., d)."""
        return np.tanh(z @ self.W + self.b) @ self.C

    def decode_slope(self, z: np.ndarray) -> np.ndarray:
        """Derivative of the mean in z, (..., k) -> (..., k, d)."""
        bend = 1 - np.tanh(z @ self.W + self.b) ** 2
        return (self.W * bend[..., None, :]) @ self.C


Decoder = LinearGaussian | Curved


def random_linear(rng: np.random.Generator, k: int = 2, d: int = 4) -> LinearGaussian:
    """Draw a linear-Gaussian model."""
    return LinearGaussian(rng.normal(size=(k, d)), rng.normal(size=d), float(rng.uniform(0.3, 1.5)))


def random_curved(rng: np.random.Generator, k: int = 1, d: int = 3, h: int = 4) -> Curved:
    """Draw a curved decoder."""
    W, b, C = rng.normal(size=(k, h)), rng.normal(size=h), rng.normal(size=(h, d))
    return Curved(W, b, C, float(rng.uniform(0.3, 1.0)))


def gentle_curved(rng: np.random.Generator, k: int = 1, d: int = 3, h: int = 4) -> Curved:
    """Draw a curved decoder of variance 1 whose mean moves by less than 2 units, for sampling.

    log p(x|z) then varies by a few nats, so averages of few draws are sharp and near to normal.
    """
    W, C = (rng.uniform(0.3, 0.7, shape) * rng.choice([-1.0, 1.0], shape) for shape in ((k, h), (h, d)))
    return Curved(2 * W, rng.uniform(-0.5, 0.5, h), C / 2, 1.0)


def sample(model: Decoder, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n cells x from the model, (n, d)."""
    z = rng.standard_normal((n, len(model.W)))
    mean = model.decode(z)
    return mean + np.sqrt(model.variance) * rng.standard_normal(mean.shape)


def log_likelihood(model: Decoder, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log p(x|z) for every pair of cell and latent point: x (n, d), z (m, k) -> (m, n)."""
    x_hat = model.decode(z)[:, None, :]
    square = ((x - x_hat) ** 2).sum(axis=-1)
    return -0.5 * (x.shape[1] * np.log(2 * np.pi * model.variance) + square / model.variance)


def log_prior(z: np.ndarray) -> np.ndarray:
    """Log N(z; 0, I), (..., k) -> (...)."""
    return -0.5 * (z.shape[-1] * LOG_2PI + (z**2).sum(axis=-1))


def log_q(z: np.ndarray, mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Log N(z; mu, diag(exp(log_var))), z (..., n, k) -> (..., n)."""
    return -0.5 * (LOG_2PI + log_var + (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def log_joint(model: Decoder, x: np.ndarray, grid: LatentGrid) -> np.ndarray:
    """Log p(x, z) at every node of a grid, (m, n)."""
    return log_likelihood(model, x, grid.z) + log_prior(grid.z)[:, None]


def evidence_by_quadrature(model: Decoder, x: np.ndarray, grid: LatentGrid) -> np.ndarray:
    """Log p(x) = log of the integral of p(x|z) p(z), by quadrature.

    Parameters
    ----------
    model
        theta, with one or two latent dimensions.
    x
        Shape (n, d).
    grid
        From `latent_grid`.

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    return logsumexp(log_joint(model, x, grid) + grid.log_weight[:, None], axis=0)


def expectation_by_quadrature(
    f: Callable[[np.ndarray], np.ndarray], mu: np.ndarray, log_var: np.ndarray, grid: LatentGrid
) -> np.ndarray:
    """E_q f(z) for q = N(mu, diag(exp(log_var))), by the rule of a grid.

    Parameters
    ----------
    f
        (m, 1, k) -> (m, n) or (m, 1).
    mu, log_var
        Shape (n, k).
    grid
        From `latent_grid`; it must cover q.

    Returns
    -------
    np.ndarray
        Shape (n,).
    """
    z = grid.z[:, None, :]
    weight = np.exp(log_q(z, mu, log_var) + grid.log_weight[:, None])
    return (weight * f(z)).sum(axis=0)


def elbo_by_quadrature(
    model: Decoder, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray, grid: LatentGrid
) -> np.ndarray:
    """E_q [log p(x, z) - log q(z)], by the rule of a grid; shape (n,), nats."""
    return expectation_by_quadrature(
        lambda z: log_joint(model, x, grid) - log_q(z, mu, log_var), mu, log_var, grid
    )


def elbo_gradient_by_quadrature(
    model: Decoder, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray, grid: LatentGrid
) -> tuple[np.ndarray, np.ndarray]:
    """Exact gradient of the ELBO in mu and log_var: the pathwise one, averaged by quadrature.

    d_mu = E_q d/dz log p(x,z), d_log_var = 1/2 + 1/2 E_q (z - mu) d/dz log p(x,z): the entropy of q
    gives the 1/2.

    Parameters
    ----------
    model
        A curved decoder.
    x, mu, log_var
        Shapes (n, d), (n, k), (n, k).
    grid
        From `latent_grid`.

    Returns
    -------
    tuple of np.ndarray
        d_mu, d_log_var, each (n, k).
    """
    z = grid.z[:, None, :]
    weight = np.exp(log_q(z, mu, log_var) + grid.log_weight[:, None])[..., None]  # (m, n, 1)
    residual = (x - model.decode(z)) / model.variance  # (m, n, d)
    slope = model.decode_slope(grid.z) if isinstance(model, Curved) else model.W[None]
    d_z = np.einsum("mnd,mkd->mnk", residual, np.broadcast_to(slope, (len(z), *slope.shape[1:]))) - z
    return (weight * d_z).sum(axis=0), 0.5 + 0.5 * (weight * (z - mu) * d_z).sum(axis=0)
