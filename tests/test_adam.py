"""Adam against closed forms and against PyTorch."""

import numpy as np
import pytest

import vae_np
from vae_np.model import Params, Sizes
from vae_np.train import AdamState, adam_bias, adam_moments, adam_step, adam_update

SIZES = Sizes(6, 5, 3, 1)


def params_of(rng, dtype=np.float64):
    return Params(SIZES, rng.normal(size=SIZES.n_params).astype(dtype))


def test_first_step_is_lr_times_the_sign_of_the_gradient(rng):
    params, grads = params_of(rng), params_of(rng)
    before = params.flat.copy()
    adam_step(params, grads, AdamState.zeros_like(params), lr=0.01, epsilon=0.5)
    # m_hat = g and sqrt(v_hat) = |g| exactly, whatever the betas
    expected = before - 0.01 * grads.flat / (np.abs(grads.flat) + 0.5)
    np.testing.assert_allclose(params.flat, expected, rtol=1e-13)


def test_constant_gradient_is_estimated_without_bias_at_every_step():
    g, m, v = np.array([3.0, -0.2]), np.zeros(2), np.zeros(2)
    for t in range(1, 40):
        m, v = adam_moments(g, m, v, 0.9, 0.999)
        m_hat, v_hat = adam_bias(m, v, t, 0.9, 0.999)
        np.testing.assert_allclose(m_hat, g, rtol=1e-12)
        np.testing.assert_allclose(v_hat, g**2, rtol=1e-12)


def test_second_step_by_hand():
    """With g = 1, then -2: m = .09 - .2 = -.11 over 1 - .81, v = .000999 + .004 over 1 - .999^2."""
    theta = np.array([1.0])
    theta, m, v = adam_update(theta, np.array([1.0]), np.zeros(1), np.zeros(1), 1, lr=0.1)
    theta, m, v = adam_update(theta, np.array([-2.0]), m, v, 2, lr=0.1)
    first = 0.1 * 1 / (1 + 1e-8)
    second = 0.1 * (-0.11 / 0.19) / (np.sqrt(0.004999 / 0.001999) + 1e-8)
    np.testing.assert_allclose(theta, 1 - first - second, rtol=1e-13)


def test_the_defaults_of_a_step_are_the_papers():
    """The two steps by hand again, with lr 1e-3, betas 0.9 and 0.999 and epsilon 1e-8 left unsaid."""
    params = Params(SIZES, np.ones(SIZES.n_params))
    state = AdamState.zeros_like(params)
    for g in (1.0, -2.0):
        adam_step(params, Params(SIZES, np.full(SIZES.n_params, g)), state)
    first = 1e-3 * 1 / (1 + 1e-8)
    second = 1e-3 * (-0.11 / 0.19) / (np.sqrt(0.004999 / 0.001999) + 1e-8)
    np.testing.assert_allclose(params.flat, 1 - first - second, rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.03])
def test_equals_pytorch(rng, torch, backend, weight_decay):
    params = params_of(rng)
    theirs = torch.tensor(params.flat.copy(), requires_grad=True)
    settings = {"lr": 0.02, "weight_decay": weight_decay}
    optimizer = torch.optim.Adam([theirs], eps=0.01, betas=(0.8, 0.99), **settings)
    state = AdamState.zeros_like(params)
    for _ in range(30):
        grads = params_of(rng)
        theirs.grad = torch.tensor(grads.flat.copy())
        optimizer.step()
        with vae_np.use(backend):
            adam_step(params, grads, state, beta1=0.8, beta2=0.99, epsilon=0.01, **settings)
    assert state.t == 30
    np.testing.assert_allclose(params.flat, theirs.detach().numpy(), rtol=1e-11, atol=1e-13)


def test_step_is_in_place_and_returns_its_arguments(rng):
    params, grads = params_of(rng), params_of(rng)
    state, flat, untouched = AdamState.zeros_like(params), params.flat, grads.flat.copy()
    assert adam_step(params, grads, state) == (params, state)
    assert params.flat is flat
    np.testing.assert_array_equal(grads.flat, untouched)
