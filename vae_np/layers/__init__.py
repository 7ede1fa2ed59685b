"""Layers: each a function of values and, beneath it, its derivative."""

from vae_np.layers.batch_norm import RunningStats, batch_norm, batch_norm_backward
from vae_np.layers.dropout import dropout, dropout_backward, dropout_mask
from vae_np.layers.leaky_relu import leaky_relu, leaky_relu_backward
from vae_np.layers.linear import LinearBackward, Rows, linear, linear_backward
from vae_np.layers.mlp import Block, mlp, mlp_backward

__all__ = [
    "Block",
    "LinearBackward",
    "Rows",
    "RunningStats",
    "batch_norm",
    "batch_norm_backward",
    "dropout",
    "dropout_backward",
    "dropout_mask",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "mlp",
    "mlp_backward",
]
