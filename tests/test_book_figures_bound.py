"""Figures of the bound and of the Gaussian KL: the numbers drawn satisfy the equations."""

import numpy as np
import pytest
from scipy import integrate, stats

from vae_np.book.figures import bound, gaussian_kl

EPS = np.finfo(float).eps


def curves_of(axes):
    """Data of every curve; lines of two points are the guides."""
    return [line.get_data() for line in axes.lines if len(line.get_xdata()) > 2]


def numbers_of(figure):
    """Log p(x), the ELBOs and the gaps that the lower panel shows."""
    *marks, end = figure.axes[1].lines
    elbo = np.array([mark.get_xdata()[0] for mark in marks])
    gap = np.array([bar.get_width() for bar in figure.axes[1].patches])
    return end.get_xdata()[0], elbo, gap


def test_posterior_gap_is_the_example_of_the_page():
    figure = bound.posterior_gap()
    log_evidence, elbo, gap = numbers_of(figure)
    # Each number is a sum of at most 20 terms of at most 20 nats, each with a few roundings.
    tolerance = 20 * 20 * 4 * EPS
    assert log_evidence == pytest.approx(stats.norm.logpdf(2, 0, np.sqrt(2)), abs=tolerance)
    np.testing.assert_allclose(elbo + gap, log_evidence, atol=tolerance)
    for (mean, variance), kl in zip([(0, 1), (1, 0.1), (0.5, 0.75), (1, 0.5)], gap, strict=True):
        t = variance / 0.5
        assert kl == pytest.approx((mean - 1) ** 2 + (t - 1 - np.log(t)) / 2, abs=tolerance)
    assert gap[-1] == pytest.approx(0, abs=tolerance)
    assert (gap[:-1] > 0.1).all()
    assert gap[0] == pytest.approx(1.1534, abs=5e-5)  # as printed on the page
    low, high = figure.axes[1].get_xlim()
    assert low < elbo.min()  # no mark is cut in half
    assert log_evidence < high
    (z, posterior), *densities = curves_of(figure.axes[0])
    laws = [stats.norm(1, np.sqrt(0.5)), stats.norm(0, 1), stats.norm(1, np.sqrt(0.1))]
    for density, law in zip([posterior, densities[0][1], densities[1][1]], laws, strict=True):
        np.testing.assert_allclose(density, law.pdf(z), rtol=200 * EPS)  # exponents of at most 125


def log_joint(z):
    """Log p(x = 1, z) of the decoder with a bump, with SciPy's densities."""
    bump = np.tanh(2 * z + 2) - np.tanh(2 * z - 2)
    return stats.norm.logpdf(1, bump, np.sqrt(0.05)) + stats.norm.logpdf(z)


def test_curved_gap_is_that_of_the_integrals():
    figure = bound.curved_gap()
    log_evidence, elbo, gap = numbers_of(figure)
    z = np.linspace(-9, 9, 20_001)
    # Trapezoid sums of smooth functions that vanish at both ends: exact to rounding, to which 20,001 terms
    # of at most 100 nats add up.
    tolerance = 20_001 * 100 * EPS
    assert log_evidence == pytest.approx(np.log(integrate.trapezoid(np.exp(log_joint(z)), z)), abs=tolerance)
    (shown, posterior), *densities = curves_of(figure.axes[0])
    np.testing.assert_allclose(posterior, np.exp(log_joint(shown) - log_evidence), rtol=tolerance)
    laws = [stats.norm(0, 1)]
    for _, density in densities[1:]:  # both are narrow, so their moments are sums over what is shown
        mean = integrate.trapezoid(density * shown, shown)
        laws.append(stats.norm(mean, np.sqrt(integrate.trapezoid(density * (shown - mean) ** 2, shown))))
    for (_, density), law, bound_, kl in zip(densities, laws, elbo, gap, strict=True):
        np.testing.assert_allclose(density, law.pdf(shown), rtol=1e-6, atol=1e-12)
        q, log_q = law.pdf(z), law.logpdf(z)
        assert bound_ == pytest.approx(integrate.trapezoid(q * (log_joint(z) - log_q), z), abs=1e-9)
        right = integrate.trapezoid(q * (log_q - log_joint(z) + log_evidence), z)
        assert kl == pytest.approx(right, abs=1e-9)
    np.testing.assert_allclose(elbo + gap, log_evidence, atol=tolerance)


def test_one_peak_of_two_alike_costs_log_2():
    _, _, (of_the_prior, left, right) = numbers_of(bound.curved_gap())
    # q has less than 1e-9 of its mass beyond 0, so KL = log 2 + KL from that half of the posterior.
    assert np.log(2) - 1e-9 < left < of_the_prior
    # The search stops at slopes below 1e-5; the curvature is above 0.1, so values are off by less than 1e-9.
    assert left == pytest.approx(right, abs=1e-8)


def test_kl_terms_add_up_to_the_kl_and_its_gradient():
    panels = np.reshape(gaussian_kl.kl_terms().axes, (2, 2))
    for variable, (above, below) in zip(("mu", "log_var"), panels.T, strict=True):
        (at, total), *_ = curves_of(above)
        (_, pull), *_ = curves_of(below)
        mean, sigma = (at, 1.0) if variable == "mu" else (0.0, np.exp(at / 2))
        # E log q - E log p with SciPy's entropy and moments
        kl = -stats.norm(mean, sigma).entropy() + (np.log(2 * np.pi) + mean**2 + sigma**2) / 2
        np.testing.assert_allclose(total, kl, atol=20 * EPS * 10)
        step = at[1] - at[0]
        slope = (total[2:] - total[:-2]) / (2 * step)
        # The third derivative is 0 along mu and exp(log_var) / 2 < 4 along log_var.
        np.testing.assert_allclose(-pull[1:-1], slope, atol=4 * step**2 / 6 + 1e-12)
        assert at[np.argmin(total)] == pytest.approx(0, abs=1e-12)
        assert (np.sign(pull[np.abs(at) > 1e-9]) == -np.sign(at[np.abs(at) > 1e-9])).all()
