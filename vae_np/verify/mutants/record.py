"""What the gallery is made of: a wrong formula, a right one, and a mistake that no formula can show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
Pair = tuple[Array, Array]
Triple = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Mutant:
    """A wrong version of a formula, as it was seen in public or is met in courses.

    Attributes
    ----------
    name
        What is wrong, in a few plain words; unique within its label.
    label
        The equation that it violates.
    wrong
        The wrong version, with the signature that `vae_np.check` expects for the label.
    sources
        Where it was seen, such as ``"keras-io #270"``; empty where it is only known by experience.
    effect
        What it does to training or to the result.
    says
        What the explainer's message or the names of its terms must contain.
    """

    name: str
    label: str
    wrong: Callable[..., Any]
    sources: tuple[str, ...]
    effect: str
    says: tuple[str, ...]


@dataclass(frozen=True)
class Right:
    """A right version in unusual clothes, which must never be called wrong.

    Attributes
    ----------
    name
        How it is written.
    label
        The equation that it satisfies.
    right
        The function, with the signature that `vae_np.check` expects for the label.
    sources
        Where it was reported as a bug; empty for a plain rewriting.
    reason
        Why it is no bug; empty for a plain rewriting.
    """

    name: str
    label: str
    right: Callable[..., Any]
    sources: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class NotAFunction:
    """A mistake in how formulas are put together, which no single formula can show.

    Attributes
    ----------
    name
        What is wrong, in a few plain words.
    sources
        Where it was seen.
    effect
        What it does to training or to the result.
    reason
        Why no function of the table of contracts has it.
    choice
        What in the design of this library rules it out.
    """

    name: str
    sources: tuple[str, ...]
    effect: str
    reason: str
    choice: str
