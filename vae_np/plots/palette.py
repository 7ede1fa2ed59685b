"""The colors, shapes and line styles of every figure, in one place.

The colors are Okabe and Ito's, which people with any color blindness can tell apart. Things that have
different colors also have different shapes, line styles or hatches, so a print in gray stays readable;
the three that are compared most (control, predicted, true) differ in lightness too.
"""

from typing import NamedTuple

SKY, VERMILLION, BLACK, BLUE = "#56b4e9", "#d55e00", "#000000", "#0072b2"
GREEN, PURPLE, ORANGE = "#009e73", "#cc79a7", "#e69f00"
GRAY = "#999999"  # in place of their yellow, which is too pale for a thin line; also for the background

COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, BLACK, GRAY)
MARKERS = ("o", "^", "s", "D", "X", "v", "P", "<", ">")
LINE_STYLES = ("-", "--", "-.", ":")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "---")


class Kind(NamedTuple):
    """How one kind of thing is drawn."""

    color: str
    marker: str
    line: str
    hatch: str


CONTROL = Kind(SKY, "o", "-", "")
PREDICTED = Kind(VERMILLION, "^", "--", "///")
TRUE = Kind(BLACK, "s", ":", "...")
ROLES = {"control": CONTROL, "predicted": PREDICTED, "true": TRUE, "stimulated": TRUE}


def kind(name: str, position: int) -> Kind:
    """Return the look of a named group: its own for control, predicted and true, else by position.

    Parameters
    ----------
    name
        Of the group.
    position
        Its place among the groups, from 0. Color and shape repeat together after 72 groups only.

    Returns
    -------
    Kind
        Color, marker, line style and hatch.
    """
    looks = (COLORS, MARKERS, LINE_STYLES, HATCHES)
    return ROLES.get(name) or Kind(*(look[position % len(look)] for look in looks))
