"""Data: what X is, reading and writing, public data sets, orthologs, simulation with a known truth."""

from vae_np.data.cells_file import read_cells
from vae_np.data.expression import log_normalize, select_genes
from vae_np.data.orthologs import map_orthologs
from vae_np.data.reading import haber2017, hagai2018, kang2018, read_h5ad
from vae_np.data.simulate import simulate, simulate_species
from vae_np.data.writing_cells import write_cells

__all__ = [
    "haber2017",
    "hagai2018",
    "kang2018",
    "log_normalize",
    "map_orthologs",
    "read_cells",
    "read_h5ad",
    "select_genes",
    "simulate",
    "simulate_species",
    "write_cells",
]
