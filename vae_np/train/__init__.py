"""Training: Adam, minibatches, early stopping, and the loop that joins them."""

from vae_np.train.adam import AdamState, adam_bias, adam_moments, adam_step, adam_update

__all__ = ["AdamState", "adam_bias", "adam_moments", "adam_step", "adam_update"]
