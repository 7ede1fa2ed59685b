"""The program as the faults meet it: cells to train on, its commands, how a child starts and ends.

A child is a fork of this process, which has loaded the libraries and compiled the kernels: a start takes no
time, so that a fault can be tried many times and falls into the work. A cold one is a new `python -m vae_np`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import IO, NamedTuple

import fault_hook

from vae_np import __main__ as process
from vae_np import simulate
from vae_np.cli import main

KEYS = ("--condition-key", "condition", "--cell-type-key", "cell_type", "--threads", "1")
NAMES = ("--control", "control", "--stimulated", "stimulated", "--predict", "type 2")
LEFTOVERS = ".vae_np-*-*"
EPOCHS = 12
Hook = tuple[str, int, Path]


class Outcome(NamedTuple):
    """What a fault did: tries, those in which it was felt, what was seen, what was lost: nothing, if well."""

    tried: int
    felt: int
    seen: str
    lost: list[str]


class Ending(NamedTuple):
    """How a child ended: its exit status, or minus a signal, and what it said on stderr."""

    status: int
    said: str

    @property
    def is_one_line(self) -> bool:
        """Whether it told of one error in one sentence, without a traceback."""
        lines = [line for line in self.said.splitlines() if line.startswith("vae-np: ")]
        errors = [line for line in lines if not line.startswith("vae-np: warning: ")]
        return len(errors) == 1 and "Traceback" not in self.said and "Exception ignored" not in self.said


class Child(NamedTuple):
    """A child that runs."""

    pid: int
    said: IO[bytes]

    def send(self, number: int) -> None:
        """Send a signal; one that has ended is a zombie until `end`, so the number is still its own."""
        os.kill(self.pid, number)

    def end(self) -> Ending:
        """Wait for its end."""
        _, status = os.waitpid(self.pid, 0)
        self.said.seek(0)
        said = self.said.read().decode()
        self.said.close()
        return Ending(os.waitstatus_to_exitcode(status), said)

    def wait_until_it_listens(self) -> None:
        """Wait until it hears SIGTERM: before that no line of the program has run."""
        bit = 1 << (signal.SIGTERM - 1)
        while True:
            status = Path(f"/proc/{self.pid}/status").read_text()
            if int(status.split("SigCgt:")[1].split()[0], 16) & bit or "\nState:\tZ" in status:
                return
            time.sleep(0.001)


def start(words: list[str], hook: Hook | None = None, cold: bool = False) -> Child:
    """Start the program; a hook is what to do, at which file operation, in which folder."""
    said = tempfile.TemporaryFile()  # noqa: SIM115 - the child's as long as it runs
    if cold:
        command = [sys.executable, "-m", "vae_np", *words]
        return Child(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said).pid, said)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.dup2(said.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
            sys.argv = ["vae-np", *words]
            if hook is not None:
                fault_hook.hook(*hook)
            status = process.run()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return Child(pid, said)


def run(words: list[str], hook: Hook | None = None) -> Ending:
    """Run the program to its end."""
    return start(words, hook).end()


def train(file: Path, out: Path, *more: str, epochs: int = EPOCHS) -> list[str]:
    """Words of the command that trains."""
    return ["train", str(file), *KEYS, "--max-epochs", str(epochs), "--out", str(out), *more]


def predict(file: Path, out: Path, *more: str, epochs: int = EPOCHS) -> list[str]:
    """Words of the command that trains, predicts and scores."""
    return ["predict", str(file), *KEYS, *NAMES, "--max-epochs", str(epochs), "--out", str(out), *more]


def cells(folder: Path) -> Path:
    """Write a file of simulated cells, X sparse, and load once in this process what the program loads."""
    file = folder / "cells.h5ad"
    simulate(150, 20, 3, seed=1).write_h5ad(file)
    for words in (train, predict):
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
            assert main(words(file, folder / "out", epochs=1)) == 0, said.getvalue()
    (folder / "out").unlink()
    return file


def emptied(place: Path) -> Path:
    """Make a folder that is there and empty."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place
