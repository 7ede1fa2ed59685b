"""Exercises on a chapter: a ladder of tasks made from the reference functions and the derivation page.

Four rungs: write a formula, write a derivative, find the planted bug, prove the next line. A chapter has
the rungs that its equations allow; of a function and its derivative it borrows the half that another
chapter derives. The bug is planted in a function that is not asked for otherwise, where there is one.

A function is tested by `vae_np.check`, shown to the learner: it compares with the equation and gives no
answer away. The proof is for a person to grade.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from vae_np.errors import InputError, whole_number
from vae_np.verify.contracts import CONTRACTS
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.exercise_bugs import planted_bug
from vae_np.verify.exercise_functions import Function, function_for
from vae_np.verify.run import stream
from vae_np.verify.where import derivations

# The line before leaves something to prove, and can be read without the rest of the page.
PROOFS = {
    "reparameterization": ("reparam-covariance",),
    "monte_carlo": ("mc-elbo",),
    "gaussian_kl": ("kl-closed", "cross-entropy-split", "neg-entropy-split", "cross-entropy"),
    "objective": ("beta-is-variance",),
    "likelihoods": ("grad-likelihood", "grad-bernoulli-likelihood"),
    "backpropagation": ("grad-batch-norm",),
    "encoder_heads": ("grad-heads-add", "grad-kl-log-var"),
    "adam": ("adam-bias",),
    "delta": ("delta-composition-bias", "delta-two-factor"),
    "tighter_bounds": ("iwae-order",),
}
PAIRS = {"reparam-gaussian": "grad-reparam-mu", "kl-closed": "grad-kl-mu"}


class Task(NamedTuple):
    """A task with a function to write or to repair.

    Attributes
    ----------
    kind
        ``"formula"``, ``"derivative"`` or ``"bug"``.
    function
        What is asked for.
    wrong
        The body with the bug; empty for the other kinds.
    """

    kind: Literal["formula", "derivative", "bug"]
    function: Function
    wrong: str = ""


class Proof(NamedTuple):
    """A task to prove an equation of the page from the one that is derived before it.

    Attributes
    ----------
    label, section
        The equation to prove, and the heading above it.
    start, goal
        Both equations, in LaTeX.
    steps
        What the page writes between them.
    """

    label: str
    section: str
    start: str
    goal: str
    steps: str


class Exercise(NamedTuple):
    """A ladder of tasks on one chapter.

    Attributes
    ----------
    chapter, title
        Stem and heading of the derivation page.
    tasks, proof
        The rungs.
    """

    chapter: str
    title: str
    tasks: tuple[Task, ...]
    proof: Proof


# --------------------------------------------------------------------------------- the ladder


def _labels(chapter: str) -> list[str]:
    """Labels of a chapter that a function can be checked against, one for each function."""
    own = [e.label for e in EQUATIONS if e.page == f"{chapter}.md" and e.label in CONTRACTS]
    return list({CONTRACTS[label].reference: label for label in reversed(own)}.values())[::-1]


def chapters() -> list[str]:
    """List the chapters that have an exercise.

    Returns
    -------
    list of str
        In derivation order.
    """
    return [name for name in dict.fromkeys(Path(e.page).stem for e in EQUATIONS) if _labels(name)]


def _is_derivative(label: str) -> bool:
    return label.startswith("grad-")


def _with_pairs(labels: Sequence[str]) -> list[str]:
    """Add the other half of each pair of a function and its derivative: first functions, then derivatives."""
    borrowed = [b for f, d in PAIRS.items() for a, b in ((f, d), (d, f)) if a in labels and b not in labels]
    return sorted([*labels, *borrowed], key=_is_derivative)


def _label_of_bug(own: Sequence[str], labels: Sequence[str], chapter: str, seed: int) -> str:
    """Choose the function for the bug so that no rung runs empty, if the chapter has enough of them."""
    alike = {a: [b for b in labels if _is_derivative(a) == _is_derivative(b)] for a in own}
    spare = [label for label in own if len(alike[label]) > 1] or list(own)
    return spare[stream(chapter, "function with a bug", seed).integers(len(spare))]


def exercise(chapter: str, seed: int = 0) -> Exercise:
    """Make the ladder of tasks of a chapter.

    Parameters
    ----------
    chapter
        Stem of a derivation page, such as ``"gaussian_kl"``.
    seed
        Another seed plants another bug.

    Returns
    -------
    Exercise
        The same for the same chapter and seed.

    Raises
    ------
    InputError
        If there is no such chapter, or no function of it can be checked.
    """
    seed = whole_number("seed", seed, least=0)
    own = _labels(chapter)
    if not own:
        raise InputError(
            f"chapter {chapter!r} has no function to ask for: the chapters are {', '.join(chapters())}"
        )
    labels = _with_pairs(own)
    buggy = _label_of_bug(own, labels, chapter, seed)
    function = function_for(buggy)
    asked = [label for label in labels if label != buggy]
    if {_is_derivative(label) for label in asked} < {_is_derivative(label) for label in labels}:
        asked = labels  # the same function twice
        function = replace(function, name=f"{function.name}_repaired")
    tasks = [Task("derivative" if _is_derivative(n) else "formula", function_for(n)) for n in asked]
    tasks.append(Task("bug", function, planted_bug(function, seed)))
    page = (derivations() / f"{chapter}.md").read_text(encoding="utf-8")
    proofs = PROOFS[chapter]
    proof = proofs[stream(chapter, "line to prove", seed).integers(len(proofs))]
    return Exercise(chapter, page.splitlines()[0].lstrip("# "), tuple(tasks), _proof(page, proof))


BLOCK = re.compile(r"^\$\$\n(.*?)\n\$\$(?: \(([a-z0-9-]+)\))?$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


def _proof(page: str, label: str) -> Proof:
    """Quote the labelled equation, the one before it, and what stands between.

    An equation that goes on from the one before it (it begins with =) is one of the steps, not the start.
    """
    blocks = list(BLOCK.finditer(page))
    i = next(i for i, block in enumerate(blocks) if block[2] == label)
    before = next(block for block in reversed(blocks[:i]) if not block[1].startswith("="))
    section = re.findall(r"^## (.*)$", page[: blocks[i].start()], re.MULTILINE)[-1]
    steps = LINK.sub(r"\1", page[before.end() : blocks[i].start()].strip())
    return Proof(label, section, before[1], blocks[i][1], steps)
