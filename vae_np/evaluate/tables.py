"""Scores as tables for people: one line a method, one column a metric, averaged over contexts and seeds.

The average is taken over contexts first, then over seeds: with the scores .90 and .80 of two contexts
with seed 0 and .92 and .86 with seed 1, the cell says 0.870 and below it (0.850-0.890). A score that is
not defined in one of the contexts has no average to compare with the others: it is shown as a dash.
"""

from collections.abc import Sequence

import numpy as np

from vae_np.evaluate.held_out import Row
from vae_np.evaluate.paired import Paired, smaller_is_better

METHODS = {
    "scgen": "scGen",
    "mean_shift": "mean shift",
    "nearest_type": "nearest type",
    "regression": "regression",
    "pca_shift": "PCA + shift",
    "no_change": "no change",
    "conditional_vae": "conditional VAE",
}
METRICS = {
    "r2_mean": "R² means",
    "r2_mean_deg100": "R² top 100",
    "pearson_delta": "r of change",
    "r2_delta": "R² of change",
    "r2_var": "R² variances",
    "r2_var_deg100": "R² variances, top 100",
    "mse": "MSE",
    "overlap_at_100": "top 100 found",
    "direction_match_deg100": "direction right",
    "energy_distance": "energy distance",
    "mmd": "MMD",
    "coverage_90": "in 90 % interval",
    "coverage_90_deg100": "in 90 % interval, top 100",
}
SHORT = ("r2_mean", "r2_mean_deg100", "pearson_delta", "r2_var", "mse")
NO_VALUE = "–"


def name_of(method: str) -> str:
    """A method in words; one that is not known by a nicer name keeps its own, and all keep their settings."""
    name, bracket, settings = method.partition("[")
    return METHODS.get(name, name.replace("_", " ")) + bracket + settings


def number(value: float, metric: str, sign: str = "") -> str:
    """A score with as many digits as can be compared; with sign ``+`` a positive one shows it too."""
    if smaller_is_better(metric):
        return f"{value:{sign}#.3g}".rstrip(".")
    return f"{value:{sign}.3f}"


def unique(values: Sequence) -> list:
    """Values in the order in which they come first."""
    return list(dict.fromkeys(values))


def in_order(methods: Sequence[str]) -> list[str]:
    """Each method once: those of `METHODS` in its order, then others as they come."""
    found = unique(methods)
    return [m for m in METHODS if m in found] + [m for m in found if m not in METHODS]


def seed_averages(rows: Sequence[Row], method: str, metric: str) -> list[float]:
    """Average one score over the contexts, for each seed.

    Parameters
    ----------
    rows
        Scores of some contexts and seeds.
    method, metric
        Which score.

    Returns
    -------
    list of float
        One a seed, or none if the score is missing for one of the contexts and seeds.
    """
    runs = unique([(row.context, row.seed) for row in rows])
    values = {(r.context, r.seed): r.value for r in rows if (r.method, r.metric) == (method, metric)}
    if len(values) < len(runs):
        return []
    seeds = unique([seed for _, seed in runs])
    return [float(np.mean([values[run] for run in runs if run[1] == seed])) for seed in seeds]


def averages(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Average every score over contexts and seeds.

    Parameters
    ----------
    rows
        Scores of some contexts and seeds.

    Returns
    -------
    dict
        Method -> metric -> average; one that is not defined everywhere is left out.
    """
    result: dict[str, dict[str, float]] = {method: {} for method in in_order([row.method for row in rows])}
    for method, metric in unique([(row.method, row.metric) for row in rows]):
        if values := seed_averages(rows, method, metric):
            result[method][metric] = float(np.mean(values))
    return result


def table(
    rows: Sequence[Row], metrics: Sequence[str] = tuple(METRICS), ranges: bool = True
) -> list[list[str]]:
    """Arrange scores as one line a method, the heading first.

    Parameters
    ----------
    rows
        Scores of some contexts and seeds.
    metrics
        The columns; one for which no method has a score is left out.
    ranges
        Whether to add the smallest and the largest average of the seeds, where they differ.

    Returns
    -------
    list of list of str
        Cells of the table; a dash is not defined.
    """
    present = {row.metric for row in rows}
    shown = [metric for metric in metrics if metric in present]
    lines = [["method", *(METRICS[metric] for metric in shown)]]
    for method in in_order([row.method for row in rows]):
        cells = []
        for metric in shown:
            values = seed_averages(rows, method, metric)
            cell = number(float(np.mean(values)), metric) if values else NO_VALUE
            ends = [number(f(values), metric) for f in (min, max)] if values and ranges else []
            cells.append(f"{cell}\n({ends[0]}–{ends[1]})" if len(set(ends)) == 2 else cell)
        lines.append([name_of(method), *cells])
    return lines


def short_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Heading and lines of a table that fits into a terminal: the averages of the main metrics."""
    heading, *lines = table(rows, SHORT, ranges=False)
    return heading, lines


def pairs_table(pairs: Sequence[Paired]) -> list[list[str]]:
    """Arrange differences as one line a method, one column a metric, the heading first.

    Parameters
    ----------
    pairs
        From `paired_differences`; unclipped scores are passed over.

    Returns
    -------
    list of list of str
        Cells of three short lines, such as ``+0.012``, ``(+0.003 to +0.021)`` and ``6 of 7``: the mean
        difference, its interval, and in how many contexts scGen is better.
    """
    metrics = [metric for metric in METRICS if any(pair.metric == metric for pair in pairs)]
    found = {(pair.method, pair.metric): pair for pair in pairs}
    lines = [["method", *(METRICS[metric] for metric in metrics)]]
    for method in in_order([pair.method for pair in pairs]):
        cells = (_difference(found.get((method, metric))) for metric in metrics)
        lines.append([name_of(method), *cells])
    return lines


def _difference(pair: Paired | None) -> str:
    if pair is None:
        return NO_VALUE
    lines = [number(pair.difference, pair.metric, "+")]
    if pair.low is not None and pair.high is not None:
        low, high = (number(end, pair.metric, "+") for end in (pair.low, pair.high))
        lines.append(f"({low} to {high})")
    return "\n".join([*lines, f"{pair.n_better} of {pair.n_contexts}"])
