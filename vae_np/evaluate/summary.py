"""What a study found, in short: averages, differences to each other method, and who wins.

A sentence names a winner only where the interval of the mean difference over contexts does not hold
zero. One context has no interval: its winner is the better one there, and says nothing about others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vae_np import __version__
from vae_np.evaluate.baselines import BASELINES
from vae_np.evaluate.experiment import Experiment
from vae_np.evaluate.held_out import Row
from vae_np.evaluate.paired import Paired, smaller_is_better
from vae_np.evaluate.tables import METRICS, averages, name_of, number, unique


def summarize(
    rows: Sequence[Row],
    pairs: Sequence[Paired],
    experiment: Experiment,
    contexts: Mapping[str, tuple[int, int]],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Collect settings and results as plain numbers and words, ready for JSON.

    Parameters
    ----------
    rows
        All scores.
    pairs
        From `paired_differences`.
    experiment, contexts, seeds
        What was done; contexts with their numbers of control and stimulated cells.

    Returns
    -------
    dict
        ``version, settings, contexts, seeds, mean`` (method -> metric -> average over contexts and
        seeds; only what is defined in all contexts) and ``differences``.
    """
    settings = asdict(experiment) | {"others": list(experiment.others)}
    return {
        "version": __version__,
        "settings": settings,
        "contexts": [
            {"context": name, "n_control": n0, "n_stimulated": n1} for name, (n0, n1) in contexts.items()
        ],
        "seeds": list(seeds),
        "mean": averages(rows),
        "differences": [pair._asdict() for pair in pairs],
    }


def verdicts(pairs: Sequence[Paired]) -> list[str]:
    """Say in a sentence a metric against which methods scGen wins and against which it loses.

    Parameters
    ----------
    pairs
        From `paired_differences`; unclipped scores are passed over.

    Returns
    -------
    list of str
        What the numbers are, then one sentence a metric.
    """
    metrics = unique([pair.metric for pair in pairs if pair.metric in METRICS])
    if not metrics:
        return []
    meaning = "scGen minus the other method, mean over contexts; in how many of them scGen is better. "
    if max(pair.n_contexts for pair in pairs) > 1:
        meaning += "Too close to call: the 95 % interval of the difference holds 0."
    else:
        meaning += "One context says nothing about others."
    return [
        f"In parentheses: {meaning}",
        *(_verdict(metric, [pair for pair in pairs if pair.metric == metric]) for metric in metrics),
    ]


def _verdict(metric: str, pairs: Sequence[Paired]) -> str:
    groups: dict[str, list[str]] = {}
    for pair in pairs:
        gain = -pair.difference if smaller_is_better(metric) else pair.difference
        sure = pair.low is None or pair.high is None or pair.low > 0 or pair.high < 0
        if gain == 0 or not sure:
            outcome = "too close to call"
        elif gain > 0:
            outcome = "scGen wins against"
        else:
            outcome = "a trivial baseline wins" if pair.method in BASELINES else "another model wins"
        size = number(pair.difference, metric, "+")
        groups.setdefault(outcome, []).append(
            f"{name_of(pair.method)} ({size}; {pair.n_better}/{pair.n_contexts})"
        )
    order = ("a trivial baseline wins", "another model wins", "scGen wins against", "too close to call")
    parts = [f"{outcome}: {', '.join(groups[outcome])}" for outcome in order if outcome in groups]
    direction = " (smaller is better)" if smaller_is_better(metric) else ""
    return f"{METRICS[metric]}{direction}: {'; '.join(parts)}."
