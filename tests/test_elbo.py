"""Densities, entropies, KL, reparameterization and likelihoods against SciPy, quadrature, complex step."""

import numpy as np
import pytest
from oracles import assert_gradients
from scipy import stats as scipy_stats

from vae_np import elbo

N, K, D, L = 5, 3, 4, 2


@pytest.fixture
def q(rng):
    """Mean and log variance of N posteriors with K dimensions, sigma well away from 1."""
    return rng.normal(size=(N, K)), rng.normal(scale=1.5, size=(N, K))


def gauss_hermite(f, mu, log_var, n_nodes=2):
    """E_q f(z), exact for polynomials of degree 2 n_nodes - 1 in each dimension."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    eps = np.stack(np.meshgrid(*[nodes] * K, indexing="ij"), -1).reshape(-1, K)
    weight = np.prod(np.meshgrid(*[weights / weights.sum()] * K, indexing="ij"), axis=0).ravel()
    z = mu + np.exp(log_var / 2) * eps[:, None, :]
    return np.einsum("m,mn->n", weight, np.stack([f(draw) for draw in z]))


def scipy_log_normal(z, mu, log_var):
    return scipy_stats.norm(mu, np.exp(log_var / 2)).logpdf(z).sum(axis=-1)


def test_log_normal_is_scipys(rng, q):
    z = rng.normal(size=(N, K))
    np.testing.assert_allclose(elbo.log_normal(z, *q), scipy_log_normal(z, *q), rtol=1e-12)
    np.testing.assert_allclose(elbo.log_standard_normal(z), scipy_log_normal(z, 0, 0 * z), rtol=1e-12)


# The quadrature is exact here, so what is left is rounding: about k n_nodes^k additions at 1.1e-16.
def test_cross_entropy_by_quadrature(q):
    expected = gauss_hermite(lambda z: scipy_log_normal(z, 0, 0 * z), *q)
    np.testing.assert_allclose(elbo.cross_entropy_standard_normal(*q), expected, rtol=1e-13)


def test_negative_entropy_by_quadrature_and_by_scipy(q):
    mu, log_var = q
    expected = gauss_hermite(lambda z: scipy_log_normal(z, mu, log_var), mu, log_var)
    entropy = scipy_stats.norm(mu, np.exp(log_var / 2)).entropy().sum(axis=1)
    np.testing.assert_allclose(elbo.negative_entropy(log_var), expected, rtol=1e-12)
    np.testing.assert_allclose(elbo.negative_entropy(log_var), -entropy, rtol=1e-12)


def test_kl_by_quadrature_and_its_zero(q):
    mu, log_var = q
    expected = gauss_hermite(
        lambda z: scipy_log_normal(z, mu, log_var) - scipy_log_normal(z, 0, 0 * z), mu, log_var
    )
    kl = elbo.kl_standard_normal(mu, log_var)
    np.testing.assert_allclose(kl, expected, rtol=1e-13)
    assert (kl > 0).all()
    np.testing.assert_array_equal(elbo.kl_standard_normal(0 * mu, 0 * mu), 0)


def test_reparameterization_has_the_right_law(rng):
    mu, log_var = np.array([[0.5, -1.0]]), np.array([[0.8, -1.2]])
    n = 100_000
    z = elbo.reparameterize(mu, log_var, rng.standard_normal((n, 1, 2)))[:, 0]
    # Dvoretzky-Kiefer-Wolfowitz: the empirical distribution is this close, false alarm 1e-6
    bound = np.sqrt(np.log(2 / 1e-6) / (2 * n))
    for j in range(2):
        law = scipy_stats.norm(mu[0, j], np.exp(log_var[0, j] / 2))
        assert scipy_stats.kstest(z[:, j], law.cdf).statistic < bound


@pytest.mark.parametrize(
    ("f", "f_backward", "n_arguments"),
    [
        (elbo.log_normal, elbo.log_normal_backward, 3),
        (elbo.log_standard_normal, elbo.log_standard_normal_backward, 1),
        (elbo.cross_entropy_standard_normal, elbo.cross_entropy_standard_normal_backward, 2),
        (elbo.negative_entropy, elbo.negative_entropy_backward, 1),
        (elbo.kl_standard_normal, elbo.kl_standard_normal_backward, 2),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_density_backwards(rng, f, f_backward, n_arguments):
    arguments = tuple(rng.normal(size=(N, K)) for _ in range(n_arguments))
    d_out = rng.normal(size=N)
    gradients = f_backward(d_out, *arguments)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    assert_gradients(f, arguments, d_out, gradients)


@pytest.mark.parametrize("shape", [(N, K), (L, N, K)])
def test_reparameterize_backward(rng, q, shape):
    eps, d_z = rng.normal(size=shape), rng.normal(size=shape)
    gradients = elbo.reparameterize_backward(d_z, q[1], eps)
    assert all(g.shape == (N, K) for g in gradients)
    assert_gradients(lambda *q: elbo.reparameterize(*q, eps), q, d_z, gradients)


@pytest.mark.parametrize("shape", [(N, D), (L, N, D)])
@pytest.mark.parametrize("variance", [0.7, "per gene"])
def test_gaussian_likelihood(rng, shape, variance):
    x, x_hat = rng.normal(size=(N, D)), rng.normal(size=shape)
    variance = rng.uniform(0.3, 3, D) if variance == "per gene" else variance
    expected = scipy_stats.norm(x_hat, np.sqrt(variance)).logpdf(x).sum(axis=-1)
    np.testing.assert_allclose(elbo.gaussian_log_likelihood(x, x_hat, variance), expected, rtol=1e-12)

    d_ll = rng.normal(size=shape[:-1])
    gradients = (elbo.gaussian_log_likelihood_backward(d_ll, x, x_hat, variance),)
    f = elbo.gaussian(variance).log_prob
    assert_gradients(lambda x_hat: f(x, x_hat), (x_hat,), d_ll, gradients)
    # a complex step in the variance passes too: d/dv log N = -1/2v + (x - x_hat)^2 / 2v^2
    stepped = elbo.gaussian_log_likelihood(x, x_hat, variance + 1e-30j).imag / 1e-30
    expected = (((x - x_hat) ** 2 / variance - 1) / (2 * variance)).sum(axis=-1)
    np.testing.assert_allclose(stepped, expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [(N, D), (L, N, D)])
@pytest.mark.parametrize("gray", [False, True])
def test_bernoulli_likelihood(rng, shape, gray):
    x = rng.random((N, D)) if gray else rng.integers(0, 2, (N, D)).astype(float)
    logits = rng.normal(scale=3, size=shape)
    p = 1 / (1 + np.exp(-logits))
    expected = (x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=-1)
    np.testing.assert_allclose(elbo.bernoulli_log_likelihood(x, logits), expected, rtol=1e-11)
    np.testing.assert_allclose(elbo.bernoulli().mean(logits), p, rtol=1e-13)

    d_ll = rng.normal(size=shape[:-1])
    gradients = (elbo.bernoulli_log_likelihood_backward(d_ll, x, logits),)
    assert_gradients(lambda a: elbo.bernoulli_log_likelihood(x, a), (logits,), d_ll, gradients)


def test_bernoulli_likelihood_at_extreme_logits():
    x, logits = np.array([[1.0, 0.0, 1.0, 0.0]]), np.array([[800.0, -800.0, -800.0, 800.0]])
    np.testing.assert_array_equal(elbo.bernoulli_log_likelihood(x, logits), [-1600])
    gradient = elbo.bernoulli_log_likelihood_backward(np.ones(1), x, logits)
    np.testing.assert_array_equal(gradient, [[0, 0, 1, -1]])


@pytest.mark.parametrize("variance", [0.0, -1.0, np.nan, np.inf, np.array([1.0, 0.0]), "a", None])
def test_gaussian_refuses_a_bad_variance(variance):
    with pytest.raises(ValueError, match="variance must be positive"):
        elbo.gaussian(variance)


def test_whole_numbers_are_data_too():
    x, x_hat = np.array([[1, 2]]), np.array([[0, 2]])
    expected = scipy_stats.norm(x_hat, np.sqrt(0.5)).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(elbo.gaussian_log_likelihood(x, x_hat, 0.5), expected, rtol=1e-13)
    backward = elbo.gaussian_log_likelihood_backward(np.ones(1), x, x_hat, 1.5)
    np.testing.assert_allclose(backward, [[2 / 3, 0]], rtol=1e-13)


def test_monte_carlo_elbo_is_unbiased_and_its_backward_right(rng, q):
    mu, log_var = q
    x, x_hat, variance = rng.normal(size=(N, D)), rng.normal(size=(L, N, D)), 0.7
    log_lik = scipy_stats.norm(x_hat, np.sqrt(variance)).logpdf(x).sum(axis=-1)
    kl = gauss_hermite(
        lambda z: scipy_log_normal(z, mu, log_var) - scipy_log_normal(z, 0, 0 * z), mu, log_var
    )
    value = elbo.monte_carlo_elbo(x, x_hat, mu, log_var, variance)
    np.testing.assert_allclose(value, log_lik.mean(axis=0) - kl, rtol=1e-12)

    d_elbo = rng.normal(size=N)
    gradients = elbo.monte_carlo_elbo_backward(d_elbo, x, x_hat, mu, log_var, variance)
    f = elbo.monte_carlo_elbo
    assert_gradients(lambda *a: f(x, *a, variance), (x_hat, mu, log_var), d_elbo, gradients)


def test_elbo_estimate_and_its_backward(rng):
    log_lik, kl, d_elbo = rng.normal(size=(L, N)), rng.random(N), rng.normal(size=N)
    expected = [sum(log_lik[draw, i] for draw in range(L)) / L - kl[i] for i in range(N)]
    np.testing.assert_allclose(elbo.elbo_estimate(log_lik, kl), expected, rtol=1e-13)
    gradients = elbo.elbo_estimate_backward(d_elbo, L)
    assert_gradients(elbo.elbo_estimate, (log_lik, kl), d_elbo, gradients)
    with pytest.raises(ValueError, match=r"shape \(5,\): give \(L, n\)"):
        elbo.monte_carlo_reconstruction(log_lik[0])


def test_float32_stays_float32(rng):
    mu, log_var, z = rng.normal(size=(3, N, K)).astype(np.float32)
    x, x_hat = rng.random((2, N, D)).astype(np.float32)
    one = np.ones(N, np.float32)
    outputs = [
        elbo.log_normal(z, mu, log_var),
        elbo.cross_entropy_standard_normal(mu, log_var),
        elbo.negative_entropy(log_var),
        elbo.kl_standard_normal(mu, log_var),
        elbo.reparameterize(mu, log_var, z),
        elbo.gaussian_log_likelihood(x, x_hat, 0.5),
        elbo.bernoulli_log_likelihood(x, x_hat),
        elbo.bernoulli().mean(x_hat),
        elbo.monte_carlo_elbo(x, x_hat[None], mu, log_var, 0.5),
        *elbo.log_normal_backward(one, z, mu, log_var),
        *elbo.kl_standard_normal_backward(one, mu, log_var),
        *elbo.reparameterize_backward(z, log_var, mu),
        elbo.gaussian_log_likelihood_backward(one, x, x_hat, 0.5),
        elbo.bernoulli_log_likelihood_backward(one, x, x_hat),
        elbo.gaussian(np.float64(0.5)).log_prob(x, x_hat),
        elbo.gaussian(np.full(D, 0.5)).log_prob(x, x_hat),
    ]
    assert {output.dtype for output in outputs} == {np.dtype(np.float32)}
