"""Training: Adam, minibatches, early stopping, and the loop that joins them."""

from vae_np.train.adam import AdamState, adam_bias, adam_moments, adam_step, adam_update
from vae_np.train.batches import draw_masks, minibatches, split_cells
from vae_np.train.diagnosis import DivergedError, NonFiniteLossError
from vae_np.train.keeping import Checkpoints
from vae_np.train.loop import fit, mean_loss
from vae_np.train.trained import Trained

__all__ = [
    "AdamState",
    "Checkpoints",
    "DivergedError",
    "NonFiniteLossError",
    "Trained",
    "adam_bias",
    "adam_moments",
    "adam_step",
    "adam_update",
    "draw_masks",
    "fit",
    "mean_loss",
    "minibatches",
    "split_cells",
]
