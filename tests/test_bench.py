"""The timed step: fair data, turns and environments; and a whole training beside its PyTorch twin."""

import json
import subprocess
import sys

import numpy as np
import pytest

from vae_np import read_h5ad
from vae_np.bench import children, measure, run, steps
from vae_np.bench.data import rates, synthetic_cells
from vae_np.bench.published import ADAM, DROPOUT_RATE, KL_WEIGHT, VARIANCE, published_sizes
from vae_np.bench.torch_twin import TorchTwin, require_torch
from vae_np.cli import main
from vae_np.data import log_normalize
from vae_np.data.matrix import some_rows
from vae_np.errors import InputError
from vae_np.kernels.threads import usable_cores
from vae_np.model import Params, Stats, gaussian, initialize
from vae_np.train import AdamState
from vae_np.train.batches import draw_masks, minibatches
from vae_np.train.step import train_step

EAGER = [name for name in steps.NAMES if name != "torch-compile"]


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Contestants need not wait for each other where nobody reads the times."""
    monkeypatch.setattr(measure, "PAUSE", 0)


# --------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize("density", [0.01, 0.07, 0.5])
def test_the_cells_are_as_sparse_as_asked_for(density):
    n, d = 1100, 3000
    x = synthetic_cells(n, d, density)
    share = x.nnz / (n * d)
    assert abs(share - density) < 4.892 * np.sqrt(density * (1 - density) / (n * d))
    assert x.shape == (n, d)
    assert x.dtype == np.float32
    assert x.data.min() > 0


def test_each_cell_holds_ten_thousand_counts_before_log1p():
    total = np.expm1(synthetic_cells(50, 2000).astype(float)).sum(axis=1)
    np.testing.assert_allclose(np.asarray(total).ravel(), 1e4, rtol=1e-5)


def test_a_tenth_of_the_genes_holds_half_of_what_is_not_zero():
    found = np.sort(np.diff(synthetic_cells(500, 7000).tocsc().indptr))
    assert 0.45 < found[-700:].sum() / found.sum() < 0.6  # 0.52 in the Kang cells


def test_rates_give_the_density_exactly(rng):
    rate = rates(rng.lognormal(0, 3, 400), 0.2)
    np.testing.assert_allclose(np.mean(1 - np.exp(-rate)), 0.2, rtol=1e-12)


def test_the_cells_depend_on_the_seed_alone():
    first, again, other = (synthetic_cells(40, 90, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.toarray(), again.toarray())
    assert (first != other).nnz > 0


@pytest.mark.parametrize("arguments", [(0, 5), (5, 0), (5, 5, 0.0), (5, 5, 1.0)])
def test_impossible_cells_are_refused(arguments):
    with pytest.raises(InputError, match="give"):
        synthetic_cells(*arguments)


# --------------------------------------------------------------------------------------- steps


def first_losses(name, x, n_steps):
    step = steps.stepper(name, x, 16)
    with steps.setting(name, 1):
        return np.array([step(np.arange(16)) for _ in range(n_steps)])


def test_both_of_our_steps_give_the_same_losses():
    x = synthetic_cells(16, 200)
    ours = [first_losses(name, x, 5) for name in steps.BACKENDS]
    np.testing.assert_allclose(*ours, rtol=1e-5)


def assert_learns_what_we_learn(name):
    """Noise differs, so losses agree to the share that noise and dropout have in them."""
    x = synthetic_cells(16, 200)
    constant = 0.5 * 200 * np.log(2 * np.pi)
    ours, theirs = first_losses("vae_np-numba", x, 30) - constant, first_losses(name, x, 30)
    np.testing.assert_allclose(theirs[0], ours[0], rtol=0.1)
    np.testing.assert_allclose(theirs[-1], ours[-1], rtol=0.1)
    assert theirs[-1] < 0.8 * theirs[0]


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("name", ["torch-adam", "torch-fused"])
def test_the_steps_of_pytorch_learn_what_ours_learn(name):
    assert_learns_what_we_learn(name)


@pytest.mark.slow
@pytest.mark.usefixtures("torch")
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch"
)  # PyTorch's compiler uses what PyTorch deprecates
def test_the_compiled_step_of_pytorch_learns_what_ours_learns():
    assert not steps.left_out()
    assert_learns_what_we_learn("torch-compile")


@pytest.mark.parametrize(("name", "batch_size"), [("jax", 2), ("vae_np-numpy", 1), ("vae_np-numpy", 5)])
def test_an_impossible_step_is_refused(name, batch_size):
    with pytest.raises(InputError, match=r"use one of|give at"):
        steps.stepper(name, synthetic_cells(4, 10), batch_size)


def test_a_missing_pytorch_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r'not installed: pip install "vae_np\[bench\]"'):
        require_torch()
    assert set(steps.left_out()) == {"torch-adam", "torch-fused", "torch-compile"}


@pytest.mark.usefixtures("torch")
def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(steps.shutil, "which", lambda program: None)
    assert list(steps.left_out()) == ["torch-compile"]


def test_pytorch_loads_when_it_is_called():
    code = "import sys, vae_np.bench.run, vae_np.bench.child; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ----------------------------------------------------------------------------------- stopwatch


@pytest.mark.usefixtures("torch")
def test_every_contestant_is_timed():
    rows = measure.measure(EAGER, synthetic_cells(40, 50), batch_size=8, n_threads=1, n_rounds=3, n_steps=2)
    assert [row.name for row in rows] == EAGER
    for row in rows:
        assert (row.threads, row.batch_size, row.n_genes) == (1, 8, 50)
        assert len(row.wall_ms_all) == 3
        assert row.wall_ms_per_step == sorted(row.wall_ms_all)[1] > 0
        assert row.cpu_ms_per_step > 0


def test_contestants_take_turns_on_the_same_batches(monkeypatch):
    taken = []
    monkeypatch.setattr(
        measure, "stepper", lambda name, x, batch_size: lambda cells: taken.append((name, tuple(cells)))
    )
    names = ["vae_np-numpy", "vae_np-numba"]
    measure.measure(names, synthetic_cells(20, 5), batch_size=6, n_threads=1, n_rounds=2, n_steps=3)
    turns = [
        taken[i : i + 4] for i in range(0, len(taken), 4)
    ]  # one step that is not counted, three that are
    assert [{name for name, _ in turn} for turn in turns] == 3 * [{names[0]}, {names[1]}]
    for ours, other in zip(turns[::2], turns[1::2], strict=True):
        assert [cells for _, cells in ours] == [cells for _, cells in other]
        assert all(len(cells) == 6 for _, cells in ours)


# ------------------------------------------------------------------------------------ children

TELL = (
    "import json, os; print('a remark'); print(json.dumps({'env': dict(os.environ), "
    "'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1}))"
)


def test_a_child_has_a_fair_environment_and_its_cores_alone(monkeypatch):
    for name in children.SLOW_NUMPY:
        monkeypatch.setenv(name, "Haswell")
    cores = usable_cores()
    told = children.run_child([sys.executable, "-c", TELL], 1, OMP_NUM_THREADS="1")
    assert told["env"].keys().isdisjoint({"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"})
    assert told["env"]["OMP_NUM_THREADS"] == "1"
    assert told["cores"] == 1
    assert usable_cores() == cores


@pytest.mark.parametrize(
    ("code", "words"),
    [("raise SystemExit('no such thing')", "failed: no such thing"), ("print('hello')", "printed no JSON")],
)
def test_a_child_that_fails_is_quoted(code, words):
    with pytest.raises(InputError, match=words):
        children.run_child([sys.executable, "-c", code], 1)
    with pytest.raises(InputError, match="could not be run"):
        children.run_child(["/nowhere/python"], 1)


PEER = """
import json, sys
from scipy import sparse
x = sparse.load_npz(sys.argv[1])
n_threads, batch_size, epochs = map(int, sys.argv[2:])
assert x.shape == (1600, 90) and (n_threads, batch_size) == (1, 32)
print(json.dumps({"cpu_ms_per_step": x.nnz, "wall_ms_per_step": 2, "wall_ms_all": [2] * epochs}))
"""


def test_a_peer_is_timed_on_the_same_cells(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text(PEER)
    (row,) = children.peer_rows("pertpy", sys.executable, script, 90, 32, 1, n_rounds=3)
    assert row == measure.Row("pertpy", 1, 32, 90, synthetic_cells(1600, 90).nnz, 2, (2, 2, 2))


def test_the_scripts_of_the_peers_do_without_us():
    for script in children.PEERS.values():
        text = script.read_text(encoding="utf-8")
        assert "import vae_np" not in text
        assert "from vae_np" not in text


# -------------------------------------------------------------------------------- command line


def test_bench_prints_json_alone(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    tiny = ["--genes", "7000", "--threads", "1", "--rounds", "1", "--steps", "1"]
    assert main(["bench", "--json", *tiny]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert set(result) == {"rows", "machine"}
    assert [row["name"] for row in result["rows"]] == ["vae_np-numpy", "vae_np-numba"]
    for row in result["rows"]:
        assert (row["threads"], row["batch_size"], row["n_genes"]) == (1, 32, 7000)
        assert row["wall_ms_all"] == [row["wall_ms_per_step"]]
        assert row["cpu_ms_per_step"] > 0
        assert len(row) == 7
    assert result["machine"]["packages"]["numpy"] == np.__version__
    assert {library["internal_api"] for library in result["machine"]["blas"]}
    assert (
        'left out: torch-adam, torch-fused, torch-compile: PyTorch is not installed: pip install "vae' in err
    )

    lines = run.table(result["rows"])
    assert {len(line) for line in lines} == {len(run.HEADING)}
    ours, compiled = (row["wall_ms_per_step"] for row in result["rows"])
    assert [line[-1] for line in lines] == [f"{ours / compiled:.2f}", "1.00"]
    assert result["machine"]["cpu"] in run.description(result["machine"])[0]


def test_every_size_and_number_of_threads_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(run, "our_rows", lambda names, *setting: asked.append(setting) or ([], {}))
    monkeypatch.setattr(run, "usable_cores", lambda: 4)
    run.run([100, 200], [16], [], {}, 5, 10, lambda text: None)
    sizes = {(7000, 32), (100, 16), (200, 16)}
    assert set(asked) == {(*size, n_threads, 5, 10) for size in sizes for n_threads in (1, 4)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threads", "100000"], "--threads is 100000: give at most"),
        (["--pertpy", "/nowhere/python"], "--pertpy is /nowhere/python, which cannot be run"),
        (["--genes", "0"], "--genes"),
        (["--batch-size", "1"], "--batch-size"),
    ],
)
def test_bad_input_is_one_line(arguments, words, capsys):
    assert main(["bench", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert words in err
    assert err.count("\n") == 1


# -------------------------------------------------------------------------------- loss curves

EPOCHS = 10


@pytest.fixture(scope="module")
def cells(real_data):
    return log_normalize(read_h5ad(real_data / "kang_pbmc_small.h5ad")).X.tocsr()


def noisy_batches(x, dtype):
    """The cells, noise and masks of a whole training; the same numbers in every dtype."""
    sizes = published_sizes(x.shape[1])
    shuffle_rng, eps_rng, mask_rng = np.random.default_rng(1).spawn(3)
    for _ in range(EPOCHS):
        for batch in minibatches(np.arange(x.shape[0]), 32, shuffle_rng):
            eps = eps_rng.standard_normal((1, len(batch), sizes.n_latent))
            masks = draw_masks(sizes, len(batch), 1, DROPOUT_RATE, mask_rng, np.dtype(float))
            yield some_rows(x, batch, dtype), eps.astype(dtype), [mask.astype(dtype) for mask in masks]


def our_curve(x, dtype, factor=1.0):
    """Loss of every step, from initial weights times a factor."""
    sizes = published_sizes(x.shape[1])
    params, stats = initialize(sizes, np.random.default_rng(0), float)
    params, stats = (
        Params(sizes, (params.flat * factor).astype(dtype)),
        Stats(sizes, stats.flat.astype(dtype)),
    )
    state, losses = AdamState.zeros_like(params), []
    for batch in noisy_batches(x, np.dtype(dtype)):
        value, stats = train_step(params, stats, state, *batch, gaussian(VARIANCE), KL_WEIGHT, **ADAM)
        losses.append(value.total.mean(dtype=float))
    return np.array(losses) - 0.5 * sizes.n_genes * np.log(2 * np.pi * VARIANCE)


def their_curve(x):
    twin = TorchTwin(*initialize(published_sizes(x.shape[1]), np.random.default_rng(0), float))
    optimizer, losses = twin.optimizer(), []
    for batch, eps, masks in noisy_batches(x, np.dtype(float)):
        optimizer.zero_grad()
        loss = twin.loss(batch.toarray(), eps, masks)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


@pytest.fixture(scope="module")
def exact_curve(cells):
    return our_curve(cells, float)


@pytest.mark.slow
@pytest.mark.usefixtures("torch")
def test_a_whole_training_has_the_losses_of_pytorch(cells, exact_curve):
    """Rounding is what may differ: as much as when our own initial weights move by some 1e-15."""
    moved = [our_curve(cells, float, 1 + shift) for shift in (1e-15, -1e-15)]
    rounding = max(np.abs(curve / exact_curve - 1).max() for curve in moved)
    difference = np.abs(their_curve(cells) / exact_curve - 1).max()
    print(f"\nlargest relative difference in a loss: {difference:.1e}; own rounding {rounding:.1e}")
    assert exact_curve[-1] < exact_curve[0] / 2
    assert rounding < 1e-12
    assert difference < 10 * rounding


@pytest.mark.slow
def test_float32_trains_as_float64_does(cells, exact_curve):
    """Within 0.5 % in the mean loss of each epoch.

    Were the model smooth, it would be 1e-7. But sooner or later a unit lies so near the kink of leaky
    ReLU that rounding puts it on the other side; from there on the two trainings are neighbors, no
    more. In float64, weights moved at random by 2^-24, float32's rounding, do that too, by up to 0.1 %.
    """
    ours, exact = (
        curve.reshape(EPOCHS, -1).mean(axis=1) for curve in (our_curve(cells, np.float32), exact_curve)
    )
    np.testing.assert_allclose(ours, exact, rtol=5e-3)
