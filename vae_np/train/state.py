"""The state of a training: all that an epoch changes.

What stays as it is - the data, the settings - and the state together say how training goes on, to the bit.
So a checkpoint is the state and nothing else.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from vae_np.model.params import Params, Stats
from vae_np.train.adam import AdamState
from vae_np.train.settings import TrainSettings
from vae_np.train.stopping import EarlyStopping


class Sources(NamedTuple):
    """Where the order of the cells, the noise of z and the dropout masks are drawn from."""

    order: np.random.Generator
    eps: np.random.Generator
    masks: np.random.Generator


@dataclass
class State:
    """Where a training is, after a whole number of epochs.

    Attributes
    ----------
    params, stats, adam
        The model and its optimizer.
    sources
        What the next epoch draws from.
    best
        Weights and running statistics of the epoch that will be returned.
    stopping
        Lowest loss and last improvement; they follow from `records`.
    records
        The mean losses of each epoch.
    """

    params: Params
    stats: Stats
    adam: AdamState
    sources: Sources
    best: tuple[Params, Stats]
    stopping: EarlyStopping
    records: list[dict[str, float]] = field(default_factory=list)

    @property
    def n_epochs(self) -> int:
        """How many epochs are done."""
        return len(self.records)

    def take_in(self, record: dict[str, float]) -> bool:
        """Add the losses of one more epoch and say whether its weights are the ones to return.

        They are if the validation loss is the lowest so far, and always where nothing is validated.
        """
        loss = record.get("validation_total", record["train_total"])
        is_lowest = self.stopping.is_best(loss, self.n_epochs)
        self.records.append(record)
        return is_lowest or "validation_total" not in record

    def finished(self, settings: TrainSettings) -> bool:
        """Say whether training ends here."""
        waited = settings.early_stopping and self.stopping.exhausted(self.n_epochs - 1)
        return waited or self.n_epochs >= settings.max_epochs


def first_state(params: Params, stats: Stats, sources: Sources, settings: TrainSettings) -> State:
    """Return the state before the first epoch; the weights that are given stay as they are."""
    stopping = EarlyStopping(settings.patience, settings.min_delta)
    best = params.copy(), stats.copy()
    return State(params.copy(), stats, AdamState.zeros_like(params), sources, best, stopping)
