"""A disk that takes no more: the old file or the new one, one sentence, nothing half-written or lost."""

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from test_checkpoint import assert_equal, stop_in_step, train  # noqa: F401 - one is a fixture

from vae_np import simulate
from vae_np.cli import main
from vae_np.cli.output import write_text
from vae_np.data import writing
from vae_np.data.archive import Kind, write_archive
from vae_np.data.writing import whole_file
from vae_np.data.writing_cells import write_cells
from vae_np.errors import InputError
from vae_np.evaluate.held_out import Row
from vae_np.evaluate.report import Section, write_report, write_scores
from vae_np.train import Checkpoints, NonFiniteLossError, keeping, loop
from vae_np.train.checkpoint import read_checkpoint
from vae_np.verify.exercise_formats import write_exercise
from vae_np.verify.gradescope import write_results

# ------------------------------------------------------------- a checkpoint that cannot be written


def refusing(monkeypatch, *numbers, code=errno.ENOSPC):
    """Let these attempts to write a checkpoint fail, counted from 1; give a list of the epochs written."""
    write, attempts, written = keeping.write_checkpoint, [0], []

    def spy(path, checkpoint):
        attempts[0] += 1
        if attempts[0] in numbers:
            raise OSError(code, os.strerror(code), str(path))
        write(path, checkpoint)
        written.append(checkpoint.n_epochs)

    monkeypatch.setattr(keeping, "write_checkpoint", spy)
    return written


def test_training_goes_on_with_a_warning_when_a_checkpoint_cannot_be_written(tmp_path, monkeypatch):
    whole = train()
    written = refusing(monkeypatch, 2, 3, 5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kept = train(Checkpoints(tmp_path / "c"))
    assert_equal(kept, whole)
    assert written == [1, 4, 6, 7, 8, 9]
    reason = "could not be kept (No space left on device): training goes on, epoch"
    assert [str(one.message) for one in caught] == [  # told once until a checkpoint is written again
        f"epoch 2 {reason} 1 stays in {tmp_path / 'c'}",
        f"epoch 5 {reason} 4 stays in {tmp_path / 'c'}",
    ]
    assert Path(caught[0].filename).name == "test_checkpoint.py"  # who called fit
    assert_equal(train(Checkpoints(tmp_path / "c", resume=True)), whole)


def test_the_first_checkpoint_may_fail_too(tmp_path, monkeypatch):
    refusing(monkeypatch, *range(1, 10))
    with pytest.warns(UserWarning, match=r"epoch 1 .*: training goes on, no epoch is in .*/c$"):
        assert_equal(train(Checkpoints(tmp_path / "c")), train())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_on_a_full_disk_tells_both(tmp_path, monkeypatch, stop_in_step):  # noqa: F811
    stop_in_step(3 * 4 + 1)
    refusing(monkeypatch, 2, code=errno.EDQUOT)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(Checkpoints(tmp_path / "c", every=2))
    assert caught.value.__notes__ == [
        f"epoch 3 could not be kept ({os.strerror(errno.EDQUOT)})",
        f"2 of 9 epochs are kept in {tmp_path / 'c'}",
    ]
    assert read_checkpoint(tmp_path / "c").n_epochs == 2


def test_any_error_costs_the_epoch_it_stops_only(tmp_path, monkeypatch):
    train_step, left = loop.train_step, [3 * 4 + 2]

    def fail(*arguments, **settings):
        left[0] -= 1
        if left[0] == 0:
            raise MemoryError("no more")
        return train_step(*arguments, **settings)

    monkeypatch.setattr(loop, "train_step", fail)
    with pytest.raises(MemoryError) as caught:
        train(Checkpoints(tmp_path / "c", every=100))
    assert caught.value.__notes__ == [f"3 of 9 epochs are kept in {tmp_path / 'c'}"]
    assert_equal(train(Checkpoints(tmp_path / "c", resume=True)), train())


def test_a_training_that_diverges_does_so_again_from_what_is_kept(tmp_path, monkeypatch):
    train_step, left = loop.train_step, [0]

    def diverge(*arguments, **settings):
        value, stats = train_step(*arguments, **settings)
        if arguments[2].t == 4 * 4 + 1:  # Adam's count: in epoch 5, in a resumed training too
            arguments[0].flat[0] = np.nan
        left[0] += 1
        return value, stats

    monkeypatch.setattr(loop, "train_step", diverge)
    messages = []
    for every, resume in ((3, False), (1, True), (1, True)):
        with pytest.raises(NonFiniteLossError, match="training stopped in epoch 5") as caught:
            train(Checkpoints(tmp_path / "c", every=every, resume=resume))
        messages.append(str(caught.value))
        kept = read_checkpoint(tmp_path / "c")
        assert kept.n_epochs == 4
        assert all(np.isfinite(array).all() for array in kept.arrays.values())
        assert np.isfinite(caught.value.trained.params.flat).all()
    assert len(set(messages)) == 1
    assert left[0] <= 5 * 4 + 2 * 4  # a resumed one takes the steps of epoch 5 alone


# ------------------------------------------------------------------------------ each kind of file

ROWS = [Row("type 1", 0, "scgen", f"metric {i}", i / 7) for i in range(2000)]
LETTERS = "".join(np.random.default_rng(0).choice(list("abcdefgh"), 60_000))
WRITERS = {
    "archive": lambda path: write_archive(path, Kind("f", "f", 1), {"n": 1}, {"a": np.arange(9000.0)}),
    "cells": lambda path: write_cells(path, simulate(200, 60, 3, seed=1)),
    "text": lambda path: write_text(path, LETTERS),
    "scores": lambda path: write_scores(path, ROWS),
    "report": lambda path: write_report(path, "title", [Section("one", [LETTERS])]),
    "gradescope": lambda path: write_results(path, [ANSWER] * 300),
    "exercise": lambda path: write_exercise("gaussian_kl", path.parent),
}
ANSWER = {"label": "kl-closed", "ok": False, "message": "wrong; " + LETTERS[:200], "outputs": {}}
OLD = b"old\n"


def target_of(kind, folder):
    return folder / ("gaussian_kl.ipynb" if kind == "exercise" else "out")


def assert_old_or_new(kind, folder, whole, refused):
    """The exercise, which replaces nothing but itself, is there or not; all else is old or new."""
    target = target_of(kind, folder)
    if refused and kind == "exercise":
        assert list(folder.iterdir()) == []
        return
    assert target.read_bytes() == (OLD if refused else whole)
    assert [path.name for path in folder.iterdir()] == [target.name]


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """A kind of file, how it is written, and its bytes where nothing goes wrong."""
    folder = tmp_path / "whole"
    folder.mkdir()
    WRITERS[request.param](folder / "out")
    return request.param, WRITERS[request.param], target_of(request.param, folder).read_bytes()


def start_anew(kind, folder):
    for path in folder.iterdir():
        path.unlink()
    if kind != "exercise":
        (folder / "out").write_bytes(OLD)


def test_on_a_disk_of_any_size_a_file_is_old_or_new(written, small_disk, rng):
    kind, write, whole = written
    sizes = rng.integers(0, len(whole) + 8192, 12)
    endings = set()
    for size in [0, *sizes, len(whole) + 16384]:
        start_anew(kind, small_disk)
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * max(0, free - int(size)))
        failure = None
        try:
            write(small_disk / "out")
        except OSError as error:
            failure = error.errno, error.filename
        filler.unlink()
        assert failure in (None, (errno.ENOSPC, str(target_of(kind, small_disk))))
        refused = failure is not None
        endings.add(refused)
        assert_old_or_new(kind, small_disk, whole, refused)
    assert endings == {True, False}


@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.EINTR, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize("where", ["open", "fsync", "rename"])
def test_whatever_operation_fails_and_why_the_old_file_stays(written, where, code, tmp_path, monkeypatch):
    kind, write, whole = written
    folder = tmp_path / "place"
    folder.mkdir()
    start_anew(kind, folder)

    def fail(*arguments, **settings):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        if where == "open":
            patched.setattr(Path, "touch", fail)
        elif where == "fsync":
            patched.setattr(writing.os, "fsync", fail)
        else:
            patched.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            write(folder / "out")
    assert (caught.value.errno, caught.value.filename) == (code, str(target_of(kind, folder)))
    assert_old_or_new(kind, folder, whole, refused=True)


def test_a_name_that_cannot_be_put_on_the_disk_for_sure_is_no_error(tmp_path, monkeypatch):
    fsync, done = os.fsync, []

    def files_only(handle):  # some file systems refuse folders
        done.append(os.fstat(handle).st_mode)
        if not os.path.isfile(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(writing.os, "fsync", files_only)
    write_text(tmp_path / "out", "new")
    assert len(done) == 2
    assert (tmp_path / "out").read_text() == "new"


def test_with_any_number_of_files_left_to_open_a_file_is_old_or_new(written, tmp_path):
    kind, write, whole = written
    folder = tmp_path / "place"
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endings = []
    for n_left in range(6):
        start_anew(kind, folder)
        opened = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    opened.append(os.open(os.devnull, os.O_RDONLY))
            for _ in range(n_left):
                os.close(opened.pop())
            try:
                write(folder / "out")
                endings.append(False)
            except (OSError, InputError) as error:
                assert "Too many open files" in str(error)  # noqa: PT017 - enough of them is no error
                endings.append(True)
        finally:
            for handle in opened:
                os.close(handle)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert_old_or_new(kind, folder, whole, endings[-1])
    assert endings == sorted(endings, reverse=True)  # refused with few, done with more
    assert endings[0]
    assert not endings[-1]


def test_a_read_only_disk_is_told_before_the_work(written, small_disk):
    kind, write, whole = written
    start_anew(kind, small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match="/disk is not writable: Read-only file system"):
        write(small_disk / "out")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert_old_or_new(kind, small_disk, whole, refused=True)


def test_a_folder_that_goes_while_a_file_is_written_is_one_sentence(tmp_path):
    (tmp_path / "place").mkdir()
    with pytest.raises(OSError, match="No such file") as caught, whole_file(tmp_path / "place" / "out"):
        shutil.rmtree(tmp_path / "place")
    assert caught.value.filename == str(tmp_path / "place" / "out")
    with pytest.raises(InputError, match="does not exist: create it first"):
        write_text(tmp_path / "place" / "out", "new")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers of POSIX")
def test_system_calls_that_are_interrupted_are_taken_up_again(written, tmp_path):
    kind, write, whole = written
    folder = tmp_path / "place"
    folder.mkdir()
    arrived = [0]

    def count(number, frame):
        arrived[0] += 1

    before = signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        start_anew(kind, folder)
        while arrived[0] < 50:
            write(folder / "out")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert_old_or_new(kind, folder, whole, refused=False)


# -------------------------------------------------------------------------------- the command line


def test_no_memory_is_one_sentence(capsys, monkeypatch):
    def refuse(*arguments, **settings):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("vae_np.cli.program.main", refuse)
    assert main(["where", "kl-closed"]) == 2
    assert capsys.readouterr().err == "vae-np: there is not enough memory: Unable to allocate 9 TiB\n"


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
FULL.filename = "model"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FULL, "vae-np: model could not be used: No space left on device"),
        (InputError("output folder /o is not writable"), "vae-np: output folder /o is not writable"),
        (
            MemoryError("Unable to allocate 9 TiB"),
            "vae-np: there is not enough memory: Unable to allocate 9 TiB",
        ),
    ],
)
def test_what_goes_wrong_at_the_end_says_that_the_training_is_kept(
    error, said, tmp_path, capsys, monkeypatch
):
    simulate(90, 20, 3, seed=1).write_h5ad(tmp_path / "cells.h5ad")
    out = tmp_path / "model"
    keys = ["--condition-key", "condition", "--cell-type-key", "cell_type", "--threads", "1"]
    words = ["train", str(tmp_path / "cells.h5ad"), *keys, "--max-epochs", "2", "--out", str(out)]
    with monkeypatch.context() as patched:

        def fail(path, *what):
            raise error

        patched.setattr("vae_np.scgen.model_file.write_archive", fail)
        assert main([*words, "--checkpoint-every", "1"]) == 2
    advice = "the same command with --resume goes on from there"
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"{said}; the training is kept in {out}.checkpoint; {advice}"
    monkeypatch.setattr(loop, "train_step", None)  # it takes no further step
    assert main([*words, "--resume"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"cells.h5ad", "model"}


def test_bad_input_before_any_training_says_nothing_of_one_that_was_kept(tmp_path, capsys):
    simulate(90, 20, 3, seed=1).write_h5ad(tmp_path / "cells.h5ad")
    (tmp_path / "model.checkpoint").write_bytes(b"of an earlier one")
    keys = ["--condition-key", "condition", "--cell-type-key", "cell_type", "--resume"]
    assert main(["train", str(tmp_path / "cells.h5ad"), *keys, "--out", str(tmp_path / "model")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("or it is damaged")


# -------------------------------------------------------------------------------- compiled kernels

COMPILE = """
import numpy as np
from vae_np.kernels.linear import linear
print(linear(np.ones((2, 3)), np.ones((4, 3)).T, np.ones(4)).sum())
"""


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["none", "empty", "half", "full disk"])
def test_a_bad_cache_of_kernels_costs_a_compilation_only(damage, request, tmp_path):
    folder = request.getfixturevalue("small_disk") if damage == "full disk" else tmp_path / "cache"
    command, environment = [sys.executable, "-c", COMPILE], os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    if damage == "full disk":
        with contextlib.suppress(OSError):
            (folder / "filler").write_bytes(b"x" * 300_000)

    def compiled():
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert (result.returncode, result.stdout) == (0, "32.0\n"), result.stderr

    compiled()
    files = [path for path in folder.rglob("*.nb[ic]")]
    assert (files == []) == (damage == "full disk")
    contents = {path: path.read_bytes() for path in files}
    for path, content in contents.items():
        path.write_bytes({"none": content, "empty": b"", "half": content[: len(content) // 2]}[damage])
    compiled()
    if damage in ("empty", "half"):  # and the cache is well again
        assert {path.name: path.stat().st_size > 100 for path in files} == dict.fromkeys(
            (path.name for path in files), True
        )
