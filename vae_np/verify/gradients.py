"""Check a whole gradient, block by block, and say which block goes wrong first and by what.

The learner brings a loss, its gradient and the parameters. Each block is compared with the complex step
where complex numbers pass through the loss unharmed, else with central differences: entry by entry (200 of
a large block, drawn at random), and along one random direction of the whole block.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from vae_np.errors import InputError, whole_number
from vae_np.model.params import Params
from vae_np.verify.explain import snap, written
from vae_np.verify.judges import EPS, STEP, ratio
from vae_np.verify.outputs import where_raised
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
        Errors are relative to the largest entry of a block; a term is a block with the factor
        got and expected.

    Raises
    ------
    InputError
        If the parameters are no blocks of floats, or level or seed are out of range.
    """
    level, seed = whole_number("level", level, least=0, most=3), whole_number("seed", seed, least=0)
    if not isinstance(params, Params | Mapping) or not _blocks(params):
        raise InputError("params are no blocks: give a dictionary of arrays, or Params")
    for name, block in _blocks(params).items():
        if not isinstance(block, np.ndarray) or block.dtype.kind != "f" or not block.size:
            raise InputError(f"parameter block {name} is no array of floats")
    rng = np.random.default_rng(seed)
    try:
        comparisons, problem = _compare(loss_fn, grad_fn, params, rng)
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # whatever the learner's functions raise is about them
        return _report(False, f"wrong; it raises {where_raised(raised, '')}")
    if problem:
        return _report(False, f"wrong; {problem}")

    worst = max(comparisons.values(), key=lambda c: ratio(c.error, c.bound))
    wrong = [name for name, c in comparisons.items() if not c.error <= c.bound]
    if not wrong:
        return _report(True, "right", error=worst.error, bound=worst.bound)
    terms = tuple(term for name in wrong if (term := comparisons[name].factor) is not None)
    sentences = ["wrong"]
    if level >= 1:
        right = [name for name in comparisons if name not in wrong]
        off = comparisons[wrong[0]].error
        first = f"{wrong[0]} is the first wrong block, off by {off:.1g} of its largest entry"
        others = f"; wrong too: {', '.join(wrong[1:])}" if wrong[1:] else ""
        sentences.append(first + others + (f"; right: {', '.join(right)}" if right else ""))
        sentences += [f"the gradient of {t.name} is {written(t.got)} times the right one" for t in terms]
    return _report(False, "; ".join(sentences), terms if level >= 1 else (), worst.error, worst.bound)


class Comparison(NamedTuple):
    """One block: error relative to its largest entry, bound, and the factor if it is a multiple."""

    error: float
    bound: float
    factor: Term | None


def _compare(
    loss_fn: Callable[..., float],
    grad_fn: Callable[..., Blocks | Params],
    params: Blocks | Params,
    rng: np.random.Generator,
) -> tuple[dict[str, Comparison], str]:
    """Compare every block, or say why that cannot be done."""
    blocks = _blocks(params)
    got = {
        name: np.array(block, dtype=float) for name, block in _blocks(grad_fn(_copy(params, float))).items()
    }
    for name in blocks:
        if name not in got:
            return {}, f"the gradient of {name} is missing"
        if got[name].shape != blocks[name].shape:
            return (
                {},
                f"the gradient of {name} has the shape {got[name].shape}, expected {blocks[name].shape}",
            )
    if unknown := [name for name in got if name not in blocks]:
        return {}, f"the gradient has a block {unknown[0]}, which the parameters have not"
    size = abs(float(np.real(loss_fn(_copy(params, float)))))
    pairs, floors = {}, {}
    for name, block in blocks.items():
        direction = rng.standard_normal(block.shape)
        slope, floor = _slope(loss_fn, params, name, direction, size)
        indices = _entries(block, rng)
        units = [np.zeros(block.shape) for _ in indices]
        for unit, index in zip(units, indices, strict=True):
            unit[index] = 1
        expected = np.array([slope(unit) for unit in units] + [slope(direction)])
        found = np.array([got[name][index] for index in indices] + [float(np.sum(got[name] * direction))])
        pairs[name], floors[name] = (found, expected), floor
    whole = max(float(np.abs(expected).max()) for _, expected in pairs.values()) or 1.0
    comparisons = {}
    for name, (found, expected) in pairs.items():
        # a block whose gradient vanishes, up to the rounding of the others, is compared on their scale
        scale = max(float(np.abs(expected).max()), 1e-6 * whole)
        error = float(np.abs(found - expected).max()) / scale
        relative, absolute = floors[name]
        bound = relative + (absolute + 100 * EPS * whole) / scale
        comparisons[name] = Comparison(error, bound, _factor(name, found, expected, bound))
    return comparisons, ""


def _blocks(params: Blocks | Params) -> dict[str, Any]:
    return dict(params.named()) if isinstance(params, Params) else dict(params)


def _entries(block: np.ndarray, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Indices of at most 200 entries."""
    flat = np.arange(block.size)
    if block.size > MOST_ENTRIES:
        flat = np.sort(rng.choice(flat, MOST_ENTRIES, replace=False))
    return [tuple(int(i) for i in np.unravel_index(f, block.shape)) for f in flat]


def _copy(params: Blocks | Params, dtype: type) -> Blocks | Params:
    """The same parameters in memory of their own, which the learner's functions may change."""
    if isinstance(params, Params):
        return Params(params.sizes, params.flat.astype(dtype))
    return {name: block.astype(dtype) for name, block in params.items()}


def _slope(
    loss_fn: Callable[..., float], params: Blocks | Params, name: str, direction: np.ndarray, size: float
) -> tuple[Callable[[np.ndarray], float], tuple[float, float]]:
    """The derivative along a direction of one block, and its bound: relative, and absolute from rounding.

    The complex step decides if it agrees with differences along a random direction of this very block.
    """
    step = DIFFERENCE_STEP * max(1.0, float(np.abs(_blocks(params)[name]).max()))

    def moved(change: np.ndarray) -> float:
        changed = _copy(params, complex if np.iscomplexobj(change) else float)
        _blocks(changed)[name][...] += change
        return loss_fn(changed)

    def by_complex_step(along: np.ndarray) -> float:
        return float(np.imag(moved(1j * STEP * along))) / STEP

    def by_differences(along: np.ndarray) -> float:
        return float(np.real(moved(step * along)) - np.real(moved(-step * along))) / (2 * step)

    floor = 8 * EPS * size / step
    differences = by_differences, (DIFFERENCE_BOUND, floor)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a discarded imaginary part is only a warning
            complex_value, real_value = by_complex_step(direction), by_differences(direction)
    except Exception:
        return differences
    agrees = abs(complex_value - real_value) <= 1e-4 * abs(real_value) + 2 * floor
    return (by_complex_step, (COMPLEX_BOUND, 0.0)) if agrees else differences


def _factor(name: str, got: np.ndarray, expected: np.ndarray, bound: float) -> Term | None:
    """The factor between two gradients, where one is a multiple of the other."""
    size = float(expected @ expected)
    if not size or not np.isfinite(got).all():
        return None
    factor = float(got @ expected) / size
    left = float(np.abs(got - factor * expected).max())
    return Term(name, snap(factor), 1.0) if left <= 100 * bound * float(np.abs(expected).max()) else None


def _report(
    ok: bool, message: str, terms: tuple[Term, ...] = (), error: float = float("nan"), bound: float = 0.0
) -> Report:
    return Report("gradients", ok, message, terms, error, bound, "backpropagation.md", "=", ())
