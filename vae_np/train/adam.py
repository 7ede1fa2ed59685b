"""Adam: gradient descent with a step size for each weight, from running moments of its gradient.

Scalar case. m and v are exponential averages of g and g^2 that start at 0. After t steps the weights
in m sum to (1 - beta1) (1 + beta1 + ... + beta1^(t-1)) = 1 - beta1^t < 1, so m is too small by just
that factor and m / (1 - beta1^t) is an honest average; likewise v. The step is

    theta <- theta - lr * m_hat / (sqrt(v_hat) + epsilon)

with epsilon *outside* the root. At t = 1, m_hat = g and v_hat = g^2: the first step is about
lr * sign(g), whatever the size of g.

Full case. The same for every entry of the flat parameter vector, in one pass.

Weight decay is coupled, as published: g = grad + weight_decay * theta enters the moments.

Source: Kingma and Ba 2015 (arXiv:1412.6980), algorithm 1.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from vae_np.kernels import accelerated
from vae_np.model.params import Params


@dataclass
class AdamState:
    """The two moments, shape (P,), and the number of steps taken."""

    m: np.ndarray
    v: np.ndarray
    t: int = 0

    @classmethod
    def zeros_like(cls, params: Params) -> Self:
        """Return the state before the first step."""
        return cls(np.zeros_like(params.flat), np.zeros_like(params.flat))


def adam_moments(
    grad: np.ndarray, m: np.ndarray, v: np.ndarray, beta1: float = 0.9, beta2: float = 0.999
) -> tuple[np.ndarray, np.ndarray]:
    """Update the running moments [adam-moments].

    m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2

    Parameters
    ----------
    grad, m, v
        Same shape.
    beta1, beta2
        Decay rates in [0, 1).

    Returns
    -------
    tuple of np.ndarray
        The new m and v.
    """
    return beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * (grad * grad)


def adam_bias(
    m: np.ndarray, v: np.ndarray, t: int, beta1: float = 0.9, beta2: float = 0.999
) -> tuple[np.ndarray, np.ndarray]:
    """Undo the pull towards the zero start, m_hat = m/(1 - beta1^t), v_hat = v/(1 - beta2^t) [adam-bias].

    Parameters
    ----------
    m, v
        Moments after step t, same shape.
    t
        Counts from 1.
    beta1, beta2
        Decay rates in [0, 1).

    Returns
    -------
    tuple of np.ndarray
        m_hat and v_hat.
    """
    return m / (1 - beta1**t), v / (1 - beta2**t)


def adam_update(
    theta: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take step t, theta <- theta - lr m_hat / (sqrt(v_hat) + epsilon) [adam-step].

    Parameters
    ----------
    theta, grad, m, v
        Same shape.
    t
        Counts from 1.
    lr, beta1, beta2, epsilon
        Step size, decay rates, the small constant outside the root.
    weight_decay
        Coupled L2: weight_decay * theta is added to the gradient first.

    Returns
    -------
    tuple of np.ndarray
        The new theta, m and v.
    """
    grad = grad + weight_decay * theta
    m, v = adam_moments(grad, m, v, beta1, beta2)
    m_hat, v_hat = adam_bias(m, v, t, beta1, beta2)
    return theta - lr * m_hat / (np.sqrt(v_hat) + epsilon), m, v


@accelerated
def adam_update_in_place(
    theta: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    *settings: Any,  # noqa: ANN401 - numbers
) -> None:
    """Put what `adam_update` returns in the place of theta, m and v [adam-step].

    Parameters
    ----------
    theta, grad, m, v
        Vectors of one length.
    settings
        t, lr, beta1, beta2, epsilon, weight_decay, as in `adam_update`.
    """
    theta[:], m[:], v[:] = adam_update(theta, grad, m, v, *settings)


def adam_step(
    params: Params,
    grads: Params,
    state: AdamState,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Params, AdamState]:
    """Update the parameters and the state in place, by the formula of `adam_update` [adam-step].

    Parameters
    ----------
    params, grads
        Parameters and their gradient.
    state
        From `AdamState.zeros_like(params)` before the first step.
    lr, beta1, beta2, epsilon, weight_decay
        As in `adam_update`.

    Returns
    -------
    tuple
        `params` and `state`, the objects that were given.
    """
    state.t += 1
    settings = state.t, lr, beta1, beta2, epsilon, weight_decay
    adam_update_in_place(params.flat, grads.flat, state.m, state.v, *settings)
    return params, state
