"""Check a whole gradient, block by block, and say which block goes wrong first and by what.

The learner brings a loss, its gradient and the parameters. The gradient is compared with the complex step
where the loss lets complex numbers through, else with central differences, entry by entry (200 of a large
block, drawn at random).
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vae_np.errors import InputError
from vae_np.model.params import Params
from vae_np.verify.explain import snap, written
from vae_np.verify.judges import EPS, STEP
from vae_np.verify.record import Report, Term

Blocks = Mapping[str, np.ndarray]
MOST_ENTRIES = 200
DIFFERENCE_STEP = 6e-6  # near the cube root of 2.2e-16, where truncation and rounding are alike
COMPLEX_BOUND = 4500 * EPS  # some thousand roundings: 1e-12
DIFFERENCE_BOUND = 1e-8


def check_gradients(
    loss_fn: Callable[..., float],
    grad_fn: Callable[..., Blocks | Params],
    params: Blocks | Params,
    level: int = 2,
    seed: int = 0,
) -> Report:
    """Compare a hand-written gradient with the derivative of the loss, one parameter block at a time.

    Parameters
    ----------
    loss_fn
        params -> one number; noise and masks are fixed inside it.
    grad_fn
        params -> its gradient, in the same blocks.
    params
        A dictionary of float arrays, or `Params`; in the order of the forward pass.
    level
        0 right or wrong, 1 and above which block, and its factor where it is a multiple of the right one.
    seed
        Of the choice of entries.

    Returns
    -------
    Report
        Errors are relative to the largest entry of the whole gradient; a term is a block with the factor
        got and expected.

    Raises
    ------
    InputError
        If the parameters are no arrays of real numbers.
    """
    blocks = _blocks(params)
    for name, block in blocks.items():
        if not isinstance(block, np.ndarray) or block.dtype.kind != "f":
            raise InputError(f"parameter block {name} is no array of floats")
    rng = np.random.default_rng(seed)
    try:
        got = _blocks(grad_fn(params))
        derivative, bound = _derivative(loss_fn, params)
        chosen = {name: _entries(block, rng) for name, block in blocks.items()}
        expected = {
            name: np.array([derivative(name, index) for index in indices]) for name, indices in chosen.items()
        }
    except Exception as raised:
        return _report(False, f"wrong; it raises {type(raised).__name__}: {raised}", bound=0.0)
    missing = [name for name in blocks if name not in got]
    shapes = [name for name in blocks if name in got and np.shape(got[name]) != blocks[name].shape]
    if missing or shapes:
        name = (missing or shapes)[0]
        what = (
            "is missing" if missing else f"has the shape {np.shape(got[name])}, expected {blocks[name].shape}"
        )
        return _report(False, f"wrong; the gradient of {name} {what}", bound=bound)

    scale = max(float(np.abs(e).max()) for e in expected.values()) or 1.0
    values = {name: np.array([got[name][i] for i in indices]) for name, indices in chosen.items()}
    errors = {name: float(np.abs(values[name] - expected[name]).max()) / scale for name in blocks}
    wrong = [name for name, error in errors.items() if not error <= bound]
    if not wrong:
        return _report(True, "right", error=max(errors.values()), bound=bound)
    terms = [_factor(name, values[name], expected[name], bound) for name in wrong]
    right = [name for name in blocks if name not in wrong]
    sentences = ["wrong"]
    if level >= 1:
        first = f"{wrong[0]} is the first wrong block, off by {errors[wrong[0]]:.1g} of the largest entry"
        others = f"; wrong too: {', '.join(wrong[1:])}" if wrong[1:] else ""
        sentences.append(first + others + (f"; right: {', '.join(right)}" if right else ""))
        sentences += [
            f"the gradient of {term.name} is {written(term.got)} times the right one"
            for term in terms
            if term
        ]
    named = tuple(term for term in terms if term)
    return _report(False, "; ".join(sentences), named if level >= 1 else (), max(errors.values()), bound)


def _blocks(params: Blocks | Params) -> dict[str, Any]:
    return dict(params.named()) if isinstance(params, Params) else dict(params)


def _entries(block: np.ndarray, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Indices of at most 200 entries."""
    flat = np.arange(block.size)
    if block.size > MOST_ENTRIES:
        flat = np.sort(rng.choice(flat, MOST_ENTRIES, replace=False))
    return [tuple(int(i) for i in np.unravel_index(f, block.shape)) for f in flat]


def _moved(params: Blocks | Params, name: str, index: tuple[int, ...], step: complex) -> Blocks | Params:
    """The same parameters with one entry moved."""
    dtype = complex if isinstance(step, complex) else float
    if isinstance(params, Params):
        moved = Params(params.sizes, params.flat.astype(dtype))
        dict(moved.named())[name][index] += step
        return moved
    blocks = {key: value.astype(dtype) for key, value in params.items()}
    blocks[name][index] += step
    return blocks


def _derivative(
    loss_fn: Callable[..., float], params: Blocks | Params
) -> tuple[Callable[[str, tuple[int, ...]], float], float]:
    """The complex step if complex numbers come through the loss unharmed, else central differences."""
    name = next(iter(_blocks(params)))
    index = (0,) * _blocks(params)[name].ndim

    def by_complex_step(name: str, index: tuple[int, ...]) -> float:
        return float(np.imag(loss_fn(_moved(params, name, index, STEP * 1j)))) / STEP

    def by_differences(name: str, index: tuple[int, ...]) -> float:
        step = DIFFERENCE_STEP
        after, before = (loss_fn(_moved(params, name, index, s)) for s in (step, -step))
        return float(np.real(after) - np.real(before)) / (2 * step)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a discarded imaginary part is only a warning
            complex_value, real_value = by_complex_step(name, index), by_differences(name, index)
    except Exception:
        return by_differences, DIFFERENCE_BOUND
    agrees = abs(complex_value - real_value) <= 1e-4 * max(1.0, abs(real_value))
    return (by_complex_step, COMPLEX_BOUND) if agrees else (by_differences, DIFFERENCE_BOUND)


def _factor(name: str, got: np.ndarray, expected: np.ndarray, bound: float) -> Term | None:
    """The factor between two gradients, where one is a multiple of the other."""
    size = float(expected @ expected)
    factor = float(got @ expected) / size if size else 0.0
    left = float(np.abs(got - factor * expected).max()) if size else np.inf
    return Term(name, snap(factor), 1.0) if left <= 100 * bound * float(np.abs(expected).max()) else None


def _report(
    ok: bool, message: str, terms: tuple[Term, ...] = (), error: float = float("nan"), bound: float = 0.0
) -> Report:
    return Report("gradients", ok, message, terms, error, bound, "backpropagation.md", "=", ())
