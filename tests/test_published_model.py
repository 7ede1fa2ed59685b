"""The default model and optimizer are the published 2.x ones: PyTorch, built from their description, agrees.

Layers, loss and settings as in theislab/scgen 2.1 on scvi-tools (linear, batch norm with eps 1e-3 and
momentum 0.01, leaky ReLU 0.01, dropout; mean of 1/2 SSE + 1/2 * 5e-5 KL; Adam with lr 1e-3, eps 0.01,
coupled weight decay 1e-6), but for our guard on log_var, which is in both.
"""

import inspect

import numpy as np
import pytest

from vae_np import ScGen
from vae_np.layers import dropout_mask
from vae_np.model import Sizes, gaussian, initialize, loss, loss_backward
from vae_np.train import AdamState, adam_step

N, SIZES = 12, Sizes(n_genes=20, n_hidden=9, n_latent=4, n_layers=2)
DEFAULTS = ScGen().settings


@pytest.fixture
def twin(torch):
    """Our initial parameters, and the same numbers in PyTorch modules."""
    params, stats = initialize(SIZES, np.random.default_rng(3), np.float64)

    def linear(part):
        n_in, n_out = part.W.shape
        layer = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(part.W.T.copy()), torch.tensor(part.b.copy())
        return layer

    def block(part):
        norm = torch.nn.BatchNorm1d(len(part.b), eps=1e-3, momentum=0.01, dtype=torch.float64)
        return torch.nn.ModuleList([linear(part), norm, torch.nn.LeakyReLU()])

    net = torch.nn.ModuleDict(
        {
            "encoder": torch.nn.ModuleList(map(block, params.encoder)),
            "mu": linear(params.mu),
            "log_var": linear(params.log_var),
            "decoder": torch.nn.ModuleList(map(block, params.decoder)),
            "output": linear(params.output),
        }
    )
    return params, stats, net


def run(net, torch, x, eps, masks):
    """The published loss of a batch, with given noise."""

    def stack(blocks, h, masks):
        for (linear, norm, activation), mask in zip(blocks, masks, strict=True):
            h = activation(norm(linear(h))) * torch.tensor(mask)
        return h

    h = stack(net["encoder"], torch.tensor(x), masks[:2])
    mu, log_var = net["mu"](h), 10 * torch.tanh(net["log_var"](h) / 10)
    q = torch.distributions.Normal(mu, torch.exp(log_var / 2))
    z = mu + q.scale * torch.tensor(eps)
    x_hat = net["output"](stack(net["decoder"], z, masks[2:]))
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    kl = torch.distributions.kl_divergence(q, prior).sum(dim=1)
    return (0.5 * ((torch.tensor(x) - x_hat) ** 2).sum(dim=1) + 0.5 * 5e-5 * kl).mean()


def in_our_order(net):
    """Gradients of the PyTorch modules as one vector, in the order of `Params.named`."""

    def parts():
        for name in ("encoder", "mu", "log_var", "decoder", "output"):
            blocks = net[name] if name in ("encoder", "decoder") else [[net[name]]]
            for block in blocks:
                for layer in block[:2]:
                    weight, bias = layer.weight.grad, layer.bias.grad
                    yield from ((weight.T if weight.ndim == 2 else weight).ravel(), bias)

    return np.concatenate([part.numpy() for part in parts()])


def test_twenty_steps_of_training_are_the_same(twin, torch, rng):
    params, stats, net = twin
    theirs = torch.optim.Adam(net.parameters(), lr=1e-3, eps=0.01, weight_decay=1e-6)
    state = AdamState.zeros_like(params)
    likelihood = gaussian(DEFAULTS.variance)
    constant = 0.5 * SIZES.n_genes * np.log(2 * np.pi)
    for _ in range(20):
        x, eps = np.abs(rng.normal(size=(N, SIZES.n_genes))), rng.normal(size=(1, N, SIZES.n_latent))
        masks = [dropout_mask((N, SIZES.n_hidden), DEFAULTS.dropout_rate, rng, float) for _ in range(4)]
        value, cache, stats = loss(params, stats, x, eps, masks, likelihood, DEFAULTS.kl_weight)
        grads = loss_backward(cache)
        adam_step(params, grads, state, lr=1e-3, epsilon=0.01, weight_decay=1e-6)

        theirs.zero_grad()
        their_loss = run(net, torch, x, eps[0], masks)
        their_loss.backward()
        np.testing.assert_allclose(value.total.mean() - constant, their_loss.item(), rtol=1e-10)
        scale = np.abs(grads.flat).max()
        ours = np.concatenate([gradient.ravel() for _, gradient in grads.named()])
        np.testing.assert_allclose(ours, in_our_order(net), atol=1e-10 * scale)
        theirs.step()
    norms = [block[1] for name in ("encoder", "decoder") for block in net[name]]
    for ours, norm in zip((*stats.encoder, *stats.decoder), norms, strict=True):
        np.testing.assert_allclose(ours.mean, norm.running_mean.numpy(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.var, norm.running_var.numpy(), rtol=1e-9)
    np.testing.assert_allclose(params.output.W.T, net["output"].weight.detach().numpy(), atol=1e-10)


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


def test_the_defaults_of_predict_are_ours():
    """The decoded change, clipped, from types of ten cells; `predictor` says what is published."""
    parameters = inspect.signature(ScGen.predict).parameters
    ours = {"delta_method": "shared", "min_cells": 10, "mode": "change", "clip": True}
    assert {name: parameters[name].default for name in ours} == ours
