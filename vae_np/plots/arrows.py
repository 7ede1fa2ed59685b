"""Each cell type's own shift beside the shared one, to see whether all types answer alike.

The cosine of a type's delta with the shared delta is 1 if it points the same way, 0 if across:

    cosine_t = delta_t . delta / (|delta_t| |delta|)          (3, 4) and (1, 0): 3 / 5 = 0.6
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import figure_with_column, label_column, legend_below
from vae_np.plots.marks import arrow
from vae_np.plots.palette import BLACK, kind
from vae_np.plots.plane import side_view


def cosines(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Cosine of each vector's angle with a direction; NaN for a vector that is zero.

    Parameters
    ----------
    vectors
        Shape (n, k).
    direction
        Shape (k,), not zero.

    Returns
    -------
    np.ndarray
        Shape (n,), in [-1, 1].
    """
    lengths = np.linalg.norm(vectors, axis=1)
    along = vectors @ (direction / np.linalg.norm(direction))
    return np.divide(along, lengths, out=np.full(len(vectors), np.nan), where=lengths > 0)


def delta_arrows_plot(
    origins: np.ndarray, deltas: np.ndarray, names: Sequence[str], shared: np.ndarray
) -> Figure:
    """Plot each type's delta as an arrow from its control mean, with its cosine with the shared delta.

    The first axis runs along the shared delta, the second where the types' deltas depart most from it;
    both have the same scale, so angles in this plane are seen as they are.

    Parameters
    ----------
    origins
        Mean of each type's control cells, (K, k).
    deltas
        Shift of each type, (K, k).
    names
        Of the types, (K,).
    shared
        The one delta used for prediction, (k,).

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If the shapes do not fit, there is no type, a number is not finite, or the shared delta is zero.
    """
    deltas = numbers("deltas", deltas, ["types", "latent dimensions"])
    origins = numbers("origins", origins, deltas.shape)
    shared = numbers("shared", shared, deltas.shape[1:])
    names = texts("types", names, len(deltas))
    if not shared.any():
        raise InputError("shared is zero, so no direction: give the delta that the types are compared with")
    labels = [
        f"{name}  {'–' if np.isnan(cosine) else format(cosine, '.2f')}"
        for name, cosine in zip(names, cosines(deltas, shared), strict=True)
    ]
    view = side_view(deltas, shared)
    starts, ends = origins @ view, (origins + deltas) @ view

    figure, axes = figure_with_column(labels)
    looks = [kind(name, i) for i, name in enumerate(names)]
    for start, end, look in zip(starts, ends, looks, strict=True):
        axes.plot(*start, look.marker, color=look.color, ms=6, mec="white", mew=0.6, zorder=4)
        arrow(axes, start, end, look.color, 1.6)

    # The shared delta lies below all others, and starts where they start on average.
    everything = np.concatenate([starts, ends])
    length = float(np.linalg.norm(shared))
    start = np.array([starts[:, 0].mean(), everything[:, 1].min() - 0.1 * length])
    end = start + np.array([length, 0])
    arrow(axes, start, end, BLACK, width=4)

    # Equal scales, and a square of data for the square of paper.
    everything = np.concatenate([everything, [start, end]])
    low, high = everything.min(axis=0), everything.max(axis=0)
    half = 0.56 * float((high - low).max())
    for set_limits, at in ((axes.set_xlim, (low + high)[0] / 2), (axes.set_ylim, (low + high)[1] / 2)):
        set_limits(at - half, at + half)
    axes.set(
        aspect="equal",
        xlabel="latent coordinate along the shared delta",
        ylabel="direction of the largest departure from it",
    )
    axes.set_title("Shift of each cell type, and its cosine with the shared delta", fontsize=11)
    label_column(figure, axes, ends, labels, [look.color for look in looks])
    shared_line = Line2D([], [], color=BLACK, lw=4)
    type_line = Line2D([], [], color=looks[0].color, marker=looks[0].marker, ms=5, lw=1.6)
    legend_below(figure, [type_line, shared_line], ["one type, from its control mean", "shared delta"])
    return figure
