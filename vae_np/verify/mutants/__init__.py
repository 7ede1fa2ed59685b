"""The gallery of wrong formulas: each with the equation it violates, where it was seen, and what it does.

`MUTANTS` must be rejected by the check of their label, with a message that names the wrong term. `RIGHT`
holds unusual versions that must pass; some of them have been reported as bugs. `NOT_A_FUNCTION` lists
mistakes that lie between the formulas, and what in the design of the library rules them out.

In the effects, a latent's *curvature* is a = |w|^2 / variance, w being the decoder's slope in that latent:
what noise of variance 1 in it costs is a / 2 nats. The right sigma^2 for an affine decoder is 1 / (1 + a).
"""

from vae_np.verify.mutants import (
    adam,
    delta,
    densities,
    kl,
    layers,
    likelihoods,
    objective,
    rewritings,
    right,
    sampling,
)
from vae_np.verify.mutants.between import NOT_A_FUNCTION as NOT_A_FUNCTION
from vae_np.verify.mutants.record import Mutant as Mutant
from vae_np.verify.mutants.record import NotAFunction as NotAFunction
from vae_np.verify.mutants.record import Right as Right

_TOPICS = (kl, densities, likelihoods, objective, sampling, layers, adam, delta)

MUTANTS: tuple[Mutant, ...] = tuple(mutant for topic in _TOPICS for mutant in topic.MUTANTS)
RIGHT: tuple[Right, ...] = right.RIGHT + rewritings.RIGHT
