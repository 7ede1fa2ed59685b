"""The latent space before and after the shift, seen from the side: delta points to the right."""

import numpy as np
from matplotlib.figure import Figure

from vae_np.errors import InputError
from vae_np.plots.checks import numbers
from vae_np.plots.labels import legend_below
from vae_np.plots.marks import arrow, blank, dots
from vae_np.plots.palette import BLACK, CONTROL, GRAY, PREDICTED, TRUE, Kind
from vae_np.plots.plane import side_view


def latent_plot(training: np.ndarray, control: np.ndarray, shifted: np.ndarray, true: np.ndarray) -> Figure:
    """Plot control cells, the same cells after the shift, and the real stimulated cells.

    Parameters
    ----------
    training
        Latent means of the training cells, (n, k), the background.
    control, shifted
        Control cells of the target before and after adding delta, (m, k).
    true
        Its real stimulated cells, never seen in training, (m1, k).

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If the shapes do not fit, a group is empty, a number is not finite, or delta is zero.
    """
    training = numbers("training", training, ["cells", "latent dimensions"])
    n_latent = training.shape[1]
    control = numbers("control", control, ["cells", n_latent])
    shifted = numbers("shifted", shifted, control.shape)
    true = numbers("true", true, ["cells", n_latent])
    delta = shifted.mean(axis=0) - control.mean(axis=0)
    if not delta.any():
        raise InputError("control and shifted have the same mean: give cells that were shifted by some delta")

    figure = blank(7, 5.5)
    axes = figure.add_subplot()
    view = side_view(training - training.mean(axis=0), delta)
    groups = [
        (training, Kind(GRAY, ".", "", ""), "training cells", 20),
        (true, TRUE, "real stimulated cells of the target (held out)", 14),
        (control, CONTROL, "control cells of the target", 18),
        (shifted, PREDICTED, "control + delta (predicted)", 18),
    ]
    handles = []
    for z, look, label, size in groups:
        handles.append(dots(axes, z @ view, look, label, size))
    start, end = (z.mean(axis=0) @ view for z in (control, shifted))
    arrow(axes, start, end, BLACK, width=2)
    axes.annotate(
        "delta",
        xy=tuple((start + end) / 2),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1},
    )
    axes.set(
        xlabel="latent coordinate along delta",
        ylabel="direction of largest spread across it",
        title="Latent space before and after the shift",
    )
    legend_below(figure, handles, [label for _, _, label, _ in groups], columns=2)
    return figure
