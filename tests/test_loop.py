"""The training loop: it learns, repeats itself to the bit, keeps the best epoch, and stops on nonsense."""

import inspect

import numpy as np
import pytest
from scipy import sparse
from scipy import stats as scipy_stats

from vae_np.errors import InputError
from vae_np.model import Sizes, bernoulli, gaussian, initialize, loss
from vae_np.train import NonFiniteLossError, fit, loop, mean_loss, minibatches
from vae_np.train.diagnosis import bad_tensor
from vae_np.train.step import train_step
from vae_np.train.stopping import EarlyStopping

SIZES = Sizes(n_genes=12, n_hidden=16, n_latent=2, n_layers=1)


@pytest.fixture(scope="module")
def x():
    """Cells on a curved one-dimensional path in 12 genes, with noise of variance 0.01."""
    rng = np.random.default_rng(7)
    t = rng.uniform(-1, 1, size=(150, 1))
    path = np.sin(t * np.linspace(1, 4, 12) + np.arange(12))
    return path + 0.1 * rng.normal(size=path.shape)


def start(dtype=np.float64, sizes=SIZES):
    return initialize(sizes, np.random.default_rng(1), dtype)


def train(x, likelihood=None, dtype=np.float64, sizes=SIZES, seed=2, **settings):
    settings = {"max_epochs": 12, "batch_size": 16, "lr": 0.01, "early_stopping": False} | settings
    params, stats = start(dtype, sizes)
    rng = np.random.default_rng(seed)
    return fit(params, stats, x, likelihood or gaussian(0.05), rng=rng, **settings)


def test_training_lowers_the_validation_loss_and_leaves_the_start_alone(x):
    params, stats = start()
    before = params.flat.copy(), stats.flat.copy()
    rng = np.random.default_rng(2)
    trained = fit(params, stats, x, gaussian(0.05), rng=rng, max_epochs=40, lr=0.01)
    np.testing.assert_array_equal(params.flat, before[0])
    np.testing.assert_array_equal(stats.flat, before[1])
    first, best = trained.history["validation_total"][0], trained.history["validation_total"].min()
    assert best < 0.2 * first  # the path is one-dimensional: most of the variance is explained


def test_the_bernoulli_vae_learns_binary_patterns():
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 2, (2, 12))
    x = patterns[rng.integers(0, 2, 120)].astype(float)
    trained = train(x, bernoulli(), max_epochs=60)
    entropy = np.log(2)  # the best possible loss: which of the two patterns it is
    assert trained.history["validation_total"].min() < 1.5 * entropy
    assert trained.history["validation_total"][0] > 4 * entropy


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_seed_one_result_to_the_bit_dense_or_sparse(x, dtype):
    x = np.maximum(x, 0)
    settings = {"dtype": dtype, "dropout_rate": 0.2, "n_draws": 2}
    first, second = train(x, **settings), train(x, **settings)
    csr, csc = train(sparse.csr_matrix(x), **settings), train(sparse.csc_array(x), **settings)
    for other in (second, csr, csc):
        np.testing.assert_array_equal(first.params.flat, other.params.flat)
        np.testing.assert_array_equal(first.stats.flat, other.stats.flat)
        for name, values in first.history.items():
            np.testing.assert_array_equal(values, other.history[name])
    assert first.params.flat.dtype == first.stats.flat.dtype == dtype


def test_the_seed_matters(x):
    first, second = (train(x, seed=seed, max_epochs=1) for seed in (2, 3))
    assert not np.array_equal(first.params.flat, second.params.flat)


def test_changing_a_setting_leaves_the_batches_as_they_are(x, monkeypatch):
    def epochs(**settings):
        seen = []

        def spy(*arguments):
            seen.append(minibatches(*arguments))
            return seen[-1]

        monkeypatch.setattr(loop, "minibatches", spy)
        train(x, max_epochs=3, **settings)
        return [np.concatenate(batches) for batches in seen]

    np.testing.assert_array_equal(epochs(), epochs(n_draws=3, dropout_rate=0.5))


def test_the_noise_is_standard_normal_and_the_masks_drop_their_share(x, monkeypatch):
    noise, dropped = [], []

    def spy(params, stats, state, batch, eps, masks, *rest, **settings):
        noise.append(eps.ravel())
        dropped.extend(mask.ravel() == 0 for mask in masks)
        return train_step(params, stats, state, batch, eps, masks, *rest, **settings)

    monkeypatch.setattr(loop, "train_step", spy)
    train(x, max_epochs=20, dropout_rate=0.3)
    noise, dropped = np.concatenate(noise), np.concatenate(dropped)
    # by the inequality of Dvoretzky, Kiefer and Wolfowitz a false alarm in a million
    bound = np.sqrt(np.log(2 / 1e-6) / (2 * noise.size))
    assert scipy_stats.kstest(noise, "norm").statistic < bound
    assert abs(dropped.mean() - 0.3) < 4.892 * np.sqrt(0.3 * 0.7 / dropped.size)


def test_weight_decay_and_epsilon_reach_adam(x):
    before = start()[0].flat
    one_step = {"train_size": 1.0, "batch_size": 500, "max_epochs": 1, "lr": 0.01}
    decayed = train(x, weight_decay=1e12, **one_step).params.flat
    moved = before != 0  # there the gradient is all decay, so the first step is lr times its sign
    np.testing.assert_allclose((decayed - before)[moved], -0.01 * np.sign(before[moved]), rtol=1e-6)
    damped = train(x, epsilon=1e30, **one_step).params.flat  # steps of 1e-32 times the gradient
    np.testing.assert_allclose(damped, before, atol=1e-20)


def test_the_defaults_are_the_documented_ones():
    documented = {"kl_weight": 1, "kl_warmup_epochs": 0, "n_draws": 1, "dropout_rate": 0}
    documented |= {"max_epochs": 100, "batch_size": 32, "train_size": 0.9, "validation_cells": None}
    documented |= {"early_stopping": True, "patience": 25, "min_delta": 0}
    documented |= {"lr": 1e-3, "epsilon": 1e-8, "weight_decay": 0, "progress": False}
    parameters = inspect.signature(fit).parameters
    assert {name: parameters[name].default for name in documented} == documented


def test_the_returned_weights_are_those_of_the_best_epoch(x):
    validation = np.arange(0, 150, 7)
    trained = train(x, lr=0.2, max_epochs=30, validation_cells=validation, kl_weight=0.5)
    history = trained.history["validation_total"]
    assert history.argmin() < len(history) - 1  # otherwise 'best' and 'last' could not be told apart
    again = mean_loss(trained.params, trained.stats, x, validation, gaussian(0.05), 0.5)
    np.testing.assert_allclose(again[0], history.min(), rtol=1e-13)


def test_validation_is_in_evaluation_mode_with_the_mean_latent(x):
    params, stats = start()
    cells = np.array([3, 50, 51])
    value, _, _ = loss(params, stats, x[cells], np.zeros((1, 3, 2)), None, gaussian(0.05), 0.3, train=False)
    means = mean_loss(params, stats, x, cells, gaussian(0.05), 0.3)
    np.testing.assert_allclose(means, [quantity.mean() for quantity in value], rtol=1e-14)


def test_history_has_all_losses_and_they_add_up(x):
    history = train(x, kl_weight=0.5).history
    for part in ("train", "validation"):
        total, reconstruction, kl = (history[f"{part}_{name}"] for name in ("total", "reconstruction", "kl"))
        assert len(total) == 12
        np.testing.assert_allclose(total, reconstruction + 0.5 * kl, rtol=1e-12)


def test_the_training_history_is_a_mean_over_cells_not_over_batches(x):
    sizes = SIZES._replace(n_layers=0)  # without batch norm, and lr ~ 0: each cell's KL is that of the start
    validation = np.arange(0, 150, 3)  # leaves 100 cells: six batches of 16 and one of 4
    trained = train(x, sizes=sizes, lr=1e-30, max_epochs=1, validation_cells=validation)
    cells = np.setdiff1d(np.arange(150), validation)
    value, _, _ = loss(*start(sizes=sizes), x[cells], np.zeros((1, 100, 2)), None, train=False)
    np.testing.assert_allclose(trained.history["train_kl"], value.kl.mean(), rtol=1e-10)


def test_kl_warm_up_rises_linearly_and_validation_keeps_the_full_weight(x):
    history = train(x, kl_weight=0.8, kl_warmup_epochs=4).history
    np.testing.assert_allclose(history["kl_weight"][:6], [0, 0.2, 0.4, 0.6, 0.8, 0.8])
    reconstruction, kl = history["validation_reconstruction"], history["validation_kl"]
    np.testing.assert_allclose(history["validation_total"], reconstruction + 0.8 * kl, rtol=1e-12)
    expected = history["train_reconstruction"] + history["kl_weight"] * history["train_kl"]
    np.testing.assert_allclose(history["train_total"], expected, rtol=1e-12)


def test_early_stopping_counts_from_the_last_improvement():
    losses = [5.0, 4.0, 4.5, 3.99, 4.2, 4.1, 4.0]
    stopping = EarlyStopping(patience=3, min_delta=0.1)
    best = [stopping.is_best(loss, epoch) for epoch, loss in enumerate(losses)]
    assert best == [True, True, False, True, False, False, False]  # min_delta is for stopping only
    assert [stopping.exhausted(epoch) for epoch in (3, 4)] == [False, True]


def test_an_equal_loss_is_no_improvement():
    stopping = EarlyStopping(patience=2)
    assert [stopping.is_best(1.0, epoch) for epoch in range(3)] == [True, False, False]
    assert [stopping.exhausted(epoch) for epoch in (1, 2)] == [False, True]


def test_min_delta_and_the_switch_of_early_stopping_are_used(x):
    settings = {"min_delta": 1e9, "patience": 3, "max_epochs": 12}  # only the first epoch improves
    for early_stopping, n_epochs in ((True, 4), (False, 12)):
        history = train(x, early_stopping=early_stopping, **settings).history
        assert len(history["kl_weight"]) == n_epochs


def test_training_stops_after_patience_epochs_without_improvement(x):
    history = train(x, lr=0.05, max_epochs=200, early_stopping=True, patience=5).history
    losses = history["validation_total"]
    assert len(losses) < 200
    assert len(losses) - 1 - losses.argmin() == 5


def test_fewer_cells_than_a_batch_are_one_batch(x):
    trained = train(x[:10], batch_size=500, max_epochs=2)
    assert np.isfinite(trained.params.flat).all()


def test_without_validation_cells_the_last_weights_are_returned(x):
    trained = train(x, train_size=1.0)
    assert "validation_total" not in trained.history
    assert np.isfinite(trained.params.flat).all()
    with pytest.raises(InputError, match="early stopping needs validation cells"):
        train(x, train_size=1.0, early_stopping=True)


def test_without_validation_cells_even_a_worse_last_epoch_is_returned(x):
    settings = {"train_size": 1.0, "kl_weight": 1e5, "kl_warmup_epochs": 12, "lr": 1e-6}
    one, six = (train(x, **settings, max_epochs=n) for n in (1, 6))
    assert six.history["train_total"].argmin() == 0  # the weight of the KL rises, and so does the loss
    assert not np.array_equal(one.params.flat, six.params.flat)


def test_a_diverging_training_stops_and_keeps_the_last_good_weights(x):
    with pytest.raises(NonFiniteLossError) as caught:
        train(x.astype(np.float32), dtype=np.float32, lr=1e30, max_epochs=50)
    message, trained = str(caught.value), caught.value.trained
    assert "training stopped in epoch 1" in message
    assert "not finite in" in message or "non-finite of" in message
    assert "smaller lr" in message
    assert np.isfinite(trained.params.flat).all()
    np.testing.assert_array_equal(trained.params.flat, start(np.float32)[0].flat)


@pytest.mark.parametrize(
    ("name", "poison", "expected"),
    [
        ("weight", lambda params: params.decoder[0].W.__setitem__((1, 2), np.nan), "decoder[0].W holds 1"),
        ("log_var", lambda params: params.log_var.b.__setitem__(0, np.inf), "log_var.b holds 1"),
    ],
)
def test_the_first_bad_weight_is_named(x, name, poison, expected):
    params, stats = start()
    poison(params)
    with pytest.raises(NonFiniteLossError) as caught:
        fit(params, stats, x, gaussian(), rng=np.random.default_rng(0))
    assert expected in str(caught.value)


def test_the_first_bad_tensor_is_named_with_the_number_of_cells(x):
    huge = x.copy()
    huge[[4, 9]] = 1e200  # finite, and so is mu, but the square of mu in the KL is not
    with pytest.raises(NonFiniteLossError, match="kl is not finite in 2 of 100 cells of a batch"):
        train(
            huge,
            sizes=SIZES._replace(n_layers=0),
            batch_size=200,
            validation_cells=np.arange(100, 150),
        )


def test_a_cell_with_two_bad_values_counts_once(x):
    spoiled = x[:6].copy()
    spoiled[2, :2] = np.inf
    assert bad_tensor(z=x[:6], x=spoiled) == "x is not finite in 1 of 6 cells of a batch"
    assert bad_tensor(z=np.stack([x[:6], spoiled])) == "z is not finite in 1 of 6 cells of a batch"
    assert bad_tensor(x=x) is None


def test_bad_running_statistics_are_named(x):
    params, stats = start()
    stats.encoder[0].mean[3] = np.nan
    with pytest.raises(NonFiniteLossError, match="running statistics holds 1 non-finite of 64"):
        fit(params, stats, x, gaussian(), rng=np.random.default_rng(0), max_epochs=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 1}, "batch_size is 1: give at least 2 .batch norm"),
        ({"max_epochs": 0}, "max_epochs is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"lr": 0.0}, "lr is 0: give a number above 0"),
        ({"lr": np.nan}, "lr is nan"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"dropout_rate": 1.0}, "dropout_rate is 1: give a number below 1"),
        ({"kl_weight": -1.0}, "kl_weight"),
        ({"n_draws": 0}, "n_draws"),
        ({"weight_decay": np.nan}, "weight_decay"),
        ({"max_epochs": 2.5}, "max_epochs is 2.5: give a whole number"),
        ({"lr": "fast"}, "lr is 'fast': give a number"),
        ({"kl_weight": np.inf}, "kl_weight is inf"),
        ({"kl_warmup_epochs": -1}, "kl_warmup_epochs is -1: give at least 0"),
    ],
)
def test_bad_settings_are_refused(x, settings, message):
    with pytest.raises(InputError, match=message):
        train(x, **settings)


def test_bad_data_are_refused(x):
    with pytest.raises(InputError, match="x holds 1 NaN or infinite values"):
        train(np.where(x == x[3, 4], np.nan, x))
    with pytest.raises(InputError, match=r"shape \(150, 11\): the model takes \(n, 12\)"):
        train(x[:, 1:])
    with pytest.raises(InputError, match="1 of 150 cells are left to train on"):
        train(x, validation_cells=np.arange(1, 150))
    for cells in ([-1, -2], [150], [0.5], True, [[1, 2]], np.eye(150, dtype=bool)):
        with pytest.raises(InputError, match="validation_cells must be indices from 0 to 149, or a mask"):
            train(x, validation_cells=np.array(cells))
    with pytest.raises(InputError, match="rows of different lengths"):
        train([[1.0, 2.0], [1.0]])
    with pytest.raises(InputError, match=r"train_size is '0\.9': give a number"):
        train(x, train_size="0.9")
    with pytest.raises(InputError, match="x has 1 dimensions"):
        train(x[0])
    with pytest.raises(InputError, match="values of type complex128"):
        train(x.astype(complex))


def test_a_mask_chooses_the_same_validation_cells_as_indices(x):
    mask = np.arange(150) % 7 == 0
    by_mask, by_index = (train(x, validation_cells=v) for v in (mask, np.flatnonzero(mask)))
    np.testing.assert_array_equal(by_mask.params.flat, by_index.params.flat)


def test_a_loss_that_is_not_finite_in_validation_only_is_noticed(x):
    spoiled = x.astype(np.float32)
    spoiled[7] = 1e25  # its square overflows float32
    with pytest.raises(NonFiniteLossError, match=r"in validation, .* is not finite in 1 of 3 cells"):
        train(spoiled, dtype=np.float32, validation_cells=np.array([7, 8, 9]))


def test_the_lowest_loss_is_kept_however_small_the_difference(x):
    validation = np.arange(0, 150, 7)
    trained = train(x, max_epochs=6, validation_cells=validation, min_delta=1e9)
    again = mean_loss(trained.params, trained.stats, x, validation, gaussian(0.05), 1.0)
    np.testing.assert_allclose(again[0], trained.history["validation_total"].min(), rtol=1e-13)


def test_lists_and_every_sparse_format_are_taken(x):
    x = np.maximum(x, 0)
    expected = train(x, max_epochs=1).params.flat
    rows, columns = (np.tile(index.ravel(), 2) for index in np.indices(x.shape))
    doubled = sparse.coo_matrix((np.tile(x.ravel() / 2, 2), (rows, columns)))
    for kind in (x.tolist(), x.astype(">f8"), sparse.lil_matrix(x), sparse.dok_array(x), doubled):
        np.testing.assert_array_equal(train(kind, max_epochs=1).params.flat, expected)


def test_bernoulli_data_lie_in_the_unit_interval(x):
    with pytest.raises(InputError, match="x holds values from 0 to 3: the Bernoulli likelihood"):
        train(np.tile([0.0, 1, 3], (20, 4)), bernoulli())
    with pytest.raises(InputError, match="the Bernoulli likelihood takes binary"):
        train(sparse.csr_matrix(np.tile([0.0, 1, -1], (20, 4))), bernoulli())
    train(sparse.csr_matrix((20, 12)), bernoulli(), max_epochs=1)  # zeros alone, none of them stored


def test_one_cell_a_batch_is_fine_without_batch_norm(x):
    trained = train(x[:20], sizes=SIZES._replace(n_layers=0), batch_size=1, max_epochs=2)
    assert np.isfinite(trained.params.flat).all()


@pytest.mark.parametrize("dtype", [np.float16, ">f4", np.int8, bool])
def test_a_dense_matrix_of_mostly_zeros_may_have_any_real_dtype(x, dtype):
    rare = np.round(np.maximum(x - 0.8, 0), 1)
    expected = train(rare.astype(dtype).astype(float), max_epochs=1).params.flat
    np.testing.assert_array_equal(train(rare.astype(dtype), max_epochs=1).params.flat, expected)
