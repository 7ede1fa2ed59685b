"""What a learner's function gets and gives back, label by label: random inputs and the right answer.

The arrays are float64 and two-dimensional, with n cells, k latent dimensions, d genes and L draws all
different from each other, so that a sum over the wrong axis shows. The right answer is computed by the
library's own functions, which the judges of the same labels have verified.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vae_np import elbo, layers
from vae_np.layers.batch_norm import RunningStats
from vae_np.model.heads import heads_backward
from vae_np.scgen.delta import delta, delta_balanced, delta_predict
from vae_np.train.adam import adam_bias, adam_moments, adam_update

Arrays = tuple[Any, ...]


class Sizes(NamedTuple):
    """Numbers of cells, latent dimensions, genes and draws."""

    n: int
    k: int
    d: int
    L: int


@dataclass(frozen=True)
class Contract:
    """The signature of a learner's function, and what decides whether it is right.

    Attributes
    ----------
    label
        The equation.
    arguments, outputs
        Their names.
    draw
        (random generator, sizes) -> the arguments.
    reference
        The right function; one array, or a tuple of as many as there are outputs.
    """

    label: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    draw: Callable[[np.random.Generator, Sizes], Arrays]
    reference: Callable[..., Any]


def random_sizes(rng: np.random.Generator) -> Sizes:
    """Draw four different sizes of at least 2."""
    return Sizes(*(int(size) for size in rng.permutation(np.arange(2, 9))[:4]))


# ---------------------------------------------------------------------------------- random inputs


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(scale=1.2, size=shape)


def _weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Gradients that come from above: away from 0, of both signs."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)


def _q_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _normal(rng, size.n, size.k), _normal(rng, size.n, size.k)


def _log_var_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return (_normal(rng, size.n, size.k),)


def _point_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _normal(rng, size.n, size.k), *_q_inputs(rng, size)


def _noise_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return *_q_inputs(rng, size), rng.standard_normal((size.n, size.k))


def _decoded_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _normal(rng, size.n, size.d), _normal(rng, size.n, size.d), float(rng.uniform(0.4, 2.5))


def _objective_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    x, x_hat = _normal(rng, size.n, size.d), _normal(rng, size.L, size.n, size.d)
    return x, x_hat, *_q_inputs(rng, size), float(rng.uniform(0.4, 2.5))


def _kl_gradient_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _weights(rng, size.n), *_q_inputs(rng, size)


def _sample_gradient_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    _, log_var, eps = _noise_inputs(rng, size)
    return _weights(rng, size.n, size.k), log_var, eps


def _likelihood_gradient_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _weights(rng, size.n), *_decoded_inputs(rng, size)


def _linear_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _weights(rng, size.n, size.k), _normal(rng, size.n, size.d), _normal(rng, size.d, size.k)


def _activation_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    a = _normal(rng, size.n, size.k)
    a[0, 0] = 0.0  # there the derivative is the slope, by convention
    return _weights(rng, size.n, size.k), a


def _mask_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    keep = float(rng.uniform(0.4, 0.9))
    return _weights(rng, size.n, size.k), (rng.random((size.n, size.k)) < keep) / keep


def _batch_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    gamma = rng.uniform(0.5, 2, size.k)
    return (
        _weights(rng, size.n, size.k),
        2 * _normal(rng, size.n, size.k),
        gamma,
        float(rng.uniform(0.05, 0.2)),
    )


def _heads_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    mu, log_var, eps = _noise_inputs(rng, size)
    return _weights(rng, size.n, size.k), _weights(rng, size.n), mu, log_var, eps


def _log_weights_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return (_normal(rng, size.L, size.n) - 2,)


def _log_lik_and_kl_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _normal(rng, size.L, size.n) - 2, rng.uniform(0.5, 3, size.n)


def _moments_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    grad, m = _weights(rng, size.n, size.k), 0.5 * _normal(rng, size.n, size.k)
    v = rng.uniform(0.2, 1, (size.n, size.k))
    return grad, m, v, float(rng.uniform(0.5, 0.9)), float(rng.uniform(0.6, 0.95))


def _bias_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    _, m, v, beta1, beta2 = _moments_inputs(rng, size)
    return m, v, int(rng.integers(2, 7)), beta1, beta2


def _adam_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    grad, m, v, beta1, beta2 = _moments_inputs(rng, size)
    theta, t = _normal(rng, size.n, size.k), int(rng.integers(2, 7))
    lr, epsilon = float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.05, 0.3))
    return theta, grad, m, v, t, lr, beta1, beta2, epsilon


def _logits_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return rng.integers(0, 2, (size.n, size.d)).astype(float), 1.5 * _normal(rng, size.n, size.d)


def _logits_gradient_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _weights(rng, size.n), *_logits_inputs(rng, size)


def _shift_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _normal(rng, size.n, size.k), _normal(rng, size.k)


def _two_groups_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    return _normal(rng, size.n, size.k), _normal(rng, size.d, size.k) + 1


def _typed_groups_inputs(rng: np.random.Generator, size: Sizes) -> Arrays:
    """Types a, b, c in both conditions with unequal counts; d in control and e in stimulated only."""

    def labels(counts: dict[str, int]) -> np.ndarray:
        return rng.permutation(np.repeat(list(counts), list(counts.values())))

    type_ctrl = labels({"a": size.n, "b": size.d + 2, "c": 2, "d": 3})
    type_stim = labels({"a": size.L, "b": 2, "c": size.k + 3, "e": 4})
    place = {name: 2 * _normal(rng, size.k) for name in "abcde"}
    z = [
        np.array([place[t] for t in types]) + _normal(rng, len(types), size.k)
        for types in (type_ctrl, type_stim)
    ]
    return z[0], z[1] + 1, type_ctrl, type_stim


# ------------------------------------------------------------------------------- the right answer


def _leaky_relu_backward(d_h: np.ndarray, a: np.ndarray) -> np.ndarray:
    return layers.leaky_relu_backward(d_h, a)


def _batch_norm_backward(d_h: np.ndarray, a: np.ndarray, gamma: np.ndarray, epsilon: float) -> Arrays:
    unused = RunningStats(np.zeros_like(gamma), np.ones_like(gamma))
    _, cache, _ = layers.batch_norm(a, gamma, np.zeros_like(gamma), unused, epsilon)
    return layers.batch_norm_backward(d_h, cache)


def _contracts(*rows: tuple[str, str, str, Callable, Callable]) -> dict[str, Contract]:
    """One contract for each label of each row: labels, arguments, outputs, inputs, the right function."""
    return {
        label: Contract(label, tuple(arguments.split()), tuple(outputs.split()), draw, reference)
        for labels, arguments, outputs, draw, reference in rows
        for label in labels.split()
    }


CONTRACTS = _contracts(
    ("gaussian-q", "z mu log_var", "log_q", _point_inputs, elbo.log_normal),
    ("cross-entropy", "mu log_var", "cross_entropy", _q_inputs, elbo.cross_entropy_standard_normal),
    ("neg-entropy", "log_var", "negative_entropy", _log_var_inputs, elbo.negative_entropy),
    ("kl-closed", "mu log_var", "kl", _q_inputs, elbo.kl_standard_normal),
    ("reparam-gaussian", "mu log_var eps", "z", _noise_inputs, elbo.reparameterize),
    ("mc-reconstruction", "log_lik", "reconstruction", _log_weights_inputs, elbo.monte_carlo_reconstruction),
    ("mc-elbo", "log_lik kl", "elbo", _log_lik_and_kl_inputs, elbo.elbo_estimate),
    ("objective", "x x_hat mu log_var variance", "elbo", _objective_inputs, elbo.monte_carlo_elbo),
    ("gaussian-likelihood", "x x_hat variance", "log_lik", _decoded_inputs, elbo.gaussian_log_likelihood),
    (
        "grad-likelihood",
        "d_ll x x_hat variance",
        "d_x_hat",
        _likelihood_gradient_inputs,
        elbo.gaussian_log_likelihood_backward,
    ),
    ("bernoulli-likelihood", "x logits", "log_lik", _logits_inputs, elbo.bernoulli_log_likelihood),
    (
        "grad-bernoulli-likelihood",
        "d_ll x logits",
        "d_logits",
        _logits_gradient_inputs,
        elbo.bernoulli_log_likelihood_backward,
    ),
    ("grad-linear", "d_a x W", "d_x d_W d_b", _linear_inputs, layers.linear_backward),
    ("grad-leaky-relu", "d_h a", "d_a", _activation_inputs, _leaky_relu_backward),
    ("grad-batch-norm", "d_h a gamma epsilon", "d_a d_gamma d_beta", _batch_inputs, _batch_norm_backward),
    ("grad-dropout", "d_h mask", "d_x", _mask_inputs, layers.dropout_backward),
    (
        "grad-reparam-mu grad-reparam-log-var",
        "d_z log_var eps",
        "d_mu d_log_var",
        _sample_gradient_inputs,
        elbo.reparameterize_backward,
    ),
    (
        "grad-kl-mu grad-kl-log-var",
        "d_kl mu log_var",
        "d_mu d_log_var",
        _kl_gradient_inputs,
        elbo.kl_standard_normal_backward,
    ),
    ("grad-heads-add", "d_z d_kl mu log_var eps", "d_mu d_log_var", _heads_inputs, heads_backward),
    ("adam-moments", "grad m v beta1 beta2", "m v", _moments_inputs, adam_moments),
    ("adam-bias", "m v t beta1 beta2", "m_hat v_hat", _bias_inputs, adam_bias),
    ("adam-step", "theta grad m v t lr beta1 beta2 epsilon", "theta m v", _adam_inputs, adam_update),
    ("delta", "z_ctrl z_stim", "delta", _two_groups_inputs, delta),
    ("delta-balanced", "z_ctrl z_stim type_ctrl type_stim", "delta", _typed_groups_inputs, delta_balanced),
    ("delta-predict", "z_ctrl delta", "z_stim", _shift_inputs, delta_predict),
    ("iwae", "log_w", "iwae", _log_weights_inputs, elbo.iwae),
)
