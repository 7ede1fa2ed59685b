"""A grid of settings: every combination is trained, for each context and seed, on the same cells.

With kl_weight 2.5e-5 or 1 and n_latent 50 or 100 there are four. The first of each, here 2.5e-5 and 50, are
those of ``scgen``; the others are methods of their own, ``scgen[kl_weight=1, n_latent=50]`` and so on, so
that scores, tables and paired differences show them as they show any other method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from inspect import signature
from itertools import product
from typing import Any

import numpy as np

from vae_np.errors import InputError
from vae_np.evaluate.experiment import SCGEN, Experiment
from vae_np.scgen.predictor import ScGen
from vae_np.scgen.settings import Settings
from vae_np.train.loop import fit
from vae_np.train.settings import TrainSettings

OF_MODEL = [field.name for field in fields(Settings) if field.name not in ("seed", "n_threads", "dtype")]
OF_TRAINING = [field.name for field in fields(TrainSettings) if field.name in signature(ScGen.fit).parameters]


def with_grid(experiment: Experiment, grid: Mapping[str, Sequence[Any]]) -> Experiment:
    """Let every combination of some settings take part.

    Parameters
    ----------
    experiment
        Its other settings hold for all of them. What is trained for other methods, such as a conditional
        VAE, has the settings of the experiment that they are added to.
    grid
        Name of a setting of `ScGen` or of `ScGen.fit` -> its values, those of ``scgen`` first.

    Returns
    -------
    Experiment
        The first combination in `model` and `training`, the others in `variants`.

    Raises
    ------
    InputError
        If a name or a value is not one of a setting, or a value is there twice.
    """
    for name, values in grid.items():
        if name not in (*OF_MODEL, *OF_TRAINING):
            names = ", ".join(OF_MODEL + OF_TRAINING)
            raise InputError(f"{name} is no setting of a grid: the names are {names}")
        if not values or any(value in values[:i] for i, value in enumerate(values)):
            raise InputError(f"the values of {name} are {list(values)}: give some, each once")
    first, *others = (dict(zip(grid, values, strict=True)) for values in product(*grid.values()))
    for settings in (first, *others):
        _require_settings(with_settings(experiment, settings))
    variants = {f"{SCGEN}[{', '.join(f'{n}={v}' for n, v in one.items())}]": one for one in others}
    return replace(with_settings(experiment, first), variants=variants)


def with_settings(experiment: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """Put settings where they belong, in `model` or in `training`."""
    model = {name: value for name, value in settings.items() if name in OF_MODEL}
    training = {name: value for name, value in settings.items() if name in OF_TRAINING}
    return replace(
        experiment, model={**experiment.model, **model}, training={**experiment.training, **training}
    )


def variant(experiment: Experiment, method: str) -> Experiment:
    """The experiment of one method: what it is for ``scgen``; a variant makes that one prediction only."""
    if method == SCGEN:
        return experiment
    alone = replace(experiment, predictions={SCGEN: experiment.predictions[SCGEN]}, others={})
    return with_settings(alone, experiment.variants[method])


def _require_settings(experiment: Experiment) -> None:
    """Raise InputError, before any training, for a value that one of them could not have."""
    model = ScGen(**experiment.model).settings
    defaults = {name: parameter.default for name, parameter in signature(fit).parameters.items()}
    known = {field.name: defaults[field.name] for field in fields(TrainSettings)}
    given = {name: value for name, value in experiment.training.items() if name in known}
    if not isinstance(stops := given.get("early_stopping", True), bool | np.bool_):
        raise InputError(f"early_stopping is {stops!r}: give true or false")
    training = TrainSettings(**known | given | {"kl_weight": model.kl_weight})
    training.require_range_of(np.dtype(model.dtype))
    if training.batch_size == 1 and model.n_layers:
        raise InputError("batch_size is 1: give at least 2 (batch norm has no variance of one cell)")
