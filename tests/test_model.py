"""The whole model: every parameter block against the complex step, the loss against its definition."""

import math

import numpy as np
import pytest
from oracles import STEP, assert_gradients
from scipy import stats as scipy_stats

from vae_np.elbo import Likelihood
from vae_np.layers import dropout_mask
from vae_np.model import (
    Params,
    Sizes,
    Stats,
    bernoulli,
    decode,
    encode,
    gaussian,
    initialize,
    loss,
    loss_backward,
)
from vae_np.model.heads import guard_log_var, guard_log_var_backward
from vae_np.model.inference import expectation, residual_variance

N, D, H, K = 6, 5, 4, 3


def laplace():
    """A third likelihood, as a user would write it: p(x|a) = exp(-|x - a|) / 2."""

    def log_prob(x, a):
        distance = np.where((x - a).real > 0, x - a, a - x)
        return -(distance + math.log(2)).sum(axis=-1)

    def backward(d_log_prob, x, a):
        return d_log_prob[..., None] * np.sign((x - a).real)

    return Likelihood(log_prob, backward, lambda a: a)


LIKELIHOODS = {"gaussian": gaussian(0.7), "bernoulli": bernoulli(), "laplace": laplace()}


def problem(rng, n_layers, n_draws, with_masks, dtype=np.float64):
    """A small model at a generic point, with data in (0, 1) that both likelihoods accept."""
    sizes = Sizes(D, H, K, n_layers)
    params, stats = initialize(sizes, rng, np.float64)
    params.flat[:] += rng.normal(scale=0.3, size=params.flat.shape)
    stats.flat[:] = rng.uniform(0.5, 2, size=stats.flat.shape)
    x, eps = rng.random((N, D)), rng.normal(size=(n_draws, N, K))
    rows = [N] * n_layers + [n_draws * N] * n_layers
    masks = tuple(dropout_mask((r, H), 0.3, rng, dtype) for r in rows) if with_masks else None
    params = Params(sizes, params.flat.astype(dtype))
    stats = Stats(sizes, stats.flat.astype(dtype))
    return params, stats, x.astype(dtype), eps.astype(dtype), masks


def complex_step_gradient(params, value):
    """Derivative d value / d theta for every entry of the flat vector."""
    gradient = np.empty(params.flat.size)
    for i in range(params.flat.size):
        flat = params.flat.astype(complex)
        flat[i] += 1j * STEP
        gradient[i] = value(Params(params.sizes, flat)).imag / STEP
    return Params(params.sizes, gradient)


@pytest.mark.parametrize("n_layers", [0, 1, 2])
@pytest.mark.parametrize("n_draws", [1, 3])
@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("with_masks", [True, False])
def test_gradient_of_every_parameter(rng, n_layers, n_draws, likelihood, train, with_masks):
    params, stats, x, eps, masks = problem(rng, n_layers, n_draws, with_masks)

    def value(params):
        return loss(params, stats, x, eps, masks, likelihood, 0.6, train)[0].total.mean()

    _, cache, _ = loss(params, stats, x, eps, masks, likelihood, 0.6, train)
    grads = loss_backward(cache)
    expected = complex_step_gradient(params, value)
    scale = np.abs(expected.flat).max()
    for (name, ours), (_, theirs) in zip(grads.named(), expected.named(), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-12 * scale, name


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_taylor_remainder_falls_with_the_square_of_the_step(rng, likelihood):
    params, stats, x, eps, masks = problem(rng, 2, 2, with_masks=True)

    def value(flat):
        inputs = (Params(params.sizes, flat), stats, x, eps, masks, likelihood)
        return loss(*inputs)[0].total.mean()

    gradient = loss_backward(loss(params, stats, x, eps, masks, likelihood)[1]).flat
    direction = rng.normal(size=gradient.shape)
    steps = 1e-4 / 2.0 ** np.arange(4)
    remainders = [
        abs(value(params.flat + s * direction) - value(params.flat) - s * gradient @ direction) for s in steps
    ]
    slopes = np.diff(np.log(remainders)) / np.diff(np.log(steps))
    assert slopes.min() > 1.9


def test_loss_is_minus_the_monte_carlo_elbo_by_its_definition(rng):
    params, stats, x, eps, _ = problem(rng, 1, 3, with_masks=False)
    value, _, _ = loss(params, stats, x, eps, None, gaussian(0.7), kl_weight=0.25, train=False)
    mu, log_var, _, _ = encode(params, stats, x)
    by_cell = []
    for i in range(N):
        draws = mu[i] + np.exp(log_var[i] / 2) * eps[:, i]
        x_hat, _, _ = decode(params, stats, draws)
        log_lik = scipy_stats.multivariate_normal(np.zeros(D), 0.7 * np.eye(D)).logpdf(x[i] - x_hat)
        kl = sum(0.5 * (m**2 + np.exp(v) - 1 - v) for m, v in zip(mu[i], log_var[i], strict=True))
        by_cell.append((-log_lik.mean() + 0.25 * kl, -log_lik.mean(), kl))
    np.testing.assert_allclose(np.stack(value, axis=1), by_cell, rtol=1e-12)


@pytest.mark.parametrize("shape", [(N, K), (2, 1, K), (2, N, K + 1)])
def test_noise_of_another_shape_is_refused(rng, shape):
    params, stats, x, _, _ = problem(rng, 1, 1, with_masks=False)
    with pytest.raises(ValueError, match=r"give \(L, 6, 3\)"):
        loss(params, stats, x, rng.normal(size=shape), None)


def test_defaults_are_the_textbook_elbo(rng):
    params, stats, x, eps, _ = problem(rng, 1, 1, with_masks=False)
    plain = loss(params, stats, x, eps, None)[0]
    spelled = loss(params, stats, x, eps, None, gaussian(1.0), 1.0, True)[0]
    np.testing.assert_array_equal(plain.total, spelled.total)
    np.testing.assert_array_equal(plain.total, plain.reconstruction + plain.kl)


def test_decoder_batch_norm_sees_all_draws_at_once(rng):
    params, stats, x, eps, _ = problem(rng, 1, 3, with_masks=False)
    _, cache, new_stats = loss(params, stats, x, eps, None)
    a = cache.z.reshape(-1, K) @ params.decoder[0].W + params.decoder[0].b
    expected = 0.99 * stats.decoder[0].var + 0.01 * a.var(axis=0, ddof=1)
    np.testing.assert_allclose(new_stats.decoder[0].var, expected, rtol=1e-13)


def test_forward_and_backward_leave_their_inputs_alone(rng):
    params, stats, x, eps, masks = problem(rng, 2, 2, with_masks=True)
    inputs = [params.flat, stats.flat, x, eps, *masks]
    before = [array.copy() for array in inputs]
    _, cache, _ = loss(params, stats, x, eps, masks)
    first, second = loss_backward(cache), loss_backward(cache)
    np.testing.assert_array_equal(first.flat, second.flat)
    for array, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_float32_agrees_with_float64(likelihood):
    outputs = []
    for dtype in (np.float32, np.float64):
        inputs = problem(np.random.default_rng(3), 2, 2, with_masks=True, dtype=dtype)
        value, cache, stats = loss(*inputs, likelihood, kl_weight=np.float64(0.5))
        outputs.append([*value, loss_backward(cache).flat, stats.flat])
    for single, double in zip(*outputs, strict=True):
        assert single.dtype == np.float32
        # some 50 float32 roundings (6e-8 each) one after the other through two batch norms
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4 * np.abs(double).max())


def test_log_var_guard_is_bounded_and_its_backward_right(rng):
    a = rng.normal(scale=8, size=(4, 3))
    d_log_var = rng.normal(size=(4, 3))
    gradients = (guard_log_var_backward(d_log_var, guard_log_var(a)),)
    assert_gradients(guard_log_var, (a,), d_log_var, gradients)
    assert np.abs(guard_log_var(np.array([-1e30, 1e30]))).max() <= 10
    small = np.array([1e-3])
    np.testing.assert_allclose(guard_log_var(small), small, rtol=1e-8)  # a - a^3/300


def test_expectation_applies_the_likelihoods_mean(rng):
    params, stats, *_ = problem(rng, 1, 1, with_masks=False)
    z = rng.normal(size=(N, K))
    logits, _, _ = decode(params, stats, z)
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(expectation(params, stats, z, bernoulli()), expected, rtol=1e-12)


def test_residual_variance_is_over_the_given_cells(rng):
    params, stats, *_ = problem(rng, 1, 1, with_masks=False)
    x, chosen = rng.normal(size=(2500, D)), rng.permutation(2500)[:1500]  # more than one chunk
    x_hat, _, _ = decode(params, stats, encode(params, stats, x[chosen])[0])
    ours = residual_variance(params, stats, x, chosen, gaussian())
    np.testing.assert_allclose(ours, ((x[chosen] - x_hat) ** 2).mean(axis=0), rtol=1e-12)
