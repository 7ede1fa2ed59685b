"""Early stopping: training ends when the loss that is minimized has not improved for some epochs.

The published scGen watches the ELBO with an unweighted KL while it minimizes a loss with a KL weight
of 2.5e-5; that KL grows all through training, so it stops too early. Here both are the same number.
"""

import math
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """The lowest loss so far, and how long there has been no improvement worth waiting for.

    Attributes
    ----------
    patience
        Epochs without improvement after which training ends.
    min_delta
        An improvement is a loss below the last one that counted by more than this, in nats. It decides
        when to stop; the best weights are those of the lowest loss, however small the difference.
    """

    patience: int
    min_delta: float = 0.0
    lowest: float = math.inf
    improved_to: float = math.inf
    improved_in: int = -1

    def is_best(self, loss: float, epoch: int) -> bool:
        """Take in the loss of an epoch and say whether it is the lowest so far."""
        if loss < self.improved_to - self.min_delta:
            self.improved_to, self.improved_in = loss, epoch
        is_lowest = loss < self.lowest
        self.lowest = min(self.lowest, loss)
        return is_lowest

    def exhausted(self, epoch: int) -> bool:
        """Say whether `patience` epochs have passed since the last improvement."""
        return epoch - self.improved_in >= self.patience
