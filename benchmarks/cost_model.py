"""Time and memory of a training, from its sizes and a few rates of the machine.

`needs.py` counts what a step has to do: bytes through memory, operations of products, updates of weights. The
roofline says how fast that could be at best; here is how fast it will be. A thread that waits for memory does
not compute meanwhile, so the times add up. For each phase of a step

    seconds = bytes / bandwidth + operations / rate of products + updates / rate of updates ,

with the rates at which that phase's own kernel works (a product of 32 cells is slower than a square one).
All else, noise, masks, batch norm, slicing, takes a time for each activation and one for each step.

Threads share the bandwidth and add up their rates; and so do workers, which train side by side.
"""

from typing import NamedTuple

import numpy as np
from needs import PHASES, Need, needs
from scipy.optimize import nnls

from vae_np.model import Sizes

NUMBER, STORED = 4, 8  # bytes of a number; of a value in a sparse matrix, with its column
COPIES = 6  # of the weights: first ones, trained ones, Adam's m and v, the best, and the best before them
TRAINED, VALIDATED = 0.9, 0.1  # shares of the cells
EVALUATED = 1024  # cells that are encoded and decoded at a time
TOUCHED = 3  # arrays of `EVALUATED` x genes that are alive at the same time: x, x_hat, their difference
BUFFERS = 3  # of a file: one is trained on, one is being read, and one is being put together
LABELS = 200  # bytes of a cell for its name, two labels as text, and its place in a few lists of indices


class Job(NamedTuple):
    """What is trained.

    Attributes
    ----------
    n_cells
        All of them; a tenth validates.
    sizes
        The model.
    batch_size
        Cells of a step.
    density
        Share of the values that are not zero.
    n_expressed
        Genes that at least one cell of a batch expresses.
    """

    n_cells: int
    sizes: Sizes
    batch_size: int
    density: float
    n_expressed: float

    @property
    def n_steps(self) -> int:
        """Steps of an epoch."""
        return -(-round(TRAINED * self.n_cells) // self.batch_size)

    @property
    def n_activations(self) -> int:
        """Hidden values of a batch."""
        return self.batch_size * self.sizes.n_hidden * 2 * self.sizes.n_layers

    def needs(self) -> dict[str, Need]:
        """What each phase of a step has to do."""
        n_values = self.density * self.batch_size * self.sizes.n_genes
        return needs(self.sizes, self.batch_size, n_values, self.n_expressed)


class Machine(NamedTuple):
    """What a core does in a second, and the memory that all share.

    Attributes
    ----------
    bandwidth
        Number of cores -> bytes a second of all of them together.
    products, updates
        Phase -> operations, weights a second of one core, not counting the wait for memory.
    activation, step
        Seconds for each activation, and for each step whatever its size.
    """

    bandwidth: dict[int, float]
    products: dict[str, float]
    updates: dict[str, float]
    activation: float
    step: float


def calibrated(bandwidth: dict[int, float], runs: list[tuple[Job, dict[str, float]]], rest: str) -> Machine:
    """Solve for the rates of one core from steps of at least two batch sizes, by least squares.

    Parameters
    ----------
    bandwidth
        As in `Machine`, among them that of one core.
    runs
        Jobs, and the measured seconds of their phases with one thread.
    rest
        The name under which the seconds of no phase are found.
    """
    products, updates = {}, {}
    for phase in PHASES:
        need = [job.needs()[phase] for job, _ in runs]
        left = np.array([seconds[phase] for _, seconds in runs])
        left = np.maximum(left - [each.n_bytes / bandwidth[1] for each in need], 0)
        per_unit = nnls(np.array([[each.flops, each.updates] for each in need]), left)[0]
        products[phase], updates[phase] = (1 / float(each) if each else np.inf for each in per_unit)
    activations = np.array([[job.n_activations, 1.0] for job, _ in runs])
    activation, step = nnls(activations, np.array([seconds[rest] for _, seconds in runs]))[0]
    return Machine(bandwidth, products, updates, float(activation), float(step))


def step_seconds(job: Job, machine: Machine, n_threads: int = 1, n_workers: int = 1) -> float:
    """Seconds of a step of one worker while all of them work, each on `n_threads` cores of its own.

    Parameters
    ----------
    job, machine
        What and where.
    n_threads, n_workers
        Their product is the number of cores, one of `machine.bandwidth`.
    """
    bandwidth = machine.bandwidth[n_threads * n_workers] / n_workers
    return (machine.step + machine.activation * job.n_activations) + sum(
        need.n_bytes / bandwidth
        + need.flops / (n_threads * machine.products[phase])
        + need.updates / (n_threads * machine.updates[phase])
        for phase, need in job.needs().items()
    )


def epoch_seconds(job: Job, machine: Machine, n_threads: int = 1, n_workers: int = 1) -> float:
    """Seconds of an epoch: its steps, and a pass forward for the cells that validate.

    Parameters
    ----------
    job, machine, n_threads, n_workers
        As in `step_seconds`.
    """
    first, *others = (
        need.flops / (n_threads * machine.products[phase]) for phase, need in job.needs().items()
    )
    forward = first + sum(others[:2]) / 3  # of the middle and the output layers, two thirds are the way back
    n_batches = VALIDATED * job.n_cells / job.batch_size
    return job.n_steps * step_seconds(job, machine, n_threads, n_workers) + n_batches * forward


def study_seconds(n_trainings: int, n_workers: int, training: float) -> float:
    """Seconds of many trainings of equal length, so many at a time: the last round may not be full."""
    return -(-n_trainings // n_workers) * training


def memory_bytes(job: Job, base: float, buffered: int | None = None) -> float:
    """Largest resident memory of a training.

    Parameters
    ----------
    job
        What is trained.
    base
        Bytes of the process without cells and model: the interpreter and the libraries.
    buffered
        Cells of a buffer, if the cells stay in a file; None: all are in memory.
    """
    n_read = job.n_cells if buffered is None else min(BUFFERS * buffered, job.n_cells)
    cells = STORED * job.density * n_read * job.sizes.n_genes
    chunk = TOUCHED * NUMBER * min(EVALUATED, job.n_cells) * job.sizes.n_genes
    of_each = (NUMBER * job.sizes.n_latent + LABELS) * job.n_cells
    return base + cells + COPIES * NUMBER * job.sizes.n_params + chunk + of_each


def exchange_seconds(n_params: int, n_machines: int, link: float) -> float:
    """Seconds to sum a gradient over machines and to hand the sum to all, in a ring [grad-mean-of-shards].

    Each machine sends, and receives, 2 (W - 1) / W times the gradient.

    Parameters
    ----------
    n_params, n_machines
        P numbers of 4 bytes, W machines.
    link
        Bytes a second that a machine can send.
    """
    return 2 * (n_machines - 1) / n_machines * NUMBER * n_params / link
