"""Figures of the page on the bound: log p(x), the ELBO of several q, and the gap between them."""

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize

from vae_np.elbo import log_normal, log_standard_normal
from vae_np.plots import posterior_gap_plot
from vae_np.verify.oracle import (
    Curved,
    LinearGaussian,
    elbo_by_quadrature,
    elbo_gradient_by_quadrature,
    evidence_by_quadrature,
    expectation_by_quadrature,
    kl_to_posterior,
    latent_grid,
    linear_gaussian_elbo,
    linear_gaussian_evidence,
    linear_gaussian_posterior,
    log_joint,
    log_q,
)


def posterior_gap() -> Figure:
    """Draw the page's example, z ~ N(0, 1), x|z ~ N(z, 1), x = 2, with q on its way to the posterior."""
    model, x = LinearGaussian(np.ones((1, 1)), np.zeros(1), 1.0), np.array([[2.0]])
    mean, covariance = linear_gaussian_posterior(model, x)
    choices = {
        "Q = N(0, 1), the prior": (0.0, 1.0),
        "Q = N(1, 1/10), too narrow": (1.0, 0.1),
        "Q = N(1/2, 3/4), halfway": (0.5, 0.75),
        "Q = N(1, 1/2), the posterior": (1.0, 0.5),
    }
    mu, variance = np.array(list(choices.values())).T[:, :, None]
    log_var, n_q = np.log(variance), len(choices)
    z = np.linspace(-3, 4, 281)[:, None]
    densities = [np.exp(log_normal(z, *q)) for q in zip(mu, log_var, strict=True)]
    return posterior_gap_plot(
        z[:, 0],
        np.exp(log_standard_normal(z)),
        np.exp(log_normal(z, mean[0], np.log(np.diag(covariance)))),
        dict(zip(choices, densities, strict=True)),
        linear_gaussian_evidence(model, x)[0],
        linear_gaussian_elbo(model, np.repeat(x, n_q, axis=0), mu, log_var),
        kl_to_posterior(mu, log_var, np.repeat(mean, n_q, axis=0), covariance),
    )


def curved_gap() -> Figure:
    """Draw a posterior with two peaks, and the best Gaussian q, which still has a gap.

    The decoder's mean is a smooth bump of z, 2 near z = 0 and 0 far out; the cell x = 1 is on its slopes.
    """
    model = Curved(np.full((1, 2), 2.0), np.array([2.0, -2.0]), np.array([[1.0], [-1.0]]), 0.05)
    x, grid = np.ones((1, 1)), latent_grid(1, n_nodes=1200)

    def minus_elbo(q: np.ndarray) -> tuple[float, np.ndarray]:
        mu, log_var = q.reshape(2, 1, 1)
        gradient = elbo_gradient_by_quadrature(model, x, mu, log_var, grid)
        return -elbo_by_quadrature(model, x, mu, log_var, grid)[0], -np.ravel(gradient)

    choices = {
        "Q = the prior": np.zeros(2),
        "best Q on the left peak": minimize(minus_elbo, (-1.0, -2.0), jac=True).x,
        "best Q on the right peak": minimize(minus_elbo, (1.0, -2.0), jac=True).x,
    }
    mu, log_var = np.array(list(choices.values())).T[:, :, None]
    log_evidence = evidence_by_quadrature(model, x, grid)
    cells = np.repeat(x, len(choices), axis=0)
    log_posterior = log_joint(model, x, grid) - log_evidence
    gap = expectation_by_quadrature(lambda z: log_q(z, mu, log_var) - log_posterior, mu, log_var, grid)
    shown = np.abs(grid.z[:, 0]) < 3
    densities = np.exp(log_q(grid.z[shown][:, None], mu, log_var)).T
    return posterior_gap_plot(
        grid.z[shown, 0],
        np.exp(log_standard_normal(grid.z[shown])),
        np.exp(log_posterior[shown, 0]),
        dict(zip(choices, densities, strict=True)),
        log_evidence[0],
        elbo_by_quadrature(model, cells, mu, log_var, grid),
        gap,
    )
