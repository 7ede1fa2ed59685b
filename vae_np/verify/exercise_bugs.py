"""Planting a bug: one change of a right function's syntax tree, as a tired person might have made it.

Only a change that shows is planted: the wrong function runs, its numbers are finite and have the right
shapes, they are off by more than a hundredth, and the check rejects it (mu - sigma eps is no bug).
"""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vae_np.errors import InputError
from vae_np.verify.check import check
from vae_np.verify.contracts import CONTRACTS, random_sizes
from vae_np.verify.exercise_functions import NAMES, Function, source
from vae_np.verify.run import stream

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
METHODS = {"sum": "mean", "mean": "sum"}


def _slips(node: ast.AST) -> Iterator[ast.AST]:
    """What a tired person could have written in the place of one node."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in OPERATORS:
            yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        yield node.left
        if isinstance(node.op, ast.Add | ast.Mult):
            yield node.right
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Attribute) and node.attr in METHODS:
        yield ast.Attribute(node.value, METHODS[node.attr], node.ctx)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("exp", "sqrt", "log"):
            yield node.args[0]
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(2 * node.value)


class _Replace(ast.NodeTransformer):
    """Put one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:  # noqa: ANN401 - as in the base class
        """Replace the node, or look inside."""
        return self.new if node is self.old else self.generic_visit(node)


def _wrong_bodies(function: Function) -> Iterator[tuple[ast.stmt, ...]]:
    """Every body that differs from the right one by one slip."""
    right = ast.Module(list(function.body), [])
    for i, node in enumerate(ast.walk(right)):
        for slip in _slips(node):
            changed = copy.deepcopy(right)
            place = next(other for j, other in enumerate(ast.walk(changed)) if j == i)
            wrong = _Replace(place, copy.deepcopy(slip)).visit(changed)
            yield tuple(ast.fix_missing_locations(wrong).body)


def callable_from(function: Function, body: str) -> Callable[..., Any]:
    """Compile a body beneath the head of an exercise function."""
    names: dict[str, Any] = dict(NAMES)
    exec(f"{function.head}\n{body}\n", names)
    return names[function.name]


def _shows(function: Function, body: str) -> bool:
    """Whether a body runs, gives finite numbers of the right shapes, and is clearly wrong."""
    contract, wrong = CONTRACTS[function.labels[0]], callable_from(function, body)
    rng = stream(function.labels[0], "does the bug show", 0)
    for _ in range(10):
        arguments = contract.draw(rng, random_sizes(rng))
        try:
            with np.errstate(all="ignore"):
                got, right = wrong(*arguments), contract.reference(*arguments)
        except Exception:
            return False
        pairs = list(zip(*map(_as_tuple, (got, right)), strict=False))
        if len(pairs) != len(function.outputs) or any(np.shape(g) != np.shape(r) for g, r in pairs):
            return False
        if not all(np.isfinite(g).all() for g, _ in pairs):
            return False
        if all(np.allclose(g, r, rtol=1e-2, atol=1e-2) for g, r in pairs):
            return False
    return True


def _as_tuple(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return value if isinstance(value, tuple) else (value,)


def possible_bugs(function: Function) -> list[str]:
    """List every wrong body that has one change, runs, and gives clearly wrong numbers.

    Parameters
    ----------
    function
        The exercise function.

    Returns
    -------
    list of str
        Indented bodies.
    """
    bodies = dict.fromkeys(source(body) for body in _wrong_bodies(function))
    return [body for body in bodies if body != function.solution and _shows(function, body)]


def planted_bug(function: Function, seed: int = 0) -> str:
    """Choose one of the possible bugs, one that the check rejects.

    Parameters
    ----------
    function
        The exercise function.
    seed
        Another seed may choose another one.

    Returns
    -------
    str
        The indented body.

    Raises
    ------
    InputError
        If there is none.
    """
    label, bodies = function.labels[0], possible_bugs(function)
    for i in stream(label, "planted bug", seed).permutation(len(bodies)):
        if not check(label, callable_from(function, bodies[i]), level=0).ok:
            return bodies[i]
    raise InputError(f"{function.name} has no place for a bug")
