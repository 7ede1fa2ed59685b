"""What most figures are made of: an empty figure, dots and arrows."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke

from vae_np.plots.palette import Kind


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of this size, in inches, that gives its texts the room they need."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def dots(
    axes: Axes, at: np.ndarray, look: Kind, label: str, size: float, alpha: float = 0.7, layer: float = 1
) -> PathCollection:
    """Draw points (n, 2) in the color and shape of their kind; `size` is in points squared."""
    return axes.scatter(
        at[:, 0],
        at[:, 1],
        s=size,
        color=look.color,
        marker=look.marker,
        lw=0,
        alpha=alpha,
        zorder=layer,
        label=label,
    )


def arrow(axes: Axes, start: np.ndarray, end: np.ndarray, color: str, width: float, layer: float = 3) -> None:
    """Draw an arrow, with a white rim, between two points, (2,) each; `width` is in points."""
    rim = [withStroke(linewidth=width + 2, foreground="white")]
    look = {"arrowstyle": "-|>", "mutation_scale": 8 + 3 * width, "shrinkA": 0, "shrinkB": 0}
    look |= {"color": color, "lw": width, "path_effects": rim}
    axes.annotate("", xy=tuple(end), xytext=tuple(start), arrowprops=look, zorder=layer)
