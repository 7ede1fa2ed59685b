"""scGen: the perturbation vector; the AnnData-facing model is `vae_np.ScGen`, in `predictor`."""

from vae_np.scgen.batch_removal import remove_batch_shift
from vae_np.scgen.delta import (
    decoded_change,
    delta,
    delta_balanced,
    delta_predict,
    delta_resampled,
    shared_types,
)

__all__ = [
    "decoded_change",
    "delta",
    "delta_balanced",
    "delta_predict",
    "delta_resampled",
    "remove_batch_shift",
    "shared_types",
]
