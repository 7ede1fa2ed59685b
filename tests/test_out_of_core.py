"""Training and prediction on cells that stay in their file: the same as in memory, or bounded by a buffer."""

import json
import signal
import subprocess
import sys
import threading
import time

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.io import sparse_dataset
from scipy import sparse

from vae_np import ScGen, simulate, use
from vae_np.cli import main
from vae_np.data import matrix, read_cells, stored, write_cells
from vae_np.data.expression import log_matrix
from vae_np.data.stored import Stored
from vae_np.errors import InputError
from vae_np.evaluate import baselines
from vae_np.evaluate.baselines import Seen
from vae_np.evaluate.contexts import find_contexts
from vae_np.evaluate.experiment import Experiment
from vae_np.evaluate.held_out import hold_out, to_score
from vae_np.evaluate.leave_one_out import leave_one_out
from vae_np.model import Sizes, bernoulli, gaussian, initialize
from vae_np.train import Checkpoints, NonFiniteLossError, fit, loop
from vae_np.train.batches import minibatches, shuffled_buffers
from vae_np.train.epoch import rows_of_batches

pytestmark = pytest.mark.filterwarnings(
    "ignore:Writing zarr v2 data will no longer be the default",
    "ignore:the cell types respond in different directions",
    "ignore:the model was trained on",
)
KEYS = {"condition_key": "condition", "cell_type_key": "cell_type"}
SMALL = {"n_hidden": 16, "n_latent": 4, "n_layers": 1, "n_threads": 1}
BLOCKS = {"block_size": 8, "buffer_size": 40}


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read_ahead")]


def assert_equal(first, second):
    for one, other in ((first.params, second.params), (first.stats, second.stats)):
        np.testing.assert_array_equal(one.flat, other.flat)
    for name, losses in first.history.items():
        np.testing.assert_array_equal(losses, second.history[name])


# ------------------------------------------------------------------------------ the order


@pytest.mark.parametrize(
    ("n", "block", "buffer"),
    [(97, 8, 40), (1000, 10, 10), (999, 4, 7), (41, 8, 40), (5, 4, 4), (640, 64, 128)],
)
def test_every_cell_is_in_one_buffer_and_blocks_stay_together(rng, n, block, buffer):
    cells = np.sort(rng.choice(10 * n, n, replace=False))
    parts = shuffled_buffers(cells, block, buffer, rng)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), cells)
    sizes = [len(part) for part in parts]
    assert 2 <= min(sizes) <= max(sizes) <= buffer
    places = [np.sort(np.searchsorted(cells, part)) for part in parts]
    runs = np.concatenate(
        [np.diff(np.flatnonzero(np.diff(p, prepend=-2, append=2 * n) != 1)) for p in places]
    )
    assert runs.min() >= block // 2  # a block, a half one, or several that met


def test_cells_that_fit_in_a_buffer_are_shuffled_as_one(rng):
    cells = np.arange(3, 200, 2)
    [part] = shuffled_buffers(cells, 8, len(cells), rng)
    np.testing.assert_array_equal(part, cells)
    untouched = np.random.default_rng(20240817)
    assert rng.bit_generator.state == untouched.bit_generator.state


def test_every_block_meets_every_other_equally_often():
    cells, met = np.arange(12 * 4), np.zeros((12, 12))
    rng, n_epochs = np.random.default_rng(0), 4000
    for _ in range(n_epochs):
        for part in shuffled_buffers(cells, 4, 16, rng):  # three buffers of four blocks
            blocks = np.unique(part // 4)
            met[np.ix_(blocks, blocks)] += 1
    p = 3 / 11  # of the other blocks, three are in the same buffer
    apart = met[~np.eye(12, dtype=bool)]
    assert (np.abs(apart - n_epochs * p) < 4.892 * np.sqrt(n_epochs * p * (1 - p))).all()


# ----------------------------------------------------------------------- the training loop


@pytest.fixture(scope="module")
def x():
    return np.maximum(np.random.default_rng(7).normal(size=(150, 12)) - 0.5, 0).astype(np.float32)


@pytest.fixture(params=["csr", "dense"])
def on_disk(x, tmp_path, request):
    write_cells(tmp_path / "x.h5ad", anndata.AnnData(sparse.csr_matrix(x) if request.param == "csr" else x))
    file = h5py.File(tmp_path / "x.h5ad", "r")
    return Stored.whole(sparse_dataset(file["X"]) if request.param == "csr" else file["X"])


def train(x, likelihood=None, **settings):
    start = initialize(Sizes(12, 16, 2, 1), np.random.default_rng(1), np.float64)
    settings = {"max_epochs": 6, "batch_size": 16, "lr": 0.01, "dropout_rate": 0.2} | settings
    with use("numpy"):
        return fit(*start, x, likelihood or gaussian(0.5), rng=np.random.default_rng(2), **settings)


def test_cells_that_fit_in_a_buffer_are_trained_on_as_in_memory_to_the_bit(x, on_disk):
    assert_equal(train(on_disk), train(x))
    assert_equal(
        train(on_disk, train_size=1.0, early_stopping=False), train(x, train_size=1.0, early_stopping=False)
    )
    group = getattr(on_disk.source, "group", None)  # anndata's, or h5py's, own kind of data set
    assert_equal(train(on_disk.source if group is None else sparse_dataset(group)), train(x))


def test_a_buffer_at_a_time_is_training_in_memory_on_the_same_batches(x, on_disk, monkeypatch):
    """The oracle is the loop in memory, told to take the batches that the blocks make."""
    streamed = train(on_disk, **BLOCKS)
    monkeypatch.setattr(
        loop, "shuffled_buffers", lambda cells, block, n, rng: shuffled_buffers(cells, 8, 40, rng)
    )
    assert_equal(streamed, train(x))
    monkeypatch.undo()
    assert not np.array_equal(streamed.params.flat, train(x).params.flat)


def test_every_batch_has_the_rows_of_its_cells(x, on_disk, rng):
    plan = [minibatches(part, 16, rng) for part in shuffled_buffers(np.arange(3, 150), 8, 40, rng)]
    batches = list(rows_of_batches(on_disk, plan, np.dtype(np.float32)))
    assert [len(cells) for cells, _ in batches] == [len(cells) for part in plan for cells in part]
    np.testing.assert_array_equal(np.sort(np.concatenate([cells for cells, _ in batches])), np.arange(3, 150))
    for cells, rows in batches:
        np.testing.assert_array_equal(rows if isinstance(rows, np.ndarray) else rows.toarray(), x[cells])


def test_the_order_does_not_depend_on_how_fast_the_file_is(x, on_disk, monkeypatch):
    read = Stored.read

    def slowly(self, dtype=None):
        threading.Event().wait(0.005 * np.random.default_rng(len(self.rows)).random())
        return read(self, dtype)

    quick = train(on_disk, **BLOCKS)
    monkeypatch.setattr(Stored, "read", slowly)
    assert_equal(train(on_disk, **BLOCKS), quick)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"block_size": 3}, "block_size is 3: give at least 4"),
        ({"block_size": 8, "buffer_size": 7}, "buffer_size is 7: give at least 8"),
        ({"buffer_size": 1e4}, "buffer_size is 10000.0: give a whole number"),
    ],
)
def test_bad_blocks_are_refused(on_disk, settings, message):
    with pytest.raises(InputError, match=message):
        train(on_disk, **settings)


def test_bad_values_are_found_before_the_first_step(x, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "train_step", None)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"], file["nan"] = 2 * x, np.where(x == x.max(), np.nan, x)
        with pytest.raises(InputError, match="x holds 1 NaN or infinite values in cells"):
            train(file["nan"])
        with pytest.raises(InputError, match="the Bernoulli likelihood takes"):
            train(file["x"], bernoulli())


def test_a_file_that_breaks_in_an_epoch_stops_the_training_with_a_sentence(on_disk, monkeypatch):
    left, read = [60], Stored._range

    def break_down(self, rows, dtype):
        left[0] -= 1
        if left[0] < 0:
            self.source.file.close() if hasattr(self.source, "file") else self.source.group.file.close()
        return read(self, rows, dtype)

    monkeypatch.setattr(Stored, "_range", break_down)
    with pytest.raises(InputError, match=r"x cannot be read from its file \(.*damaged or was changed"):
        train(on_disk, max_epochs=100, early_stopping=False, **BLOCKS)
    assert left[0] == -1
    assert not readers()


@pytest.mark.parametrize("name", ["train_step", "loss"])  # in training, in validation
def test_a_diverging_training_leaves_no_thread(on_disk, monkeypatch, name):
    def broken(*arguments, **settings):
        raise FloatingPointError("x_hat is not finite")

    monkeypatch.setattr(loop, name, broken)
    for name in ("CSR_RANGE", "DENSE_RANGE"):
        monkeypatch.setattr(stored, name, 4)  # several chunks to validate on
    monkeypatch.setattr(matrix.chunks, "__defaults__", (4,))
    monkeypatch.setattr(matrix.in_chunks, "__defaults__", (None, 4))
    with pytest.raises(NonFiniteLossError, match="x_hat is not finite") as caught:
        train(on_disk, **BLOCKS)
    assert not readers()
    assert caught.value.__context__.__traceback__  # whoever holds the error holds what it went through


# ----------------------------------------------------------------------------- checkpoints


def test_a_stopped_training_goes_on_from_the_file_to_the_same_bits(x, on_disk, tmp_path, monkeypatch):
    whole, in_memory, step = train(on_disk, **BLOCKS), train(x), loop.train_step
    n_steps = [0]

    def interrupted(*arguments, **settings):
        n_steps[0] += 1
        if n_steps[0] == 31:
            raise KeyboardInterrupt
        return step(*arguments, **settings)

    def stopped(name, **settings):
        n_steps[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(loop, "train_step", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train(on_disk, checkpoints=Checkpoints(tmp_path / name), **settings)
        return Checkpoints(tmp_path / name, resume=True)

    kept = stopped("blocks", **BLOCKS)
    with pytest.raises(InputError, match=r"training: block_size 8 there and 16 here$"):
        train(on_disk, checkpoints=kept, **BLOCKS | {"block_size": 16})
    with pytest.raises(InputError, match="block_size 8 there and None here, buffer_size 40 there and None"):
        train(x, checkpoints=kept)
    assert_equal(train(on_disk, checkpoints=kept, **BLOCKS), whole)
    assert_equal(
        train(x, checkpoints=stopped("one")), in_memory
    )  # of one buffer the file is as good as memory


# ----------------------------------------------------------------------------------- ScGen


@pytest.fixture(scope="module")
def cells():
    return simulate(400, 40, 3, seed=4)


@pytest.fixture(params=["h5ad", "zarr", "anndata"])
def backed(cells, tmp_path, request):
    path = tmp_path / ("c.zarr" if request.param == "zarr" else "c.h5ad")
    (cells.write_zarr if request.param == "zarr" else cells.write_h5ad)(path)
    return (
        anndata.read_h5ad(path, backed="r") if request.param == "anndata" else read_cells(path, backed=True)
    )


def test_a_model_is_the_same_from_the_file_and_so_is_all_that_it_says(cells, backed):
    seen = ~((cells.obs["cell_type"] == "type 2") & (cells.obs["condition"] == "stimulated")).to_numpy()
    settings = {**KEYS, "max_epochs": 3, "batch_size": 16, "progress": False}
    model, expected = (ScGen(**SMALL).fit(c[seen], **settings) for c in (backed, cells))
    assert_equal(model, expected)
    np.testing.assert_array_equal(model.residual_variance, expected.residual_variance)
    np.testing.assert_array_equal(model.fitted.reference.z, expected.fitted.reference.z)
    np.testing.assert_array_equal(model.encode(backed), expected.encode(cells))
    np.testing.assert_array_equal(model.reconstruct(backed), expected.reconstruct(cells))
    for name in ("elbo", "reconstruction_error", "marginal_log_likelihood"):
        ours, theirs = (getattr(m, name)(c, n_samples=3) for m, c in ((model, backed), (expected, cells)))
        np.testing.assert_array_equal(ours.value, theirs.value)
    ask = {"celltype_to_predict": "type 2", "min_cells": 5}
    for how in ({}, {"mode": "sample"}, {"mode": "decode", "clip": False}, {"scale": "measured"}):
        predicted, others = (m.predict(**ask, **how)[0] for m in (model, expected))
        np.testing.assert_array_equal(predicted.X, others.X)
        assert predicted.obs.equals(others.obs)
        labels, delta, parts = model.predict_in_chunks(**ask, **how)
        np.testing.assert_array_equal(np.concatenate(list(parts)), predicted.X)
        np.testing.assert_array_equal(delta, predicted.uns["vae_np"]["delta"])
        np.testing.assert_array_equal(labels.obsm["latent"], predicted.obsm["latent"])
        assert labels.X is None
    for over in ("errors", "types"):
        ours, theirs = (m.predict_interval(**ask, over=over) for m in (model, expected))
        np.testing.assert_array_equal(ours, theirs)
    assert backed.isbacked or isinstance(backed.X, anndata.abc.CSRDataset)


def test_values_stored_by_columns_are_read_whole_in_anndatas_backed_mode(cells, tmp_path):
    by_columns = cells.copy()
    by_columns.X = sparse.csc_matrix(cells.X)
    by_columns.write_h5ad(tmp_path / "c.h5ad")
    backed = anndata.read_h5ad(tmp_path / "c.h5ad", backed="r")
    models = [ScGen(**SMALL).fit(c, **KEYS, max_epochs=1, progress=False) for c in (backed, cells)]
    predicted = [model.predict(celltype_to_predict="type 1", min_cells=5)[0].X for model in models]
    np.testing.assert_array_equal(*predicted)


@pytest.mark.parametrize("mode", ["change", "decode", "sample"])
def test_a_prediction_does_not_depend_on_how_it_is_cut(cells, monkeypatch, mode):
    model = ScGen(**SMALL, dtype="float64").fit(cells, **KEYS, max_epochs=1, progress=False)
    ask = {"celltype_to_predict": "type 2", "min_cells": 5, "mode": mode}
    whole, interval = (
        model.predict(**ask)[0],
        model.predict_interval(celltype_to_predict="type 2", min_cells=5),
    )
    monkeypatch.setattr(matrix.chunks, "__defaults__", (7,))
    monkeypatch.setattr(matrix.in_chunks, "__defaults__", (None, 7))
    _, _, parts = model.predict_in_chunks(**ask)
    parts = list(parts)
    assert len(parts) == -(-whole.n_obs // 7) > 5
    np.testing.assert_allclose(np.concatenate(parts), whole.X, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.predict(**ask)[0].X, whole.X, rtol=1e-9, atol=1e-12)
    again = model.predict_interval(celltype_to_predict="type 2", min_cells=5)
    np.testing.assert_allclose(again, interval, rtol=1e-9, atol=1e-12)


def test_genes_are_matched_by_name_in_the_file(cells, backed):
    model = ScGen(**SMALL).fit(cells[:, :30], **KEYS, max_epochs=1, progress=False)
    shuffled = cells[:, np.random.default_rng(0).permutation(40)]
    np.testing.assert_array_equal(model.encode(backed), model.encode(shuffled))


# ------------------------------------------------------------------------ the command line

FLAGS = ["--condition-key", "condition", "--cell-type-key", "cell_type", "--threads", "1"]
NAMES = ["--control", "control", "--stimulated", "stimulated", "--predict", "type 2"]


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
@pytest.mark.parametrize("normalize", [False, True])
def test_the_commands_give_the_same_with_backed(cells, tmp_path, capsys, form, normalize):
    cells = cells.copy()
    if normalize:
        cells.X = cells.layers["counts"]
    (cells.write_zarr if form == "zarr" else cells.write_h5ad)(tmp_path / f"c.{form}")
    words = [
        "predict",
        str(tmp_path / f"c.{form}"),
        *FLAGS,
        *NAMES,
        "--genes",
        "30",
        "--max-epochs",
        "2",
        "--json",
    ]
    words += ["--normalize"] if normalize else []
    results = []
    for name, more in (("memory", []), ("file", ["--backed"])):
        assert main([*words, "--out", str(tmp_path / name), *more]) == 0
        results.append(json.loads(capsys.readouterr().out) | {"out": None})
    assert results[0] == results[1]
    in_memory, from_file = (anndata.read_h5ad(tmp_path / name) for name in ("memory", "file"))
    np.testing.assert_array_equal(from_file.X, in_memory.X)
    assert from_file.obs.equals(in_memory.obs)
    assert from_file.var.equals(in_memory.var)
    assert {path.name for path in tmp_path.iterdir()} == {f"c.{form}", "memory", "file"}


def test_values_stored_by_columns_cannot_be_streamed(cells, tmp_path, capsys):
    by_columns = cells.copy()
    by_columns.X = sparse.csc_matrix(cells.X)
    by_columns.write_h5ad(tmp_path / "c.h5ad")
    words = ["train", str(tmp_path / "c.h5ad"), *FLAGS, "--max-epochs", "1", "--out", str(tmp_path / "m")]
    assert main([*words, "--backed"]) == 2
    assert "X is stored by columns (CSC) and cannot be read a part at a time" in capsys.readouterr().err
    assert main(words) == 0


@pytest.mark.slow
def test_a_command_on_a_file_that_is_killed_is_resumed_to_the_same_model(cells, tmp_path):
    counts = anndata.AnnData(cells.layers["counts"], obs=cells.obs, var=cells.var)
    counts.write_h5ad(tmp_path / "c.h5ad")
    out, whole, kept = (tmp_path / name for name in ("model", "whole", "model.checkpoint"))
    words = [
        sys.executable,
        "-m",
        "vae_np",
        "train",
        str(tmp_path / "c.h5ad"),
        *FLAGS,
        "--normalize",
        "--backed",
    ]
    words += ["--max-epochs", "100"]
    subprocess.run([*words, "--out", str(whole)], check=True, capture_output=True)
    words += ["--out", str(out), "--checkpoint-every", "1", "--resume"]
    child = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while child.poll() is None and not kept.exists():
        time.sleep(0.01)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert kept.exists()
    subprocess.run(words, check=True, capture_output=True)
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"c.h5ad", "model", "whole"}


# -------------------------------------------------------------------------------- evaluation


def test_scores_and_baselines_are_those_of_memory(cells, backed):
    experiment = Experiment(
        *KEYS.values(),
        "control",
        "stimulated",
        n_genes=30,
        model=SMALL,
        training={"max_epochs": 2, "progress": False},
    )
    names = list(find_contexts(cells, experiment))
    assert names == list(find_contexts(backed, experiment))
    all_ours, all_theirs = (
        leave_one_out(part, experiment, names, look=lambda run: run.predicted.X) for part in (backed, cells)
    )
    for ours, theirs in zip(all_ours, all_theirs, strict=True):
        assert [row[:4] for row in ours.rows] == [row[:4] for row in theirs.rows]
        values = [[row.value for row in run.rows] for run in (ours, theirs)]
        np.testing.assert_allclose(*values, rtol=1e-9)
        np.testing.assert_array_equal(ours.seen, theirs.seen)
        assert {"mean_shift", "pca_shift", "nearest_type"} <= {row.method for row in ours.rows}


def test_of_a_large_group_in_a_file_an_even_choice_is_scored(cells, backed, monkeypatch):
    monkeypatch.setattr(baselines, "MOST_IN_MEMORY", 20)
    split = hold_out(backed, *KEYS.values(), "stimulated", "type 2")
    assert split.held_out.n_obs > 60
    scored = to_score(split.held_out)
    assert (
        scored.obs_names.tolist()
        == split.held_out.obs_names[np.arange(20) * split.held_out.n_obs // 20].tolist()
    )
    assert to_score(cells) is cells
    condition, cell_type = (cells.obs[key].to_numpy(str) for key in KEYS.values())
    seen = Seen(log_matrix(backed), condition, cell_type, "control", "stimulated", "type 2")
    control = cells[(condition == "control") & (cell_type == "type 2")]
    expected = control.X.toarray()[np.arange(20) * control.n_obs // 20]
    np.testing.assert_array_equal(seen.target_control(), expected)


# ------------------------------------------------------------------------------------ memory

MEASURED = """
import sys, pathlib, numpy as np
from vae_np import ScGen
from vae_np.data import matrix, read_cells, stored, write_cells

def memory(name):  # MB
    lines = dict(line.split(":") for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024

def work(cells):
    model = ScGen(n_hidden=8, n_latent=2, n_layers=1, n_threads=1)
    blocks = {"block_size": 64, "buffer_size": 512, "batch_size": 128}
    keys = {"condition_key": "condition", "cell_type_key": "cell_type"}
    model.fit(cells, **keys, **blocks, max_epochs=2, progress=False)
    model.encode(cells)
    labels, _, x = model.predict_in_chunks(celltype_to_predict="a")
    write_cells(sys.argv[1] + ".predicted", labels, x)

backed = sys.argv[2] == "backed"
work(read_cells(sys.argv[1] + ".small", backed))  # what is loaded and compiled once
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = memory("VmRSS")
work(read_cells(sys.argv[1], backed))
print(memory("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_memory_is_bounded_by_the_buffer_and_not_by_the_file(tmp_path):
    def write(name, n):
        labels = {
            "condition": np.tile(["control", "stimulated"], n // 2),
            "cell_type": np.repeat(["a", "b"], n // 2),
        }
        obs = pd.DataFrame(labels, index=np.arange(n).astype(str))
        var = pd.DataFrame(index=np.arange(1000).astype(str))
        parts = (np.random.default_rng(i).random((500, 1000), np.float32) for i in range(n // 500))
        write_cells(tmp_path / name, anndata.AnnData(obs=obs, var=var), parts, compression=None)

    write("c.h5ad", 60_000)
    write("c.h5ad.small", 2_000)
    size = (tmp_path / "c.h5ad").stat().st_size / 2**20
    assert size > 220
    more = {}
    for how in ("backed", "memory"):
        command = [sys.executable, "-W", "ignore", "-c", MEASURED, str(tmp_path / "c.h5ad"), how]
        more[how] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(f"{size:.0f} MB in the file; more memory: {more}")
    assert more["memory"] > size
    assert more["backed"] < size / 3
