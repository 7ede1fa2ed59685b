"""The nonlinearity without NumPy's temporary arrays: twins of `leaky_relu` and `leaky_relu_backward`."""

import numpy as np

from vae_np.kernels.jit import jit

SLOPE = 0.01


@jit
def leaky_relu(a: np.ndarray, slope: float = SLOPE) -> np.ndarray:
    """Bend each entry, h = a if a > 0 else slope * a [grad-leaky-relu]."""
    h, factor = np.empty(a.shape, a.dtype), a.dtype.type(slope)
    flat_h, flat_a = h.reshape(-1), a.ravel()
    for i in range(a.size):
        flat_h[i] = flat_a[i] if flat_a[i] > 0 else factor * flat_a[i]
    return h


@jit
def leaky_relu_backward(d_h: np.ndarray, a: np.ndarray, slope: float = SLOPE) -> np.ndarray:
    """Carry the gradient back, d_a = d_h if a > 0 else slope * d_h [grad-leaky-relu]."""
    if d_h.shape != a.shape:
        raise ValueError("d_h and a differ in shape")
    d_a, factor = np.empty(d_h.shape, d_h.dtype), d_h.dtype.type(slope)
    flat_d_a, flat_d_h, flat_a = d_a.reshape(-1), d_h.ravel(), a.ravel()
    for i in range(a.size):
        flat_d_a[i] = flat_d_h[i] if flat_a[i] > 0 else factor * flat_d_h[i]
    return d_a
