"""Partial points: every output of a learner's function is one point, whatever its other outputs are."""

from collections.abc import Callable
from typing import Any

from vae_np.verify.check import check
from vae_np.verify.contracts import CONTRACTS


def grade(*answers: tuple[str, Callable[..., Any]]) -> int:
    """Print the points of the answers, and what the check says about each.

    Parameters
    ----------
    *answers
        Pairs of a label and the learner's function.

    Returns
    -------
    int
        0 if all are right, else 1.
    """
    won = total = 0
    for label, function in answers:
        report = check(label, function)
        for output in CONTRACTS[label].outputs:
            right = report.outputs.get(output, False)  # there are none without a function
            won, total = won + right, total + 1
            print(f"{int(right)}/1  {label}, {output}: {'right' if right else report.message}")
    print(f"{won} of {total} points")
    return int(won < total)
