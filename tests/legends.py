"""What a legend says a thing looks like, and what a drawn thing does look like, in the same words."""

from typing import NamedTuple

import numpy as np
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D


class Look(NamedTuple):
    """Color, line style or hatch, and marker; empty where there is none."""

    color: str
    line: str
    marker: str


def look(artist):
    """Return the look of a line, of dots, of a patch or of an area."""
    if isinstance(artist, Line2D):
        line, marker = (
            "" if word in (None, "None", " ") else word
            for word in (artist.get_linestyle(), artist.get_marker())
        )
        return Look(to_hex(artist.get_color()), line, marker)
    color, hatch = artist.get_facecolor(), artist.get_hatch() or ""
    if isinstance(artist, Collection):
        color = color[0]
    shape = str(artist.get_paths()[0].vertices.tolist()) if isinstance(artist, PathCollection) else ""
    return Look(to_hex(color), hatch, shape)


def legend_of(figure):
    """Return the look of each name in the only legend, in its order."""
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert len(set(names)) == len(names)
    return {name: look(handle) for name, handle in zip(names, legend.legend_handles, strict=True)}


def line_of(axes, values):
    """Return the only line whose heights are these values."""
    (line,) = [
        line
        for line in axes.lines
        if len(line.get_ydata()) == len(values) and np.allclose(line.get_ydata(), values, rtol=1e-12)
    ]
    return line
