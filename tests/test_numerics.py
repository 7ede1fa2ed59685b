"""Extreme numbers: huge, tiny, constant and empty data, and learning rates that are far too large.

The oracle is mpmath with 50 digits, or an exact value. A sum of n terms is off by at most about n roundings
of the sum of the absolute terms; what is beyond the largest number of a dtype is infinite, never NaN.
"""

import json

import anndata
import mpmath
import numpy as np
import pandas as pd
import pytest
from oracles import assert_gradients
from scipy import sparse, special

import vae_np
from vae_np import ScGen, read_h5ad
from vae_np.data import log_normalize, select_genes
from vae_np.elbo import (
    bernoulli_log_likelihood,
    bernoulli_log_likelihood_backward,
    gaussian_log_likelihood,
    gaussian_log_likelihood_backward,
    iwae,
    iwae_backward,
    kl_standard_normal,
    kl_standard_normal_backward,
)
from vae_np.errors import InputError
from vae_np.evaluate import hold_out, score_held_out
from vae_np.evaluate.metrics import pearson, r_squared
from vae_np.evaluate.summary import averages
from vae_np.layers import RunningStats, batch_norm, batch_norm_backward, leaky_relu, leaky_relu_backward
from vae_np.model import Sizes, evidence, gaussian, initialize
from vae_np.model.heads import guard_log_var, guard_log_var_backward
from vae_np.train import AdamState, DivergedError, NonFiniteLossError, fit, loop
from vae_np.train.adam import adam_update_in_place
from vae_np.train.diagnosis import bad_moment, runaway

mpmath.mp.dps = 50
DTYPES = [np.float32, np.float64]
OVERFLOWS = pytest.mark.filterwarnings("ignore:overflow encountered")  # NumPy says so of a right infinity


@pytest.fixture(params=["numpy", "numba"], autouse=True)
def backend(request):
    """Everything here holds for the plain functions and for their kernels."""
    with vae_np.use(request.param):
        yield request.param


def exact(number):
    """A floating-point number as mpmath has it."""
    return mpmath.mpf(float(number))


def assert_is(got, expected, bound, on_the_way=0):
    """Hold a number to an exact one; infinite is right if that, or a number on the way, is too large."""
    largest = exact(np.finfo(got.dtype).max)
    if np.isinf(got):
        assert (got > 0) == (expected > 0)
        assert max(abs(expected) + bound, on_the_way) >= largest
    else:
        assert abs(exact(got) - expected) <= bound  # NaN is at no distance


# ------------------------------------------------------------------------------- the functions


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("a", [1e-30, -1e-3, 0.0, 9.0, 50.0, -200.0, 1e10, -1e10, np.inf, "max", "min"])
def test_log_var_and_its_derivative_stay_in_range_and_right(dtype, a):
    a = {"max": np.finfo(dtype).max, "min": np.finfo(dtype).min}.get(a, a)
    a = np.array([[a]], dtype)
    log_var = guard_log_var(a)
    slope = guard_log_var_backward(np.ones_like(a), log_var)
    assert log_var.dtype == slope.dtype == dtype
    t = mpmath.tanh(exact(a[0, 0]) / 10)
    eps = exact(np.finfo(dtype).eps)
    assert_is(log_var[0, 0], 10 * t, 8 * eps * abs(10 * t))
    assert_is(slope[0, 0], 1 - t**2, 8 * eps)  # an absolute bound: 1 - t^2 is a difference of numbers near 1
    assert 0 <= slope[0, 0] <= 1


@OVERFLOWS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mu", [0.0, 1e-30, 1.0, 1e15, 1e19, 1e154, 1e200])
@pytest.mark.parametrize("log_var", [-1e4, -10.0, -1e-10, 0.0, 1e-30, 10.0, 88.0, 89.0, 1e3])
def test_kl_is_right_or_infinite(dtype, mu, log_var):
    mu, log_var = np.array([[mu]], dtype), np.array([[log_var]], dtype)
    if not np.isfinite(mu).all():
        return
    m, v = exact(mu[0, 0]), exact(log_var[0, 0])
    terms = m**2 + mpmath.exp(v) + 1 + abs(v)
    eps = exact(np.finfo(dtype).eps)
    # the rounding of exp(v), relative, is |v| eps at most, of the others eps
    bound = (4 + abs(v)) * eps * terms
    assert_is(kl_standard_normal(mu, log_var)[0], (m**2 + mpmath.exp(v) - 1 - v) / 2, bound, terms)
    d_mu, d_log_var = kl_standard_normal_backward(np.ones(1, dtype), mu, log_var)
    assert d_mu == mu
    assert_is(d_log_var[0, 0], mpmath.expm1(v) / 2, bound, terms)


@OVERFLOWS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", [0.0, 1e-38, 1e-30, 1.0, 1e15, 1e19, 1.8e19, 1e30, 1e200])
@pytest.mark.parametrize("variance", [1e-20, 1.0, 1e20])
def test_gaussian_log_likelihood_is_right_or_minus_infinite(dtype, x, variance):
    x = np.array([[x, 0, x]], dtype)
    if not np.isfinite(x).all():
        return
    x_hat = np.zeros_like(x)
    v, squares = exact(dtype(variance)), 2 * exact(x[0, 0]) ** 2
    eps, constant = exact(np.finfo(dtype).eps), 3 * mpmath.log(2 * mpmath.pi * v)
    bound = 16 * eps * (squares / v + abs(constant) + 3 * abs(mpmath.log(v)) + 6)
    expected = -(constant + squares / v) / 2
    assert_is(gaussian_log_likelihood(x, x_hat, variance)[0], expected, bound, max(squares, squares / v))
    d_x_hat = gaussian_log_likelihood_backward(np.ones(1, dtype), x, x_hat, variance)
    assert_is(d_x_hat[0, 0], exact(x[0, 0]) / v, 4 * eps * exact(x[0, 0]) / v + exact(np.finfo(dtype).tiny))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("logit", [0.0, 1e-30, 1.0, 17.0, 100.0, 1e4, 1e30])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
def test_bernoulli_is_right_where_the_probability_is_0_or_1(dtype, logit, sign, x):
    logits, x = np.array([[sign * logit]], dtype), np.array([[x]], dtype)
    a, p = exact(logits[0, 0]), 1 / (1 + mpmath.exp(-exact(logits[0, 0])))
    softplus = mpmath.log(1 + mpmath.exp(a)) if a < 1e5 else a
    bound = 4 * exact(np.finfo(dtype).eps) * (abs(a) + 1)
    assert_is(bernoulli_log_likelihood(x, logits)[0], exact(x[0, 0]) * a - softplus, bound)
    d_logits = bernoulli_log_likelihood_backward(np.ones(1, dtype), x, logits)
    assert_is(d_logits[0, 0], exact(x[0, 0]) - p, 4 * exact(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
def test_leaky_relu_of_zeros_of_both_signs_subnormal_and_infinite_numbers(dtype):
    least, most = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    a = np.array([least, -least, 0.0, -0.0, np.inf, -np.inf, most, -most, -1000 * least], dtype)
    expected = np.where(a > 0, a, dtype(0.01) * a)
    h = leaky_relu(a)
    np.testing.assert_array_equal(h, expected)
    np.testing.assert_array_equal(np.signbit(h), np.signbit(a))
    slope = np.array([1, 0.01, 0.01, 0.01, 1, 0.01, 1, 0.01, 0.01], dtype)
    np.testing.assert_array_equal(leaky_relu_backward(np.ones_like(a), a), slope)


def unit_stats(n, dtype):
    return RunningStats(np.zeros(n, dtype), np.ones(n, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 3, 7, 32, 1000])
def test_a_constant_column_has_variance_0_and_leaves_beta(rng, dtype, n):
    values = np.array([0, 0.1, -1e-40, 1e6 + 0.1, 1e30, -1e37], dtype)
    a, d = np.tile(values, (n, 1)), len(values)
    gamma, beta = rng.normal(size=d).astype(dtype), rng.normal(size=d).astype(dtype)
    h, cache, stats = batch_norm(a, gamma, beta, unit_stats(d, dtype), momentum=1.0)
    np.testing.assert_array_equal(h, np.tile(beta, (n, 1)))
    np.testing.assert_array_equal(stats.mean, values)
    np.testing.assert_array_equal(stats.var, 0)
    d_h = rng.normal(size=a.shape).astype(dtype)
    d_a, d_gamma, _ = batch_norm_backward(d_h, cache)
    # u = 0: the way through the variance is closed, that through the mean is open
    expected = gamma * (d_h - d_h.mean(axis=0, dtype=float)) / np.sqrt(1e-3)
    bound = 4 * (n + 4) * np.finfo(dtype).eps * np.abs(d_h * gamma).max() / np.sqrt(1e-3)
    np.testing.assert_allclose(d_a, expected, rtol=0, atol=bound)
    np.testing.assert_array_equal(d_gamma, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 32, 500])
@pytest.mark.parametrize(("mean", "spread"), [(1e6, 0.5), (-1e4, 1e-2), (0, 1), (1e-3, 1e3), (1e15, 10.0)])
def test_a_large_mean_costs_no_digits_of_the_spread(rng, dtype, n, mean, spread):
    a = (mean + spread * rng.normal(size=(n, 3))).astype(dtype)
    h, cache, stats = batch_norm(a, np.ones(3, dtype), np.zeros(3, dtype), unit_stats(3, dtype), momentum=1.0)
    exactly = a.astype(np.longdouble) - mean  # 64 bits of digits, eleven more than float64
    centered = exactly - exactly.mean(axis=0)
    s = np.sqrt((centered**2).mean(axis=0) + np.longdouble(1e-3))
    u = centered / s
    # a - a[0] and its mean are off by (n + 2) roundings of the largest difference, and so is what follows
    width = np.abs(exactly - exactly[0]).max(axis=0)
    one = (n + 4) * np.finfo(dtype).eps
    np.testing.assert_array_less(np.abs(h - u), 4 * one * (1 + width / s) * (1 + np.abs(u)))
    off = np.abs(stats.mean - mean - exactly.mean(axis=0))
    np.testing.assert_array_less(off, one * width + 2 * np.finfo(dtype).eps * abs(mean) + 1e-30)
    d_h = rng.normal(size=a.shape).astype(dtype)
    d_a = batch_norm_backward(d_h, cache)[0]
    # the sum is that of u times d_gamma / n, and the roundings of n terms
    largest = np.abs(d_h).max() * (1 + np.abs(u).max(axis=0)) ** 2 / s
    np.testing.assert_array_less(
        np.abs(d_a.sum(axis=0, dtype=float)), 8 * n * one * (1 + width / s) * largest
    )


@pytest.mark.parametrize("n", [2, 6])
def test_batch_norm_backward_far_from_zero_agrees_with_the_complex_step(rng, n):
    a, gamma, beta = 1e6 + rng.normal(size=(n, 3)), rng.normal(size=3), rng.normal(size=3)
    a[:, 1] = 1e6  # constant
    d_h, stats = rng.normal(size=(n, 3)), unit_stats(3, float)
    cache = batch_norm(a, gamma, beta, stats)[1]
    forward = lambda *arguments: batch_norm(*arguments, stats)[0]  # noqa: E731
    assert_gradients(forward, (a, gamma, beta), d_h, batch_norm_backward(d_h, cache))


ADAM = (1e-3, 0.9, 0.999, 1e-8, 0.0)  # lr, beta1, beta2, epsilon, weight_decay


@pytest.mark.parametrize("dtype", DTYPES)
def test_adam_leaves_a_weight_without_gradient_and_follows_tiny_and_huge_ones(dtype):
    theta, grad = np.zeros(4, dtype), np.array([0, 1e-30, 1.0, -1e18], dtype)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    adam_update_in_place(theta, grad, m, v, 1, *ADAM)
    # the first step is lr g / (|g| + epsilon), and lr g / epsilon where g^2 vanishes
    expected = [0, -1e-3 * 1e-30 / 1e-8, -1e-3 / (1 + 1e-8), 1e-3]
    np.testing.assert_allclose(theta, expected, rtol=20 * np.finfo(dtype).eps)
    before = theta.copy()
    adam_update_in_place(theta, grad, m, v, 10**9, *ADAM)  # beta^t is 0 by now
    assert np.isfinite([theta, m, v]).all()
    step = 1e-3 * m.astype(float) / (np.sqrt(v.astype(float)) + 1e-8)
    bound = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(theta, before - step, rtol=bound, atol=bound * 1e-3)


@OVERFLOWS
def test_a_squared_gradient_that_overflows_freezes_the_weight_and_is_noticed():
    theta, grad = np.ones(2, np.float32), np.array([1e20, 1.0], np.float32)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t in (1, 2):
        adam_update_in_place(theta, grad, m, v, t, *ADAM)
    assert theta[0] == 1
    assert theta[1] < 1
    assert "v of Adam holds 1 non-finite of 2 values" in bad_moment(AdamState(m, v))
    assert bad_moment(AdamState(m, np.ones(2, np.float32))) is None


def test_log_weights_of_any_size_are_averaged():
    none = -np.inf
    log_w = np.array([[-1e5, -1e5 + 1], [1e5, -1e5], [none, 0.0], [-1e308, none]]).T
    value = iwae(log_w)
    np.testing.assert_allclose(value, special.logsumexp(log_w, axis=0) - np.log(2), rtol=1e-15)
    d_log_w = iwae_backward(np.ones(4), log_w)
    p = 1 / (1 + np.exp(1))
    np.testing.assert_allclose(d_log_w.T, [[p, 1 - p], [1, 0], [0, 1], [1, 0]], rtol=1e-14)


@OVERFLOWS
def test_evidence_of_an_impossible_cell_is_minus_infinity_with_an_infinite_error():
    params, stats = initialize(Sizes(4, 3, 2, 1), np.random.default_rng(0))
    x = np.array([[1, 0, 2, 1], [1e15, 0, 0, 0]], np.float32)
    likelihood = gaussian(1e-290)  # the square over the variance is 1e320
    found = evidence.marginal_log_likelihood(params, stats, x, likelihood, 20, np.random.default_rng(0))
    assert found.value[1] == -np.inf
    assert found.standard_error[1] == np.inf
    assert np.isfinite(found.value[0])
    assert not np.isnan(found.standard_error).any()


# ------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 1e-38, 20.0])
def test_a_constant_profile_has_no_correlation(rng, level):
    a = rng.random(50)
    # means of equal numbers differ by rounding: SciPy would give NaN, or the correlation of that rounding
    for constant in (np.full(50, level), level * (1 + 1e-15 * rng.normal(size=50))):
        assert pearson(a, constant) is None
        assert r_squared(constant, a) is None


@pytest.mark.parametrize("scale", [1e-200, 1e-38, 1.0, 1e38, 1e200])
def test_correlation_does_not_depend_on_the_size_of_the_numbers(rng, scale):
    a = rng.random(50)
    b = a + rng.random(50)
    assert pearson(scale * a, scale * b) == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-12)
    assert pearson(scale * a, scale * a) == pytest.approx(1, rel=1e-14)
    assert pearson(scale * a, scale * a) <= 1


# ------------------------------------------------------------------------------- whole trainings

KEYS = {"condition_key": "condition", "cell_type_key": "cell_type"}
N = 90


def expression(rng, n_genes=6, n=N):
    return np.log1p(rng.poisson(1.5, (n, n_genes)) * rng.uniform(0.5, 2, (n, 1)))


def odd_genes(rng):
    x = expression(rng)
    x[:, 0], x[:, 1] = 0, 1.7
    x[:, 2], x[:, 3] = rng.uniform(0, 1e-38, N), rng.uniform(19, 20, N)
    return x


def empty_cells(rng):
    x = expression(rng)
    x[::4] = 0
    return x


DATA = {
    "odd genes": odd_genes,
    "cells without counts": empty_cells,
    "no counts at all": lambda rng: np.zeros((N, 6)),
    "all cells the same": lambda rng: np.tile(expression(rng, n=1), (N, 1)),
    "one gene": lambda rng: expression(rng, 1),
    "one constant gene": lambda rng: np.full((N, 1), 0.3),
    "subnormal values": lambda rng: 1e-38 * expression(rng),
    "largest logarithms": lambda rng: 20 - 1e-6 * expression(rng),
}


def as_cells(x, n_types=3):
    n = x.shape[0]
    types = [f"type {i % n_types + 1}" for i in range(n)]
    conditions = np.where(np.arange(n) // n_types % 2, "stimulated", "control")
    obs = pd.DataFrame({"condition": conditions, "cell_type": types}, index=[f"cell {i}" for i in range(n)])
    return anndata.AnnData(x, obs=obs, var=pd.DataFrame(index=[f"gene {i}" for i in range(x.shape[1])]))


def assert_finite(*arrays):
    for array in arrays:
        assert np.isfinite(np.asarray(array, float)).all()


@pytest.mark.filterwarnings("ignore:the cell types respond in different directions")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", DATA)
def test_training_prediction_and_scores_of_odd_data_are_finite(rng, name, form, dtype):
    adata = as_cells(form(DATA[name](rng).astype(np.float32)))
    target = "type 2"
    split = hold_out(adata, *KEYS.values(), "stimulated", target)
    model = ScGen(n_hidden=8, n_latent=3, n_layers=1, dtype=dtype, n_threads=1)
    model.fit(split.train, **KEYS, max_epochs=2)
    assert_finite(model.params.flat, model.stats.flat, model.residual_variance, *model.history.values())
    predicted = None
    for how in ({"mode": "sample"}, {"mode": "decode"}, {"delta_method": "scgen"}, {}):
        predicted, shift = model.predict(celltype_to_predict=target, clip=False, **how)
        assert_finite(predicted.X, shift, predicted.uns["vae_np"].get("agreement", 0))
    for over in ("errors", "types", "cells"):
        assert_finite(model.predict_interval(celltype_to_predict=target, over=over, n_samples=5))
    assert_finite(model.elbo(split.train, n_samples=3).value, model.batch_removal(split.train).X)
    for n_components in (2, 100):
        rows = score_held_out(
            predicted,
            split,
            *KEYS.values(),
            "control",
            "stimulated",
            target,
            0,
            n_components=n_components,
        )
        assert {"scgen", "mean_shift", "pca_shift", "no_change", "nearest_type"} <= {r.method for r in rows}
        assert_finite([row.value for row in rows])
        json.dumps([row._asdict() for row in rows] + [averages(rows)], allow_nan=False)


def test_the_affine_model_trains_on_one_gene_of_three_cells(rng):
    x = expression(rng, 1, 3)
    params, stats = initialize(Sizes(1, 1, 1, 0), rng, float)
    trained = fit(params, stats, x, gaussian(), rng=rng, max_epochs=2)
    assert_finite(trained.params.flat, *trained.history.values())


def test_cells_that_overflow_are_refused(rng):
    model = ScGen(n_hidden=8, n_latent=3, n_layers=1).fit(as_cells(expression(rng)), **KEYS, max_epochs=1)
    huge = np.ones((3, 6))
    huge[1] = 3e38
    with pytest.raises(InputError, match="the latents of 1 of 3 cells overflow float32: log-normalized"):
        model.encode(huge * np.where(np.arange(6) % 2, 1, -1))
    with pytest.raises(InputError, match="the decoded values of 2 of 2 cells overflow float32"):
        model.decode(np.full((2, 3), 3e38))
    with pytest.raises(InputError, match="1 of 3 cells overflow float32"):
        model.elbo(huge * np.where(np.arange(6) % 2, 1, -1))


# ------------------------------------------------------------------------------- divergence


def train(rng, dtype, n_layers=1, scale=1.0, **settings):
    params, stats = initialize(Sizes(6, 8, 2, n_layers), rng, dtype)
    x = scale * expression(rng)
    settings = {"max_epochs": 40, "kl_weight": 2.5e-5, "likelihood": gaussian()} | settings
    return fit(params, stats, x, rng=rng, **settings), params


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_layers", [0, 1, 2])
@pytest.mark.parametrize("lr", [1e3, 1e6, 1e19, 1e37])
def test_a_learning_rate_that_diverges_is_stopped_with_a_diagnosis(dtype, n_layers, lr):
    with pytest.raises(DivergedError) as caught:
        train(np.random.default_rng(0), dtype, n_layers, lr=lr)
    message, trained = str(caught.value), caught.value.trained
    assert "training stopped in epoch 1: " in message
    assert f"try a smaller lr than {lr:g}" in message
    assert_finite(trained.params.flat, trained.stats.flat)
    if not isinstance(caught.value, NonFiniteLossError):  # finite, and absurd
        assert "nats per cell, and was" in message


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_large_learning_rate_that_still_learns_is_left_alone(dtype):
    trained, _ = train(np.random.default_rng(0), dtype, lr=0.1)
    assert len(trained.history["train_total"]) > 1
    assert trained.history["train_total"].min() < trained.history["train_total"][0]


def test_a_loss_is_absurd_from_a_million_times_the_first_one():
    record = {"train_total": 5.0, "validation_total": 3e7}
    assert runaway(record, 30.0) is None
    assert "the validation loss is 3.1e+07" in runaway(record | {"validation_total": 3.1e7}, 30.0)
    assert "the train loss is 3.1e+07" in runaway(record | {"train_total": 3.1e7}, 30.0)
    assert runaway({"train_total": 9e5}, 1e-9) is None  # at least a nat is taken for the first loss
    assert runaway({"train_total": -1e9}, -1.0) is None  # a log density may be large


@pytest.mark.parametrize("dtype", DTYPES)
def test_data_or_a_variance_out_of_range_are_told_from_a_learning_rate(dtype):
    scale = float(np.finfo(dtype).max) / 100
    with pytest.raises(NonFiniteLossError, match="training cannot start: in validation, kl is not finite"):
        train(np.random.default_rng(0), dtype, scale=scale)
    smallest = gaussian(float(np.finfo(dtype).tiny) / 10)
    with pytest.raises(NonFiniteLossError, match="training cannot start: in validation, reconstruction"):
        train(np.random.default_rng(0), dtype, likelihood=smallest)


def test_gradients_whose_squares_overflow_stop_training():
    with pytest.raises(NonFiniteLossError, match=r"v of Adam holds .* squared gradients overflow"):
        train(np.random.default_rng(0), np.float32, likelihood=gaussian(1e-22))
    train(np.random.default_rng(0), np.float64, likelihood=gaussian(1e-22), max_epochs=1)


@pytest.mark.parametrize("name", ["lr", "epsilon", "weight_decay", "kl_weight"])
@pytest.mark.parametrize("value", [1e39, 1e-39])
def test_a_setting_that_float32_cannot_hold_is_refused(name, value):
    with pytest.raises(InputError, match=f"{name} is 1e.39: float32 has numbers from 1.2e-38 to 3.4e.38"):
        train(np.random.default_rng(0), np.float32, **{name: value})
    if name == "epsilon":
        train(np.random.default_rng(0), np.float64, **{name: value}, max_epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{}, {"kl_weight": 1.0}, {"n_layers": 0}, {"n_layers": 1, "lr": 0.02}, {"epsilon": 1e-8}],
    ids=str,
)
def test_ordinary_trainings_on_real_cells_are_far_from_the_alarm(real_data, settings, monkeypatch, backend):
    seen = []
    monkeypatch.setattr(
        loop, "runaway", lambda record, untrained: seen.append(max(record.values()) / abs(untrained))
    )
    cells = log_normalize(read_h5ad(real_data / "kang_pbmc_small.h5ad"))
    cells = cells[:, select_genes(cells, 500)].copy()
    model = {name: settings[name] for name in settings if name in ("kl_weight", "n_layers")}
    training = {name: settings[name] for name in settings if name not in model}
    ScGen(n_hidden=200, **model).fit(cells, **KEYS, max_epochs=5, progress=False, **training)
    print(f"{settings}: at most {max(seen):.3g} times the loss before training")
    assert max(seen) < 1e3  # the alarm is at 1e6
