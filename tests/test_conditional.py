"""The conditional VAE: its gradient, what it is equal to, its training, and the baseline made of it."""

import inspect

import numpy as np
import pytest
from scipy import sparse

from vae_np import ScGen, check_gradients, use
from vae_np.errors import InputError
from vae_np.evaluate import conditional_baseline
from vae_np.evaluate.baselines import Seen
from vae_np.evaluate.conditional_baseline import conditional_vae
from vae_np.layers import dropout_mask
from vae_np.model import (
    Params,
    Sizes,
    Stats,
    bernoulli,
    conditional_loss,
    conditional_loss_backward,
    decode,
    encode,
    gaussian,
    initialize,
    loss,
    loss_backward,
)
from vae_np.model.conditional import beside
from vae_np.train import AdamState, adam_step, fit, loop, mean_loss
from vae_np.train.step import train_step

N, D, H, K, C = 6, 5, 4, 3, 2
LIKELIHOODS = {"gaussian": gaussian(0.7), "bernoulli": bernoulli()}


def problem(rng, n_layers, n_draws, with_masks, n_conditions=C):
    """A small model at a generic point; data in (0, 1), which both likelihoods accept; any numbers as c."""
    sizes = Sizes(D, H, K, n_layers, n_conditions)
    params = Params(sizes, rng.normal(scale=0.5, size=sizes.n_params))
    stats = Stats(sizes, rng.uniform(0.5, 2, size=sizes.n_stats))
    x, c, eps = rng.random((N, D)), rng.normal(size=(N, n_conditions)), rng.normal(size=(n_draws, N, K))
    rows = [N] * n_layers + [n_draws * N] * n_layers
    masks = tuple(dropout_mask((r, H), 0.3, rng, np.float64) for r in rows) if with_masks else None
    return params, stats, x, c, eps, masks


@pytest.mark.parametrize("n_layers", [0, 1, 2])
@pytest.mark.parametrize("n_draws", [1, 3])
@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
@pytest.mark.parametrize("train", [True, False])
def test_gradient_of_every_parameter(rng, n_layers, n_draws, likelihood, train):
    params, *inputs = problem(rng, n_layers, n_draws, with_masks=True)

    def forward(p):
        return conditional_loss(p, *inputs, likelihood, 0.6, train)

    report = check_gradients(
        lambda p: forward(p)[0].total.mean(), lambda p: conditional_loss_backward(forward(p)[1]), params
    )
    assert report.ok, report.message


@pytest.mark.parametrize("n_layers", [0, 2])
def test_without_conditions_it_is_the_plain_vae(rng, n_layers):
    params, stats, x, c, eps, masks = problem(rng, n_layers, 2, with_masks=True, n_conditions=0)
    value, cache, new_stats = conditional_loss(params, stats, x, c, eps, masks, gaussian(0.7), 0.3)
    plain, plain_cache, plain_stats = loss(params, stats, x, eps, masks, gaussian(0.7), 0.3)
    for ours, theirs in zip(value, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(conditional_loss_backward(cache).flat, loss_backward(plain_cache).flat)
    np.testing.assert_array_equal(new_stats.flat, plain_stats.flat)


def plain_in_one_condition(params, c):
    """The plain model whose first layers have c . U added to their biases."""
    sizes = params.sizes._replace(n_conditions=0)
    arrays = []
    for name, part in params.parts():
        W, b, *rest = part
        n_read = W.shape[0] - C
        reads_c = name in ("encoder[0]", "decoder[0]") or sizes.n_layers == 0
        arrays += [W[:n_read], b + c @ W[n_read:], *rest] if reads_c else [W, b, *rest]
    return Params.join(sizes, arrays)


@pytest.mark.parametrize("n_layers", [0, 1, 2])
@pytest.mark.parametrize("train", [True, False])
def test_one_condition_for_all_is_a_plain_vae_with_other_biases(rng, n_layers, train):
    params, stats, x, c, eps, masks = problem(rng, n_layers, 3, with_masks=True)
    c[:] = c[0]
    value, _, _ = conditional_loss(params, stats, x, c, eps, masks, gaussian(0.7), 0.3, train)
    plain = plain_in_one_condition(params, c[0])
    expected, _, _ = loss(plain, Stats(plain.sizes, stats.flat), x, eps, masks, gaussian(0.7), 0.3, train)
    for ours, theirs in zip(value, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)  # some 500 roundings of 2e-16 at a few units


def test_each_condition_is_a_plain_vae_of_its_own(rng):
    """In evaluation mode cells do not meet, so a mixed batch is two plain models, each on its cells."""
    params, stats, x, _, eps, _ = problem(rng, 2, 1, with_masks=False)
    c = np.eye(2)[[0, 1, 1, 0, 1, 0]]
    value, _, _ = conditional_loss(params, stats, x, c, eps, None, train=False)
    for condition in np.eye(2):
        plain, cells = plain_in_one_condition(params, condition), (c == condition).all(axis=1)
        inputs = Stats(plain.sizes, stats.flat), x[cells], eps[:, cells], None
        np.testing.assert_allclose(value.total[cells], loss(plain, *inputs, train=False)[0].total, rtol=1e-12)


def test_sizes_count_the_conditions():
    # three more rows in what reads the cell (without layers the two heads), three in what reads z
    for n_layers, more in ((2, 3 * 800 + 3 * 800), (0, 2 * 3 * 100 + 3 * 2000)):
        plain, told = (Sizes(2000, 800, 100, n_layers, n) for n in (0, 3))
        assert told.n_params - plain.n_params == more
    assert Sizes(7, 5, 3, 2) == Sizes(7, 5, 3, 2, 0)  # a model file says nothing about conditions
    params, _ = initialize(Sizes(7, 5, 3, 2, 4), np.random.default_rng(0))
    shapes = {name: view.shape for name, view in params.named()}
    assert shapes["encoder[0].W"] == (11, 5)
    assert shapes["decoder[0].W"] == (7, 5)
    assert shapes["output.W"] == (5, 7)
    assert shapes["mu.W"] == (5, 3)


def test_wrong_shapes_are_refused(rng):
    params, stats, x, c, eps, _ = problem(rng, 1, 1, with_masks=False)
    for bad in (c[:, :1], c[:1], c[0]):
        with pytest.raises(ValueError, match=r"give \(6, 2\)"):
            conditional_loss(params, stats, x, bad, eps, None)
    for bad in (eps[0], eps[:, :1], eps[..., :2]):
        with pytest.raises(ValueError, match=r"give \(L, 6, 3\)"):
            conditional_loss(params, stats, x, c, bad, None)


def test_beside_keeps_what_is_sparse(rng):
    x, c = rng.random((4, 3)), np.eye(2)[[0, 1, 1, 0]]
    both = beside(sparse.csc_matrix(x), c)
    assert both.format == "csc"
    np.testing.assert_array_equal(both.toarray(), np.hstack([x, c]))
    np.testing.assert_array_equal(beside(np.stack([x, 2 * x]), c)[1], np.hstack([2 * x, c]))
    assert beside(x, None) is x


# ------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("n_layers", [0, 2])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_ten_train_steps_are_loss_backward_and_adam(n_layers, is_sparse, backend):
    rng, sizes, n = np.random.default_rng(5), Sizes(40, 12, 5, n_layers, 3), 8
    params, stats = initialize(sizes, rng, np.float64)
    state, clear = AdamState.zeros_like(params), params.copy()
    clear_stats, clear_state = stats, AdamState.zeros_like(params)
    adam = {"lr": 1e-2, "epsilon": 0.01, "weight_decay": 1e-2}
    for _ in range(10):
        x = rng.random((n, 40)) * (rng.random((n, 40)) < 0.2)
        c, eps = np.eye(3)[rng.integers(0, 3, n)], rng.normal(size=(2, n, 5))
        rows = [n] * n_layers + [2 * n] * n_layers
        masks = [dropout_mask((r, 12), 0.2, rng, float) for r in rows]
        batch = sparse.csc_matrix(x) if is_sparse else x
        with use(backend):
            value, stats = train_step(
                params, stats, state, batch, eps, masks, gaussian(0.5), 0.3, c=c, **adam
            )
        with use("numpy"):
            expected, cache, clear_stats = conditional_loss(
                clear, clear_stats, x, c, eps, masks, gaussian(0.5), 0.3
            )
            adam_step(clear, conditional_loss_backward(cache), clear_state, **adam)
        np.testing.assert_allclose(value.total, expected.total, rtol=1e-12)
    np.testing.assert_allclose(params.flat, clear.flat, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(stats.flat, clear_stats.flat, rtol=1e-12, atol=1e-12)


SIZES = Sizes(12, 16, 2, 1, 2)


def cells_in_two_conditions():
    """Cells on a line in 12 genes; in condition 1 the line is elsewhere, and the noise is 0.1."""
    rng = np.random.default_rng(7)
    condition = rng.integers(0, 2, 200)
    t, apart = rng.uniform(-1, 1, (200, 1)), 2.0 * rng.normal(size=12)
    x = t * np.linspace(-1, 2, 12) + condition[:, None] * apart + 0.1 * rng.normal(size=(200, 12))
    return x, np.eye(2)[condition]


def trained(x, c, seed=2, **settings):
    settings = {"max_epochs": 40, "batch_size": 16, "lr": 0.01} | settings
    start = initialize(SIZES, np.random.default_rng(1), np.float64)
    return fit(*start, x, gaussian(0.05), rng=np.random.default_rng(seed), c=c, **settings)


def test_training_repeats_itself_to_the_bit_dense_or_sparse():
    x, c = cells_in_two_conditions()
    x = np.maximum(x, 0)
    settings = {"max_epochs": 3, "dropout_rate": 0.2}
    first = trained(x, c, **settings)
    others = [
        trained(x, c, **settings),
        trained(sparse.csr_matrix(x), c, **settings),
        trained(x, sparse.csr_matrix(c), **settings),
    ]
    for other in others:
        np.testing.assert_array_equal(first.params.flat, other.params.flat)
        np.testing.assert_array_equal(first.stats.flat, other.stats.flat)
    assert not np.array_equal(first.params.flat, trained(x, c, seed=3, **settings).params.flat)


def test_conditions_take_the_dtype_of_the_model(monkeypatch):
    x, c = cells_in_two_conditions()
    dtypes = set()

    def spy(*arguments, c, **settings):
        dtypes.add(c.dtype)
        return train_step(*arguments, c=c, **settings)

    monkeypatch.setattr(loop, "train_step", spy)
    start = initialize(SIZES, np.random.default_rng(1), np.float32)
    fit(*start, x, gaussian(), rng=np.random.default_rng(0), c=c.astype(bool), max_epochs=1)
    assert dtypes == {np.dtype(np.float32)}


def test_the_weights_are_those_of_the_best_epoch_by_the_conditional_loss():
    x, c = cells_in_two_conditions()
    validation = np.arange(0, 200, 7)
    best = trained(x, c, lr=0.2, max_epochs=20, validation_cells=validation, early_stopping=False)
    losses = best.history["validation_total"]
    assert losses.argmin() < len(losses) - 1  # otherwise 'best' and 'last' could not be told apart
    no_noise = np.zeros((1, len(validation), 2))
    inputs = best.params, best.stats, x[validation], c[validation], no_noise, None, gaussian(0.05), 1.0, False
    expected = conditional_loss(*inputs)[0].total.mean()
    np.testing.assert_allclose(losses.min(), expected, rtol=1e-12)
    np.testing.assert_allclose(
        mean_loss(best.params, best.stats, x, validation, gaussian(0.05), 1.0, c)[0], expected, rtol=1e-12
    )


def test_training_wants_conditions_where_the_model_takes_them():
    x, c = cells_in_two_conditions()
    with pytest.raises(InputError, match=r"c is missing: the model takes conditions of shape \(200, 2\)"):
        trained(x, None)
    for bad in (c[:100], c[:, :1]):
        with pytest.raises(InputError, match=r"c has shape .* takes \(200, 2\)"):
            trained(x, bad)
    with pytest.raises(InputError, match=r"c holds 1 NaN"):
        trained(x, np.where(np.arange(400).reshape(200, 2) == 7, np.nan, c))
    plain = initialize(SIZES._replace(n_conditions=0), np.random.default_rng(1), np.float64)
    with pytest.raises(InputError, match=r"takes \(200, 0\)"):
        fit(*plain, x, gaussian(), rng=np.random.default_rng(0), c=c)


# ------------------------------------------------------------------------------------- baseline


SMALL = {"n_hidden": 16, "n_latent": 3, "n_layers": 1, "max_epochs": 2}


@pytest.fixture
def seen():
    """Three types on a line each, a third condition, one shared change; the target's response is not seen."""
    rng = np.random.default_rng(3)
    cell_type, condition = np.repeat(list("abc"), 120), np.tile(["ctrl", "other", "stim"], 120)
    center = {name: 3 * rng.random(20) for name in "abc"}
    change = {"ctrl": np.zeros(20), "other": rng.normal(size=20), "stim": rng.normal(size=20)}
    x = np.array([center[t] + change[c] for t, c in zip(cell_type, condition, strict=True)])
    x += 0.1 * rng.normal(size=x.shape) + rng.normal(size=(360, 1)) * np.linspace(0, 1, 20)
    is_seen = ~((cell_type == "b") & (condition == "stim"))
    return Seen(x[is_seen], condition[is_seen], cell_type[is_seen], "ctrl", "stim", "b")


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("mode", ["change", "decode"])
def test_the_baseline_adds_the_decoded_change(seen, kind, mode, monkeypatch):
    seen, models = seen._replace(x=kind(np.maximum(seen.x, 0))), []

    def spy(*arguments, **settings):
        models.append((fit(*arguments, **settings), settings))
        return models[-1][0]

    monkeypatch.setattr(conditional_baseline, "fit", spy)
    predicted = conditional_vae(seen, seed=4, mode=mode, **SMALL)
    (((params, stats, history), settings),) = models
    assert len(history["kl_weight"]) == 2
    # the conditions are, in order: ctrl, other, stim
    np.testing.assert_array_equal(
        settings["c"].argmax(axis=1), np.unique(seen.condition, return_inverse=True)[1]
    )
    np.testing.assert_array_equal(settings["c"].sum(axis=1), 1)
    x = seen.x[(seen.cell_type == "b") & (seen.condition == "ctrl")]
    x = np.asarray(x if kind is np.asarray else x.toarray(), np.float32)
    ctrl, stim = (np.tile(np.eye(3, dtype=np.float32)[i], (len(x), 1)) for i in (0, 2))
    z = encode(params, stats, np.hstack([x, ctrl]))[0]
    to_stim, to_ctrl = (decode(params, stats, np.hstack([z, c]))[0] for c in (stim, ctrl))
    expected = to_stim if mode == "decode" else x + to_stim - to_ctrl
    # float32: a few dozen roundings of 6e-8 at values of a few units
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    np.testing.assert_array_equal(predicted, conditional_vae(seen, seed=4, mode=mode, **SMALL))
    assert not np.array_equal(predicted, conditional_vae(seen, seed=5, mode=mode, **SMALL))


def test_with_nothing_in_z_the_change_is_the_difference_of_the_conditions_means(seen):
    # A large weight empties z; without layers the decoder is then a bias for each condition, and the best
    # biases are the means of all cells of the conditions: of whatever types they are.
    affine = {"n_latent": 1, "n_layers": 0, "dropout_rate": 0, "kl_weight": 1e4, "weight_decay": 0}
    all_at_once = {"batch_size": 400, "train_size": 1.0, "early_stopping": False, "max_epochs": 1000}
    predicted = conditional_vae(seen, seed=0, lr=0.01, **affine, **all_at_once)
    change = predicted - seen.x[(seen.cell_type == "b") & (seen.condition == "ctrl")]
    means = {c: seen.x[seen.condition == c].mean(axis=0) for c in ("ctrl", "stim")}
    # the last steps of Adam are not longer than lr; the means differ by up to 1.5
    np.testing.assert_allclose(change, np.tile(means["stim"] - means["ctrl"], (len(change), 1)), atol=0.01)


def test_sizes_and_training_are_those_of_scgen_and_the_weight_is_that_of_the_elbo(seen, monkeypatch):
    class CalledError(Exception):
        pass

    called = {}

    def spy(params, stats, x, likelihood, **settings):
        called.update(params.sizes._asdict(), **settings, dtype=params.flat.dtype.name)
        raise CalledError

    monkeypatch.setattr(conditional_baseline, "fit", spy)
    with pytest.raises(CalledError):
        conditional_vae(seen, seed=0)
    with pytest.raises(CalledError):
        conditional_vae(seen, seed=0, max_epochs=7)
    assert called.pop("max_epochs") == 7
    ours, scgens = (
        {name: p.default for of in functions for name, p in inspect.signature(of).parameters.items()}
        for functions in ((fit,), (ScGen, ScGen.fit))
    )
    ours |= called
    same = (
        "n_hidden",
        "n_latent",
        "n_layers",
        "dropout_rate",
        "dtype",
        "max_epochs",
        "batch_size",
    )
    same += ("train_size", "early_stopping", "patience", "min_delta", "lr", "epsilon", "weight_decay")
    assert {name: ours[name] for name in same} == {name: scgens[name] for name in same}
    assert ours["kl_weight"] == 1
    assert ours["kl_warmup_epochs"] == scgens["kl_warmup_epochs"]


def test_the_baseline_says_what_it_cannot_do(seen):
    with pytest.raises(InputError, match="condition 'x' does not exist"):
        conditional_vae(seen._replace(stim_key="x"), seed=0)
    with pytest.raises(InputError, match="'d' has no cell in condition 'ctrl'"):
        conditional_vae(seen._replace(target="d"), seed=0)
    with pytest.raises(InputError, match="mode is 'sample': use 'change' or 'decode'"):
        conditional_vae(seen, seed=0, mode="sample")
