"""A variational autoencoder and scGen, written out by hand; the public names load on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vae_np.data.reading import read_h5ad as read_h5ad
    from vae_np.data.simulate import simulate as simulate
    from vae_np.kernels import use as use
    from vae_np.scgen.predictor import ScGen as ScGen
    from vae_np.verify.check import check as check
    from vae_np.verify.gradients import check_gradients as check_gradients
    from vae_np.verify.run import verify_all as verify_all
    from vae_np.verify.where import where as where

__version__ = "0.1.0"

_MODULE_OF = {
    "ScGen": "vae_np.scgen.predictor",
    "check": "vae_np.verify.check",
    "check_gradients": "vae_np.verify.gradients",
    "read_h5ad": "vae_np.data.reading",
    "simulate": "vae_np.data.simulate",
    "use": "vae_np.kernels",
    "verify_all": "vae_np.verify.run",
    "where": "vae_np.verify.where",
}
__all__ = [
    "ScGen",
    "__version__",
    "check",
    "check_gradients",
    "read_h5ad",
    "simulate",
    "use",
    "verify_all",
    "where",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    """Import the module behind a public name when the name is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vae_np' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
