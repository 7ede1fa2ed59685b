"""Adam in one pass over memory: twin of `adam_update_in_place`."""

import math

import numpy as np

from vae_np.kernels.jit import jit


@jit
def rates(
    theta: np.ndarray, t: int, lr: float, beta1: float, beta2: float, epsilon: float, weight_decay: float
) -> np.ndarray:
    """Work out the factors of step t in float64 and round them to the dtype of `theta`.

    In the loop over the weights they take the place of divisions, which cost more than all the rest.
    """
    bias1, bias2 = 1.0 - beta1**t, 1.0 - beta2**t
    factors = np.array(
        [beta1, 1.0 - beta1, beta2, 1.0 - beta2, lr / bias1, 1.0 / math.sqrt(bias2), epsilon, weight_decay]
    )
    return factors.astype(theta.dtype)


@jit
def update(theta: np.ndarray, grad: np.ndarray, m: np.ndarray, v: np.ndarray, factors: np.ndarray) -> None:
    """Update vectors with the factors from `rates`."""
    keep1, add1, keep2, add2 = factors[0], factors[1], factors[2], factors[3]
    rate, unbias, small, decay = factors[4], factors[5], factors[6], factors[7]
    for i in range(theta.size):
        g = grad[i] + decay * theta[i]
        m[i] = keep1 * m[i] + add1 * g
        v[i] = keep2 * v[i] + add2 * (g * g)
        theta[i] -= rate * m[i] / (unbias * math.sqrt(v[i]) + small)


@jit
def adam_update_in_place(
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
) -> None:
    """Put what `adam_update` returns in the place of the vectors theta, m and v [adam-step].

    NumPy makes about ten passes over vectors that do not fit in cache; here each weight, its gradient
    and its two moments are read once and written once.
    """
    if not theta.size == grad.size == m.size == v.size:
        raise ValueError("theta, its gradient and the moments differ in length")
    update(theta, grad, m, v, rates(theta, t, lr, beta1, beta2, epsilon, weight_decay))
