"""A stack of equal blocks: linear -> batch norm -> leaky ReLU -> dropout, any number of them, or none.

Scalar case. h = f_m(... f_2(f_1(x))), so dh/dx is the product of the f_i' along the way. Forward
keeps what each factor needs; backward multiplies the factors from the last to the first.

Matrix case. The same walk, each factor being the `_backward` of a layer.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vae_np.layers.batch_norm import (
    BatchNormCache,
    RunningStats,
    batch_norm,
    batch_norm_backward,
)
from vae_np.layers.dropout import dropout, dropout_backward
from vae_np.layers.leaky_relu import leaky_relu, leaky_relu_backward
from vae_np.layers.linear import LinearBackward, Rows, linear, linear_backward


class Block(NamedTuple):
    """Parameters of one block, or their gradients: W (n_in, n_out); b, gamma, beta (n_out,)."""

    W: np.ndarray
    b: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray


class BlockCache(NamedTuple):
    """What one block's backward needs: its input, W, the batch-norm cache and output, the mask."""

    x: Rows
    W: np.ndarray
    batch_norm: BatchNormCache
    normalized: np.ndarray
    mask: np.ndarray | None


def mlp(
    blocks: Sequence[Block],
    x: Rows,
    masks: Sequence[np.ndarray] | None,
    stats: Sequence[RunningStats],
    train: bool,
) -> tuple[np.ndarray, tuple[BlockCache, ...], tuple[RunningStats, ...]]:
    """Apply the blocks in order; with no block, h = x.

    Parameters
    ----------
    blocks
        Parameters of each block.
    x
        Shape (n, n_in), dense or CSC.
    masks
        One dropout mask a block, shape (n, n_out); None leaves dropout out.
    stats
        Running statistics of each block's batch norm.
    train
        Whether batch norm uses the batch's own statistics.

    Returns
    -------
    tuple
        h (n, n_out), the caches for `mlp_backward`, the new running statistics.

    Raises
    ------
    ValueError
        If the numbers of blocks, masks and statistics differ.
    """
    h: Any = x
    caches: list[BlockCache] = []
    new_stats: list[RunningStats] = []
    masks_or_none = [None] * len(blocks) if masks is None else masks
    for block, mask, block_stats in zip(blocks, masks_or_none, stats, strict=True):
        a = linear(h, block.W, block.b)
        normalized, norm_cache, updated = batch_norm(a, block.gamma, block.beta, block_stats, train=train)
        caches.append(BlockCache(h, block.W, norm_cache, normalized, mask))
        new_stats.append(updated)
        h = leaky_relu(normalized)
        if mask is not None:
            h = dropout(h, mask)
    return h, tuple(caches), tuple(new_stats)


def mlp_backward(
    d_h: np.ndarray, cache: Sequence[BlockCache], linear_backward: LinearBackward = linear_backward
) -> tuple[np.ndarray, tuple[Block, ...]]:
    """Walk the blocks from the last to the first.

    Parameters
    ----------
    d_h
        Gradient of the loss in h, shape (n, n_out).
    cache
        From `mlp`.
    linear_backward
        What to do at a linear layer; training has a form that updates W on the way.

    Returns
    -------
    tuple
        d_x (n, n_in) and the gradients of the blocks, in the order of the blocks.
    """
    grads: list[Block] = []
    for block in reversed(cache):
        if block.mask is not None:
            d_h = dropout_backward(d_h, block.mask)
        d_normalized = leaky_relu_backward(d_h, block.normalized)
        d_a, d_gamma, d_beta = batch_norm_backward(d_normalized, block.batch_norm)
        d_h, d_W, d_b = linear_backward(d_a, block.x, block.W)
        grads.append(Block(d_W, d_b, d_gamma, d_beta))
    return d_h, tuple(reversed(grads))
