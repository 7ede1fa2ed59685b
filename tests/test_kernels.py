"""Each compiled twin gives what its NumPy function gives: shapes, dtypes, strides, empty rows, one row.

Both do the same operations in float32 or float64; sums of n products may be taken in another order, for
a difference of at most n roundings of the sum of the absolute products. The bounds below say which n.
"""

import importlib
import threading
from unittest import mock

import numpy as np
import pytest
from scipy import sparse

import vae_np
from vae_np.elbo import gaussian_log_likelihood, gaussian_log_likelihood_backward
from vae_np.kernels import accelerated, jit, switched_on
from vae_np.kernels import linear as linear_kernel
from vae_np.kernels import step as step_kernel
from vae_np.kernels.threads import in_parts, sum_of_parts, threads
from vae_np.layers import (
    RunningStats,
    batch_norm,
    batch_norm_backward,
    dropout_mask,
    leaky_relu,
    leaky_relu_backward,
    linear,
)
from vae_np.model import Params, Sizes, bernoulli, gaussian, initialize, loss, loss_backward
from vae_np.train import AdamState, adam_step
from vae_np.train.adam import adam_update_in_place
from vae_np.train.step import linear_backward_step, output_step, train_step

DTYPES = [np.float32, np.float64]
STEP = (3, 1e-3, 0.9, 0.999, 0.01, 1e-6)  # t, lr, beta1, beta2, epsilon, weight_decay


def twin_of(function):
    """The kernel of a function, and a check that it is the one that runs."""
    module = importlib.import_module(f"vae_np.kernels.{function.__module__.rpartition('.')[2]}")
    return getattr(module, function.__name__)


def every_array(result):
    """Flatten nested tuples of arrays; None stands for nothing."""
    for part in result if isinstance(result, tuple) else (result,):
        if isinstance(part, tuple):
            yield from every_array(part)
        elif isinstance(part, np.ndarray):
            yield part


def copied(argument):
    """A copy of an array in the same order in memory, or what cannot be changed."""
    return argument.copy("K") if isinstance(argument, np.ndarray) else argument


def assert_twins(function, *arguments, n_terms, scale=1.0, **keywords):
    """Compare what a function and its kernel return, and what they leave in their arguments."""
    copies = [[copied(a) for a in arguments] for _ in range(2)]
    with vae_np.use("numpy"):
        expected = function(*copies[0], **keywords)
    got = twin_of(function)(*copies[1], **keywords)
    dtype = next(a.dtype for a in arguments if hasattr(a, "dtype"))
    bound = 4 * (n_terms + 4) * np.finfo(dtype).eps
    pairs = list(zip(every_array(got), every_array(expected), strict=True))
    pairs += [(a, b) for a, b in zip(*copies[::-1], strict=True) if isinstance(a, np.ndarray)]
    for ours, formula in pairs:
        assert ours.dtype == formula.dtype == dtype
        assert ours.shape == formula.shape
        np.testing.assert_allclose(ours, formula, rtol=bound, atol=bound * scale)


def strided(array, how):
    """The same numbers in another order in memory."""
    if how == "rows":
        return np.ascontiguousarray(array)
    if how == "columns":
        return np.asfortranarray(array)
    wide = np.zeros((array.shape[0], 2 * array.shape[1]), array.dtype)
    wide[:, ::2] = array
    return wide[:, ::2]


@pytest.fixture(params=[8, None], ids=["in blocks", "whole"])
def blocks(request, monkeypatch):
    """Take matrices 8 rows at a time, or as many as these small ones have."""
    if request.param:
        for module in (linear_kernel, step_kernel):
            monkeypatch.setattr(module, "block_of", lambda n_cells, n_columns: request.param)


LAYERS = [(1, 3, 2), (5, 7, 1), (32, 50, 30), (3, 40, 70), (33, 9, 130), (130, 6, 5), (0, 3, 4)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", LAYERS)
@pytest.mark.parametrize("how", ["rows", "columns", "gaps"])
@pytest.mark.usefixtures("blocks")
def test_linear(rng, dtype, shape, how):
    n, n_in, n_out = shape
    x, W, b = rng.normal(size=(n, n_in)), rng.normal(size=(n_in, n_out)), rng.normal(size=n_out)
    x, W, b = strided(x.astype(dtype), how), strided(W.astype(dtype), how), b.astype(dtype)
    assert_twins(linear, x, W, b, n_terms=n_in, scale=8)
    assert_twins(linear, strided(x, "rows"), strided(W, "columns"), b, n_terms=n_in, scale=8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", LAYERS)
def test_linear_of_a_sparse_x_with_empty_rows_and_genes(rng, dtype, shape):
    n, n_in, n_out = shape
    x = rng.normal(size=(n, n_in)) * (rng.random((n, n_in)) < 0.3)
    x[n // 2 :, :] *= np.arange(n - n // 2)[:, None] > 0  # at least one cell without any gene
    W, b = rng.normal(size=(n_in, n_out)).astype(dtype), rng.normal(size=n_out).astype(dtype)
    batch = sparse.csc_matrix(x.astype(dtype))
    for weights in (W, np.asfortranarray(W)):
        got, expected = linear_kernel.linear(batch, weights, b), x.astype(dtype) @ W + b
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=4 * (n_in + 4) * 8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 1), (7, 5), (32, 80), (1, 4)])
@pytest.mark.parametrize("how", ["rows", "columns", "gaps"])
def test_layers(rng, dtype, shape, how):
    n, n_features = shape
    a, d_h = (strided(rng.normal(size=shape).astype(dtype), how) for _ in range(2))
    a[0, 0] = 0  # the kink of leaky_relu
    assert_twins(leaky_relu, a, n_terms=0)
    assert_twins(leaky_relu, a, 0.3, n_terms=0)
    assert_twins(leaky_relu_backward, d_h, a, n_terms=0)
    gamma, beta, mean = (rng.normal(size=n_features).astype(dtype) for _ in range(3))
    stats = RunningStats(mean, rng.uniform(0.5, 2, size=n_features).astype(dtype))
    for train in (False, True)[: min(n, 2)]:
        assert_twins(batch_norm, a, gamma, beta, stats, n_terms=2 * n, scale=8, train=train)
        assert_twins(batch_norm, a, gamma, beta, stats, 0.5, 0.3, n_terms=2 * n, scale=8, train=train)
        cache = batch_norm(a, gamma, beta, stats, train=train)[1]
        assert_twins(batch_norm_backward, d_h, tuple(cache), n_terms=4 * n, scale=60)


def test_batch_norm_of_one_row_is_refused_by_both(rng):
    one, vector = np.zeros((1, 3)), np.ones(3)
    for function in (batch_norm, twin_of(batch_norm)):
        with pytest.raises(ValueError, match="needs at least two rows, got 1"):
            function(one, vector, vector, RunningStats(vector, vector))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 6), (1, 1), (0, 3), (3, 4, 6), (2, 1, 1)])
@pytest.mark.parametrize("by_gene", [False, True])
def test_gaussian_likelihood(rng, dtype, shape, by_gene):
    x, x_hat = rng.normal(size=shape[-2:]).astype(dtype), rng.normal(size=shape).astype(dtype)
    d_ll = rng.normal(size=shape[:-1]).astype(dtype)
    variance = rng.uniform(0.5, 2, size=shape[-1]).astype(dtype) if by_gene else 0.7
    assert_twins(gaussian_log_likelihood, x, x_hat, variance, n_terms=shape[-1], scale=20)
    assert_twins(gaussian_log_likelihood_backward, d_ll, x, x_hat, variance, n_terms=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0, 1, 1000])
@pytest.mark.parametrize("t", [1, 2, 1000])
def test_adam_update_in_place(rng, dtype, size, t):
    theta, grad, m = (rng.normal(size=size).astype(dtype) for _ in range(3))
    v = rng.random(size).astype(dtype)
    assert_twins(adam_update_in_place, theta, grad, m, v, t, *STEP[1:], n_terms=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", LAYERS[:-1])
@pytest.mark.parametrize("order", ["rows", "columns"])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("wants_d_x", [False, True])
@pytest.mark.usefixtures("blocks")
def test_linear_backward_step(rng, dtype, shape, order, is_sparse, wants_d_x):
    n, n_in, n_out = shape
    x, d_a = rng.normal(size=(n, n_in)).astype(dtype), rng.normal(size=(n, n_out)).astype(dtype)
    W, m = (strided(rng.normal(size=(n_in, n_out)).astype(dtype), order) for _ in range(2))
    v = strided(rng.random((n_in, n_out)).astype(dtype), order)
    if is_sparse:
        x = sparse.csc_matrix(x * (rng.random(x.shape) < 0.3))
        if order == "columns":
            return  # a layer that reads data is kept by inputs
    assert_twins(linear_backward_step, d_a, x, W, m, v, wants_d_x, *STEP, n_terms=n + n_out, scale=8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_draws", [1, 3])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("by_gene", [False, True])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.usefixtures("blocks")
def test_output_step(rng, dtype, n_draws, is_sparse, by_gene, likelihood):
    n, d, n_hidden = 6, 70, 9
    x = (rng.random((n, d)) * (rng.random((n, d)) < 0.3)).astype(dtype)
    sizes = Sizes(d, 1, n_hidden, n_layers=0)  # whose output layer reads n_hidden numbers
    d_log_lik = -rng.random((n_draws, n)).astype(dtype)
    h = rng.normal(size=(n_draws * n, n_hidden)).astype(dtype)
    variance = rng.uniform(0.5, 2, size=d).astype(dtype) if by_gene else 0.7
    chosen = gaussian(variance) if likelihood == "gaussian" else bernoulli()
    results = []
    for backend in ("numpy", "numba"):
        params = Params(sizes, np.random.default_rng(1).normal(size=sizes.n_params).astype(dtype))
        m, v = (Params(sizes, np.full(sizes.n_params, value, dtype)) for value in (0.1, 0.2))
        batch = sparse.csc_matrix(x) if is_sparse else x
        with vae_np.use(backend):
            out = output_step(d_log_lik, batch, h, params.output, chosen, m.output.W, v.output.W, *STEP)
        results.append([*out, params.flat, m.flat, v.flat])
    bound = 4 * (d + 4) * np.finfo(dtype).eps
    for ours, formula in zip(*results[::-1], strict=True):
        assert ours.dtype == formula.dtype == dtype
        np.testing.assert_allclose(ours, formula, rtol=bound, atol=20 * bound)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (linear, [(3, 5), (4, 2), (2,)]),
        (linear, [(3, 5), (5, 2), (1,)]),
        (linear, [(5,), (5, 2), (2,)]),
        (gaussian_log_likelihood, [(3, 5), (30, 5), (5,)]),
        (leaky_relu_backward, [(3,), (6,)]),
        (adam_update_in_place, [(5,), (3,), (5,), (5,)]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_arrays_that_do_not_fit_are_refused(function, shapes):
    settings = STEP if function is adam_update_in_place else ()
    with pytest.raises(ValueError, match=r"do not fit|differ"):
        function(*map(np.ones, shapes), *settings)


def test_a_batch_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        linear(sparse.csc_matrix(np.ones((3, 5))), np.ones((4, 2)), np.ones(2))
    with pytest.raises(ValueError, match="one number a column"):
        batch_norm(np.ones((3, 5)), np.ones(2), np.ones(5), RunningStats(np.ones(5), np.ones(5)))
    cache = batch_norm(np.eye(3), *[np.ones(3)] * 2, RunningStats(np.ones(3), np.ones(3)))[1]
    with pytest.raises(ValueError, match="the batch had"):
        batch_norm_backward(np.ones((2, 3)), cache)


def test_a_csr_batch_is_taken_too(rng):
    x, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    np.testing.assert_allclose(linear(sparse.csr_matrix(x), W, np.zeros(2)), x @ W, atol=1e-14)


# ------------------------------------------------------------------------------- the whole step


@pytest.mark.parametrize("n_layers", [0, 1, 2])
@pytest.mark.parametrize("n_draws", [1, 2])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("chosen", [gaussian(0.5), bernoulli()], ids=["gaussian", "bernoulli"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_twenty_train_steps_are_loss_backward_and_adam(
    n_layers, n_draws, is_sparse, chosen, backend, n_threads, monkeypatch
):
    """The compiled step, on any number of threads, against the three calls of the clear form."""
    monkeypatch.setattr("vae_np.kernels.threads.WORTH_SHARING", 1)
    rng, sizes, n = np.random.default_rng(5), Sizes(90, 24, 5, n_layers), 8
    params, stats = initialize(sizes, rng, np.float64)
    state, clear = AdamState.zeros_like(params), params.copy()
    clear_stats, clear_state = stats, AdamState.zeros_like(params)
    adam = {"lr": 1e-2, "epsilon": 0.01, "weight_decay": 1e-2}
    for _ in range(20):
        x = rng.random((n, 90)) * (rng.random((n, 90)) < 0.2)
        eps = rng.normal(size=(n_draws, n, 5))
        rows = [n] * n_layers + [n_draws * n] * n_layers
        masks = [dropout_mask((r, 24), 0.2, rng, float) for r in rows]
        batch = sparse.csc_matrix(x) if is_sparse else x
        with vae_np.use(backend), threads(n_threads):
            value, stats = train_step(params, stats, state, batch, eps, masks, chosen, 0.3, **adam)
        with vae_np.use("numpy"):
            expected, cache, clear_stats = loss(clear, clear_stats, x, eps, masks, chosen, 0.3)
            adam_step(clear, loss_backward(cache), clear_state, **adam)
        for ours, formula in zip(value, expected, strict=True):
            np.testing.assert_allclose(ours, formula, rtol=1e-12)
    np.testing.assert_allclose(params.flat, clear.flat, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(state.m, clear_state.m, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(state.v, clear_state.v, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(stats.flat, clear_stats.flat, rtol=1e-12, atol=1e-12)
    assert state.t == 20


# ------------------------------------------------------------------------------- the switch


def test_the_switch_is_local_and_checked(rng, monkeypatch):
    called = []
    monkeypatch.setattr(linear_kernel, "linear", lambda *_: called.append("numba"))
    x, W, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
    with vae_np.use("numpy"):
        linear(x, W, b)
        assert not switched_on()
        assert called == []
    linear(x, W, b)
    assert called == ["numba"]
    linear(x.astype(complex), W, b)  # complex numbers, mixed dtypes and integers are for NumPy
    linear(x.astype(np.float32), W, b)
    linear(x.astype(int), W.astype(int), b.astype(int))
    gaussian_log_likelihood(x, x, 0.5 + 1e-30j)
    assert called == ["numba"]
    with vae_np.use("numpy"):
        with vae_np.use("numba"):
            assert switched_on()
        assert not switched_on()
    with pytest.raises(ValueError, match="unknown"), vae_np.use("cuda"):
        pass


def test_without_numba_numpy_computes(rng, monkeypatch):
    monkeypatch.setattr("vae_np.kernels._numba_is_installed", lambda: False)
    monkeypatch.setattr(linear_kernel, "linear", None)
    linear(rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2))


def test_a_function_without_a_twin_is_noticed():
    with pytest.raises(ModuleNotFoundError, match="test_kernels"):
        accelerated(copied)(np.zeros(2))


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch):
    njit = jit.numba.njit

    def without_a_cache(function, **settings):
        if settings.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **settings)

    monkeypatch.setattr(jit.numba, "njit", without_a_cache)

    assert linear_kernel._by_outputs.targetoptions["nogil"]

    def double(x):
        return 2 * x

    assert jit.jit(double)(3.0) == 6.0


# ------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
@pytest.mark.parametrize(("n_rows", "step"), [(0, 1), (1, 1), (10, 4), (100, 16), (7000, 32)])
def test_the_parts_cover_every_row_once_and_start_at_multiples(n_threads, n_rows, step):
    with threads(n_threads):
        parts = in_parts(lambda rows: rows, n_rows, size=10**9, step=step)
        small = in_parts(lambda rows: rows, n_rows, size=10, step=step)
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(n_rows))
    assert all(part.start % step == 0 for part in parts)
    assert len(parts) <= n_threads
    assert small == [slice(0, n_rows)]


def test_parts_run_in_different_threads_and_their_errors_are_raised():
    meet = threading.Barrier(2, timeout=60)
    with threads(2):
        in_parts(lambda rows: meet.wait(), 2, size=10**9)  # waits for ever in one thread alone
        total = sum_of_parts(lambda rows: np.arange(10.0)[rows].sum(keepdims=True), 10, size=10**9)
        assert total == 45
        with pytest.raises(ZeroDivisionError):
            in_parts(lambda rows: 1 // (1 - rows.start), 2, size=10**9)


def test_the_matrix_library_has_one_thread_inside_and_its_own_number_after():
    from threadpoolctl import threadpool_info, threadpool_limits

    def of_blas():
        return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        with threads():  # as many as the library would take, or the block around it has
            assert of_blas() == {1}
            with threads():
                assert len(in_parts(lambda rows: rows, 10, size=10**9)) == 2
            with threads(3):
                assert len(in_parts(lambda rows: rows, 10, size=10**9)) == 3
        assert of_blas() == {2}
        with vae_np.use("numpy"), threads(1):
            assert of_blas() == {1}
        with vae_np.use("numpy"), threads(2):
            assert of_blas() == {2}


def test_two_python_threads_may_compute_at_once():
    """Both get the number that the library had, whoever enters and leaves first, and so it is left."""
    from threadpoolctl import threadpool_info, threadpool_limits

    entered, left = threading.Event(), threading.Event()
    parts = []

    def other():
        with threads():
            parts.append(len(in_parts(lambda rows: rows, 10, size=10**9)))
            entered.set()
            left.wait(60)

    with threadpool_limits(2, user_api="blas"):
        with threads():
            beside = threading.Thread(target=other)
            beside.start()
            assert entered.wait(60)
        left.set()
        beside.join(60)
        assert {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"} == {2}
    assert parts == [2]


def test_every_part_sees_the_callers_settings():
    with threads(2), np.errstate(over="raise"):
        assert in_parts(lambda rows: np.geterr()["over"], 2, size=10**9) == ["raise", "raise"]


def test_after_an_error_the_pool_is_gone():
    with pytest.raises(ZeroDivisionError), threads(2):
        1 // 0  # noqa: B018
    assert in_parts(lambda rows: rows, 10, size=10**9) == [slice(0, 10)]


def test_numpy_inside_a_block_of_kernels_has_the_library_to_itself():
    from threadpoolctl import threadpool_info

    with threads(2), vae_np.use("numpy"), threads(2):
        assert {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"} == {2}


@pytest.fixture
def library(monkeypatch):
    """Let the matrix library have kernels for another processor."""

    def become(architecture):
        controller = mock.Mock(**{"return_value.select.return_value.info.return_value": [architecture]})
        monkeypatch.setattr(linear_kernel, "ThreadpoolController", controller)
        linear_kernel.multiplies_directly.cache_clear()

    yield become
    linear_kernel.multiplies_directly.cache_clear()


@pytest.mark.parametrize(
    ("architecture", "direct"),
    [
        ({"architecture": "SkylakeX"}, True),
        ({"architecture": "Haswell"}, False),
        ({"architecture": None}, False),
        ({}, False),
    ],
)
def test_blocks_fill_vector_registers_and_are_small_where_that_saves_packing(library, architecture, direct):
    library(architecture)
    for n_cells, width in [(1, 1), (32, 800), (512, 800), (64, 100), (0, 5), (10**6, 10**6)]:
        rows = linear_kernel.block_of(n_cells, width)
        assert rows >= 8
        assert rows % 8 == 0
        is_small = rows * n_cells * width <= linear_kernel.UNPACKED
        assert rows in linear_kernel.PACKED_ROWS or (direct and is_small)
    assert linear_kernel.block_of(32, 800) == (32 if direct else 128)
