"""The nonlinearity: the identity on the positive side, a small slope on the other.

Scalar case. h = a for a > 0 and h = slope * a otherwise, so dh/da is 1 or slope. At a = 0 the two
one-sided derivatives differ; we take slope there, the value on the closed side.

Matrix case. Entry by entry, hence d_a = d_h where a > 0 and slope * d_h elsewhere.

The branch looks at the real part, so a complex step passes through unharmed.
"""

import numpy as np

from vae_np.kernels import accelerated

SLOPE = 0.01


@accelerated
def leaky_relu(a: np.ndarray, slope: float = SLOPE) -> np.ndarray:
    """Bend each entry, h = a if a > 0 else slope * a [grad-leaky-relu].

    Parameters
    ----------
    a
        Any shape.
    slope
        Factor on the negative side; 0.01 is the published model's.

    Returns
    -------
    np.ndarray
        h, shape of `a`.
    """
    return np.where(a.real > 0, a, slope * a)


@accelerated
def leaky_relu_backward(d_h: np.ndarray, a: np.ndarray, slope: float = SLOPE) -> np.ndarray:
    """Carry the gradient back, d_a = d_h if a > 0 else slope * d_h [grad-leaky-relu].

    Parameters
    ----------
    d_h
        Gradient of the loss in h, shape of `a`.
    a, slope
        What `leaky_relu` was given.

    Returns
    -------
    np.ndarray
        d_a, shape of `a`.
    """
    return np.where(a.real > 0, d_h, slope * d_h)
