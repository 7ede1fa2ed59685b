"""Adam's two moments and its steps for one weight whose gradients are noisy around a constant."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from vae_np.plots import adam_bias_plot
from vae_np.train.adam import adam_bias, adam_moments, adam_update

N_STEPS = 3000
MEAN, SPREAD = 1.0, 0.25  # of the gradients


class AdamPath(NamedTuple):
    """Moments, plain and corrected, and step sizes over the learning rate, after each step: (T,) each."""

    m: np.ndarray
    m_hat: np.ndarray
    v: np.ndarray
    v_hat: np.ndarray
    steps: np.ndarray
    plain_steps: np.ndarray


def adam_path(gradients: np.ndarray) -> AdamPath:
    """Run Adam on one weight and keep what every step computes [adam-moments] [adam-bias] [adam-step].

    Parameters
    ----------
    gradients
        Shape (T,); the settings are Adam's defaults, the learning rate is 1.

    Returns
    -------
    AdamPath
        From step 1 to T.
    """
    m = v = theta = np.zeros(1)
    rows = []
    for t, g in enumerate(gradients[:, None], start=1):
        moved, *_ = adam_update(theta, g, m, v, t, lr=1.0)
        m, v = adam_moments(g, m, v)
        m_hat, v_hat = adam_bias(m, v, t)
        plain = m / (np.sqrt(v) + 1e-8)
        rows.append(np.concatenate([m, m_hat, v, v_hat, np.abs(theta - moved), np.abs(plain)]))
    return AdamPath(*np.array(rows).T)


def bias_correction() -> Figure:
    """Draw moments and steps for gradients of mean 1 and standard deviation 1/4."""
    gradients = np.random.default_rng(0).normal(MEAN, SPREAD, N_STEPS)
    return adam_bias_plot(*adam_path(gradients), mean=MEAN, mean_square=MEAN**2 + SPREAD**2)
