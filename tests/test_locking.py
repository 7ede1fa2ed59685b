"""A locked file is one process's alone, and nobody's when that process is gone, even by kill -9."""

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from test_checkpoint import train
from test_signals import file, wait_for, words  # noqa: F401 - file is a fixture

from vae_np.cli import main
from vae_np.data import locking
from vae_np.data.locking import locked
from vae_np.data.writing import hidden_name, whole_file
from vae_np.errors import InputError
from vae_np.train import Checkpoints

pytest.importorskip("fcntl", reason="a system without flock keeps no locks")
HOLD = """
import sys, time
from vae_np.data.locking import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path):
    """A process that holds the lock of a file, and the file."""
    path = tmp_path / "f"
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "locked\n"
    yield path, child
    child.kill()
    child.wait()
    child.stdout.close()


def lock_of(path):
    return path.with_name(hidden_name(path) + ".lock")


def test_another_process_is_refused_until_the_first_has_gone_even_by_kill(other):
    path, child = other
    for _ in range(2):
        with pytest.raises(InputError, match=r"f is in use by another process: wait for it, or stop it$"):
            locked(path).__enter__()
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert lock_of(path).exists()  # the file of a lock is no lock
    with locked(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_a_link_to_the_file_is_the_file(other, tmp_path):
    path, _ = other
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(InputError, match="link is in use"):
        locked(tmp_path / "link").__enter__()


def test_who_has_it_may_ask_again_and_another_thread_may_not(tmp_path):
    refused = []

    def elsewhere():
        try:
            with locked(tmp_path / "f"):
                pass
        except InputError as error:
            refused.append(error)

    with locked(tmp_path / "f"):
        with locked(tmp_path / "f"):
            pass
        assert lock_of(tmp_path / "f").exists()  # the inner block gave nothing up
        with locked(tmp_path / "another"):
            pass
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(refused) == 1
    elsewhere()
    assert len(refused) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_inside_gives_the_lock_up(tmp_path):
    with pytest.raises(RuntimeError, match="inside"), locked(tmp_path / "f"):
        raise RuntimeError("inside")
    with locked(tmp_path / "f"):
        pass
    assert list(tmp_path.iterdir()) == []


def count_up(path, times):
    """Add 1 to the number in a file, each time under the lock; return how often."""
    done = 0
    while done < times:
        try:
            with locked(path):
                number = int(path.read_text()) if path.exists() else 0
                path.write_text(str(number + 1))  # no whole file: a second writer would be seen
        except InputError:
            continue
        done += 1
    return done


@pytest.mark.parametrize("pool", [ProcessPoolExecutor, ThreadPoolExecutor])
def test_no_two_hold_it_at_a_time_although_the_file_of_the_lock_comes_and_goes(tmp_path, pool):
    with pool(4) as workers:
        assert sum(workers.map(count_up, [tmp_path / "f"] * 4, [200] * 4)) == 800
    assert (tmp_path / "f").read_text() == "800"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_system_without_locks_is_worked_on_all_the_same(tmp_path, monkeypatch):
    def refuse(code):
        def flock(handle, how):
            raise OSError(code, os.strerror(code))

        return flock

    monkeypatch.setattr(locking.fcntl, "flock", refuse(errno.ENOLCK))
    with locked(tmp_path / "f"):
        (tmp_path / "f").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    monkeypatch.setattr(locking.fcntl, "flock", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        locked(tmp_path / "f").__enter__()


@pytest.mark.parametrize("code", [errno.EBADF, errno.ENOLCK])
def test_a_network_disk_that_locks_only_what_could_be_written_is_locked_too(tmp_path, monkeypatch, code):
    system, refused = locking.fcntl.flock, []

    def flock(handle, how):
        if not locking.fcntl.fcntl(handle, locking.fcntl.F_GETFL) & os.O_RDWR:
            refused.append(handle)
            raise OSError(code, os.strerror(code))
        system(handle, how)

    monkeypatch.setattr(locking.fcntl, "flock", flock)
    assert count_up(tmp_path / "f", 3) == 3
    assert len(refused) == 3
    with locked(tmp_path / "f"), ThreadPoolExecutor(1) as thread:
        another = thread.submit(locked(tmp_path / "f").__enter__)
        assert "in use" in str(another.exception())
    monkeypatch.setattr(locking.fcntl, "flock", lambda handle, how: os.fstat(-1))  # EBADF whatever is open
    with pytest.raises(OSError, match="Bad file descriptor"):
        locked(tmp_path / "f").__enter__()


def test_on_a_network_disk_an_open_file_that_is_removed_gets_another_name(tmp_path, monkeypatch):
    """Who opened the file before it went, and locks it afterwards, has locked nothing."""
    system, late = locking.fcntl.flock, []
    monkeypatch.setattr(locking.Path, "unlink", lambda path, missing_ok: path.rename(tmp_path / ".nfs1"))
    with locked(tmp_path / "f"):

        def flock(handle, how):
            if not late:
                late.append(handle)
                lock_of(tmp_path / "f").rename(tmp_path / ".nfs0")  # the first one has left meanwhile
                return
            system(handle, how)

        monkeypatch.setattr(locking.fcntl, "flock", flock)
        handle = locking._lock(lock_of(tmp_path / "f"))
        assert os.path.samestat(os.fstat(handle), lock_of(tmp_path / "f").stat())
        os.close(handle)


def test_ctrl_c_while_a_lock_is_given_up_gives_it_up(tmp_path, monkeypatch):
    def interrupted(path, missing_ok):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(locking.Path, "unlink", interrupted)
        with pytest.raises(KeyboardInterrupt), locked(tmp_path / "f"):
            pass
    with locked(tmp_path / "f"):
        pass


def test_a_disk_with_a_lock_can_become_read_only_and_gives_the_lock_up(small_disk):
    remount = ["mount", "-o"]
    with locked(small_disk / "f"):
        subprocess.run([*remount, "remount,ro", str(small_disk)], check=True)
    assert lock_of(small_disk / "f").exists()
    subprocess.run([*remount, "remount,rw", str(small_disk)], check=True)
    with locked(small_disk / "f"):
        pass
    assert list(small_disk.iterdir()) == []


def test_nothing_is_locked_where_the_system_has_no_flock(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "fcntl", None)
    with locked(tmp_path / "f"):
        assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------- trainings


def test_a_training_that_is_being_kept_is_not_resumed_meanwhile(other):
    path, child = other
    writer = whole_file(path)
    leftover = writer.__enter__()  # of the training that runs: it may be writing this very moment
    for checkpoints in (Checkpoints(path), Checkpoints(path, resume=True)):
        with pytest.raises(InputError, match="is in use by another process"):
            train(checkpoints)
        assert leftover.exists()
    child.kill()
    child.wait()
    train(Checkpoints(path, resume=True))
    assert [p.name for p in path.parent.iterdir()] == ["f"]


@pytest.mark.slow
def test_the_same_command_twice_is_one_sentence_and_the_first_goes_on(file, tmp_path, capsys):  # noqa: F811
    out, whole = tmp_path / "m", tmp_path / "whole"
    run = [sys.executable, "-m", "vae_np", *words(file, out, "--checkpoint-every", "1", epochs=60)]
    first = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(tmp_path / "m.checkpoint")
    for more in ([], ["--resume"]):
        assert main(words(file, out, "--checkpoint-every", "1", *more, epochs=60)) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        reason = "is in use by another process: wait for it, or stop it"
        assert last == f"vae-np: {out}.checkpoint {reason}"
    _, errors = first.communicate(timeout=120)
    assert first.returncode == 0, errors
    assert main(words(file, whole, epochs=60)) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"m", "whole"}


def test_two_that_keep_nothing_write_the_same_file_whole_and_the_last_one_stays(tmp_path):
    target, contents = tmp_path / "out", [bytes([i]) * 300_000 for i in range(2)]
    seen = set()

    def write(content):
        for _ in range(40):
            with whole_file(target) as temporary:
                temporary.write_bytes(content)
            seen.add(target.read_bytes())
        return content

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, contents))
    assert seen <= set(contents)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# ------------------------------------------------------------- a checkpoint that cannot be written
