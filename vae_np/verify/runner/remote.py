"""The caller's side: a function whose body runs in the learner's process."""

import queue
import signal
import subprocess
import threading
import time
from typing import Any, NoReturn

import numpy as np

from vae_np.errors import InputError
from vae_np.verify.outputs import WrongOutputError
from vae_np.verify.runner.relay import harmless
from vae_np.verify.runner.wire import packed, read_message, send

GRACE = 1.0  # seconds beyond the limit, in which the warden ends the learner
LONGEST = 1000  # characters of a sentence from the learner's process

Message = tuple[dict[str, Any], list[np.ndarray]]


class NoFunctionError(InputError):
    """The learner's file has no function of the name that was asked for."""


class RemoteFunction:
    """A learner's function, to be called as if it were here.

    Parameters
    ----------
    child
        The warden's process: requests go to its stdin, replies come from its stdout, both without a buffer.
    outputs
        Names of what the function returns.
    start, seconds
        When the child was started (`time.monotonic`), and the wall-clock limit from then on.

    Attributes
    ----------
    ended
        Why there will be no more answers, as a sentence; empty as long as there will be.
    """

    def __init__(
        self, child: subprocess.Popen[bytes], outputs: tuple[str, ...], start: float, seconds: float
    ) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self.ended = ""
        self._child, self._outputs = child, outputs
        self._start, self._seconds = start, seconds
        self._requests, self._replies = child.stdin.fileno(), child.stdout

    def wait_until_loaded(self) -> None:
        """Wait for the file to have run; if it failed, `ended` says so.

        Raises
        ------
        NoFunctionError
            If the file has no such function.
        """
        try:
            fields, _ = self._reply()
        except WrongOutputError:
            return
        if "input_error" in fields:
            raise NoFunctionError(_sentence(fields["input_error"]))
        if "wrong" in fields:
            self.ended = _sentence(fields["wrong"])

    def __call__(self, *arguments: Any) -> tuple[np.ndarray, ...]:  # noqa: ANN401
        """Send the arguments, and wait for the arrays.

        Raises
        ------
        WrongOutputError
            If the function raised, returned no arrays of numbers, or ended its process.
        """
        if self.ended:
            raise WrongOutputError(self.ended)
        plain = [None if isinstance(argument, np.ndarray) else argument for argument in arguments]
        arrays = [argument for argument in arguments if isinstance(argument, np.ndarray)]
        request = packed({"outputs": self._outputs, "arguments": plain}, arrays)
        try:
            send(self._requests, request, self._left() + GRACE)
        except TimeoutError as late:
            self._end(late)
        except OSError:  # nobody reads any more, and we hear why when we wait for the reply
            pass
        fields, outputs = self._reply()
        if "wrong" in fields:
            raise WrongOutputError(_sentence(fields["wrong"]))
        return tuple(outputs)

    def _reply(self) -> Message:
        """Wait for a message until the limit; a thread reads it, since a pipe's read has no time limit."""
        answer: queue.SimpleQueue[Message | Exception] = queue.SimpleQueue()

        def fetch() -> None:
            try:
                answer.put(read_message(self._replies))
            except (EOFError, OSError, ValueError) as error:
                answer.put(error)

        threading.Thread(target=fetch, daemon=True).start()
        try:
            got = answer.get(timeout=max(0.0, self._left() + GRACE))
        except queue.Empty:
            got = EOFError()
        if isinstance(got, Exception):
            self._end(got)
        return got

    def _end(self, error: Exception) -> NoReturn:
        self.ended = self._why(error)
        raise WrongOutputError(self.ended)

    def _left(self) -> float:
        return self._start + self._seconds - time.monotonic()

    def _why(self, error: Exception) -> str:
        """Say why there was no message."""
        if isinstance(error, ValueError):
            return "its process sent what is no answer: the file writes to a pipe that is not its own"
        if self._left() > 0:
            try:
                return _about_the_end(self._child.wait(GRACE))
            except subprocess.TimeoutExpired:
                return "the file closed the pipe through which it is called"
        return f"it did not finish within {self._seconds:g} s: look for an endless loop"


def _about_the_end(status: int) -> str:
    if status == -getattr(signal, "SIGXCPU", 0):
        return "it used more processor time than the limit: look for an endless loop"
    if status < 0:
        return (
            f"the process was ended by signal {-status}: it crashed, used too much memory "
            "or started too many processes"
        )
    return f"the file ended the process with exit status {status} before the check was done"


def _sentence(text: object) -> str:
    """Take what the learner's process says as one line of printable text."""
    said = text if isinstance(text, str) else "its process sent a reason that is no text"
    return harmless(said[:LONGEST].replace("\n", " ").replace("\t", " "))
