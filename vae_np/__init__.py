"""A variational autoencoder and scGen, written out by hand; the public names load on first use."""

from vae_np.kernels import use

__version__ = "0.1.0"
__all__ = ["__version__", "use"]
