"""The encoder's posteriors beside the exact ones, as ellipses in a plane of two latent dimensions.

An ellipse joins the points that are two standard deviations from the mean:

    (z - mean)^T covariance^-1 (z - mean) = 4          variances 1 and 4, no correlation: half axes 2 and 4

The encoder's ellipse stands upright, as its covariance is diagonal; the exact one may be tilted.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_np.errors import InputError
from vae_np.plots.checks import numbers
from vae_np.plots.labels import legend_below
from vae_np.plots.marks import blank
from vae_np.plots.palette import GRAY, PREDICTED, TRUE, Kind

DEVIATIONS = 2.0
N_POINTS = 181


def ellipse(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Points two standard deviations from the mean, mean + 2 A u with A A^T = covariance, |u| = 1.

    Parameters
    ----------
    mean, covariance
        Shapes (2,), (2, 2).

    Returns
    -------
    np.ndarray
        Shape (N_POINTS, 2); the last point is the first one.
    """
    angle = np.linspace(0, 2 * np.pi, N_POINTS)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return mean + DEVIATIONS * circle @ np.linalg.cholesky(covariance).T


def posterior_ellipses_plot(
    mean: np.ndarray, covariance: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> Figure:
    """Plot the exact posterior of a few cells, the encoder's, and the prior [linear-gaussian-posterior].

    Parameters
    ----------
    mean
        Of the exact posterior of each cell, (n, 2).
    covariance
        Of the exact posterior, the same for all cells, (2, 2).
    mu, log_var
        What the encoder gives for the same cells, (n, 2).

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If the shapes do not fit, a number is not finite, or the covariance is not symmetric with positive
        eigenvalues.
    """
    mean = numbers("mean", mean, ["cells", 2])
    covariance = numbers("covariance", covariance, [2, 2])
    mu, log_var = numbers("mu", mu, mean.shape), numbers("log_var", log_var, mean.shape)
    if not np.allclose(covariance, covariance.T) or (np.linalg.eigvalsh(covariance) <= 0).any():
        raise InputError("covariance is not symmetric with positive eigenvalues: give that of a posterior")

    figure = blank(6.5, 6.5)
    axes = figure.add_subplot(aspect="equal")
    prior = Kind(GRAY, "+", ":", "")
    exact, encoder = TRUE._replace(line="-"), PREDICTED
    _draw(axes, np.zeros(2), np.eye(2), prior, width=1.5)
    for i in range(len(mean)):
        _draw(axes, mean[i], covariance, exact, width=1.5)
        _draw(axes, mu[i], np.diag(np.exp(log_var[i])), encoder, width=2.2)
    axes.set(xlabel="latent dimension 1", ylabel="latent dimension 2")
    axes.set_title(
        f"Posteriors of {len(mean)} cells: means and {DEVIATIONS:g} standard deviations", fontsize=11
    )
    looks = [exact, encoder, prior]
    handles = [Line2D([], [], color=look.color, ls=look.line, marker=look.marker, lw=2) for look in looks]
    legend_below(figure, handles, ["exact", "encoder", "prior"])
    return figure


def _draw(axes: Axes, mean: np.ndarray, covariance: np.ndarray, look: Kind, width: float) -> None:
    axes.plot(*ellipse(mean, covariance).T, color=look.color, ls=look.line, lw=width)
    axes.plot(*mean, look.marker, color=look.color, ms=5)
