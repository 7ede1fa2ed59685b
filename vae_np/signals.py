"""Signals to end as exceptions: `kill`, job schedulers and a closing terminal are heard like Ctrl-C.

Python turns SIGINT into KeyboardInterrupt, on which a training is kept and files are put right; SIGTERM and
SIGHUP would end the process on the spot. In the program each of them raises `Ended`, a KeyboardInterrupt; in
a notebook, whose signals are not ours, nothing changes.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# The keyboard; `kill` and job schedulers; a terminal that closes (not on Windows).
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
MOMENT = 2.0  # seconds: who presses Ctrl-C twice in so short a time means it once


class Ended(KeyboardInterrupt):
    """The process was told to end by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_on_signals() -> None:
    """Raise `Ended` from now on where a signal to end arrives, unless it was ignored (`nohup`, `cmd &`)."""
    last = -MOMENT

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last > MOMENT:
            last = time.monotonic()
            raise Ended(number)

    for number in ENDING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)


def ignore_signals() -> None:
    """Let the process, which is at its end, not be told to end any more."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def behind(error: BaseException) -> KeyboardInterrupt | None:
    """Find the interrupt that came out as another error: of compiled code, or of a terminal that is gone."""
    while True:
        inner = error.__cause__ or error.__context__
        if inner is None or isinstance(inner, KeyboardInterrupt):
            return inner
        error = inner


@contextmanager
def undisturbed() -> Iterator[None]:
    """Do inside a `with` block what the first signal asked for, without being cut short by a second one.

    Signals reach the main thread alone, so in any other nothing is changed; nor is a signal that ends the
    process on the spot.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: handler for number in ENDING if callable(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
