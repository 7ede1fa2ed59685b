"""An epoch's batches and their rows: of a matrix in memory, or of one in its file, a buffer at a time.

In memory every batch is a random choice of all the cells. A file is read in runs of neighbors instead: the
training cells, in the order of the file, are cut into blocks; each buffer takes some blocks at random and is
shuffled, and batches are cut from one buffer after the other. While one is used, a thread reads the next.
Which cells meet depends on the seed alone; cells that fit in one buffer meet as they would in memory.
"""

from collections.abc import Generator
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np

from vae_np.data.matrix import InMemory, Matrix, some_rows
from vae_np.data.read_ahead import read_ahead
from vae_np.data.stored import Stored
from vae_np.layers.linear import Rows

Plan: TypeAlias = list[list[np.ndarray]]


def rows_of_batches(x: Matrix, plan: Plan, dtype: np.dtype) -> Generator[tuple[np.ndarray, Rows], None, None]:
    """Yield the rows of each batch.

    Parameters
    ----------
    x
        Matrix (n, d), in memory or in its file.
    plan
        Buffers of batches; a batch is the indices of its cells.
    dtype
        Of the rows.

    Yields
    ------
    tuple
        Indices of the cells, and their rows, dense or CSC.

    Raises
    ------
    InputError
        If a file can no longer be read.
    """
    if not isinstance(x, Stored):
        for cells in chain.from_iterable(plan):
            yield cells, some_rows(x, cells, dtype)
        return

    def read(batches: list[np.ndarray]) -> tuple[np.ndarray, InMemory]:
        cells = np.sort(np.concatenate(batches))
        return cells, x[cells].read(dtype)

    buffers = read_ahead(partial(read, batches) for batches in plan)
    for batches, (cells, buffer) in zip(plan, buffers, strict=True):
        for batch in batches:
            yield batch, some_rows(buffer, np.searchsorted(cells, batch), dtype)
