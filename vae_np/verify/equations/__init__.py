"""The table of equations, in derivation order: a file a topic, named as its page in `derivations/`."""

from vae_np.verify.equations import (
    adam,
    backpropagation,
    bound,
    conditional,
    delta,
    encoder_heads,
    evidence,
    gaussian_kl,
    likelihoods,
    linear_gaussian,
    monte_carlo,
    objective,
    reparameterization,
    score_function,
    tighter_bounds,
    uncertainty,
)
from vae_np.verify.record import Equation

EQUATIONS: tuple[Equation, ...] = (
    *evidence.EQUATIONS,
    *bound.EQUATIONS,
    *reparameterization.EQUATIONS,
    *monte_carlo.EQUATIONS,
    *gaussian_kl.EQUATIONS,
    *objective.EQUATIONS,
    *likelihoods.EQUATIONS,
    *backpropagation.EQUATIONS,
    *encoder_heads.EQUATIONS,
    *score_function.EQUATIONS,
    *adam.EQUATIONS,
    *delta.EQUATIONS,
    *uncertainty.EQUATIONS,
    *conditional.EQUATIONS,
    *linear_gaussian.EQUATIONS,
    *tighter_bounds.EQUATIONS,
)
