"""Faults that stop the program: kill -9, kill, Ctrl-C, at any moment; then --resume, and the same bits."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fault_program import LEFTOVERS, Child, Outcome, cells, emptied, predict, run, start, train

from vae_np.train.checkpoint import read_checkpoint

Rng = np.random.Generator
Fault = Callable[[Path, int, Rng], Outcome]
KEEP = "--checkpoint-every", "1", "--resume"


def uninterrupted(words: Callable[..., list[str]], file: Path, **length: int) -> tuple[bytes, float]:
    """What a command writes that nothing stops, and its seconds."""
    out = file.with_name("whole")
    began = time.monotonic()
    ending = run(words(file, out, **length))
    assert ending.status == 0, ending.said
    return out.read_bytes(), time.monotonic() - began


def wrong_end(words: list[str], out: Path, whole: bytes) -> str:
    """Run a command, which goes on from what is kept, and say what is not as if it had not been stopped."""
    ending = run(words)
    if ending.status:
        return f"--resume ended with status {ending.status}: {ending.said}"
    if out.read_bytes() != whole:
        return "other bits than without the stop"
    rest = {path.name for path in out.parent.iterdir()} - {out.name}
    return f"left behind: {rest}" if rest else ""


def stopped(
    words: Callable[..., list[str]], stop: Callable[[Child, float, Rng], None], cold: bool = False
) -> Fault:
    """Stop one training after the other, each several times; compare its end with an uninterrupted one."""

    def fault(folder: Path, times: int, rng: Rng) -> Outcome:
        file = cells(folder)
        whole, seconds = uninterrupted(words, file)
        n_stops, n_trainings, n_inside, after, lost = 0, 0, 0, set(), []
        while n_stops < times:
            out, n_trainings = emptied(folder / "place") / "out", n_trainings + 1
            again, kept = words(file, out, *KEEP), out.with_name("out.checkpoint")
            while n_stops < times:
                child = start(again, cold=cold)
                stop(child, seconds, rng)
                ending = child.end()
                if ending.status == 0:
                    break
                n_stops += 1
                n_inside += any(out.parent.glob(LEFTOVERS))
                if kept.exists():
                    after.add(read_checkpoint(kept).n_epochs)  # a whole one, or this raises
                told = ending.status in (130, 143) and ending.is_one_line
                if not told and ending.status != -signal.SIGKILL:
                    lost.append(f"status {ending.status}: {ending.said}")
            if wrong := wrong_end(again, out, whole):
                lost.append(wrong)
        seen = f"{n_trainings} trainings ended with the same bytes; {n_inside} stops fell into a write, "
        return Outcome(n_stops, n_stops, seen + f"after {len(after)} different epochs", lost)

    return fault


def kill_9(child: Child, seconds: float, rng: Rng) -> None:
    """Kill at a random moment of the whole run."""
    time.sleep(rng.uniform(0, 1.2 * seconds))
    child.send(signal.SIGKILL)


def kill(child: Child, seconds: float, rng: Rng) -> None:
    """Ask the program to end at a random moment."""
    child.wait_until_it_listens()
    time.sleep(rng.uniform(0, seconds))
    child.send(signal.SIGTERM)


def ctrl_c_three_times(child: Child, seconds: float, rng: Rng) -> None:
    """Interrupt at a random moment, and twice more within a tenth of a second."""
    child.wait_until_it_listens()
    time.sleep(rng.uniform(0, seconds))
    for _ in range(3):
        child.send(signal.SIGINT)
        time.sleep(rng.uniform(0, 0.05))


def killed_before_an_operation(folder: Path, times: int, rng: Rng) -> Outcome:
    """Kill -9 just before a file operation of a training of two epochs: before each, or so many of them."""
    file = cells(folder)
    whole, _ = uninterrupted(train, file, epochs=2)
    out = emptied(folder / "place") / "out"
    words, lost = train(file, out, *KEEP, epochs=2), []
    n_operations = run(words, ("count", 0, out.parent)).said.count("operation ")
    points = 1 + np.sort(rng.permutation(n_operations)[:times])
    for point in points:
        out.unlink()
        ending = run(words, ("kill", int(point), out.parent))
        if ending.status != -signal.SIGKILL:
            lost.append(f"operation {point} was not reached: {ending.said}")
        if wrong := wrong_end(words, out, whole):
            lost.append(f"killed before operation {point}: {wrong}")
    return Outcome(len(points), len(points), f"of {n_operations} operations; the same bytes after each", lost)


def twice(folder: Path, times: int, rng: Rng) -> Outcome:
    """Start a command a second time while it runs."""
    file = cells(folder)
    whole, seconds = uninterrupted(train, file)
    n_refused, lost = 0, []
    for _ in range(times):
        out = emptied(folder / "place") / "out"
        first = start(train(file, out, *KEEP))
        time.sleep(rng.uniform(0, seconds))
        endings = run(train(file, out, *KEEP)), first.end()
        refused = [ending for ending in endings if ending.status]
        n_refused += len(refused)
        if len(refused) > 1 or not all(one.is_one_line and "in use" in one.said for one in refused):
            lost.append(str(endings))
        if out.read_bytes() != whole or len(list(out.parent.iterdir())) != 1:
            lost.append("other bits, or something left behind")
    return Outcome(times, n_refused, f"{n_refused} refused; the others began when the first had ended", lost)


FAULTS: list[tuple[str, Fault]] = [
    ("kill -9 of `train`, then --resume", stopped(train, kill_9)),
    ("kill -9 of `predict`, then --resume", stopped(predict, kill_9)),
    ("kill -9 before a file operation of `train`, then --resume", killed_before_an_operation),
    ("kill -9 of `python -m vae_np train` as it starts, then --resume", stopped(train, kill_9, cold=True)),
    ("kill (SIGTERM) of `train`, then --resume", stopped(train, kill)),
    ("Ctrl-C three times, then --resume", stopped(train, ctrl_c_three_times)),
    ("the same command twice at a time", twice),
]
