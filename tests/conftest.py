"""What several test files need: real data, PyTorch as an oracle, seeded randomness."""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

IN_CI = os.environ.get("CI") == "true"

# The tests' matrices are small: a second thread would only fight with whatever else the machine does.
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for child processes


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
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VAE_NP_DATA", default))
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
