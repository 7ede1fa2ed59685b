"""What a study found, in short: averages, differences to each other method, and who wins.

A sentence names a winner only where there are six contexts or more and the interval of the mean difference
over them does not hold zero. A bootstrap over fewer finds differences that are none: with two contexts, the
interval is just their range. There it says who is ahead.
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

ENOUGH = 6  # contexts, for an interval over them
OUTCOMES = (
    "a trivial baseline wins",
    "a trivial baseline is ahead",
    "another model wins",
    "another model is ahead",
    "scGen wins against",
    "scGen is ahead of",
    "too close to call",
)


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
    if max(pair.n_contexts for pair in pairs) < ENOUGH:
        meaning += f"Fewer than {ENOUGH} contexts: who is ahead here may not be elsewhere."
    else:
        meaning += "Too close to call: the 95 % interval of the difference holds 0."
    return [
        f"In parentheses: {meaning}",
        *(_verdict(metric, [pair for pair in pairs if pair.metric == metric]) for metric in metrics),
    ]


def _verdict(metric: str, pairs: Sequence[Paired]) -> str:
    groups: dict[str, list[str]] = {}
    for pair in pairs:
        gain = -pair.difference if smaller_is_better(metric) else pair.difference
        few = pair.n_contexts < ENOUGH
        sure = few or pair.low is None or pair.high is None or pair.low > 0 or pair.high < 0
        if gain == 0 or not sure:
            outcome = "too close to call"
        elif gain > 0:
            outcome = "scGen is ahead of" if few else "scGen wins against"
        else:
            other = "a trivial baseline" if pair.method in BASELINES else "another model"
            outcome = f"{other} {'is ahead' if few else 'wins'}"
        size = number(pair.difference, metric, "+")
        groups.setdefault(outcome, []).append(
            f"{name_of(pair.method)} ({size}; {pair.n_better}/{pair.n_contexts})"
        )
    parts = [f"{outcome}: {', '.join(groups[outcome])}" for outcome in OUTCOMES if outcome in groups]
    direction = " (smaller is better)" if smaller_is_better(metric) else ""
    return f"{METRICS[metric]}{direction}: {'; '.join(parts)}."
