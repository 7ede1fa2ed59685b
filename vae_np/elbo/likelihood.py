"""What a likelihood is to the model: three functions of the decoder's output, and which x it allows.

`gaussian_likelihood.py` and `bernoulli_likelihood.py` each make one. Another data type (counts, say)
is one more file with a function that returns a `Likelihood`; the model, the training loop and the
gradient tests take it as it is.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


def _any_real_number(values: np.ndarray) -> None:
    """Accept all values."""


class Likelihood(NamedTuple):
    """log p(x|z) as a function of the decoder's output a = decode(z), without an activation.

    Attributes
    ----------
    log_prob
        (x, a) -> log p(x|z) in nats, with x (n, d); a (n, d) gives (n,) and a (L, n, d) gives (L, n).
    backward
        (d_log_prob, x, a) -> d_a, shape of `a`.
    mean
        a -> E[x|z], shape of `a`.
    require_support
        Raises `InputError` if some of the values given to it cannot be data; by default none do.
    """

    log_prob: Callable[[np.ndarray, np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    mean: Callable[[np.ndarray], np.ndarray]
    require_support: Callable[[np.ndarray], None] = _any_real_number
