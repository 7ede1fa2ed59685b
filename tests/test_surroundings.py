"""The program in odd surroundings: closed streams, a folder that is gone, file names that are no text."""

import os
import subprocess
import sys

import pytest

from vae_np import simulate

pytestmark = pytest.mark.slow  # 20 processes

TRAIN = ["--condition-key", "condition", "--cell-type-key", "cell_type", "--max-epochs", "1"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    simulate(48, 6, 2, seed=1).write_h5ad(file)
    return file


def shell(line, *words, **how):
    """Run a line of shell in which "$@" is the program with these words."""
    command = [sys.executable, "-m", "vae_np", *map(os.fsencode, words)]
    return subprocess.run(["sh", "-c", line, "sh", *command], capture_output=True, timeout=300, **how)


def lines(text):
    return [
        line for line in text.decode(errors="surrogateescape").splitlines() if line.startswith("vae-np: ")
    ]


def test_closed_streams_do_not_keep_a_model_from_being_written(file, tmp_path):
    for name, closed in {"out": ">&-", "err": "2>&-", "both": ">&- 2>&-", "in": "<&-"}.items():
        result = shell(f'"$@" {closed}', "train", file, *TRAIN, "--out", tmp_path / name)
        assert result.returncode == 0
        assert b"Traceback" not in result.stderr
        assert (tmp_path / name).stat().st_size
    assert shell('"$@" 2>&-', "where", "nothing").returncode == 2


def test_a_full_stdout_is_said_in_one_line():
    result = shell('"$@" > /dev/full', "where", "kl-closed")
    assert result.returncode == 2
    assert len(lines(result.stderr)) == len(result.stderr.splitlines()) == 1
    assert b"No space left" in result.stderr


def test_a_folder_that_is_gone_is_said_in_one_line(file, tmp_path):
    (tmp_path / "gone").mkdir()
    for words in (["train", "cells.h5ad", *TRAIN, "--out", "m"], ["demo", "--max-epochs", "1"]):
        (tmp_path / "gone").mkdir(exist_ok=True)
        result = shell('rmdir ../gone; "$@"', *words, cwd=tmp_path / "gone")
        assert result.returncode == 2
        assert len(lines(result.stderr)) == len(result.stderr.splitlines()) == 1


def test_names_of_files_that_are_no_text_are_used_as_they_are(file, tmp_path):
    odd = os.fsencode(tmp_path) + b"/c\xff.h5ad"
    os.link(file, odd)
    out = os.fsencode(tmp_path) + b"/m\xff"
    result = shell('"$@"', "train", odd, *TRAIN, "--out", out)
    assert result.returncode == 0, result.stderr
    assert os.stat(out).st_size
    words = ["--control", "control", "--stimulated", "stimulated", "--min-cells", "1"]
    result = shell('"$@"', "evaluate", odd, *TRAIN, *words, "--out", out + b"-study")
    assert result.returncode == 0, result.stderr
    page = (tmp_path / os.fsdecode(b"m\xff-study") / "report.html").read_text(encoding="utf-8")
    assert "c\\udcff.h5ad" in page
    result = shell('"$@"', "train", odd + b"\xfe", *TRAIN, "--out", out)
    assert result.returncode == 2
    assert len(lines(result.stderr)) == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"TERM": "dumb", "COLUMNS": "1"},
        {"COLUMNS": "x", "LINES": "-1", "LC_ALL": "none"},
    ],
    ids=["C locale", "no home, narrow", "nonsense"],
)
def test_the_environment_changes_no_result(file, tmp_path, environment):
    path = {"PATH": os.environ["PATH"]}  # and no HOME
    result = shell('"$@"', "train", file, *TRAIN, "--out", tmp_path / "é日", env=path | environment)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "é日").stat().st_size
    result = shell('"$@"', "train", "日本.h5ad", *TRAIN, "--out", tmp_path / "m", env=path | environment)
    assert result.returncode == 2
    assert len(lines(result.stderr)) == len(result.stderr.splitlines()) == 1
    result = shell('"$@"', "train", "--help", env=path | environment)
    assert (result.returncode, result.stderr) == (0, b"")
