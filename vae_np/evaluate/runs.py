"""One run: train without the hidden cells, predict them, score; all that comes of it is at hand."""

from collections.abc import Mapping
from typing import NamedTuple

from anndata import AnnData

from vae_np.data.expression import log_matrix
from vae_np.data.stored import Stored
from vae_np.evaluate.baselines import BASELINES, Baseline, too_large_for_pca
from vae_np.evaluate.experiment import SCGEN, Experiment, Say, silent, train
from vae_np.evaluate.held_out import Row, Split
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
    method
        ``scgen``, or the experiment's variant that this is a run of.
    """

    context: str
    seed: int
    rows: list[Row]
    predicted: AnnData
    split: Split
    model: ScGen
    method: str = SCGEN


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
        Called with a line now and then; also if there are too many cells in a file for ``pca_shift``.
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
    reason = too_large_for_pca(*split.train.shape) if "pca_shift" in baselines else ""
    if reason and isinstance(log_matrix(split.train, experiment.layer), Stored):
        say(f"{context}: no shift in PCA space, as {reason}")
    model = train(split.train, experiment, seed, say)
    predicted, rows = score_context(model, split, experiment, context, seed, baselines)
    return Run(context, seed, rows, predicted, split, model)
