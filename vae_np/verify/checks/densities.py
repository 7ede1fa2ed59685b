"""What several topics compare with: SciPy's densities, a grid for bells, moments of N(0, 1) by SymPy."""

from functools import cache
from typing import Any

import numpy as np
from scipy.stats import norm

from vae_np.verify.judges import normal_expectation


def scipy_log_prior(z: np.ndarray) -> np.ndarray:
    """Log density of N(0, I) by SciPy, (..., k) -> (...)."""
    return norm.logpdf(z).sum(axis=-1)


def scipy_log_q(z: np.ndarray, mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Log density of q by SciPy, (..., n, k) -> (..., n)."""
    return norm.logpdf(z, mu, np.exp(log_var / 2)).sum(axis=-1)


def scipy_log_likelihood(x: np.ndarray, x_hat: np.ndarray, variance: float | np.ndarray) -> np.ndarray:
    """Log p(x|z) by SciPy, x_hat the decoder's output at z, (..., d) -> (...)."""
    return norm.logpdf(x, x_hat, np.sqrt(variance)).sum(axis=-1)


def scipy_kl(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """KL of q from the prior, (n,): two nodes a dimension are exact, the integrand is a square."""
    return normal_expectation(lambda z: scipy_log_q(z, mu, log_var) - scipy_log_prior(z), mu, log_var, 2)


def bell_grid(k: int) -> tuple[np.ndarray, float]:
    """Trapezoid nodes (97^k, k) for a bell of width 1 around 0, out to 12, and the size of a cell.

    With the step 1/4 the rule is wrong by exp(-2 pi^2 16) for a Gaussian, and the tails beyond 12 hold
    exp(-72): nothing, in 16 digits. For N(mu, diag(sigma^2)) the nodes are mu + sigma times these.
    """
    line = np.arange(-48, 49) / 4
    return np.stack(np.meshgrid(*[line] * k, indexing="ij"), axis=-1).reshape(-1, k), 0.25**k


@cache
def moment(power: int) -> Any:  # noqa: ANN401 - SymPy expressions
    """E u^power for u ~ N(0, 1), by integration."""
    import sympy

    u = sympy.symbols("u", real=True)
    bell = sympy.exp(-(u**2) / 2) / sympy.sqrt(2 * sympy.pi)
    return sympy.integrate(u**power * bell, (u, -sympy.oo, sympy.oo))


def mean_of(polynomial: Any, u: Any) -> Any:  # noqa: ANN401 - SymPy expressions
    """E of a polynomial in u ~ N(0, 1): its coefficients times the moments of u."""
    import sympy

    terms = sympy.Poly(sympy.expand(polynomial), u).terms()
    return sum(coefficient * moment(power) for (power,), coefficient in terms)
