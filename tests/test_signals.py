"""Whatever tells the program to end, and however often: one line, a kept training, the status it asks for."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from vae_np import __main__ as process
from vae_np import signals, simulate
from vae_np.cli import main
from vae_np.signals import ENDING, Ended, ignore_signals, raise_on_signals, undisturbed
from vae_np.train import keeping, loop
from vae_np.train.checkpoint import read_checkpoint

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a process sends signals to itself")
ON_OFFER = "the same command with --resume goes on from there"


@pytest.fixture(autouse=True)
def handlers_are_put_back():
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    simulate(90, 20, 3, seed=1).write_h5ad(path)
    return path


def words(file, out, *more, epochs=100_000):
    keys = ["--condition-key", "condition", "--cell-type-key", "cell_type", "--threads", "1"]
    return ["train", str(file), *keys, "--max-epochs", str(epochs), "--out", str(out), *more]


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_an_interrupt_that_knows_its_number_and_one_that_follows_at_once_is_part_of_it(
    number, monkeypatch
):
    clock = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: clock[0])
    raise_on_signals()
    with pytest.raises(Ended) as caught:
        send(number)
    assert caught.value.number == number
    clock[0] += signals.MOMENT - 0.1
    for again in ENDING:
        send(again)
    clock[0] += 0.2
    with pytest.raises(KeyboardInterrupt):
        send(number)


def test_what_nohup_ignores_stays_ignored(monkeypatch):
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise_on_signals()
    for number in ENDING:
        send(number)


def test_what_must_be_finished_is_undisturbed(monkeypatch):
    raise_on_signals()
    with undisturbed():
        for number in ENDING:
            send(number)
    with pytest.raises(Ended):
        send(signal.SIGTERM)


def test_a_signal_that_ends_the_process_on_the_spot_still_does():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with undisturbed():
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_other_threads_touch_no_signal():
    raised = []

    def work():
        try:
            with undisturbed():
                raised.append(main(["where", "kl-closed"]))
        except ValueError as error:  # signal only works in main thread
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert raised == [0]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_kill_keeps_the_last_whole_epoch_as_ctrl_c_does(number, status, file, tmp_path, capsys, monkeypatch):
    train_step, left = loop.train_step, [8]  # 81 cells to train on: 3 steps an epoch

    def step(*arguments, **settings):
        left[0] -= 1
        if left[0] == 0:
            send(number)
        return train_step(*arguments, **settings)

    monkeypatch.setattr(loop, "train_step", step)
    raise_on_signals()
    assert main(words(file, tmp_path / "m", "--checkpoint-every", "50")) == status
    kept = f"2 of 100000 epochs are kept in {tmp_path / 'm'}.checkpoint; {ON_OFFER}"
    assert capsys.readouterr().err.splitlines()[-1] == f"vae-np: interrupted; {kept}"
    assert [path.name for path in tmp_path.iterdir()] == ["m.checkpoint"]
    assert read_checkpoint(tmp_path / "m.checkpoint").n_epochs == 2


def test_a_second_ctrl_c_does_not_cut_the_keeping_short(file, tmp_path, capsys, monkeypatch):
    train_step, left, write = loop.train_step, [8], keeping.write_checkpoint

    def step(*arguments, **settings):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return train_step(*arguments, **settings)

    def disturbed(path, checkpoint):
        send(signal.SIGINT)
        write(path, checkpoint)
        send(signal.SIGINT)

    monkeypatch.setattr(loop, "train_step", step)
    monkeypatch.setattr(keeping, "write_checkpoint", disturbed)
    assert main(words(file, tmp_path / "m", "--checkpoint-every", "50")) == 130
    assert f"2 of 100000 epochs are kept in {tmp_path / 'm'}.checkpoint" in capsys.readouterr().err
    assert read_checkpoint(tmp_path / "m.checkpoint").n_epochs == 2


def test_an_interrupt_inside_compiled_code_which_makes_another_error_of_it_is_one_all_the_same(
    file, tmp_path, capsys, monkeypatch
):
    train_step, left = loop.train_step, [8]

    def step(*arguments, **settings):
        left[0] -= 1
        if left[0] == 0:
            try:
                raise Ended(signal.SIGTERM)
            except Ended as ended:
                try:
                    raise SystemError("returned a result with an exception set") from ended
                except SystemError as error:
                    raise SystemError("and so did its caller") from error
        return train_step(*arguments, **settings)

    monkeypatch.setattr(loop, "train_step", step)
    assert main(words(file, tmp_path / "m", "--checkpoint-every", "50")) == 143
    kept = f"2 of 100000 epochs are kept in {tmp_path / 'm'}.checkpoint; {ON_OFFER}"
    assert capsys.readouterr().err.splitlines()[-1] == f"vae-np: interrupted; {kept}"

    def bug(*arguments, **settings):
        raise SystemError("a bug")

    monkeypatch.setattr(loop, "train_step", bug)
    with pytest.raises(SystemError, match="a bug"):  # one that no interrupt caused is a bug, and is seen
        main(words(file, tmp_path / "other"))


@pytest.mark.parametrize(
    ("ended", "status"), [(KeyboardInterrupt(), 130), (Ended(15), 143), (Ended(1), 129), (Ended(2), 130)]
)
def test_while_the_program_is_loaded_an_interrupt_is_one_line_too(ended, status, monkeypatch, capsys):
    def interrupted():
        raise ended

    monkeypatch.setattr("vae_np.cli.main", interrupted)
    assert process.run() == status
    assert capsys.readouterr().err == "vae-np: interrupted\n"
    for number in ENDING:  # and at its end the process hears nothing any more
        send(number)


def test_at_its_end_the_process_hears_nothing():
    ignore_signals()
    for number in ENDING:
        send(number)


# -------------------------------------------------------------------------------- a process of its own


def started(arguments, **how):
    command = [sys.executable, "-m", "vae_np", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **how)


def wait_for(path, seconds=120):
    patience = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < patience, path
        time.sleep(0.01)


def assert_kept(folder):
    assert [path.name for path in folder.iterdir()] == ["m.checkpoint"]
    assert read_checkpoint(folder / "m.checkpoint").n_epochs >= 1


@pytest.mark.slow
def test_a_storm_of_signals_is_answered_once(file, tmp_path):
    child = started(words(file, tmp_path / "m", "--checkpoint-every", "1", epochs=100_000))
    wait_for(tmp_path / "m.checkpoint")
    with contextlib.suppress(ProcessLookupError):
        for i in range(60):
            child.send_signal(ENDING[1 - i % 2])  # SIGTERM first
            time.sleep(0.005)
    _, errors = child.communicate(timeout=60)
    assert child.returncode in (130, 143), errors  # of two that wait, Python takes the lower number
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    lines = [line for line in errors.splitlines() if "interrupted" in line]
    assert len(lines) == 1
    assert lines[0].endswith(ON_OFFER)
    assert_kept(tmp_path)


@pytest.mark.slow
def test_a_terminal_that_closes_leaves_the_training_kept(file, tmp_path):
    import pty

    ours, theirs = pty.openpty()

    def lead():
        os.setsid()
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # its terminal is the one that will close

    command = [sys.executable, "-m", "vae_np", *words(file, tmp_path / "m", "--checkpoint-every", "1")]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=lead)
    os.close(theirs)
    seen = b""
    while not (tmp_path / "m.checkpoint").exists():  # what it says must be read, or it waits
        seen += os.read(ours, 4096)
    os.close(ours)
    assert child.wait(60) == 129, seen
    assert_kept(tmp_path)
