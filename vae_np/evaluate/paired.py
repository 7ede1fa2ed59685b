"""Is scGen better than a baseline? Compare the two on the *same* held-out contexts.

Cell types differ far more in how hard they are than methods differ on one of them, so the average scores
of two methods tell little; the differences context by context do. In R2, with three contexts:

scgen .97 .95 .88, mean_shift .96 .93 .84: differences .01 .02 .04, mean .023, better in 3 of 3.

How sure that mean is, is asked of the contexts (bootstrap over contexts). Seeds of one context are
no new evidence about other contexts: they are averaged first. With few contexts the percentile interval
is too narrow rather than too wide; the number of contexts stands beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vae_np.evaluate.held_out import Row

SMALLER_IS_BETTER = ("mse", "energy_distance", "mmd")


class Paired(NamedTuple):
    """scGen against one other method in one metric.

    Attributes
    ----------
    metric, method
        What is compared, with whom.
    difference
        Mean over contexts of scgen - method.
    low, high
        Interval of the difference; None with one context, which says nothing about others.
    n_better, n_contexts
        In how many contexts scgen is strictly better, of how many that have both scores.
    """

    metric: str
    method: str
    difference: float
    low: float | None
    high: float | None
    n_better: int
    n_contexts: int


def smaller_is_better(metric: str) -> bool:
    """Tell errors and distances, clipped or not, from scores."""
    return metric.removesuffix("_unclipped") in SMALLER_IS_BETTER


def paired_differences(
    rows: Sequence[Row], rng: np.random.Generator, level: float = 0.95, n_resamples: int = 10_000
) -> list[Paired]:
    """Compare ``scgen`` with every other method in every metric.

    Parameters
    ----------
    rows
        Scores over contexts and seeds.
    rng
        Draws the contexts anew.
    level
        Of the percentile interval.
    n_resamples
        Of the bootstrap.

    Returns
    -------
    list of Paired
        Methods within metrics, both in the order in which they appear; without the pairs that have no
        context in common.
    """
    by_context: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        by_context.setdefault((row.metric, row.method), {}).setdefault(row.context, []).append(row.value)
    metrics, methods = (dict.fromkeys(names) for names in zip(*by_context, strict=True)) if rows else ({}, {})
    tails = (1 - level) / 2, (1 + level) / 2
    result = []
    for metric in metrics:
        ours = by_context.get((metric, "scgen"), {})
        for method in methods:
            theirs = by_context.get((metric, method), {})
            common = [context for context in ours if context in theirs]
            if method == "scgen" or not common:
                continue
            differences = np.array([np.mean(ours[c]) - np.mean(theirs[c]) for c in common])
            low, high = None, None
            if len(common) > 1:
                drawn = rng.integers(len(common), size=(n_resamples, len(common)))
                low, high = np.quantile(differences[drawn].mean(axis=1), tails).tolist()
            better = differences < 0 if smaller_is_better(metric) else differences > 0
            n_better = int(better.sum())
            result.append(Paired(metric, method, float(differences.mean()), low, high, n_better, len(common)))
    return result
