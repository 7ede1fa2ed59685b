"""How long each phase of a step takes: the kernels of `vae_np.kernels`, each with a clock around it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from needs import PHASES

from vae_np.kernels import linear, step

FORWARD, MIDDLE, OUTPUT, UPDATE = PHASES


def _linear(x: Any, *_: Any) -> str:  # noqa: ANN401 - the arguments of the kernel
    return MIDDLE if isinstance(x, np.ndarray) else FORWARD


def _linear_backward_step(d_a: Any, x: Any, *_: Any) -> str:  # noqa: ANN401
    return MIDDLE if isinstance(x, np.ndarray) else UPDATE


def _gaussian_output_step(*_: Any) -> str:  # noqa: ANN401
    return OUTPUT


@contextmanager
def clocks() -> Iterator[dict[str, float]]:
    """Collect the seconds of each phase while the block runs; what no kernel of a matrix does is left out.

    A sparse x tells the first layer from the middle ones.
    """
    seconds = dict.fromkeys(PHASES, 0.0)

    def timed(kernel: Callable, phase: Callable[..., str]) -> Callable:
        def run(*args: Any) -> Any:  # noqa: ANN401
            start = time.perf_counter()
            result = kernel(*args)
            seconds[phase(*args)] += time.perf_counter() - start
            return result

        return run

    with ExitStack() as stack:
        for module, phase in (
            (linear, _linear),
            (step, _linear_backward_step),
            (step, _gaussian_output_step),
        ):
            name = phase.__name__.removeprefix("_")
            stack.enter_context(patch.object(module, name, timed(getattr(module, name), phase)))
        yield seconds
