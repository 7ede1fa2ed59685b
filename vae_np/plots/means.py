"""Predicted against true mean expression, gene by gene: points on the diagonal are predicted right."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#999999"  # from Okabe and Ito's color-blind-safe palette


def reg_mean_plot(
    predicted: np.ndarray,
    true: np.ndarray,
    control: np.ndarray,
    genes: Sequence[str],
    n_named: int = 10,
) -> Figure:
    """Plot predicted and control means against the true means and name the genes that change most.

    Parameters
    ----------
    predicted, true, control
        Mean of each gene in the predicted, the real stimulated and the control cells, (d,).
    genes
        Names, (d,).
    n_named
        How many genes to name.

    Returns
    -------
    Figure
        Not shown or saved.
    """
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot()
    top = float(max(predicted.max(), true.max(), control.max())) * 1.05
    axes.plot([0, top], [0, top], color=GRAY, lw=1, zorder=0)
    axes.scatter(true, control, s=12, color=GRAY, alpha=0.6, lw=0, label="control (no change)")
    axes.scatter(true, predicted, s=14, color=BLUE, lw=0, label="predicted")
    named = np.argsort(-np.abs(true - control), kind="stable")[:n_named]
    axes.scatter(true[named], predicted[named], s=26, color=ORANGE, lw=0, label="largest true change")
    # Labels stand in a column on the right, in the order of the points, so none covers another.
    order = named[np.argsort(predicted[named], kind="stable")]
    heights = np.linspace(0.05, 0.95, len(order)) * top
    for gene, height in zip(order, heights, strict=True):
        axes.annotate(
            str(genes[gene]),
            xy=(true[gene], predicted[gene]),
            xytext=(top * 1.04, height),
            va="center",
            fontsize=9,
            annotation_clip=False,
            parse_math=False,  # a gene may have a dollar sign in its name
            arrowprops={"arrowstyle": "-", "color": GRAY, "lw": 0.6, "shrinkB": 3},
        )
    axes.set(
        xlim=(0, top),
        ylim=(0, top),
        aspect="equal",
        xlabel="true mean, stimulated cells",
        ylabel="predicted (blue) or control (gray) mean",
        title="Mean log-normalized expression of each gene",
    )
    axes.legend(frameon=False, loc="upper left")
    return figure
