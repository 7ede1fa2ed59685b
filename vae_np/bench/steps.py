"""The contestants: from the indices of a batch's cells to updated weights, each in its own way.

Every step includes what training pays for a batch: taking the cells out of the CSR matrix, noise,
dropout masks, the loss, its gradient, Adam. PyTorch needs the cells dense, and gets them as scvi-tools'
loader makes them.
"""

import os
import shutil
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from vae_np.bench.published import ADAM, DROPOUT_RATE, KL_WEIGHT, VARIANCE, published_sizes
from vae_np.bench.torch_twin import TorchTwin, require_torch
from vae_np.data.matrix import Matrix, dense_rows, some_rows
from vae_np.errors import InputError, whole_number
from vae_np.kernels import use
from vae_np.kernels.threads import threads
from vae_np.model import Sizes, gaussian, initialize
from vae_np.train.adam import AdamState
from vae_np.train.batches import draw_masks
from vae_np.train.step import train_step

BACKENDS: dict[str, Literal["numpy", "numba"]] = {"vae_np-numpy": "numpy", "vae_np-numba": "numba"}
NAMES = (*BACKENDS, "torch-adam", "torch-fused", "torch-compile")
Step = Callable[[np.ndarray], float]


def left_out() -> dict[str, str]:
    """Find the contestants that cannot take part here.

    Returns
    -------
    dict
        The reason for each of them, by name.
    """
    if find_spec("torch") is None:
        reason = 'PyTorch is not installed: pip install "vae_np[bench]"'
        return {name: reason for name in NAMES if name not in BACKENDS}
    compilers = os.environ.get("CXX", "g++"), "clang++", "cl"
    if not any(map(shutil.which, compilers)):
        return {"torch-compile": "torch.compile needs a C++ compiler: install g++"}
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return {"torch-compile": "torch.compile needs Python.h: install the development files of Python"}
    return {}


@contextmanager
def setting(name: str, n_threads: int) -> Iterator[None]:
    """Let one contestant compute with so many threads inside a `with` block.

    Parameters
    ----------
    name
        One of `NAMES`.
    n_threads
        For ours, of BLAS and kernels together; for PyTorch, within an operation.
    """
    if name in BACKENDS:
        with use(BACKENDS[name]), threads(n_threads):
            yield
        return
    torch = require_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def our_step(name: str, x: Matrix, seed: int, sizes: Sizes | None = None) -> Step:
    """Make the step that `vae_np.train.loop.train_epoch` takes for each batch.

    Parameters
    ----------
    name, x, seed
        As in `stepper`.
    sizes
        The model; None is the published one.

    Returns
    -------
    callable
        From the indices of a batch's cells to its mean loss.
    """
    init_rng, eps_rng, mask_rng = np.random.default_rng(seed).spawn(3)
    params, stats = initialize(sizes or published_sizes(x.shape[1]), init_rng)
    sizes, dtype, state = params.sizes, params.flat.dtype, AdamState.zeros_like(params)

    def step(cells: np.ndarray) -> float:
        nonlocal stats
        batch = some_rows(x, cells, dtype)
        eps = eps_rng.standard_normal((1, len(cells), sizes.n_latent)).astype(dtype)
        masks = draw_masks(sizes, len(cells), 1, DROPOUT_RATE, mask_rng, dtype)
        with use(BACKENDS[name]):
            loss, stats = train_step(
                params, stats, state, batch, eps, masks, gaussian(VARIANCE), KL_WEIGHT, **ADAM
            )
        return float(loss.total.mean())

    return step


def torch_step(name: str, x: Matrix, seed: int) -> Step:
    """Make the step of a training loop in PyTorch.

    Parameters
    ----------
    name, x, seed
        As in `stepper`.

    Returns
    -------
    callable
        From the indices of a batch's cells to its mean loss, without the likelihood's constant.
    """
    torch = require_torch()
    torch.manual_seed(seed)
    init_rng = np.random.default_rng(seed).spawn(1)[0]
    twin = TorchTwin(*initialize(published_sizes(x.shape[1]), init_rng))
    optimizer = twin.optimizer(fused=None if name == "torch-adam" else True)
    forward = twin.forward
    if name == "torch-compile":
        torch.compiler.reset()  # else a process that compiles for many shapes ends up without compilation
        forward = torch.compile(twin.forward, dynamic=False, fullgraph=True)

    def step(cells: np.ndarray) -> float:
        batch = torch.from_numpy(dense_rows(x, cells, np.dtype(np.float32)))
        optimizer.zero_grad()
        loss = forward(batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def stepper(name: str, x: Matrix, batch_size: int, seed: int = 0) -> Step:
    """Make the training step of one contestant, with the default model and optimizer in float32.

    Parameters
    ----------
    name
        One of `NAMES`.
    x
        The cells to take batches from, (n, d), CSR.
    batch_size
        Cells a step; PyTorch compiles for exactly so many.
    seed
        Of the initial weights, the noise and the masks. All contestants start from the same weights.

    Returns
    -------
    callable
        It takes the indices of a batch's cells, takes one step, and returns the mean loss before it,
        in nats. Call it inside `setting(name, n_threads)`.

    Raises
    ------
    InputError
        If the name is unknown, the batch size is below 2 or above n, or PyTorch is needed and not there.
    """
    if name not in NAMES:
        raise InputError(f"name is {name!r}: use one of {', '.join(NAMES)}")
    whole_number("batch_size", batch_size, least=2, most=x.shape[0])
    return our_step(name, x, seed) if name in BACKENDS else torch_step(name, x, seed)
