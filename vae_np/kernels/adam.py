"""Adam's update in one pass over memory: the compiled twin of `vae_np.train.adam.adam_update`."""

import math

import numpy as np

from vae_np.kernels.jit import jit


@jit
def adam_update(
    theta: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Update `theta`, `m` and `v` where they stand and return them [adam-step].

    NumPy makes about ten passes over vectors that do not fit in cache; here each weight, its
    gradient and its two moments are read once and written once. The scalars are rounded to the
    dtype of `theta` before the loop, as NumPy rounds a Python float that meets a float32 array.
    """
    real = theta.dtype.type
    keep1, add1, bias1 = real(beta1), real(1.0 - beta1), real(1.0 - beta1**t)
    keep2, add2, bias2 = real(beta2), real(1.0 - beta2), real(1.0 - beta2**t)
    rate, small, decay = real(lr), real(epsilon), real(weight_decay)
    for i in range(theta.size):
        g = grad[i] + decay * theta[i]
        m[i] = keep1 * m[i] + add1 * g
        v[i] = keep2 * v[i] + add2 * (g * g)
        theta[i] -= rate * (m[i] / bias1) / (math.sqrt(v[i] / bias2) + small)
    return theta, m, v
