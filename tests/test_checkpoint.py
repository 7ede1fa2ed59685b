"""A stopped training goes on to the same bits; what it cannot go on from is refused in one sentence."""

import io
import json
import multiprocessing
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from archives import archive, parts_of
from scipy import sparse

from vae_np import ScGen, simulate, use
from vae_np.cli import main
from vae_np.data.writing import whole_file
from vae_np.errors import InputError
from vae_np.model import Sizes, bernoulli, gaussian, initialize
from vae_np.scgen import autoencoder
from vae_np.train import Checkpoints, NonFiniteLossError, fit, keeping, loop
from vae_np.train.checkpoint import read_checkpoint

SIZES = Sizes(n_genes=12, n_hidden=16, n_latent=2, n_layers=1)
CELLS = np.random.default_rng(7).normal(size=(60, 12))
N_STEPS = 4  # an epoch: 54 training cells in batches of 16


def train(checkpoints=None, *, x=CELLS, sizes=SIZES, likelihood=None, dtype=np.float64, seed=2, **settings):
    settings = {"max_epochs": 9, "batch_size": 16, "lr": 0.01, "dropout_rate": 0.2} | settings
    start = initialize(sizes, np.random.default_rng(1), dtype)
    rng = settings.pop("rng", None) or np.random.default_rng(seed)
    return fit(*start, x, likelihood or gaussian(0.5), rng=rng, checkpoints=checkpoints, **settings)


def assert_equal(first, second):
    for one, other in ((first.params, second.params), (first.stats, second.stats)):
        assert one.flat.dtype == other.flat.dtype
        np.testing.assert_array_equal(one.flat, other.flat)
    assert first.history.keys() == second.history.keys()
    for name, losses in first.history.items():
        np.testing.assert_array_equal(losses, second.history[name])


@pytest.fixture
def stop_in_step(monkeypatch):
    """Let Ctrl-C come at a step of the next training, the steps counted from 1; None lets it run."""
    train_step = loop.train_step

    def stop(n):
        left = [n]

        def spy(*arguments, **settings):
            if left[0] is not None:
                left[0] -= 1
                if left[0] == 0:
                    raise KeyboardInterrupt
            return train_step(*arguments, **settings)

        monkeypatch.setattr(loop, "train_step", spy)

    return stop


# -------------------------------------------------------------------------------- the same bits


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dtype": np.float32, "x": sparse.csr_matrix(np.maximum(CELLS, 0))},
        {"likelihood": bernoulli(), "x": (CELLS > 0).astype(float), "n_draws": 3},
        {"sizes": SIZES._replace(n_layers=0), "dropout_rate": 0.0},
        {"train_size": 1.0, "early_stopping": False, "kl_weight": 0.5, "kl_warmup_epochs": 6},
        {"lr": 0.5, "patience": 3, "max_epochs": 40},  # the best epoch is an early one, and it stops early
        {"sizes": SIZES._replace(n_conditions=2), "c": np.eye(2)[np.arange(60) % 2]},
        {"validation_cells": np.arange(6), "weight_decay": 0.1},
    ],
    ids=[
        "plain",
        "float32 CSR",
        "Bernoulli",
        "affine",
        "no validation",
        "stops early",
        "conditions",
        "decay",
    ],
)
def test_a_stopped_training_ends_with_the_same_bits(tmp_path, stop_in_step, settings):
    stop_in_step(None)
    whole = train(**settings)
    checkpoints = Checkpoints(tmp_path / "c", resume=True)
    for n in (2 * N_STEPS + 3, 1, N_STEPS + 1, 3):  # at the second and the last no epoch was whole
        stop_in_step(n)
        with pytest.raises(KeyboardInterrupt):
            train(checkpoints, **settings)
    assert read_checkpoint(tmp_path / "c").n_epochs == 3
    stop_in_step(None)
    resumed = train(checkpoints, **settings)
    assert_equal(resumed, whole)
    assert_equal(train(checkpoints, **settings), whole)  # of a finished training: just the result


def test_the_early_stop_in_the_list_above_is_one(stop_in_step):
    history = train(lr=0.5, patience=3, max_epochs=40).history["validation_total"]
    assert len(history) < 40
    assert history.argmin() == len(history) - 4


def test_a_finished_training_takes_no_further_step(tmp_path, monkeypatch):
    whole = train(Checkpoints(tmp_path / "c", every=100))  # the last epoch is always kept
    monkeypatch.setattr(loop, "train_step", None)
    assert_equal(train(Checkpoints(tmp_path / "c", resume=True)), whole)


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_generator_of_numpy_is_kept(tmp_path, stop_in_step, kind):
    def rng():
        return np.random.Generator(getattr(np.random, kind)(5))

    whole = train(rng=rng())
    stop_in_step(2 * N_STEPS + 1)
    with pytest.raises(KeyboardInterrupt):
        train(Checkpoints(tmp_path / "c"), rng=rng())
    stop_in_step(None)
    assert_equal(train(Checkpoints(tmp_path / "c", resume=True), rng=rng()), whole)
    if kind != "PCG64":
        with pytest.raises(InputError, match="other random generators"):
            train(Checkpoints(tmp_path / "c", resume=True))


def test_the_form_of_x_does_not_matter_for_going_on(tmp_path, stop_in_step):
    x = np.maximum(CELLS - 0.5, 0)
    stop_in_step(N_STEPS + 1)
    with pytest.raises(KeyboardInterrupt):
        train(Checkpoints(tmp_path / "c"), x=x)
    stop_in_step(None)
    assert_equal(train(Checkpoints(tmp_path / "c", resume=True), x=sparse.csc_array(x)), train(x=x))


def test_checkpoints_come_every_so_many_epochs_and_at_the_end(tmp_path, monkeypatch):
    written = []
    write = keeping.write_checkpoint
    monkeypatch.setattr(
        keeping, "write_checkpoint", lambda path, c: (written.append(c.n_epochs), write(path, c))
    )
    train(Checkpoints(tmp_path / "c", every=4), max_epochs=9)
    assert written == [4, 8, 9]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_without_checkpoints_nothing_is_copied_or_written(monkeypatch):
    def refuse(*arguments):
        raise AssertionError

    for name in ("snapshot", "write_checkpoint", "plain", "require_writable"):
        monkeypatch.setattr(keeping, name, refuse)
    monkeypatch.setattr(loop, "fingerprint", refuse)
    train(max_epochs=2)


def test_ctrl_c_says_what_is_kept(tmp_path, stop_in_step):
    stop_in_step(2 * N_STEPS + 2)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(Checkpoints(tmp_path / "c", every=100))
    assert caught.value.__notes__ == [f"2 of 9 epochs are kept in {tmp_path / 'c'}"]
    stop_in_step(2)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(Checkpoints(tmp_path / "new"))
    assert not hasattr(caught.value, "__notes__")  # no epoch was whole
    assert not (tmp_path / "new").exists()


def test_the_history_before_the_stop_is_in_an_error_after_it(tmp_path, stop_in_step, monkeypatch):
    stop_in_step(3 * N_STEPS + 1)
    with pytest.raises(KeyboardInterrupt):
        train(Checkpoints(tmp_path / "c"))
    stop_in_step(None)
    monkeypatch.setattr(loop, "bad_weight", lambda *model: "mu.W holds 1 non-finite of 32 values")
    with pytest.raises(NonFiniteLossError, match="training stopped in epoch 4") as caught:
        train(Checkpoints(tmp_path / "c", resume=True))
    assert len(caught.value.trained.history["train_total"]) == 3


# ----------------------------------------------------------------------------------- refusals


ABOUT = {"genes": "sha256:12"}


@pytest.fixture
def kept(tmp_path):
    """A file of a training with all its epochs."""
    train(Checkpoints(tmp_path / "c", about=ABOUT))
    return tmp_path / "c"


def kept_about(path):
    return Checkpoints(path, resume=True, about=ABOUT)


def test_a_checkpoint_is_not_overwritten_by_a_training_from_the_start(kept):
    before = kept.read_bytes()
    with pytest.raises(InputError, match=r"checkpoint .* is there already: resume from it, or remove it"):
        train(Checkpoints(kept))
    assert kept.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.02}, "lr 0.01 there and 0.02 here$"),
        ({"max_epochs": 10}, "max_epochs 9 there and 10 here$"),
        (
            {"early_stopping": False, "patience": 9},
            "early_stopping True there and False here, patience 25",
        ),
        ({"seed": 3}, "other validation cells, other random generators$"),
        ({"x": CELLS[:, ::-1]}, ": other values of x$"),
        (
            {"x": CELLS[:59]},
            r": shape of x \[60, 12\] there and \[59, 12\] here, other values of x, ",
        ),
        ({"likelihood": gaussian(0.6)}, "variance 0.5 there and 0.6 here$"),
        ({"likelihood": gaussian(np.full(12, 0.5))}, r"variance 0.5 there and \[0.5, 0.5"),
        (
            {"likelihood": bernoulli(), "x": (CELLS > 0)},
            "likelihood 'gaussian' there and 'bernoulli_log",
        ),
        ({"dtype": np.float32}, "dtype 'float64' there and 'float32' here"),
        ({"sizes": SIZES._replace(n_latent=3)}, "n_latent 2 there and 3 here"),
        ({"validation_cells": np.arange(6)}, ": other validation cells$"),
        ({"about": {"genes": "sha256:13"}}, "of another training: other genes$"),
        ({"about": {}}, "of another training: other genes$"),
        ({"about": ABOUT | {"seed": 1}}, "of another training: seed None there and 1 here$"),
    ],
)
def test_another_training_does_not_go_on_from_it(kept, changes, message):
    before = kept.read_bytes()
    about = changes.get("about", ABOUT)
    settings = {name: value for name, value in changes.items() if name != "about"}
    with pytest.raises(InputError, match=message):
        train(Checkpoints(kept, resume=True, about=about), **settings)
    assert kept.read_bytes() == before


def test_other_initial_weights_are_refused(kept):
    params, stats = initialize(SIZES, np.random.default_rng(5), np.float64)
    settings = {"max_epochs": 9, "batch_size": 16, "lr": 0.01, "dropout_rate": 0.2}
    settings |= {"rng": np.random.default_rng(2), "checkpoints": kept_about(kept)}
    with pytest.raises(InputError, match=r": other initial weights$"):
        fit(params, stats, CELLS, gaussian(0.5), **settings)


def test_foreign_and_damaged_checkpoints_are_refused(kept):
    whole = kept.read_bytes()
    header, arrays = parts_of(kept)
    n_params = len(arrays["params"])

    def packed(**changes):
        return archive(header, arrays, **changes)

    def encoded(**changes):
        return archive(header | changes, arrays)

    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1

    def with_order(**changes):
        generators = header["generators"]
        return encoded(generators=generators | {"order": generators["order"] | changes})

    fit_together = "damaged checkpoint: its parts do not fit together$"
    for content, message in [
        (b"", "is not a vae_np checkpoint, or it is damaged$"),
        (whole[:1000], "is not a vae_np checkpoint, or it is damaged$"),
        (whole[:-1], "is not a vae_np checkpoint, or it is damaged$"),
        (bytes(flipped), "is not a vae_np checkpoint, or it is damaged$"),
        (encoded(format="vae_np.ScGen"), "is not a vae_np checkpoint$"),
        (encoded(version=3), "has format version 3, newer than 2: update vae_np"),
        (encoded(version=1), "version 1, older than this vae_np reads: make the checkpoint anew, or use"),
        (encoded(training=None), "damaged checkpoint: its header is not complete"),
        (encoded(generators=[]), "damaged checkpoint: its header is not complete"),
        (encoded(n_steps=-1), fit_together),
        (encoded(n_steps="many"), fit_together),
        (encoded(n_steps=2**63 - 1), fit_together),
        (packed(more=np.zeros(3)), fit_together),
        (packed(history_more=np.zeros(9)), fit_together),
        (packed(v=-arrays["v"]), fit_together),
        (packed(stats=-arrays["stats"]), fit_together),
        (packed(best_stats=-arrays["best_stats"]), fit_together),
        (encoded(generators={}), fit_together),
        (with_order(bit_generator="SFC64"), fit_together),
        (with_order(state={}), fit_together),
        (with_order(more=1), fit_together),
        (packed(m=None), fit_together),
        (packed(v=np.zeros(n_params - 1)), fit_together),
        (packed(params=np.zeros(n_params, np.float32)), fit_together),
        (packed(best_params=np.full(n_params, np.nan)), fit_together),
        (packed(stats=np.zeros((8, 8))), fit_together),
        (packed(history_train_kl=np.zeros(3)), fit_together),
        (packed(history_train_kl=np.zeros(9, int)[:, None]), fit_together),
        (packed(history_validation_kl=None), fit_together),
        (packed(history_kl_weight=np.full(9, np.inf)), fit_together),
    ]:
        kept.write_bytes(content)
        with pytest.raises(InputError, match=message):
            train(kept_about(kept))
        assert kept.read_bytes() == content


def test_no_bit_of_a_checkpoint_can_flip_unseen(kept, rng):
    whole = kept.read_bytes()
    expected = train()
    for bit in rng.choice(8 * len(whole), 60, replace=False):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        kept.write_bytes(flipped)
        try:
            assert_equal(train(kept_about(kept)), expected)  # a date in the archive
        except InputError as error:
            assert "damaged" in str(error)  # noqa: PT017 - either is fine


def test_claimed_sizes_are_checked_before_memory_is_taken(kept):
    whole = kept.read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}

    def with_claim(shape):
        """Entry ``m`` with another shape in its header of the same length."""
        old = entries["m.npy"]
        start = old.index(b"(")
        stop = old.index(b"}", start)
        words = f"{shape}, ".encode()
        claimed = old[:start] + words + b"}" + old[stop + 1 :]
        excess = len(claimed) - len(old)
        at = claimed.index(b"}") + 1
        return claimed[:at] + claimed[at + excess :] if excess > 0 else claimed

    def packed(compression, m):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name, content in entries.items():
                archive.writestr(name, m if name == "m.npy" else content)
        return buffer.getvalue()

    bomb = io.BytesIO()
    np.save(bomb, np.zeros(4_000_000))
    for content in (
        packed(zipfile.ZIP_STORED, with_claim((40_000_000,))),
        packed(zipfile.ZIP_STORED, with_claim((4, 10_000_000))),
        packed(zipfile.ZIP_DEFLATED, bomb.getvalue()),
        packed(zipfile.ZIP_DEFLATED, entries["m.npy"]),
    ):
        kept.write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(InputError, match="is not a vae_np checkpoint, or it is damaged"):
                read_checkpoint(kept)
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()
    kept.write_bytes(packed(zipfile.ZIP_STORED, entries["m.npy"]))
    assert read_checkpoint(kept).n_epochs == 9


def test_bad_arguments_are_refused_before_the_work(tmp_path):
    for checkpoints, message in (
        (Checkpoints(tmp_path / "c", every=0), "checkpoint_every is 0: give at least 1"),
        (Checkpoints(tmp_path / "c", every=1.5), "checkpoint_every is 1.5: give a whole number"),
        (Checkpoints(tmp_path), "is a folder: give a file name"),
        (Checkpoints(tmp_path / "no" / "c"), "does not exist: create it first"),
        (Checkpoints("/proc/c"), "is not writable"),
    ):
        with pytest.raises(InputError, match=message):
            train(checkpoints)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------- ScGen


@pytest.fixture(scope="module")
def adata():
    return simulate(90, 20, 3, seed=1)


KEYS = {"condition_key": "condition", "cell_type_key": "cell_type"}


def scgen(adata, seed=0, n_threads=None, **settings):
    model = ScGen(n_hidden=8, n_latent=3, seed=seed, n_threads=n_threads)
    return model.fit(adata, **(KEYS | {"max_epochs": 6} | settings))


def test_a_resumed_model_has_the_same_file(adata, tmp_path, stop_in_step):
    scgen(adata).save(tmp_path / "whole")
    stop_in_step(8)
    with pytest.raises(KeyboardInterrupt):
        scgen(adata, checkpoint=tmp_path / "c", checkpoint_every=2)
    stop_in_step(None)
    scgen(adata, checkpoint=tmp_path / "c", resume=True).save(tmp_path / "resumed")
    assert (tmp_path / "resumed").read_bytes() == (tmp_path / "whole").read_bytes()


def test_other_cells_or_another_seed_are_refused(adata, tmp_path):
    path = tmp_path / "c"
    scgen(adata, checkpoint=path)
    labels = adata.copy()
    labels.obs["cell_type"] = np.roll(adata.obs["cell_type"].to_numpy(), 1)
    genes = adata.copy()
    genes.var_names = [f"other {name}" for name in adata.var_names]
    values = adata.copy()
    values.X = values.X * 0.5
    for cells, settings, message in (
        (labels, {}, ": other labels 'cell_type'$"),
        (genes, {}, ": other genes$"),
        (values, {}, ": other values of x$"),
        (adata[:80].copy(), {}, "shape of x"),
        (
            adata,
            {"seed": 1},
            ": seed 0 there and 1 here, other validation cells, other initial weights",
        ),
        (adata, {"batch_size": 16}, ": batch_size 32 there and 16 here$"),
        (adata, {"condition_key": "cell_type"}, ": condition_key 'condition' there and 'cell_type' here"),
    ):
        with pytest.raises(InputError, match=message):
            scgen(cells, **settings, checkpoint=path, resume=True)
    with pytest.raises(InputError, match="resume needs a checkpoint"):
        scgen(adata, resume=True)
    scgen(adata, n_threads=1, checkpoint=path, resume=True)  # the number of threads is not compared


# -------------------------------------------------------------------------------- command line

FLAGS = ["--condition-key", "condition", "--cell-type-key", "cell_type", "--threads", "1"]


@pytest.fixture(scope="module")
def file(adata, tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    adata.write_h5ad(path)
    return path


def command(file, out, *words, epochs=6):
    return ["train", str(file), *FLAGS, "--max-epochs", str(epochs), "--out", str(out), *words]


def test_an_interrupted_command_says_how_to_go_on_and_does(file, tmp_path, capsys, stop_in_step):
    out, whole = tmp_path / "model.npz", tmp_path / "whole.npz"
    assert main(command(file, whole)) == 0
    stop_in_step(8)
    assert main(command(file, out, "--checkpoint-every", "4")) == 130
    line = f"2 of 6 epochs are kept in {out}.checkpoint; the same command with --resume goes on from there"
    assert capsys.readouterr().err.splitlines()[-1] == f"vae-np: interrupted; {line}"
    assert {path.name for path in tmp_path.iterdir()} == {"model.npz.checkpoint", "whole.npz"}
    stop_in_step(None)
    assert main(command(file, out, "--checkpoint-every", "4")) == 2
    assert "of an earlier training is there: add --resume, or remove it" in capsys.readouterr().err
    assert main(command(file, out, "--resume", "--seed", "1")) == 2
    assert "of another training: seed 0 there and 1 here" in capsys.readouterr().err
    assert main(command(file, out, "--resume", "--json")) == 0
    captured = capsys.readouterr()
    assert f"resuming from {out}.checkpoint" in captured.err
    assert json.loads(captured.out)["epochs"] == 6
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"model.npz", "whole.npz"}


def test_without_a_checkpoint_resume_starts_anew_and_an_interrupt_says_no_more(
    file, tmp_path, capsys, stop_in_step
):
    for words in ([], ["--resume"]):
        stop_in_step(1)
        assert main(command(file, tmp_path / "model.npz", *words)) == 130
        errors = capsys.readouterr().err.splitlines()
        assert errors[-1] == "vae-np: interrupted"
    assert f"no {tmp_path / 'model.npz'}.checkpoint to resume from: starting anew" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:the cell types respond in different directions")
def test_predict_is_resumed_too(file, tmp_path, capsys, stop_in_step):
    out, whole = tmp_path / "p.h5ad", tmp_path / "whole.h5ad"
    names = ["--control", "control", "--stimulated", "stimulated", "--predict", "type 2"]
    words = ["predict", str(file), *FLAGS, *names, "--max-epochs", "6", "--json", "--out"]
    assert main([*words, str(whole)]) == 0
    stop_in_step(8)
    assert main([*words, str(out), "--checkpoint-every", "1"]) == 130
    assert "are kept in" in capsys.readouterr().err
    stop_in_step(None)
    assert main([*words, str(out), "--resume"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert main([*words, str(whole)]) == 0
    assert json.loads(capsys.readouterr().out)["scores"] == scores
    assert {path.name for path in tmp_path.iterdir()} == {"p.h5ad", "whole.h5ad"}
    for flags in (["--resume"], ["--checkpoint-every", "2"]):
        assert main(["predict", str(file), *names, "--model", "m", "--out", str(out), *flags]) == 2
        assert f"{flags[0]} does not go with --model" in capsys.readouterr().err


def test_an_interrupt_after_the_last_epoch_says_how_to_go_on(file, tmp_path, capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(autoencoder, "residual_variance", interrupted)
        assert main(command(file, tmp_path / "m", "--checkpoint-every", "9")) == 130
    kept = f"the training is kept in {tmp_path / 'm'}.checkpoint"
    line = f"vae-np: interrupted; {kept}; the same command with --resume goes on from there"
    assert capsys.readouterr().err.splitlines()[-1] == line
    assert main(command(file, tmp_path / "m", "--resume")) == 0


# -------------------------------------------------------------------------------- killed

KILLED = SimpleNamespace(max_epochs=100, kills=60)


def train_to_the_end(folder, started):
    """What the child does that is killed: train with checkpoints, then write the result."""
    started.set()
    with use("numpy"):
        checkpoints = Checkpoints(folder / "c", resume=True)
        trained = train(checkpoints, max_epochs=KILLED.max_epochs, early_stopping=False)
    with whole_file(folder / "result") as temporary, temporary.open("wb") as file:
        np.savez(file, params=trained.params.flat, stats=trained.stats.flat, **trained.history)


@pytest.mark.slow
def test_whenever_a_training_is_killed_it_ends_with_the_same_bits(tmp_path, rng):
    with use("numpy"):
        whole = train(max_epochs=KILLED.max_epochs, early_stopping=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "vae_np.cli", "vae_np.data.simulate", "vae_np.scgen.predictor"])
    kills, trainings, seen = 0, [], set()
    while kills < KILLED.kills:
        folder = tmp_path / str(len(trainings))
        folder.mkdir()
        trainings.append(0)
        while True:
            started = context.Event()
            child = context.Process(target=train_to_the_end, args=(folder, started))
            child.start()
            assert started.wait(60)
            child.join(rng.uniform(0, 0.25))
            child.kill()
            child.join()
            if child.exitcode == 0:
                break
            assert child.exitcode == -signal.SIGKILL
            kills += 1
            trainings[-1] += 1
            if (folder / "c").exists():
                seen.add(read_checkpoint(folder / "c").n_epochs)  # a whole file at any moment
        with np.load(folder / "result") as result:
            np.testing.assert_array_equal(result["params"], whole.params.flat)
            np.testing.assert_array_equal(result["stats"], whole.stats.flat)
            for name, losses in whole.history.items():
                np.testing.assert_array_equal(result[name], losses)
        assert [path.name for path in folder.glob(".*")] == []  # nor does a killed writer leave anything
    print(f"{kills} kills in {len(trainings)} trainings, after {len(seen)} different epochs")
    assert max(trainings) > 2
    assert len(seen) > 20


@pytest.mark.slow
def test_a_command_that_is_killed_again_and_again_writes_the_same_file(file, tmp_path, rng):
    out, whole, kept = tmp_path / "model", tmp_path / "whole", tmp_path / "model.checkpoint"
    switches = [sys.executable, "-m", "vae_np"]
    n_epochs = 120
    subprocess.run([*switches, *command(file, whole, epochs=n_epochs)], check=True, capture_output=True)
    for _ in range(4):
        words = command(file, out, "--resume", "--checkpoint-every", "1", epochs=n_epochs)
        child = subprocess.Popen([*switches, *words], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        before, patience = kept.stat().st_mtime_ns if kept.exists() else 0, time.monotonic() + 60
        while child.poll() is None and (not kept.exists() or kept.stat().st_mtime_ns == before):
            assert time.monotonic() < patience
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        child.kill()
        assert child.wait() == -signal.SIGKILL
    assert 4 <= read_checkpoint(kept).n_epochs < n_epochs
    subprocess.run([*switches, *words], check=True, capture_output=True)
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"model", "whole"}
