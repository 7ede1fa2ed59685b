"""Dropout: a random mask multiplies the activations, in training only.

The mask is drawn outside and handed in, so the backward pass meets the same mask, and a gradient
check sees a fixed function. Its entries are 0 with probability p and 1/(1-p) otherwise: the mean is
1, so nothing needs rescaling at inference, where the mask is simply left out.

Scalar case. h = m x, so d_x = m d_h. Matrix case: the same, entry by entry.
"""

import numpy as np


def dropout_mask(
    shape: tuple[int, ...], rate: float, rng: np.random.Generator, dtype: np.dtype | type
) -> np.ndarray:
    """Draw a mask of 0 (probability `rate`) and 1/(1-rate) [grad-dropout].

    Parameters
    ----------
    shape
        Shape of the activations it will meet.
    rate
        Probability of dropping an entry, 0 <= rate < 1.
    rng
        Source of randomness.
    dtype
        Real dtype of the mask.

    Returns
    -------
    np.ndarray
        The mask, of the given shape.
    """
    kept = rng.random(shape, dtype=np.float32) >= np.float32(rate)
    return kept * np.dtype(dtype).type(1 / (1 - rate))


def dropout(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Multiply by the mask, h = x * mask [grad-dropout].

    Parameters
    ----------
    x, mask
        Same shape; `mask` holds 0 or 1/(1-p).

    Returns
    -------
    np.ndarray
        h, shape of `x`.
    """
    return x * mask


def dropout_backward(d_h: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Carry the gradient back through the same mask, d_x = d_h * mask [grad-dropout].

    Parameters
    ----------
    d_h
        Gradient of the loss in h.
    mask
        The mask that `dropout` was given.

    Returns
    -------
    np.ndarray
        d_x, shape of `d_h`.
    """
    return d_h * mask
