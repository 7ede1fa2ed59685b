"""The shift as a classifier: cells are told apart by delta . z, their coordinate along delta.

A threshold at 0 means nothing, since the latent space has no natural origin; the line drawn here is
halfway between the two means. The AUC needs no threshold: it is the probability that a stimulated
cell scores higher than a control cell, ties counting one half,

    AUC = mean over pairs of [s > c] + [s = c] / 2          controls 1, 2 and stimulated 2, 3: 3.5 / 4
"""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from scipy.stats import rankdata

from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import legend_below
from vae_np.plots.marks import blank
from vae_np.plots.palette import BLACK, CONTROL, PREDICTED

N_BINS = 31


def auc(control_scores: np.ndarray, stimulated_scores: np.ndarray) -> float:
    """Area under the ROC curve: P(stimulated > control) + P(equal) / 2, the Mann-Whitney statistic.

    Parameters
    ----------
    control_scores, stimulated_scores
        Shapes (n0,), (n1,).

    Returns
    -------
    float
        In [0, 1]; 0.5 is no better than chance.

    Raises
    ------
    InputError
        If one of the two is empty or holds a number that is not finite.
    """
    control = numbers("control_scores", control_scores, ["cells"])
    stimulated = numbers("stimulated_scores", stimulated_scores, ["cells"])
    n1 = len(stimulated)
    ranks = rankdata(np.concatenate([stimulated, control]))[:n1]
    return float((ranks.sum() - n1 * (n1 + 1) / 2) / (n1 * len(control)))


def classifier_plot(
    control_scores: np.ndarray,
    stimulated_scores: np.ndarray,
    names: tuple[str, str] = ("control", "stimulated"),
) -> Figure:
    """Plot histograms of delta . z in both conditions, the line halfway between their means, the AUC.

    Parameters
    ----------
    control_scores, stimulated_scores
        delta . z of each cell, (n0,), (n1,).
    names
        Of the two conditions.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If one of the two is empty or holds a number that is not finite.
    """
    area = auc(control_scores, stimulated_scores)
    control, stimulated = (np.asarray(scores, float) for scores in (control_scores, stimulated_scores))
    names_ = texts("conditions", names, 2)
    both = np.concatenate([control, stimulated])
    low, high = float(both.min()), float(both.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # equal up to rounding: no bin fits between
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, N_BINS + 1)

    figure = blank(7, 4.5)
    axes = figure.add_subplot()
    handles: list[Artist] = []
    for scores, look, hatch in ((control, CONTROL, ""), (stimulated, PREDICTED, "///")):
        shares = np.histogram(scores, edges)[0] / len(scores)
        handles.append(
            axes.stairs(
                shares, edges, fill=True, facecolor=look.color, edgecolor="white", alpha=0.65, hatch=hatch
            )
        )
        axes.stairs(shares, edges, color=look.color, lw=1.5)
    threshold = float(control.mean() + stimulated.mean()) / 2
    handles.append(axes.axvline(threshold, color=BLACK, ls="--", lw=1.5))
    axes.set(xlabel="delta · z", ylabel="share of the condition's cells")
    axes.set_title(f"Coordinate along delta: AUC {area:.3f}", fontsize=11)
    legend_below(figure, handles, [*names_, f"halfway between the means: {threshold:.3g}"])
    return figure
