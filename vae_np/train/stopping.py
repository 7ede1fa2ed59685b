"""Early stopping: training ends when the loss that is minimized has not improved for some epochs.

The published scGen watches the ELBO with an unweighted KL while it minimizes a loss with a KL weight
of 2.5e-5; that KL grows all through training, so it stops too early. Here both are the same number.
"""

import math
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Lowest loss so far and when it was seen.

    Attributes
    ----------
    patience
        Epochs without improvement after which training ends.
    min_delta
        An improvement is a loss below the lowest one by more than this, in nats per cell.
    """

    patience: int
    min_delta: float = 0.0
    best_loss: float = math.inf
    best_epoch: int = -1

    def improved(self, loss: float, epoch: int) -> bool:
        """Take in the loss of an epoch and say whether it is the new best."""
        if not loss < self.best_loss - self.min_delta:
            return False
        self.best_loss, self.best_epoch = loss, epoch
        return True

    def exhausted(self, epoch: int) -> bool:
        """Say whether `patience` epochs have passed since the best one."""
        return epoch - self.best_epoch >= self.patience
