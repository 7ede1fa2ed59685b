"""Predicted changes with their intervals, and whether these hold the true changes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vae_np.errors import InputError, whole_number
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import FONT, legend_below, text_width
from vae_np.plots.marks import blank, dots
from vae_np.plots.palette import GRAY, PREDICTED, TRUE


def intervals_plot(
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    true: np.ndarray,
    control: np.ndarray,
    genes: Sequence[str],
    n_genes: int = 20,
) -> Figure:
    """Plot the predicted change of a gene's mean with its interval, and the true change.

    Parameters
    ----------
    mean, low, high
        Predicted mean of each gene and the ends of its interval, (d,), as `ScGen.predict_interval`
        gives them.
    true, control
        Mean in the real stimulated and in the control cells, (d,); changes are counted from control.
    genes
        Names, (d,).
    n_genes
        How many genes to draw, those that truly change most.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If lengths differ, there is no gene, a number is not finite, or an interval ends before it starts.
    """
    mean = numbers("mean", mean, ["genes"])
    low, high = numbers("low", low, mean.shape), numbers("high", high, mean.shape)
    true, control = numbers("true", true, mean.shape), numbers("control", control, mean.shape)
    genes = texts("genes", genes, len(mean))
    if (low > high).any():
        gene = int(np.argmax(low > high))
        raise InputError(f"interval of {genes[gene]} is {low[gene]:g} to {high[gene]:g}: give low <= high")
    change = true - control
    chosen = np.argsort(-np.abs(change), kind="stable")[: whole_number("n_genes", n_genes, least=1)]
    chosen = chosen[np.argsort(change[chosen], kind="stable")]  # the largest increase stands at the top
    at = np.arange(len(chosen))
    names = [genes[i] for i in chosen]

    figure = blank(5.5 + text_width(names), 1.8 + 0.24 * len(chosen))
    axes = figure.add_subplot()
    axes.axvline(0, color=GRAY, lw=1, zorder=0)
    start, end = (low - control)[chosen], (high - control)[chosen]
    bars = axes.hlines(at, start, end, color=PREDICTED.color, lw=4, alpha=0.45)
    predicted = np.stack([(mean - control)[chosen], at], axis=1)
    middle = dots(axes, predicted, PREDICTED, "predicted", size=34, alpha=1, layer=3)
    truth = dots(axes, np.stack([change[chosen], at], axis=1), TRUE, "true", size=20, alpha=1, layer=3)
    axes.set_yticks(at, names, parse_math=False)
    axes.set(ylim=(-0.7, len(chosen) - 0.3), xlabel="change of the mean against control cells")
    axes.tick_params(labelsize=FONT)
    inside = int(((start <= change[chosen]) & (change[chosen] <= end)).sum())
    axes.set_title(f"True change inside the interval: {inside} of {len(chosen)} genes shown", fontsize=11)
    legend_below(figure, [middle, bars, truth], ["predicted", "its interval", "true"])
    return figure
