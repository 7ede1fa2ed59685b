"""The faults of `benchmarks/faults.py`, each tried some times: nothing is lost, and the table says it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "faults.py"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="forks, /proc and tmpfs")]


def tried(only, times, folder):
    """Try the faults with this word in their names; give their records."""
    command = [sys.executable, str(SCRIPT), "--times", str(times), "--only", only, "--seed", "1"]
    command += ["--out", str(folder / "faults.json")]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    records = json.loads((folder / "faults.json").read_text())["faults"]
    for record in records:
        assert f"| {record['fault']} | {record['tried']} | {record['seen']} |" in result.stdout
    return records


@pytest.mark.parametrize(
    ("only", "times"),
    [
        ("kill -9 of `train`", 12),
        ("kill -9 of `predict`", 6),
        ("before a file operation", 12),
        ("SIGTERM", 6),
        ("three times", 6),
        ("twice at a time", 3),
        ("EIO", 12),
        ("ENOSPC", 12),
    ],
)
def test_what_stops_a_training_costs_nothing(only, times, tmp_path):
    (record,) = tried(only, times, tmp_path)
    assert record["tried"] == times
    assert record["felt"] > 0
    assert record["lost"] == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize("only", ["disk full", "disk becomes", "folder is deleted"])
def test_what_a_disk_does_costs_nothing(only, tmp_path):
    for record in tried(only, 4, tmp_path):
        assert record["tried"] == 4
        assert record["felt"] > 0
        assert record["lost"] == []
