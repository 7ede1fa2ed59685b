"""Leave one out: each context's stimulated cells are hidden in turn and predicted from all others.

With the cell types A, B and C there are three experiments: A's stimulated cells are hidden and
predicted from A's control cells and what B and C did, then B's, then C's. Each is repeated with several
seeds, on the same cells and the same genes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from anndata import AnnData

from vae_np.evaluate.baselines import BASELINES, Baseline
from vae_np.evaluate.experiment import Experiment, Say, choose_genes, silent, train
from vae_np.evaluate.held_out import Row, Split, hold_out
from vae_np.evaluate.scoring import score_context
from vae_np.scgen.predictor import ScGen


class Run(NamedTuple):
    """One context and one seed.

    Attributes
    ----------
    context, seed
        Which.
    rows
        The scores.
    predicted
        Unclipped prediction of ``scgen`` for the context's control cells.
    split
        The cells that were trained on and those that were hidden, both with the chosen genes.
    model
        The trained model.
    """

    context: str
    seed: int
    rows: list[Row]
    predicted: AnnData
    split: Split
    model: ScGen


def run(
    split: Split,
    experiment: Experiment,
    context: str,
    seed: int,
    say: Say = silent,
    baselines: Mapping[str, Baseline] = BASELINES,
) -> Run:
    """Train on the cells that were not hidden, predict the context, score.

    Parameters
    ----------
    split
        Training cells and hidden cells.
    experiment, context, seed
        What to do.
    say
        Called with a line now and then.
    baselines
        As in `score_held_out`.

    Returns
    -------
    Run
        The scores and what they come from.

    Raises
    ------
    InputError, DivergedError
        As in `train` and `score_context`.
    """
    model = train(split.train, experiment, seed, say)
    predicted, rows = score_context(model, split, experiment, context, seed, baselines)
    return Run(context, seed, rows, predicted, split, model)


def leave_one_out(
    adata: AnnData,
    experiment: Experiment,
    contexts: Iterable[str],
    seeds: Iterable[int] = (0,),
    say: Say = silent,
) -> Iterator[Run]:
    """Hold out each context in turn, with every seed, and yield each run as soon as it is done.

    Parameters
    ----------
    adata
        All cells, log-normalized.
    experiment
        What to do.
    contexts
        From `find_contexts`.
    seeds
        Of everything random; the cells and genes are the same for all of them.
    say
        Called with a line now and then.

    Yields
    ------
    Run
        One a context and seed, all seeds of a context in a row.

    Raises
    ------
    InputError, DivergedError
        As in `hold_out` and `run`.
    """
    keys = experiment.condition_key, experiment.cell_type_key
    seeds = list(seeds)
    for context in contexts:
        whole = hold_out(adata, *keys, experiment.stim_key, context)
        split = choose_genes(whole, experiment.n_genes, experiment.layer)
        known: list[Row] = []  # scores of the baselines, which are the same whatever the seed
        for seed in seeds:
            say(f"{context}, seed {seed}: {split.held_out.n_obs} {experiment.stim_key} cells are hidden")
            if known:
                done = run(split, experiment, context, seed, say, baselines={})
                done.rows.extend(row._replace(seed=seed) for row in known)
            else:
                done = run(split, experiment, context, seed, say)
                known = [row for row in done.rows if row.method in BASELINES]
            yield done
