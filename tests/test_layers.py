"""Each layer's backward against the complex step, and its forward against PyTorch."""

import itertools

import numpy as np
import pytest
from oracles import assert_gradients

from vae_np.layers import (
    Block,
    RunningStats,
    batch_norm,
    batch_norm_backward,
    dropout,
    dropout_backward,
    dropout_mask,
    leaky_relu,
    leaky_relu_backward,
    linear,
    linear_backward,
    mlp,
    mlp_backward,
)


def running_stats(rng, n):
    return RunningStats(rng.normal(size=n), rng.uniform(0.5, 2, size=n))


def test_linear_is_the_sum_over_inputs(rng):
    x, W, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
    by_hand = [[sum(x[i, j] * W[j, o] for j in range(3)) + b[o] for o in range(2)] for i in range(4)]
    np.testing.assert_allclose(linear(x, W, b), by_hand, rtol=1e-14)


def test_linear_backward(rng):
    x, W, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
    d_a = rng.normal(size=(4, 2))
    assert_gradients(linear, (x, W, b), d_a, linear_backward(d_a, x, W))


def test_leaky_relu_values_and_the_kink():
    a = np.array([-2.0, -0.0, 0.0, 3.0])
    np.testing.assert_array_equal(leaky_relu(a), [-0.02, 0, 0, 3])
    np.testing.assert_array_equal(leaky_relu_backward(np.ones(4), a), [0.01, 0.01, 0.01, 1])
    np.testing.assert_array_equal(leaky_relu_backward(np.ones(4), a, slope=0.2), [0.2, 0.2, 0.2, 1])


def test_leaky_relu_backward(rng):
    a, d_h = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    assert_gradients(leaky_relu, (a,), d_h, (leaky_relu_backward(d_h, a),))


@pytest.mark.parametrize("train", [True, False])
def test_batch_norm_backward(rng, train):
    a, gamma, beta = rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=3)
    d_h, stats = rng.normal(size=(6, 3)), running_stats(rng, 3)

    def forward(a, gamma, beta):
        return batch_norm(a, gamma, beta, stats, train=train)[0]

    _, cache, _ = batch_norm(a, gamma, beta, stats, train=train)
    assert_gradients(forward, (a, gamma, beta), d_h, batch_norm_backward(d_h, cache))


def test_batch_norm_sums_to_zero_in_training(rng):
    a, gamma = rng.normal(size=(6, 3)), rng.normal(size=3)
    _, cache, _ = batch_norm(a, gamma, np.zeros(3), running_stats(rng, 3))
    d_a, _, _ = batch_norm_backward(rng.normal(size=(6, 3)), cache)
    np.testing.assert_allclose(d_a.sum(axis=0), 0, atol=1e-14)


def test_batch_norm_gives_running_statistics_back_as_new_values(rng):
    a, old = rng.normal(size=(6, 3)), running_stats(rng, 3)
    before = [array.copy() for array in old]
    _, _, new = batch_norm(a, np.ones(3), np.zeros(3), old, momentum=0.25)
    np.testing.assert_array_equal(np.stack(old), np.stack(before))
    np.testing.assert_allclose(new.mean, 0.75 * old.mean + 0.25 * a.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(new.var, 0.75 * old.var + 0.25 * a.var(axis=0, ddof=1), rtol=1e-14)
    _, _, kept = batch_norm(a, np.ones(3), np.zeros(3), old, train=False)
    np.testing.assert_array_equal(np.stack(kept), np.stack(old))


def test_batch_norm_refuses_one_row_in_training():
    one = np.ones((1, 2))
    stats = RunningStats(np.zeros(2), np.ones(2))
    with pytest.raises(ValueError, match="at least two rows, got 1"):
        batch_norm(one, np.ones(2), np.zeros(2), stats)
    h, _, _ = batch_norm(one, np.ones(2), np.zeros(2), stats, epsilon=0.0, train=False)
    np.testing.assert_array_equal(h, one)


def test_batch_norm_equals_pytorch(rng, torch):
    a, d_h = rng.normal(size=(7, 4)), rng.normal(size=(7, 4))
    layer = torch.nn.BatchNorm1d(4, eps=1e-3, momentum=0.01, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(rng.normal(size=4)))
        layer.bias.copy_(torch.tensor(rng.normal(size=4)))
    gamma, beta = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    their_a = torch.tensor(a, requires_grad=True)
    their_h = layer(their_a)
    their_h.backward(torch.tensor(d_h))

    h, cache, stats = batch_norm(a, gamma, beta, RunningStats(np.zeros(4), np.ones(4)))
    d_a, d_gamma, d_beta = batch_norm_backward(d_h, cache)
    pairs = [
        (h, their_h.detach()),
        (stats.mean, layer.running_mean),
        (stats.var, layer.running_var),
        (d_a, their_a.grad),
        (d_gamma, layer.weight.grad),
        (d_beta, layer.bias.grad),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-11, atol=1e-13)


def test_dropout_uses_one_mask_both_ways(rng):
    x, d_h = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    mask = dropout_mask((5, 4), 0.4, rng, np.float64)
    assert 0 < np.count_nonzero(mask) < mask.size
    gradients = (dropout_backward(d_h, mask),)
    assert_gradients(lambda x: dropout(x, mask), (x,), d_h, gradients)


def test_dropout_mask_keeps_the_mean(rng):
    n, p = 100_000, 0.2
    mask = dropout_mask((n,), p, rng, np.float64)
    assert set(np.unique(mask)) == {0, 1 / (1 - p)}
    standard_error = np.sqrt(p / (1 - p) / n)  # the variance of one entry is p / (1 - p)
    assert abs(mask.mean() - 1) < 4.892 * standard_error
    assert dropout_mask((3, 2), p, rng, np.float32).dtype == np.float32


def blocks_of(rng, widths):
    return tuple(
        Block(rng.normal(size=(i, o)), rng.normal(size=o), rng.normal(size=o), rng.normal(size=o))
        for i, o in itertools.pairwise(widths)
    )


@pytest.mark.parametrize("n_blocks", [0, 1, 3])
@pytest.mark.parametrize("with_masks", [True, False])
@pytest.mark.parametrize("train", [True, False])
def test_mlp_backward_every_block(rng, n_blocks, with_masks, train):
    widths = [3, 4, 5, 2][: n_blocks + 1]
    blocks, x = blocks_of(rng, widths), rng.normal(size=(6, 3))
    stats = [running_stats(rng, w) for w in widths[1:]]
    masks = [dropout_mask((6, w), 0.3, rng, np.float64) for w in widths[1:]] if with_masks else None
    d_h = rng.normal(size=(6, widths[-1]))

    def forward(x, *arrays):
        rebuilt = [Block(*arrays[4 * i : 4 * i + 4]) for i in range(n_blocks)]
        return mlp(rebuilt, x, masks, stats, train)[0]

    _, cache, _ = mlp(blocks, x, masks, stats, train)
    d_x, grads = mlp_backward(d_h, cache)
    arrays = tuple(array for block in blocks for array in block)
    gradients = tuple(array for grad in grads for array in grad)
    assert_gradients(forward, (x, *arrays), d_h, (d_x, *gradients))


def test_mlp_counts_its_masks(rng):
    blocks = blocks_of(rng, [3, 4, 5])
    stats = [running_stats(rng, w) for w in (4, 5)]
    with pytest.raises(ValueError, match="shorter"):
        mlp(blocks, rng.normal(size=(6, 3)), [np.ones((6, 4))], stats, train=True)


def test_float32_stays_float32_and_agrees(rng):
    blocks, x = blocks_of(rng, [3, 4]), rng.normal(size=(6, 3))
    stats, d_h = [running_stats(rng, 4)], rng.normal(size=(6, 4))
    mask = [dropout_mask((6, 4), 0.3, rng, np.float64)]

    def run(dtype):
        def cast(part):
            return type(part)(*(array.astype(dtype) for array in part))

        cast_mask = [m.astype(dtype) for m in mask]
        h, cache, new = mlp([cast(blocks[0])], x.astype(dtype), cast_mask, [cast(stats[0])], train=True)
        d_x, grads = mlp_backward(d_h.astype(dtype), cache)
        return [h, d_x, *grads[0], *new[0]]

    for single, double in zip(run(np.float32), run(np.float64), strict=True):
        assert single.dtype == np.float32
        assert double.dtype == np.float64
        # a dozen float32 roundings of 6e-8 on values of order 10
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=2e-5)
