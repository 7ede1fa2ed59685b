"""What the decoder says along a line in latent space: the expression of each gene, step by step.

At the steps t the decoder is asked at z + t delta, and drawn is decode(z + t delta) - decode(z + t_0 delta).
An affine decoder gives straight lines, t delta W; a bend is what the network adds to a plain sum of vectors.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_np.errors import InputError, whole_number
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import figure_with_column, label_column, legend_below
from vae_np.plots.palette import GRAY, kind


def latent_traversal_plot(
    steps: np.ndarray, expression: np.ndarray, genes: Sequence[str], n_named: int = 8
) -> Figure:
    """Plot the decoded change of each gene along a line and name the genes that change most.

    Parameters
    ----------
    steps
        Positions on the line, rising, such as 0 to 1 along delta, (T,), T at least 2.
    expression
        Decoded expression at each step, (T, d).
    genes
        Names, (d,).
    n_named
        How many genes to name, those whose expression departs most from that at the first step.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If the shapes do not fit, a number is not finite, or the steps do not rise.
    """
    steps = numbers("steps", steps, ["steps"])
    expression = numbers("expression", expression, [len(steps), "genes"])
    genes = texts("genes", genes, expression.shape[1])
    n_named = whole_number("n_named", n_named, least=1)
    if len(steps) < 2 or (np.diff(steps) <= 0).any():
        raise InputError("steps do not rise: give at least two positions on the line, the smallest first")
    change = expression - expression[0]
    named = np.argsort(-np.abs(change).max(axis=0), kind="stable")[:n_named]
    others = np.delete(np.arange(len(genes)), named)

    names = [genes[i] for i in named]
    figure, axes = figure_with_column(names, side=5.0)
    lines = [np.stack([steps, change[:, gene]], axis=1) for gene in others]
    axes.add_collection(LineCollection(lines, colors=GRAY, lw=0.6, alpha=0.5, zorder=1))
    looks = [kind(f"gene {i}", i) for i in range(len(named))]
    every = max(1, len(steps) // 6)
    for gene, look in zip(named, looks, strict=True):
        axes.plot(
            steps, change[:, gene], color=look.color, ls=look.line, marker=look.marker, ms=5, markevery=every
        )
    low, high = min(0.0, float(change.min())), max(0.0, float(change.max()))
    margin = 0.05 * (high - low) or 1.0
    axes.set(
        xlim=(steps[0], steps[-1]),
        ylim=(low - margin, high + margin),
        xlabel="position on the line",
        ylabel="decoded expression, minus that at the start",
    )
    axes.set_title("Decoded expression along a line in latent space", fontsize=11)
    ends = np.stack([np.full(len(named), steps[-1]), change[-1, named]], axis=1)
    label_column(figure, axes, ends, names, [look.color for look in looks])
    handles = [
        Line2D([], [], color=looks[0].color, marker=looks[0].marker, ms=5),
        Line2D([], [], color=GRAY, lw=0.6),
    ]
    legend_below(figure, handles, ["genes of the largest change", f"{len(others)} other genes"])
    return figure
