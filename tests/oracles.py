"""Independent routes to a derivative, shared by the tests."""

from collections.abc import Callable

import numpy as np

from vae_np.verify.judges import STEP, complex_step

__all__ = ["STEP", "assert_gradients", "complex_step"]


def assert_gradients(
    f: Callable[..., np.ndarray], arguments: tuple, d_out: np.ndarray, gradients: tuple
) -> float:
    """Hold each gradient to the complex step within 1e-12 of the largest entry of all of them.

    The two differ by rounding only: a few hundred additions at 1.1e-16 relative each, observed
    below 1e-15; 1e-12 leaves room for longer sums and no room for a wrong term.
    """
    expected = [complex_step(f, arguments, i, d_out) for i in range(len(gradients))]
    scale = max(np.abs(e).max() for e in expected)
    worst = max(np.abs(g - e).max() for g, e in zip(gradients, expected, strict=True)) / scale
    assert worst < 1e-12
    return worst
