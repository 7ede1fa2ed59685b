"""The functions that exercises are made of: signature and docstring of each, and its right body.

An exercise function has the arguments of its contract and needs nothing but np, math and `vae_np.elbo`.
Most are read off the library by `ast`: refusals of bad input go, constants are written out, the real
part that a complex step needs goes. Where the library's function takes more than the contract gives
(a slope, a cache, a weight decay), a small one with the contract's arguments stands here instead.
"""

import ast
import copy
import inspect
import math
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from vae_np import elbo
from vae_np.verify.contracts import CONTRACTS

NAMES = {"np": np, "math": math, "elbo": elbo}  # what a body may use


@dataclass(frozen=True)
class Function:
    """A function to be asked for.

    Attributes
    ----------
    name, arguments, outputs
        What the learner's function is called, gets and returns.
    labels
        For each output the equation that its check quotes.
    text
        The docstring.
    body
        The right body.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    labels: tuple[str, ...]
    text: str
    body: tuple[ast.stmt, ...]

    @property
    def head(self) -> str:
        """Signature and docstring."""
        quoted = textwrap.indent(f'"""{self.text}\n"""', "    ", lambda line: bool(line.strip()))
        return f"def {self.name}({', '.join(self.arguments)}):\n{quoted}"

    @property
    def solution(self) -> str:
        """The right body, indented."""
        return source(self.body)


def source(body: tuple[ast.stmt, ...]) -> str:
    """Write statements as the indented body of a function."""
    return "\n".join(textwrap.indent(ast.unparse(statement), "    ") for statement in body)


# ------------------------------------------------------- functions with the contract's arguments


def monte_carlo_elbo(
    x: np.ndarray, x_hat: np.ndarray, mu: np.ndarray, log_var: np.ndarray, variance: float
) -> np.ndarray:
    """Estimate the ELBO of each cell, 1/L sum_l log N(x; x_hat_l, variance) - KL(q||p) [objective].

    `elbo.gaussian_log_likelihood` and `elbo.kl_standard_normal` are built already.

    Parameters
    ----------
    x
        Shape (n, d).
    x_hat
        Decoded draws, (L, n, d).
    mu, log_var
        Shape (n, k).
    variance
        A positive float.

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    log_lik = elbo.gaussian_log_likelihood(x, x_hat, variance)
    return log_lik.mean(axis=0) - elbo.kl_standard_normal(mu, log_var)


def gaussian_log_likelihood(x: np.ndarray, x_hat: np.ndarray, variance: float) -> np.ndarray:
    """Log density of the data under the decoder [gaussian-likelihood].

    log p(x|z) = -1/2 sum_g [ log(2 pi variance) + (x_g - x_hat_g)^2 / variance ]

    Parameters
    ----------
    x, x_hat
        Shape (n, d).
    variance
        A positive float.

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    return -0.5 * (math.log(2 * math.pi * variance) + (x - x_hat) ** 2 / variance).sum(axis=-1)


def gaussian_log_likelihood_backward(
    d_ll: np.ndarray, x: np.ndarray, x_hat: np.ndarray, variance: float
) -> np.ndarray:
    """Carry the gradient back, d_x_hat = d_ll (x - x_hat) / variance [grad-likelihood].

    Parameters
    ----------
    d_ll
        Shape (n,).
    x, x_hat
        Shape (n, d).
    variance
        A positive float.

    Returns
    -------
    np.ndarray
        d_x_hat, shape (n, d).
    """
    return d_ll[:, None] * (x - x_hat) / variance


def bernoulli_log_likelihood(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Log probability of the data under the decoder [bernoulli-likelihood].

    log p(x|z) = sum_g [ x_g a_g - log(1 + exp(a_g)) ], a the logits

    Parameters
    ----------
    x
        Zeros and ones, shape (n, d).
    logits
        Shape (n, d).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    return (x * logits - np.logaddexp(0, logits)).sum(axis=-1)


def bernoulli_log_likelihood_backward(d_ll: np.ndarray, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Carry the gradient back, d_logits = d_ll (x - sigmoid(logits)) [grad-bernoulli-likelihood].

    Parameters
    ----------
    d_ll
        Shape (n,).
    x, logits
        Shape (n, d).

    Returns
    -------
    np.ndarray
        d_logits, shape (n, d).
    """
    return d_ll[:, None] * (x - 1 / (1 + np.exp(-logits)))


def leaky_relu_backward(d_h: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Carry the gradient back through h = a if a > 0 else 0.01 a [grad-leaky-relu].

    At a = 0 the derivative is taken to be 0.01.

    Parameters
    ----------
    d_h
        Gradient of the loss in h, shape (n, k).
    a
        Shape (n, k).

    Returns
    -------
    np.ndarray
        d_a, shape (n, k).
    """
    return np.where(a > 0, d_h, 0.01 * d_h)


def batch_norm_backward(
    d_h: np.ndarray, a: np.ndarray, gamma: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry the gradient back through the values and through both statistics [grad-batch-norm].

    h = gamma u + beta with u = (a - mean) / s, s = sqrt(var + epsilon), the mean and the biased
    variance (1/n) of each column of the batch.

    Parameters
    ----------
    d_h
        Gradient of the loss in h, shape (n, k).
    a
        Shape (n, k).
    gamma
        Shape (k,).
    epsilon
        The small constant under the root.

    Returns
    -------
    tuple of np.ndarray
        d_a (n, k), d_gamma (k,), d_beta (k,).
    """
    s = np.sqrt(a.var(axis=0) + epsilon)
    u = (a - a.mean(axis=0)) / s
    d_u = gamma * d_h
    d_a = (d_u - d_u.mean(axis=0) - u * (d_u * u).mean(axis=0)) / s
    return d_a, (d_h * u).sum(axis=0), d_h.sum(axis=0)


def adam_update(
    theta: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take step t: update the moments, correct them, move theta [adam-step].

    theta <- theta - lr m_hat / (sqrt(v_hat) + epsilon)

    Parameters
    ----------
    theta, grad, m, v
        Same shape; m and v are the moments before the step.
    t
        Counts from 1.
    lr, beta1, beta2, epsilon
        Step size, decay rates, the small constant outside the root.

    Returns
    -------
    tuple of np.ndarray
        The new theta, m and v.
    """
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def delta_balanced(
    z_ctrl: np.ndarray, z_stim: np.ndarray, type_ctrl: np.ndarray, type_stim: np.ndarray
) -> np.ndarray:
    """Mean over the shared cell types of the difference within each type [delta-balanced].

    delta = 1/K sum_k ( mean z_stim of type k - mean z_ctrl of type k ), over the K types that have
    cells in both conditions.

    Parameters
    ----------
    z_ctrl, z_stim
        Latent means, (n0, k) and (n1, k).
    type_ctrl, type_stim
        Cell type of each cell, (n0,) and (n1,).

    Returns
    -------
    np.ndarray
        Shape (k,).
    """
    changes = []
    for t in np.intersect1d(type_ctrl, type_stim):
        changes.append(z_stim[type_stim == t].mean(axis=0) - z_ctrl[type_ctrl == t].mean(axis=0))
    return np.mean(changes, axis=0)


ADAPTED: dict[str, Callable[..., Any]] = {
    "objective": monte_carlo_elbo,
    "gaussian-likelihood": gaussian_log_likelihood,
    "grad-likelihood": gaussian_log_likelihood_backward,
    "bernoulli-likelihood": bernoulli_log_likelihood,
    "grad-bernoulli-likelihood": bernoulli_log_likelihood_backward,
    "grad-leaky-relu": leaky_relu_backward,
    "grad-batch-norm": batch_norm_backward,
    "adam-step": adam_update,
    "delta-balanced": delta_balanced,
}


# ------------------------------------------------------------------- reading them off the source


class _Plain(ast.NodeTransformer):
    """Write a body with np, math and `vae_np.elbo` alone."""

    def __init__(self, constants: dict[str, ast.expr]) -> None:
        self.constants = constants

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """A refusal of bad input is no part of the formula."""
        refuses = all(isinstance(line, ast.Raise) for line in node.body)
        return None if refuses else self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """The arrays of an exercise are real."""
        return self.visit(node.value) if node.attr == "real" else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Constants are written out, functions of `elbo` get its name in front."""
        if node.id in self.constants:
            return copy.deepcopy(self.constants[node.id])
        if node.id in elbo.__all__:
            return ast.Attribute(ast.Name("elbo", ast.Load()), node.id, ast.Load())
        return node


def _constants(function: Callable[..., Any]) -> dict[str, ast.expr]:
    """The expressions behind the upper-case names of a function's module."""
    module = ast.parse(inspect.getsource(inspect.getmodule(function) or function))
    return {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def function_for(label: str) -> Function:
    """Make the exercise function of a label that has a contract.

    Parameters
    ----------
    label
        Such as ``"kl-closed"``.

    Returns
    -------
    Function
        The arguments are the contract's.
    """
    contract = CONTRACTS[label]
    function = ADAPTED.get(label, contract.reference)
    tree = cast(ast.FunctionDef, ast.parse(textwrap.dedent(inspect.getsource(function))).body[0])
    sections = re.split(r"\n\n(?=\w+\n-+\n)", inspect.getdoc(function) or "")
    text = "\n\n".join(section for section in sections if not section.startswith("Raises"))
    body = [_Plain(_constants(function)).visit(statement) for statement in tree.body[1:]]
    labels = tuple(name for name, other in CONTRACTS.items() if other.reference is contract.reference)
    outputs = contract.outputs
    return Function(
        function.__name__,
        contract.arguments,
        outputs,
        labels if len(labels) == len(outputs) else (label,) * len(outputs),
        text,
        tuple(ast.fix_missing_locations(statement) for statement in body if statement is not None),
    )
