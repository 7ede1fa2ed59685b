"""Data: what X is, reading and writing, simulation with a known truth."""

from vae_np.data.expression import log_normalize, select_genes
from vae_np.data.reading import read_h5ad
from vae_np.data.simulate import simulate

__all__ = ["log_normalize", "read_h5ad", "select_genes", "simulate"]
