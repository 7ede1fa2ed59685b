"""Training as a strip of frames: where the cells' latent means are, epoch by epoch.

All frames have the same axes, so what moves is the cells. The circles hold the prior's 1 and 2 sigma: of
a standard normal in two dimensions, 1 - exp(-1/2) = 39 % lies in the first and 86 % in the second.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import FONT, legend_below
from vae_np.plots.marks import blank, dots
from vae_np.plots.palette import BLACK, kind

PER_ROW = 5
RADII = (1, 2)


def training_frames_plot(means: np.ndarray, cell_types: Sequence[str], epochs: Sequence[int]) -> Figure:
    """Plot latent means of the cells, colored by type, at several epochs with shared axes.

    Parameters
    ----------
    means
        Latent means at each epoch, (frames, cells, 2).
    cell_types
        Type of each cell, (cells,).
    epochs
        Epoch of each frame, (frames,).

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If the shapes do not fit, there is no frame or cell, or a number is not finite.
    """
    means = numbers("means", means, ["frames", "cells", 2])
    epochs_ = numbers("epochs", epochs, means.shape[:1])
    types = np.array([str(name) for name in cell_types])
    if types.shape != means.shape[1:2]:
        raise InputError(
            f"cell_types has {types.size} names, means has {means.shape[1]} cells: give one for each"
        )
    names = sorted(set(types.tolist()))

    per_row = min(PER_ROW, len(epochs))
    n_rows = -(-len(epochs) // per_row)
    figure = blank(max(0.8 + 2.1 * per_row, 4.5), 0.9 + 2.4 * n_rows)
    panels = figure.subplots(n_rows, per_row, sharex=True, sharey=True, squeeze=False)
    half = 1.08 * max(float(np.abs(means).max()), RADII[-1])
    size = float(np.clip(3000 / len(types), 5, 20))
    for axes, z, epoch in zip(panels.flat, means, epochs_, strict=False):
        for radius in RADII:
            axes.add_patch(Circle((0, 0), radius, fill=False, ec=BLACK, ls=":", lw=1, zorder=3))
        handles = [dots(axes, z[types == name], kind(name, i), name, size) for i, name in enumerate(names)]
        axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
        axes.set_xlabel("latent mean, dimension 1", fontsize=FONT)
        axes.set_ylabel("dimension 2", fontsize=FONT)
        axes.set_title(f"epoch {epoch:g}", fontsize=11)
        axes.tick_params(labelsize=FONT)
        axes.label_outer()
    for axes in panels.flat[len(epochs) :]:
        axes.set_axis_off()
    circle = Line2D([], [], color=BLACK, ls=":", lw=1)
    labels = [*texts("cell types", names, len(names)), "the prior's 1 and 2 sigma"]
    legend_below(figure, [*handles, circle], labels, marker_scale=(30 / size) ** 0.5)
    return figure
