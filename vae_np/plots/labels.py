"""Names in a figure: a column of labels that cannot cover each other, and legends of any names.

Labels beside their points overlap as soon as two points are close. Here they stand in a column on the
right, each as near to the height of its point as the others allow, with a thin line to the point:

    heights h that minimize sum_i (h_i - y_i)^2   with   h_(i+1) - h_i >= gap   and   0 <= h <= 1

For points sorted by y this is isotonic regression of y_i - i gap, clipped to the range. Two points at
0.5 and a gap of 0.1 get the heights 0.45 and 0.55.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.textpath import text_to_path
from matplotlib.transforms import ScaledTranslation
from scipy.optimize import isotonic_regression

from vae_np.plots.marks import blank
from vae_np.plots.palette import GRAY

FONT = 9  # points
LINE = 1.4 * FONT / 72  # inches from one label to the next
LEADER = {"arrowstyle": "-", "lw": 0.7, "shrinkA": 1, "shrinkB": 4}  # the line from a label to its point
AXES_SHARE = 0.7  # of the height of a figure, at least, belongs to its axes


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Return the heights in [0, 1] nearest to the wanted ones that are at least a gap apart.

    Parameters
    ----------
    wanted
        Shape (n,), rising.
    gap
        Smallest distance of two heights, at most 1 / (n - 1).

    Returns
    -------
    np.ndarray
        Shape (n,), rising.
    """
    steps = np.arange(len(wanted)) * gap
    return np.clip(isotonic_regression(wanted - steps).x, 0, 1 - steps[-1]) + steps


@contextmanager
def boxes_for_missing_letters() -> Iterator[None]:
    """Say nothing of letters that the font does not have, inside a `with` block: a box stands for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def text_width(names: Sequence[str]) -> float:
    """Return the width of the longest name, in inches, with 5 % for rounding to whole pixels."""
    font = FontProperties(size=FONT)
    with boxes_for_missing_letters():
        widths = [text_to_path.get_text_width_height_descent(name, font, ismath=False)[0] for name in names]
    return 1.05 * max(widths, default=0) / 72


def figure_with_column(names: Sequence[str], side: float = 6.0) -> tuple[Figure, Axes]:
    """Return a figure, and axes in it, that leave room on the right for a column of these labels."""
    height = max(side, len(names) * LINE / AXES_SHARE)
    figure = blank(height + text_width(names), height)
    # At the left of its room: square axes in the middle of it would move while the layout makes room.
    return figure, figure.add_subplot(anchor="W")


def label_column(
    figure: Figure, axes: Axes, points: np.ndarray, names: Sequence[str], colors: Sequence[str] | None = None
) -> None:
    """Name points in a column right of axes whose limits are set.

    Parameters
    ----------
    figure, axes
        From `figure_with_column`.
    points
        In data coordinates, (n, 2).
    names
        Shape (n,).
    colors
        Of the lines from the labels to the points, (n,); gray if None.
    """
    if not len(names):
        return
    low, high = axes.get_ylim()
    heights_of_points = (points[:, 1] - low) / (high - low)
    order = np.argsort(heights_of_points, kind="stable")
    beside = axes.transAxes + ScaledTranslation(0.25, 0, figure.dpi_scale_trans)
    gap = LINE / (AXES_SHARE * figure.get_figheight())
    for i, height in zip(order, spread(heights_of_points[order], gap), strict=True):
        color = GRAY if colors is None else colors[i]
        axes.annotate(
            names[i],
            xy=points[i],
            xytext=(1, height),
            textcoords=beside,
            va="center",
            fontsize=FONT,
            annotation_clip=False,
            parse_math=False,  # a gene may have a dollar sign in its name
            arrowprops={"color": color, "relpos": (0, 0.5)} | LEADER,
        )


def legend_below(
    figure: Figure,
    handles: Sequence[Artist],
    names: Sequence[str],
    columns: int | None = None,
    marker_scale: float = 1,
) -> Legend:
    """Put a legend below the axes, where it covers no data; names may start with _ or hold $.

    Parameters
    ----------
    figure
        With constrained layout.
    handles, names
        What is explained, and how.
    columns
        How many; default as many as the width of the figure holds.
    marker_scale
        How much larger than in the figure the shapes are.

    Returns
    -------
    Legend
        With the names as they are.
    """
    if columns is None:
        room, widths = figure.get_figwidth() - 0.3, [text_width([name]) + 0.6 for name in names]
        columns = len(names) if sum(widths) <= room else max(1, int(room / max(widths)))
    rows = -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + (rows - 1) * LINE)  # the axes keep their size
    places = [str(i) for i in range(len(names))]  # matplotlib leaves out labels that start with _
    legend = figure.legend(
        handles,
        places,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=FONT,
        markerscale=marker_scale,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=name, parse_math=False)
    return legend
