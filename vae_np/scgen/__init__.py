"""scGen: the perturbation vector and its uncertainty; the AnnData-facing model is `vae_np.ScGen`."""

from vae_np.scgen.batch_removal import remove_batch_shift
from vae_np.scgen.delta import (
    decoded_change,
    delta,
    delta_balanced,
    delta_predict,
    delta_resampled,
    shared_types,
    two_factor,
)
from vae_np.scgen.uncertainty import (
    agreement,
    bootstrap_deltas,
    jackknife_variance,
    prediction_interval,
    shrinkage_factor,
    type_deltas,
)

__all__ = [
    "agreement",
    "bootstrap_deltas",
    "decoded_change",
    "delta",
    "delta_balanced",
    "delta_predict",
    "delta_resampled",
    "jackknife_variance",
    "prediction_interval",
    "remove_batch_shift",
    "shared_types",
    "shrinkage_factor",
    "two_factor",
    "type_deltas",
]
