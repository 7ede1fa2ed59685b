"""Simulated cells with a known response, written to a file a chunk at a time: as many as the disk holds.

They are as those of `vae_np.simulate`, counted from a latent state (`vae_np.data.measure`). In the file they
are mixed, or sorted by cell type and condition: the worst order for whoever reads neighbors together.
"""

import warnings
from collections.abc import Iterator

import anndata
import numpy as np
import pandas as pd
import zarr
from anndata.io import sparse_dataset, write_elem
from scipy import sparse

from vae_np.data import read_cells, write_cells
from vae_np.data.matrix import chunks, in_chunks
from vae_np.data.measure import N_LATENT, draw_genes, measure
from vae_np.data.stored import Stored

N_TYPES, SHIFT, LIBRARY, DROPOUT = 6, 2.0, 700.0, 0.3  # 6 % of 2,000 genes are seen in a cell
KEYS = ("cell_type", "condition")


def names_of(n_cells: int, is_sorted: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cell type of each cell, counted from 0, and whether it is stimulated."""
    group = np.arange(n_cells) % (2 * N_TYPES)
    group = np.sort(group) if is_sorted else rng.permutation(group)
    return group // 2, group % 2


def write_simulated(path: str, n_cells: int, n_genes: int, is_sorted: bool = False, seed: int = 0) -> float:
    """Write log-normalized cells to an .h5ad file (CSR, not compressed) and return the share of non-zeros."""
    rng = np.random.default_rng(seed)
    genes = draw_genes(rng, n_genes)
    effects = rng.normal(size=(N_TYPES, N_LATENT))
    effects[:, -1] = 0
    cell_type, stimulated = names_of(n_cells, is_sorted, rng)
    n_values = 0

    def measured() -> Iterator[sparse.csr_matrix]:
        nonlocal n_values
        for rows in chunks(n_cells):
            z = effects[cell_type[rows]]
            z[:, -1] = SHIFT * stimulated[rows]
            x = measure(rng, z, genes, {}, LIBRARY, DROPOUT).X
            n_values += x.nnz
            yield x

    labels = [f"type {i + 1}" for i in range(N_TYPES)], ["control", "stimulated"]
    columns = {
        key: pd.Categorical.from_codes(codes, names)
        for key, codes, names in zip(KEYS, (cell_type, stimulated), labels, strict=True)
    }
    obs = pd.DataFrame(columns, index=[f"cell{i}" for i in range(n_cells)])
    var = pd.DataFrame(index=[f"gene{i}" for i in range(n_genes)])
    write_cells(path, anndata.AnnData(obs=obs, var=var), measured(), compression=None)
    return n_values / (n_cells * n_genes)


def write_zarr(path: str, source: str) -> None:
    """Copy an .h5ad file to a .zarr folder, a chunk at a time."""
    cells = read_cells(source, backed=True)
    warnings.filterwarnings("ignore", "zarr v3 autosharding")
    folder = zarr.open_group(path, mode="w")
    folder.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_elem(folder, "obs", cells.obs)
    write_elem(folder, "var", cells.var)
    parts = map(sparse.csr_matrix, in_chunks(Stored.whole(cells.X), size=16_384))
    write_elem(folder, "X", next(parts))
    for rows in parts:
        sparse_dataset(folder["X"]).append(rows)
