"""Which cells meet in a step, and the noise they meet: splits, minibatches, dropout masks."""

import math

import numpy as np

from vae_np.errors import InputError, real_number
from vae_np.layers.dropout import dropout_mask
from vae_np.model.params import Sizes


def split_cells(
    n_cells: int, train_size: float, rng: np.random.Generator, validation_cells: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Split cells into training and validation: as given, or at random, ceil(train_size * n) to train on.

    Where `train_size` is below 1, at least one cell is left for validation.

    Parameters
    ----------
    n_cells
        Number of cells.
    train_size
        Share of the training cells, in (0, 1].
    rng
        Source of randomness.
    validation_cells
        Indices, or a mask, of the cells to validate on instead of a random share.

    Returns
    -------
    tuple of np.ndarray
        Sorted indices of the training cells and of the validation cells.

    Raises
    ------
    InputError
        If `train_size` is outside (0, 1], `validation_cells` are no cells, or fewer than two cells would be
        left to train on.
    """
    if validation_cells is not None:
        return _split_as_given(n_cells, np.asarray(validation_cells))
    train_size = real_number("train_size", train_size, above=0)
    if train_size > 1:
        raise InputError(f"train_size is {train_size}: give a share above 0 and at most 1")
    n_train = math.ceil(train_size * n_cells)
    if train_size < 1:
        n_train = min(n_train, n_cells - 1)
    if n_train < 2:
        raise InputError(
            f"train_size {train_size:g} of {n_cells} cells leaves {max(n_train, 0)} to train on: "
            "give at least 3 cells, or a larger share"
        )
    order = rng.permutation(n_cells)
    return np.sort(order[:n_train]), np.sort(order[n_train:])


def _split_as_given(n_cells: int, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    is_mask = given.dtype == bool and given.shape == (n_cells,)
    chosen = np.flatnonzero(given) if is_mask else np.unique(given)
    is_index = given.ndim == 1 and (is_mask or given.dtype.kind in "iu" or given.size == 0)
    if not is_index or (chosen.size and (chosen[0] < 0 or chosen[-1] >= n_cells)):
        raise InputError(f"validation_cells must be indices from 0 to {n_cells - 1}, or a mask")
    train_cells = np.setdiff1d(np.arange(n_cells), chosen)
    if len(train_cells) < 2:
        raise InputError(f"{len(train_cells)} of {n_cells} cells are left to train on: give at least 2")
    return train_cells, chosen.astype(int)


def minibatches(cells: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffle the cells and cut them into batches; a last batch of one cell joins the one before.

    One cell has no variance, so batch norm could not use it (the published tools drop it, or fail).

    Parameters
    ----------
    cells
        Indices of the cells.
    batch_size
        Cells a batch; fewer cells than that are one batch.
    rng
        Source of randomness.

    Returns
    -------
    list of np.ndarray
        The batches: every cell in exactly one.
    """
    order = rng.permutation(cells)
    cuts = list(range(batch_size, len(order), batch_size))
    if len(cuts) and batch_size > 1 and len(order) - cuts[-1] == 1:
        cuts.pop()
    return np.split(order, cuts)


def shuffled_buffers(
    cells: np.ndarray, block_size: int, buffer_size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Share out cells that lie in a file among buffers, each a random choice of whole blocks.

    A block is a run of neighbors, which can be read in one go; what a buffer holds is shuffled in memory.
    Cells that fit in one buffer are one buffer, as they are: they get the full shuffle of `minibatches`.

    Parameters
    ----------
    cells
        Sorted indices of the cells.
    block_size, buffer_size
        At most so many cells a block, and blocks of so many cells a buffer.
    rng
        Source of randomness.

    Returns
    -------
    list of np.ndarray
        The buffers, of nearly the same size: every cell in exactly one.
    """
    if len(cells) <= buffer_size:
        return [cells]
    blocks = np.array_split(cells, math.ceil(len(cells) / block_size))
    n_buffers = math.ceil(len(blocks) / (buffer_size // block_size))
    shares = np.array_split(rng.permutation(len(blocks)), n_buffers)
    return [np.concatenate([blocks[i] for i in share]) for share in shares]


def draw_masks(
    sizes: Sizes,
    n_cells: int,
    n_draws: int,
    rate: float,
    rng: np.random.Generator,
    dtype: np.dtype,
) -> tuple[np.ndarray, ...] | None:
    """Draw the dropout masks of one step in layer order: n rows in the encoder, L*n in the decoder.

    Parameters
    ----------
    sizes
        Widths of the model.
    n_cells, n_draws
        n and L.
    rate
        Dropout probability; at 0 there are no masks.
    rng
        Source of randomness.
    dtype
        Dtype of the masks.

    Returns
    -------
    tuple of np.ndarray or None
        2 * n_layers masks.
    """
    if rate == 0:
        return None
    rows = [n_cells] * sizes.n_layers + [n_draws * n_cells] * sizes.n_layers
    return tuple(dropout_mask((r, sizes.n_hidden), rate, rng, dtype) for r in rows)
