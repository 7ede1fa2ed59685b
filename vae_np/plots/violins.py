"""How the values of single genes are distributed over the cells: means hide zeros, violins show them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import FONT, legend_below, text_width
from vae_np.plots.marks import blank
from vae_np.plots.palette import BLACK, kind

PER_ROW = 6


def violin_plot(values: Mapping[str, np.ndarray], genes: Sequence[str]) -> Figure:
    """Plot the distribution of chosen genes in several groups of cells side by side.

    Parameters
    ----------
    values
        Name of each group and its dense expression of these genes, (n, g), such as ``control``,
        ``predicted``, ``true``. A gene with one value in all cells becomes a flat line.
    genes
        Names, (g,).

    Returns
    -------
    Figure
        Not shown or saved. White dots are the means.

    Raises
    ------
    InputError
        If there is no group, gene or cell, the shapes do not fit, or a number is not finite.
    """
    genes = texts("genes", genes, len(genes), most=20)
    if not values or not genes:
        raise InputError("no group of cells or no gene was given: give at least one of each")
    groups = {name: numbers(f"group {name!r}", x, ["cells", len(genes)]) for name, x in values.items()}
    n_rows = -(-len(genes) // PER_ROW)
    per_row = -(-len(genes) // n_rows)
    width = max(4.0, 0.8 + per_row * max(0.35 * len(groups) + 0.3, text_width(genes) + 0.1))
    figure = blank(width, 1 + 2.6 * n_rows)
    rows = figure.subplots(n_rows, 1, sharey=True, squeeze=False)[:, 0]
    step = len(groups) + 1.0
    for row, axes in enumerate(rows):
        here = range(row * per_row, min((row + 1) * per_row, len(genes)))
        for i, (name, x) in enumerate(groups.items()):
            look = kind(name, i)
            places = [step * place + i for place in range(len(here))]
            parts = axes.violinplot([x[:, gene] for gene in here], places, widths=0.9, showextrema=False)
            for body in parts["bodies"]:
                body.set(facecolor=look.color, edgecolor=BLACK, lw=0.8, alpha=0.75, hatch=look.hatch)
            means = [x[:, gene].mean() for gene in here]
            axes.scatter(places, means, s=20, color="white", edgecolor=BLACK, zorder=3, label=name)
        centers = [step * place + (step - 2) / 2 for place in range(len(here))]
        axes.set_xticks(centers, [genes[gene] for gene in here], parse_math=False)
        axes.set(xlim=(-0.9, step * per_row - 1.1), ylabel="log-normalized expression")
        axes.tick_params(labelsize=FONT)
    boxes = []
    for i, name in enumerate(groups):
        look = kind(name, i)
        boxes.append(Patch(facecolor=look.color, edgecolor=BLACK, lw=0.8, alpha=0.75, hatch=look.hatch))
    legend_below(figure, boxes, texts("groups", list(groups), len(groups)))
    return figure
