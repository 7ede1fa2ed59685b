"""scGen: the perturbation vector and the AnnData-facing model."""

from vae_np.scgen.batch_removal import remove_batch_shift
from vae_np.scgen.delta import (
    decoded_change,
    delta,
    delta_balanced,
    delta_predict,
    delta_resampled,
    shared_types,
)
from vae_np.scgen.predictor import ScGen

__all__ = [
    "ScGen",
    "decoded_change",
    "delta",
    "delta_balanced",
    "delta_predict",
    "delta_resampled",
    "remove_batch_shift",
    "shared_types",
]
