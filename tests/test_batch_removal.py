"""Batch removal: what the shift must do to the means, and what it must leave alone."""

import numpy as np
import pytest

from vae_np.scgen.batch_removal import remove_batch_shift

COUNTS = {"T": {"b1": 5, "b2": 9, "b3": 2}, "B": {"b1": 6, "b2": 1}, "NK": {"b3": 4}}
LARGEST = {"T": "b2", "B": "b1", "NK": "b3"}


@pytest.fixture
def cells(rng):
    """Latents, batch and type of cells in mixed order, with a shift of each batch of each type."""
    rows = [(b, t) for t, counts in COUNTS.items() for b, n in counts.items() for _ in range(n)]
    batch, cell_type = np.array(rows)[rng.permutation(len(rows))].T
    shift = {pair: rng.normal(scale=5, size=3) for pair in set(rows)}
    z = np.array([shift[pair] for pair in zip(batch, cell_type, strict=True)])
    return z + rng.normal(size=z.shape), batch, cell_type


def groups(batch, cell_type):
    for t, counts in COUNTS.items():
        for b in counts:
            yield (batch == b) & (cell_type == t), (batch == LARGEST[t]) & (cell_type == t)


def test_every_batch_of_a_type_has_the_mean_of_its_largest_batch(cells):
    z, batch, cell_type = cells
    moved = remove_batch_shift(z, batch, cell_type)
    for group, largest in groups(batch, cell_type):
        np.testing.assert_allclose(moved[group].mean(axis=0), z[largest].mean(axis=0), rtol=1e-12)


def test_differences_within_a_batch_of_a_type_stay(cells):
    z, batch, cell_type = cells
    moved = remove_batch_shift(z, batch, cell_type)
    for group, _ in groups(batch, cell_type):
        np.testing.assert_allclose(moved[group] - moved[group][0], z[group] - z[group][0], atol=1e-13)


def test_the_largest_batch_and_types_of_one_batch_stay_exactly(cells):
    z, batch, cell_type = cells
    moved = remove_batch_shift(z, batch, cell_type)
    stays = np.array([b == LARGEST[t] for b, t in zip(batch, cell_type, strict=True)])
    np.testing.assert_array_equal(moved[stays], z[stays])
    assert np.abs(moved[~stays] - z[~stays]).min() > 0


def test_the_input_is_left_alone_and_nothing_moves_twice(cells):
    z, batch, cell_type = cells
    before = z.copy()
    moved = remove_batch_shift(z, batch, cell_type)
    np.testing.assert_array_equal(z, before)
    np.testing.assert_allclose(remove_batch_shift(moved, batch, cell_type), moved, atol=1e-13)


def test_the_order_of_the_cells_does_not_matter(cells, rng):
    order = rng.permutation(len(cells[0]))
    shuffled = remove_batch_shift(*(array[order] for array in cells))
    np.testing.assert_allclose(shuffled, remove_batch_shift(*cells)[order], atol=1e-13)


def test_of_batches_of_one_size_the_first_in_sorted_order_stays():
    z = np.array([[8.0], [10.0], [1.0], [3.0]])
    batch, cell_type = np.array(["b2", "b2", "b1", "b1"]), np.array(["T"] * 4)
    np.testing.assert_array_equal(remove_batch_shift(z, batch, cell_type), [[1.0], [3.0], [1.0], [3.0]])


def test_one_batch_or_no_shared_type_changes_nothing(rng):
    z = rng.normal(size=(6, 2))
    one = np.repeat("b1", 6)
    types = np.repeat(["T", "B"], 3)
    np.testing.assert_array_equal(remove_batch_shift(z, one, types), z)
    np.testing.assert_array_equal(remove_batch_shift(z, np.repeat(["b1", "b2"], 3), types), z)


def test_scalar_case_of_the_module_docstring():
    z = np.array([[1.0], [7.0], [2.0], [9.0], [3.0]])
    batch = np.array(["a", "b", "a", "b", "a"])
    moved = remove_batch_shift(z, batch, np.repeat("T", 5))
    np.testing.assert_array_equal(moved[:, 0], [1, 1, 2, 3, 3])
