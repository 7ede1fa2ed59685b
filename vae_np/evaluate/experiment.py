"""The plan of a held-out experiment, and its first half: choose genes and train, without the hidden cells.

The hidden cells are the stimulated cells of one context, a value of the cell-type key: a cell type, a
patient, a species. Nothing of them is used before they are compared: they are not trained on, and the
genes are chosen without them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from anndata import AnnData

from vae_np.data.cells_file import part_of
from vae_np.data.expression import select_genes
from vae_np.errors import InputError
from vae_np.evaluate.baselines import Seen
from vae_np.evaluate.conditional_baseline import conditional_vae
from vae_np.evaluate.held_out import Split
from vae_np.kernels.threads import threads
from vae_np.scgen.predictor import ScGen

Say = Callable[[str], None]
SCGEN = "scgen"  # the method that is compared with all others
SHARED_SETTINGS = ("n_hidden", "n_latent", "n_layers", "dropout_rate")  # not the KL weight: see there


def silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Experiment:
    """What is the same for every context and seed.

    Attributes
    ----------
    condition_key, cell_type_key
        Columns of `obs`; the values of the second one are the contexts.
    ctrl_key, stim_key
        The two conditions.
    layer
        Where the log-normalized values are; None is X.
    n_genes
        Keep this many genes of largest variance in the training cells; None keeps all.
    model, training
        Arguments of `ScGen`, but for the seed, and of `ScGen.fit`.
    predictions
        Method -> arguments of `ScGen.predict`. All of them are asked of the same trained model, and so
        differ in nothing else. One is called ``scgen``: it is compared with all others.
    others
        Method -> function of the training cells and the seed that gives its own unclipped prediction
        for the control cells of the context, (n, d).
    variants
        Method -> other settings of `model` and `training`: ``scgen`` trained in another way, for each
        context and seed. `with_grid` makes them.
    """

    condition_key: str
    cell_type_key: str
    ctrl_key: str
    stim_key: str
    layer: str | None = None
    n_genes: int | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    predictions: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"scgen": {}})
    others: Mapping[str, Callable[[Seen, int], np.ndarray]] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if SCGEN not in self.predictions:
            raise InputError(f"predictions are {list(self.predictions)}: one must be called 'scgen'")
        if "seed" in self.model:
            raise InputError("model names a seed: leave it out, each run has its own")


def side_by_side(experiment: Experiment) -> Experiment:
    """Train without a progress bar and, unless it says otherwise, with one thread."""
    model = {**experiment.model, "n_threads": experiment.model.get("n_threads") or 1}
    return replace(experiment, model=model, training={**experiment.training, "progress": False})


def choose_genes(split: Split, n_genes: int | None, layer: str | None = None) -> Split:
    """Keep the genes that vary most in the training cells; the hidden cells have no say.

    Parameters
    ----------
    split
        From `hold_out`.
    n_genes
        How many genes; None keeps all.
    layer
        Where the log-normalized values are; None is X.

    Returns
    -------
    Split
        Both parts with the same genes.

    Raises
    ------
    InputError
        As in `select_genes`.
    """
    if n_genes is None:
        return split
    genes = select_genes(split.train, n_genes, layer)
    return Split(*(part_of(part, (slice(None), genes)) for part in split))


def train(cells: AnnData, experiment: Experiment, seed: int, say: Say = silent) -> ScGen:
    """Train on all the cells that are given, and say how it went.

    Parameters
    ----------
    cells
        Log-normalized.
    experiment
        Its columns, layer and settings are used.
    seed
        Of everything random.
    say
        Called with a line before and after.

    Returns
    -------
    ScGen
        The trained model.

    Raises
    ------
    InputError, DivergedError
        As in `ScGen.fit`.
    """
    say(f"training on {cells.n_obs} cells x {cells.n_vars} genes")
    model = ScGen(seed=seed, **experiment.model).fit(
        cells,
        condition_key=experiment.condition_key,
        cell_type_key=experiment.cell_type_key,
        layer=experiment.layer,
        **experiment.training,
    )
    losses = model.history["validation_total"]
    best = losses.argmin()
    say(f"{len(losses)} epochs; the best is {best + 1}, validation loss {losses[best]:.4g} nats per cell")
    return model


def with_conditional_vae(experiment: Experiment) -> Experiment:
    """Let a conditional VAE of the same sizes take part, trained for each context and seed.

    Parameters
    ----------
    experiment
        Its settings of model and training hold for both.

    Returns
    -------
    Experiment
        With the method ``conditional_vae`` among `others`.
    """
    model = experiment.model

    def predict(seen: Seen, seed: int) -> np.ndarray:
        sizes = {name: model[name] for name in SHARED_SETTINGS if name in model}
        with threads(model.get("n_threads")):
            return conditional_vae(seen, seed=seed, **sizes, **experiment.training)

    return replace(experiment, others={**experiment.others, "conditional_vae": predict})
