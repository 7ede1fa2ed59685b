"""What several test files need: real data, PyTorch as an oracle, seeded randomness."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from labels import PROSE
from threadpoolctl import threadpool_limits

from vae_np.data.writing import whole_file

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
IN_CI = os.environ.get("CI") == "true"

# The tests' matrices are small: a second thread would only fight with whatever else the machine does.
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for child processes


def pytest_itemcollected(item):
    """Leave tests that need a browser to the slow lane."""
    if "browser" in item.fixturenames:
        item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Limit the matrix products of this process."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(20240817)


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real data sets; absent on most machines, required in CI."""
    folder = Path(os.environ.get("VAE_NP_DATA", DATA))
    if not folder.is_dir():
        reason = f"no real data: {folder} does not exist (set VAE_NP_DATA to the folder)"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def torch():
    """PyTorch, where it is installed; required in CI, so that no oracle is skipped there."""
    if IN_CI:
        return importlib.import_module("torch")
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def scanpy():
    """Scanpy, where it is installed; required in CI."""
    if IN_CI:
        return importlib.import_module("scanpy")
    return pytest.importorskip("scanpy")


@pytest.fixture(scope="session")
def distributed():
    """Dask's scheduler and workers, where they are installed; required in CI."""
    if IN_CI:
        return importlib.import_module("distributed")
    return pytest.importorskip("distributed")


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, where Playwright and the browser are installed; required in CI."""
    if IN_CI:
        playwright = importlib.import_module("playwright.sync_api")
    else:
        playwright = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium")
    if executable is None:
        reason = "no chromium: install the browser's package"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a quarter of a megabyte, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=256k", "vae_np_test", str(folder)]
    if os.name != "posix" or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system of limited size takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class Book(NamedTuple):
    """The built book, and what the command said meanwhile."""

    folder: Path
    said: str


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """Build the book once, notebooks executed; needs the packages of the extra docs, required in CI.

    The first process of several that asks for it builds it, and the others wait.
    """
    if not IN_CI:
        pytest.importorskip("myst_nb")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "the-book"
    site, built = folder / "site", folder / "built.json"
    try:
        folder.mkdir()
    except FileExistsError:
        patience = time.monotonic() + 1200
        while not built.exists():
            assert time.monotonic() < patience
            time.sleep(1)
    else:
        environment = {"VAE_NP_DATA": str(DATA)} | os.environ if DATA.is_dir() else os.environ
        command = [sys.executable, "-m", "vae_np", "book", "--out", str(site)]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        with whole_file(built) as temporary:
            temporary.write_text(json.dumps([result.returncode, result.stderr]), encoding="utf-8")
    status, said = json.loads(built.read_text(encoding="utf-8"))
    assert status == 0, said
    return Book(site, said)


RECORDS: dict[str, dict] = {"reports": {}, "teeth": {}}


@pytest.fixture
def record_teeth():
    """Remember how many mutants of a function were killed, for the table at the end."""

    def record(function, labels, killed, total):
        RECORDS["teeth"][function] = {"labels": list(labels), "killed": killed, "total": total}

    return record


@pytest.fixture
def record_report():
    """Remember what an equation's report says, for the table at the end."""

    def record(equation, report):
        RECORDS["reports"][equation.label] = {
            "judges": len(report.verdicts),
            "error": float(report.error),
            "bound": float(report.bound),
            "function": equation.function.split(":")[1] if equation.function else "-",
            "of_the_source": bool(report.ok and equation.lines),
        }

    return record


def pytest_sessionfinish(session):
    """Send what a process of several has recorded to the one that prints the table."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["records"] = RECORDS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Receive what a process has recorded."""
    for name, records in getattr(node, "workeroutput", {}).get("records", {}).items():
        RECORDS[name] |= records


def pytest_terminal_summary(terminalreporter):
    """Print what decides each equation: judges, the error closest to its bound, function, mutants killed."""
    reports, teeth = RECORDS["reports"], RECORDS["teeth"].values()
    if not reports:
        return
    line = "{:<26}{:>7}{:>10}{:>10}  {:<36}{:>9}".format
    terminalreporter.section("equations")
    terminalreporter.write_line(line("label", "judges", "error", "bound", "function", "mutants"))
    for label, report in reports.items():
        of_label = [tooth for tooth in teeth if label in tooth["labels"]]
        mutants = "{}/{}".format(*killed_of(of_label)) if of_label else "-"
        numbers = report["judges"], f"{report['error']:.1e}", f"{report['bound']:.1e}"
        terminalreporter.write_line(line(label, *numbers, report["function"], mutants))
    right = [label for label, report in reports.items() if report["of_the_source"]]
    prose = sum(label in PROSE for label in right)
    killed, total = killed_of(teeth)
    n_judges = sum(report["judges"] for report in reports.values())
    terminalreporter.write_line(
        f"{len(reports)} equations, {n_judges} judges; of the source {len(right) - prose} of 25 displayed "
        f"equations and {prose} of 10 claims in prose are right; {killed} of {total} mutants killed"
    )


def killed_of(teeth):
    """How many mutants were killed, of how many."""
    return sum(tooth["killed"] for tooth in teeth), sum(tooth["total"] for tooth in teeth)
