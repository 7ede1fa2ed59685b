"""Splits and minibatches: every cell once, sizes as promised, one seed one outcome."""

import numpy as np
import pytest

from vae_np.errors import InputError
from vae_np.model import Sizes
from vae_np.train import draw_masks, minibatches, split_cells


@pytest.mark.parametrize(
    ("n", "train_size", "n_train"), [(100, 0.9, 90), (101, 0.9, 91), (3, 0.9, 2), (10, 1.0, 10)]
)
def test_split_takes_the_ceiling_and_leaves_a_validation_cell(rng, n, train_size, n_train):
    train, validation = split_cells(n, train_size, rng)
    assert len(train) == n_train
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(n))


def test_every_cell_is_equally_likely_to_validate():
    hits = np.zeros(10)
    for seed in range(400):
        _, validation = split_cells(10, 0.9, np.random.default_rng(seed))
        hits[validation] += 1
    # one cell in ten a split: binomial with mean 40 and variance 400 x 0.1 x 0.9
    assert (np.abs(hits - 40) < 4.892 * np.sqrt(36)).all()


@pytest.mark.parametrize(("n", "train_size"), [(2, 0.9), (1, 1.0), (0, 0.9), (10, 0.1)])
def test_split_refuses_fewer_than_two_training_cells(rng, n, train_size):
    with pytest.raises(InputError, match="to train on"):
        split_cells(n, train_size, rng)


@pytest.mark.parametrize("train_size", [0, -1, 1.1, np.nan])
def test_split_refuses_a_share_that_is_none(rng, train_size):
    with pytest.raises(InputError, match="train_size"):
        split_cells(10, train_size, rng)


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [
        (96, 32, [32, 32, 32]),
        (98, 32, [32, 32, 32, 2]),
        (97, 32, [32, 32, 33]),
        (33, 32, [33]),
        (5, 32, [5]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_minibatches_cover_all_cells_and_none_is_alone(rng, n, batch_size, sizes):
    cells = np.arange(100, 100 + n)
    batches = minibatches(cells, batch_size, rng)
    assert [len(batch) for batch in batches] == sizes
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), cells)


def test_minibatches_are_shuffled_anew_by_the_generator(rng):
    cells = np.arange(50)
    first, second = (np.concatenate(minibatches(cells, 10, rng)) for _ in range(2))
    assert not np.array_equal(first, second)
    again = np.concatenate(minibatches(cells, 10, np.random.default_rng(20240817)))
    np.testing.assert_array_equal(first, again)


def test_masks_come_in_layer_order_with_all_draws_in_the_decoder(rng):
    masks = draw_masks(Sizes(7, 5, 3, 2), 6, 4, 0.2, rng, np.dtype(np.float32))
    assert [mask.shape for mask in masks] == [(6, 5), (6, 5), (24, 5), (24, 5)]
    assert draw_masks(Sizes(7, 5, 3, 2), 6, 4, 0, rng, np.dtype(np.float32)) is None
