"""One seed and one number of threads give one result to the bit, wherever and beside whatever it runs.

Another number of threads, or NumPy in place of the kernels, adds the same numbers up in another order. That
is a change by rounding, as if the first weights had been changed in their last digit; training then carries
both on in the same way. So the second is the measure of the first, and no figure has to be chosen.
"""

import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest

import vae_np
from vae_np.kernels.threads import WORTH_SHARING, threads
from vae_np.model import Sizes, gaussian, initialize, loss, loss_backward
from vae_np.train import fit

SIZES = Sizes(n_genes=1100, n_hidden=200, n_latent=5, n_layers=1)  # two matrices that threads share
BACKENDS = ["numba", "numpy"]
KINDS = [(backend, n_threads) for backend in BACKENDS for n_threads in (1, 2)]


@pytest.fixture(scope="module")
def x():
    """Cells x genes with a few more non-zeros than would make it sparse."""
    return np.log1p(np.random.default_rng(0).poisson(1.5, (70, SIZES.n_genes))).astype(np.float32)


def train(x, backend="numba", n_threads=1, dtype=np.float32, nudge=0.0, **settings):
    """A short training; `nudge` changes every weight of the start by that many roundings."""
    settings = {"max_epochs": 2, "dropout_rate": 0.2, "epsilon": 0.01, "kl_weight": 2.5e-5} | settings
    params, stats = initialize(SIZES, np.random.default_rng(1), dtype)
    signs = np.random.default_rng(3).choice([-1, 1], params.flat.size)
    params.flat[:] *= 1 + nudge * np.finfo(dtype).eps * signs
    with vae_np.use(backend), threads(n_threads):
        return fit(params, stats, x, gaussian(), rng=np.random.default_rng(2), **settings)


def digest(trained):
    """All bits of a training."""
    parts = [trained.params.flat, trained.stats.flat, *trained.history.values()]
    return sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_the_matrices_are_large_enough_to_be_shared():
    assert SIZES.n_genes * SIZES.n_hidden > WORTH_SHARING


@pytest.mark.parametrize(("backend", "n_threads"), KINDS)
def test_five_trainings_in_a_row_are_one_whatever_lies_between(x, backend, n_threads):
    expected = digest(train(x, backend, n_threads))
    for i in range(1, 5):
        buffer = np.zeros(x.size + i, np.float32)  # the same numbers at another place in memory
        moved = buffer[i:].reshape(x.shape)
        moved[:] = x
        np.random.default_rng(i).random(10_000 * i + 1)
        train(x[: 10 * i], backend, 3 - n_threads, max_epochs=1, train_size=0.5)
        assert digest(train(moved, backend, n_threads)) == expected


def test_two_trainings_at_once_are_as_they_are_alone(x):
    for n_threads in (1, 2):
        expected = digest(train(x, n_threads=n_threads))
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(train, x, n_threads=n_threads) for _ in range(2)]
            assert [digest(one.result(300)) for one in both] == [expected, expected]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_training_in_a_process_of_a_pool_is_the_same(x, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    expected = digest(train(x, n_threads=1))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        assert digest(pool.submit(train, x).result(300)) == expected


CHILD = """
import gc, json, sys
import numpy as np
from hashlib import sha256
import vae_np
from vae_np import ScGen, simulate

if sys.argv[1] == "after other work":
    kept = [np.ones(7 * i + 1) for i in range(5_000)]
    del kept[::2]
    gc.collect()
    ScGen(n_hidden=30, n_latent=3, seed=9).fit(
        simulate(60, 20, 2, seed=5), condition_key="condition", cell_type_key="cell_type", max_epochs=1)
cells = simulate(200, 900, 3, seed=3)
found = {}
for backend in ("numba", "numpy"):
    for n_threads in (1, 2):
        with vae_np.use(backend):
            model = ScGen(n_hidden=250, n_latent=4, n_layers=1, n_threads=n_threads).fit(
                cells, condition_key="condition", cell_type_key="cell_type", max_epochs=2)
            predicted, delta = model.predict(celltype_to_predict="type 2", delta_method="scgen")
        parts = [model.params.flat, model.stats.flat, *model.history.values(), predicted.X, delta]
        found[f"{backend}, {n_threads}"] = sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
print(json.dumps(found))
"""


@pytest.mark.slow
def test_processes_agree_whatever_their_hash_seed_folder_and_earlier_work(tmp_path):
    def digests(hash_seed, folder, work):
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-W", "ignore", "-c", CHILD, work]
        child = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=folder, env=environment
        )
        return json.loads(child.stdout)

    first = digests("0", tmp_path / "a", "nothing before")
    second = digests("4242", tmp_path / "another folder", "after other work")
    assert len(first) == 4
    assert first == second


# ------------------------------------------------------------------------------- closeness


def root_mean_square(a):
    return np.sqrt(np.mean(np.square(a, dtype=float)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS[1:])
def test_one_step_on_another_number_of_threads_differs_by_rounding(x, dtype, kind):
    """Adam's first step, lr g / (|g| + epsilon), turns an error of g into at most lr / epsilon of it."""
    lr, epsilon = 1e-3, 0.01
    one_step = {"max_epochs": 1, "batch_size": 500, "lr": lr, "epsilon": epsilon, "dropout_rate": 0.0}
    ours, theirs = (train(x, *k, dtype, **one_step).params.flat for k in (kind, KINDS[0]))
    start = initialize(SIZES, np.random.default_rng(1), dtype)
    no_noise = np.zeros((1, len(x), SIZES.n_latent), dtype)
    largest = np.abs(loss_backward(loss(*start, x.astype(dtype), no_noise, None, gaussian())[1]).flat).max()
    # A gradient is behind eight products, four forth and four back, with sums of at most 1,100 terms.
    # Roundings of either sign add up to the root of their number.
    bound = lr / epsilon * 8 * np.sqrt(SIZES.n_genes) * np.finfo(dtype).eps * largest
    worst = np.abs(ours - theirs).max()
    print(f"{kind}, {np.dtype(dtype)}: {worst:.1e}, bound {bound:.1e}, step {lr:.0e}")
    assert worst < bound < lr / 10  # a bound that a wrong step could not pass


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_training_on_another_number_of_threads_is_as_near_as_one_of_nudged_weights(x, kind):
    """In float64, where no hidden unit of a cell comes so near the kink that rounding moves it across."""
    settings = {"dtype": np.float64, "max_epochs": 4}
    plain, other, nudged = train(x, **settings), train(x, *kind, **settings), train(x, nudge=1.0, **settings)
    # ten: the sums of a step round some tens of times, the nudge once; a wrong term is off by far more
    for values in (lambda t: t.params.flat, lambda t: t.history["train_total"]):
        ours, theirs, near = map(values, (plain, other, nudged))
        far, measure = root_mean_square(ours - theirs), root_mean_square(ours - near)
        print(f"{kind}: {far:.1e}, nudged {measure:.1e}")
        assert far < 10 * measure
        assert measure < 1e-10  # two runs that have parted would measure nothing
