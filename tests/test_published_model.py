"""The default model and optimizer are the published 2.x ones: PyTorch, built from their description, agrees.

Layers, loss and settings as in theislab/scgen 2.1 on scvi-tools (linear, batch norm with eps 1e-3 and
momentum 0.01, leaky ReLU 0.01, dropout; mean of 1/2 SSE + 1/2 * 5e-5 KL; Adam with lr 1e-3, eps 0.01,
coupled weight decay 1e-6), but for our guard on log_var, which is in both.
"""

import inspect

import numpy as np
import pytest

from vae_np import ScGen
from vae_np.bench.published import ADAM, DROPOUT_RATE, KL_WEIGHT, VARIANCE, published_sizes
from vae_np.bench.torch_twin import TorchTwin
from vae_np.layers import dropout_mask
from vae_np.model import Sizes, gaussian, initialize, loss, loss_backward
from vae_np.train import AdamState, adam_step
from vae_np.train.step import train_step

N, SIZES = 12, Sizes(n_genes=20, n_hidden=9, n_latent=4, n_layers=2)
DEFAULTS = ScGen().settings


@pytest.fixture
def twin(torch):
    """Our initial parameters, and the same numbers in PyTorch modules."""
    params, stats = initialize(SIZES, np.random.default_rng(3), np.float64)
    return params, stats, TorchTwin(params, stats)


def in_three_calls(params, stats, state, *noisy):
    """The step as the derivation has it; also returns its gradient."""
    value, cache, stats = loss(params, stats, *noisy, gaussian(DEFAULTS.variance), DEFAULTS.kl_weight)
    grads = loss_backward(cache)
    adam_step(params, grads, state, **ADAM)
    return value, stats, grads


def in_one_pass(params, stats, state, *noisy):
    """The step as training takes it, which keeps no gradient."""
    value, stats = train_step(
        params, stats, state, *noisy, gaussian(DEFAULTS.variance), DEFAULTS.kl_weight, **ADAM
    )
    return value, stats, None


@pytest.mark.parametrize("step", [in_three_calls, in_one_pass])
def test_twenty_steps_of_training_are_the_same(step, twin, rng):
    params, stats, net = twin
    theirs = net.optimizer()
    state = AdamState.zeros_like(params)
    constant = 0.5 * SIZES.n_genes * np.log(2 * np.pi)
    for _ in range(20):
        x, eps = np.abs(rng.normal(size=(N, SIZES.n_genes))), rng.normal(size=(1, N, SIZES.n_latent))
        masks = [dropout_mask((N, SIZES.n_hidden), DEFAULTS.dropout_rate, rng, float) for _ in range(4)]
        value, stats, grads = step(params, stats, state, x, eps, masks)

        theirs.zero_grad()
        their_loss = net.loss(x, eps, masks)
        their_loss.backward()
        np.testing.assert_allclose(value.total.mean() - constant, their_loss.item(), rtol=1e-10)
        if grads is not None:
            scale = np.abs(grads.flat).max()
            np.testing.assert_allclose(grads.flat, net.gradients().flat, atol=1e-10 * scale)
        theirs.step()
    for ours, their in zip(
        (*stats.encoder, *stats.decoder), (*net.stats().encoder, *net.stats().decoder), strict=True
    ):
        np.testing.assert_allclose(ours.mean, their.mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.var, their.var, rtol=1e-9)
    np.testing.assert_allclose(params.flat, net.params().flat, atol=1e-10)


def test_the_kl_of_the_twin_is_that_of_pytorch(torch, rng):
    """In the affine model, whose heads a test can compute by hand."""
    params, stats = initialize(Sizes(6, 1, 3, n_layers=0), rng, float)
    x, eps = rng.normal(size=(5, 6)), rng.normal(size=(1, 5, 3))
    with_kl, without = (TorchTwin(params, stats, kl_weight).loss(x, eps, []) for kl_weight in (1.0, 0.0))
    mu, a = (torch.tensor(x @ head.W + head.b) for head in (params.mu, params.log_var))
    q = torch.distributions.Normal(mu, torch.exp(5 * torch.tanh(a / 10)))
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    kl = torch.distributions.kl_divergence(q, prior).sum(dim=1).mean()
    np.testing.assert_allclose((with_kl - without).item(), kl.item(), rtol=1e-10)


PUBLISHED = {
    ScGen.__init__: {
        "n_hidden": 800,
        "n_latent": 100,
        "n_layers": 2,
        "dropout_rate": 0.2,
        "kl_weight": 2.5e-5,  # their 5e-5 is halved inside
        "variance": 1.0,
    },
    ScGen.fit: {
        "max_epochs": 100,
        "batch_size": 32,
        "train_size": 0.9,
        "early_stopping": True,
        "patience": 25,
        "min_delta": 0,
        "lr": 1e-3,
        "epsilon": 0.01,
        "weight_decay": 1e-6,
        "kl_warmup_epochs": 0,
    },
}


@pytest.mark.parametrize("function", PUBLISHED, ids=lambda function: function.__name__)
def test_the_defaults_are_the_published_settings(function):
    parameters = inspect.signature(function).parameters
    published = PUBLISHED[function]
    assert {name: parameters[name].default for name in published} == published


def test_the_timed_step_has_the_published_settings():
    sizes = published_sizes(7)
    model = sizes._asdict() | {"dropout_rate": DROPOUT_RATE, "kl_weight": KL_WEIGHT, "variance": VARIANCE}
    del model["n_genes"], model["n_conditions"]
    assert model == PUBLISHED[ScGen.__init__]
    assert ADAM.items() <= PUBLISHED[ScGen.fit].items()


def test_the_defaults_of_predict_are_ours():
    """The decoded change, clipped, from types of ten cells; `predictor` says what is published."""
    parameters = inspect.signature(ScGen.predict).parameters
    ours = {"delta_method": "shared", "min_cells": 10, "mode": "change", "clip": True}
    assert {name: parameters[name].default for name in ours} == ours
