"""A disk that takes no more: the old file or the new one, one sentence, nothing half-written or lost."""

import errno
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from test_checkpoint import assert_equal, stop_in_step, train  # noqa: F401 - one is a fixture

from vae_np.train import Checkpoints, NonFiniteLossError, keeping, loop
from vae_np.train.checkpoint import read_checkpoint

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
