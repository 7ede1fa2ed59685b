"""The affine map, the only layer that mixes features.

Scalar case. a = w x + b, so a changes by w per unit of x, by x per unit of w and by 1 per unit of
b. If the loss changes by d_a per unit of a, the chain rule gives d_x = d_a w, d_w = d_a x, d_b = d_a.

Matrix case. Row i of a is a_io = sum_j x_ij W_jo + b_o. Each sum over a shared index appears in the
derivative as the sum over whatever else touches that entry:

    d_x_ij = sum_o d_a_io W_jo       that is  d_x = d_a W^T
    d_W_jo = sum_i x_ij d_a_io       that is  d_W = x^T d_a
    d_b_o  = sum_i d_a_io            the bias reaches every row
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from vae_np.kernels import accelerated

Rows: TypeAlias = np.ndarray | sparse.csc_matrix | sparse.csc_array
LinearBackward: TypeAlias = Callable[[np.ndarray, Rows, np.ndarray], tuple[Any, Any, Any]]


def dense(x: Rows) -> np.ndarray:
    """Write a batch out as an array, if it is not one."""
    return x if isinstance(x, np.ndarray) else x.toarray()


@accelerated
def linear(x: Rows, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Map each row affinely, a = x W + b [grad-linear].

    Parameters
    ----------
    x
        Shape (n, n_in), dense or CSC.
    W
        Shape (n_in, n_out).
    b
        Shape (n_out,).

    Returns
    -------
    np.ndarray
        a, shape (n, n_out).
    """
    return x @ W + b


def linear_backward(d_a: np.ndarray, x: Rows, W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry the gradient back, d_x = d_a W^T, d_W = x^T d_a, d_b = sum over rows of d_a [grad-linear].

    Parameters
    ----------
    d_a
        Gradient of the loss in a, shape (n, n_out).
    x, W
        What `linear` was given.

    Returns
    -------
    tuple of np.ndarray
        d_x (n, n_in), d_W (n_in, n_out), d_b (n_out,).
    """
    return d_a @ W.T, x.T @ d_a, d_a.sum(axis=0)
