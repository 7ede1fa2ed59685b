"""Predictions that need no model; one that does not beat them has learned nothing worth having.

*No change*: the control cells as they are. *Mean shift*: the control cells plus the mean change of the
other cell types, gene by gene - the same rule as delta, in expression space.
"""

import numpy as np

from vae_np.data.matrix import Matrix, gene_mean
from vae_np.errors import InputError
from vae_np.scgen.delta import shared_types


def mean_shift(
    x: Matrix,
    condition: np.ndarray,
    cell_type: np.ndarray,
    ctrl_key: str,
    stim_key: str,
    target: str,
    min_cells: int = 10,
) -> np.ndarray:
    """Balanced mean change of each gene over the cell types other than the target [delta-balanced].

    Parameters
    ----------
    x
        Log-normalized training cells, dense or CSR, (n, d).
    condition, cell_type
        Labels, (n,).
    ctrl_key, stim_key, target
        The two conditions and the type to be predicted, whose cells are not used.
    min_cells
        A type enters if it has this many cells in both conditions.

    Returns
    -------
    np.ndarray
        Shape (d,).

    Raises
    ------
    InputError
        If no type has enough cells.
    """
    control = (condition == ctrl_key) & (cell_type != target)
    stimulated = (condition == stim_key) & (cell_type != target)
    types = shared_types(cell_type[control], cell_type[stimulated], min_cells)
    if not types:
        raise InputError(
            f"no cell type other than {target!r} has {min_cells} cells in both {ctrl_key!r} and "
            f"{stim_key!r}: there is no mean shift to compare with"
        )
    changes = [
        gene_mean(x[stimulated & (cell_type == t)]) - gene_mean(x[control & (cell_type == t)]) for t in types
    ]
    return np.mean(changes, axis=0)
