"""Faults of the disk: full, read-only, failing, gone. The old file or the new one, and one sentence."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from fault_kills import uninterrupted
from fault_program import Ending, Outcome, cells, emptied, predict, run, start, train

PAGE = 4096
Rng = np.random.Generator
Fault = Callable[[Path, int, Rng], Outcome]
Words = Callable[[Path, Path], list[str]]
OLD = b"old" * 1000


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of so many bytes, which takes root."""
    place = emptied(folder / "disk")
    how = ["mount", "-t", "tmpfs", "-o", f"size={size}", "vae_np", str(place)]
    subprocess.run(how, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def wrong_files(ending: Ending, place: Path, wholes: dict[str, bytes]) -> str:
    """Say what is wrong after a command: its words, a file neither old nor new, one that is left behind."""
    if ending.status not in (0, 2) or (ending.status == 2 and not ending.is_one_line):
        return f"status {ending.status}: {ending.said}"
    for name, whole in wholes.items():
        content = (place / name).read_bytes()
        if content != whole and (ending.status == 0 or content != OLD):
            return f"{name} is neither old nor new; {ending.said}"
    rest = {path.name for path in place.iterdir()} - set(wholes)
    return f"left behind: {rest}" if rest else ""


def demo(file: Path, out: Path) -> list[str]:
    """Words of the command that needs no data."""
    return ["demo", "--max-epochs", "1", "--out", str(out.parent)]


def full(words: Words, *names: str) -> Fault:
    """Let the disk have room for a random part of what a command writes beside the old files."""

    def fault(folder: Path, times: int, rng: Rng) -> Outcome:
        file, place = cells(folder), emptied(folder / "whole")
        ending = run(words(file, place / "out"))
        assert ending.status == 0, ending.said
        wholes = {name: (place / name).read_bytes() for name in names}
        need = int(1.4 * sum(map(len, wholes.values()))) + 8 * PAGE * len(names)
        n_refused, lost = 0, []
        for _ in range(times):
            size = PAGE * int(rng.integers(len(names) + 1, need // PAGE))
            with disk(folder, size) as place:
                for name in names:
                    (place / name).write_bytes(OLD)
                ending = run(words(file, place / "out"))
                n_refused += ending.status == 2
                if wrong := wrong_files(ending, place, wholes):
                    lost.append(wrong)
        return Outcome(times, n_refused, f"{n_refused} refused in one sentence, the others had room", lost)

    return fault


def short_train(file: Path, out: Path, *more: str) -> list[str]:
    """Words of a training of two epochs."""
    return train(file, out, *more, epochs=2)


def short_predict(file: Path, out: Path) -> list[str]:
    """Words of a prediction after a training of two epochs."""
    return predict(file, out, epochs=2)


def kept_train(file: Path, out: Path) -> list[str]:
    """Words of a training of two epochs that is kept."""
    return short_train(file, out, "--checkpoint-every", "1", "--resume")


def full_for_checkpoints(folder: Path, times: int, rng: Rng) -> Outcome:
    """Let the disk have room for the model and a random part of a checkpoint and its successor."""
    file, place = cells(folder), emptied(folder / "whole")
    run(kept_train(file, place / "out"))
    whole = (place / "out").read_bytes()
    n_warned, n_refused, lost = 0, 0, []
    for _ in range(times):
        with disk(folder, int(len(whole) * rng.uniform(1.1, 10))) as place:
            ending = run(kept_train(file, place / "out"))
            n_warned += "could not be kept (No space left on device): training goes on" in ending.said
            n_refused += ending.status == 2
            if ending.status == 2 and ending.is_one_line:  # no room for OUT beside the checkpoint: make some
                subprocess.run(["mount", "-o", f"remount,size={20 * len(whole)}", str(place)], check=True)
                ending = run(kept_train(file, place / "out"))
            if wrong := wrong_files(ending, place, {"out": whole}) or ending.said * (ending.status != 0):
                lost.append(wrong)
    seen = f"{n_warned} went on with a warning; {n_refused} had no room for the model either and were resumed"
    return Outcome(times, n_warned + n_refused, seen + "; the same bytes in each", lost)


def failing(code: str) -> Fault:
    """Let one file operation of a kept training fail."""

    def fault(folder: Path, times: int, rng: Rng) -> Outcome:
        file, place = cells(folder), emptied(folder / "place")
        out = place / "out"
        n_operations = run(kept_train(file, out), ("count", 0, place)).said.count("operation ")
        whole = out.read_bytes()
        points = 1 + np.sort(rng.permutation(n_operations)[:times])
        n_refused, lost = 0, []
        for point in points:
            emptied(place)
            out.write_bytes(OLD)
            ending = run(kept_train(file, out), (code, int(point), place))
            n_refused += ending.status != 0
            told = ending.status == 0 or (ending.status == 2 and ending.is_one_line)
            if not told or out.read_bytes() not in (OLD, whole):
                lost.append(f"operation {point}: status {ending.status}: {ending.said}")
            ending = run(kept_train(file, out))
            if wrong := wrong_files(ending, place, {"out": whole}) or ending.said * (ending.status != 0):
                lost.append(f"operation {point}, --resume: {wrong}")
        seen = f"of {n_operations} operations; {n_refused} ended in one sentence, the others went on"
        return Outcome(len(points), n_refused, f"{seen}; the same bytes after --resume", lost)

    return fault


def taken_away(take: Callable[[Path], None], give: Callable[[Path], None]) -> Fault:
    """Take the place of the output away at a random moment of a training, then give it back and resume."""

    def fault(folder: Path, times: int, rng: Rng) -> Outcome:
        file = cells(folder)
        whole, seconds = uninterrupted(kept_train, file)
        n_refused, lost = 0, []
        for _ in range(times):
            with disk(folder, 20 * len(whole)) as mount:
                place = mount / "place"
                place.mkdir()
                child = start(kept_train(file, place / "out"))
                child.wait_until_it_listens()
                time.sleep(rng.uniform(0, seconds))
                take(place)
                ending = child.end()
                n_refused += ending.status == 2
                if ending.status and not ending.is_one_line:
                    lost.append(f"status {ending.status}: {ending.said}")
                give(place)
                ending = run(kept_train(file, place / "out"))
                if wrong := wrong_files(ending, place, {"out": whole}) or ending.said * (ending.status != 0):
                    lost.append(wrong)
        return Outcome(
            times, n_refused, f"{n_refused} refused in one sentence; the same bytes afterwards", lost
        )

    return fault


def _remount(how: str) -> Callable[[Path], None]:
    def remount(place: Path) -> None:
        options = ["mount", "-o", f"remount,{how}", str(place.parent)]
        while subprocess.run(options, capture_output=True, check=False).returncode:
            pass  # a file is being written: not at this moment

    return remount


def _delete(place: Path) -> None:
    while place.exists():
        shutil.rmtree(place, ignore_errors=True)


FAULTS: list[tuple[str, Fault]] = [
    ("disk full at a random size, `train`", full(short_train, "out")),
    ("disk full at a random size, `predict`", full(short_predict, "out")),
    ("disk full at a random size, `demo`", full(demo, "scores.csv", "predicted.h5ad", "report.html")),
    ("disk full for checkpoints", full_for_checkpoints),
    ("an operation fails with EIO, then --resume", failing("EIO")),
    ("an operation fails with ENOSPC, then --resume", failing("ENOSPC")),
    ("disk becomes read-only meanwhile", taken_away(_remount("ro"), _remount("rw"))),
    ("folder is deleted meanwhile", taken_away(_delete, Path.mkdir)),
]
