"""Right formulas, rewritten: algebra that a check must not stumble over."""

import math

import numpy as np

from vae_np.verify.mutants.record import Array, Pair, Right, Triple

# -------------------------------------------------------------------------- the KL and the densities


def _kl_as_difference(mu: Array, log_var: Array) -> Array:
    log_2pi = np.log(2 * np.pi)
    neg_entropy = -0.5 * (log_2pi + 1 + log_var).sum(axis=1)
    return neg_entropy + 0.5 * (log_2pi + np.exp(log_var) + mu**2).sum(axis=1)


def _kl_expm1(mu: Array, log_var: Array) -> Array:
    return 0.5 * (np.einsum("ij,ij->i", mu, mu) + (np.expm1(log_var) - log_var) @ np.ones(mu.shape[1]))


def _kl_in_loops(mu: Array, log_var: Array) -> Array:
    n, k = mu.shape
    kl = np.zeros(n)
    for i in range(n):
        for j in range(k):
            kl[i] += 0.5 * (mu[i, j] ** 2 + math.exp(log_var[i, j]) - 1 - log_var[i, j])
    return kl


def _kl_mean_times_k(mu: Array, log_var: Array) -> Array:
    return mu.shape[1] / 2 * np.mean(mu**2 + np.exp(log_var) - 1 - log_var, axis=1)


def _kl_by_square(mu: Array, log_var: Array) -> Array:
    sigma = np.exp(log_var / 2)
    return 0.5 * ((sigma - 1) ** 2 + 2 * (sigma - 1) - 2 * np.log(sigma) + mu * mu).sum(axis=1)


def _cross_entropy_by_norms(mu: Array, log_var: Array) -> Array:
    sigma = np.exp(0.5 * log_var)
    squares = np.linalg.norm(mu, axis=1) ** 2 + np.linalg.norm(sigma, axis=1) ** 2
    return -0.5 * (mu.shape[1] * np.log(2 * np.pi) + squares)


def _entropy_of_each(log_var: Array) -> Array:
    return -np.log(np.sqrt(2 * np.pi * np.e) * np.exp(log_var / 2)).sum(axis=1)


def _density_standardized(z: Array, mu: Array, log_var: Array) -> Array:
    sigma = np.exp(log_var / 2)
    eps = (z - mu) / sigma
    return -(eps**2 / 2 + np.log(sigma * np.sqrt(2 * np.pi))).sum(axis=1)


def _density_expanded(z: Array, mu: Array, log_var: Array) -> Array:
    squares = (z**2 - 2 * z * mu + mu**2) / np.exp(log_var)
    return -z.shape[1] / 2 * np.log(2 * np.pi) - 0.5 * (log_var + squares).sum(axis=1)


def _likelihood_by_norm(x: Array, x_hat: Array, variance: float) -> Array:
    distance = np.linalg.norm(x - x_hat, axis=1)
    return -x.shape[1] * math.log(math.sqrt(2 * math.pi * variance)) - distance**2 / (2 * variance)


def _bernoulli_by_probability(x: Array, logits: Array) -> Array:
    p = 1 / (1 + np.exp(-logits))
    q = 1 / (1 + np.exp(logits))
    return (x * np.log(p) + (1 - x) * np.log(q)).sum(axis=1)


def _bernoulli_by_logaddexp(x: Array, logits: Array) -> Array:
    return -np.logaddexp(0, (1 - 2 * x) * logits).sum(axis=1)


# -------------------------------------------------------------------------- sampling and averaging


def _sigma_by_root(mu: Array, log_var: Array, eps: Array) -> Array:
    return np.sqrt(np.exp(log_var)) * eps + mu


def _noise_mirrored_in_one_dimension(mu: Array, log_var: Array, eps: Array) -> Array:
    sign = np.where(np.arange(mu.shape[1]) % 2, -1.0, 1.0)
    return mu + sign * np.exp(0.5 * log_var) * eps


def _average_by_product(log_lik: Array) -> Array:
    n_draws = len(log_lik)
    return np.full(n_draws, 1 / n_draws) @ log_lik


def _kl_in_every_draw(log_lik: Array, kl: Array) -> Array:
    return (log_lik - kl).mean(axis=0)


def _iwae_by_logaddexp(log_w: Array) -> Array:
    return np.logaddexp.reduce(log_w, axis=0) - np.log(len(log_w))


def _iwae_directly(log_w: Array) -> Array:
    return np.log(np.mean(np.exp(log_w), axis=0))


def _objective_in_a_loop(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    total = np.zeros(len(x))
    for decoded in x_hat:
        total += -0.5 * ((x - decoded) ** 2).sum(axis=1) / variance
    constant = -0.5 * x.shape[1] * np.log(2 * np.pi * variance)
    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    return total / len(x_hat) + constant - kl


# --------------------------------------------------------------------------------------- gradients


def _kl_gradient_by_sinh(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return (d_kl * mu.T).T, d_kl[:, None] * np.exp(log_var / 2) * np.sinh(log_var / 2)


def _kl_gradient_through_sigma(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    sigma = np.exp(0.5 * log_var)
    d_sigma = d_kl[:, None] * (sigma - 1 / sigma)
    return np.diag(d_kl) @ mu, d_sigma * sigma / 2


def _sample_gradient_through_z(d_z: Array, log_var: Array, eps: Array) -> Pair:
    z_minus_mu = np.exp(0.5 * log_var) * eps
    return d_z.copy(), d_z * z_minus_mu / 2


def _sample_gradient_through_sigma(d_z: Array, log_var: Array, eps: Array) -> Pair:
    sigma = np.sqrt(np.exp(log_var))
    d_sigma = d_z * eps
    d_variance = d_sigma / (2 * sigma)
    return d_z, d_variance * sigma**2


def _heads_in_one_bracket(d_z: Array, d_kl: Array, mu: Array, log_var: Array, eps: Array) -> Pair:
    sigma, d = np.exp(0.5 * log_var), d_kl[:, None]
    return d * mu + d_z, 0.5 * (sigma * (d_z * eps + d * sigma) - d)


def _likelihood_gradient_minus(d_ll: Array, x: Array, x_hat: Array, variance: float) -> Array:
    return -(1 / variance) * (x_hat - x) * d_ll.reshape(-1, 1)


def _bernoulli_gradient_by_tanh(d_ll: Array, x: Array, logits: Array) -> Array:
    return d_ll[:, None] * (x - 0.5 - 0.5 * np.tanh(logits / 2))


def _linear_by_einsum(d_a: Array, x: Array, W: Array) -> Triple:
    return np.einsum("io,jo->ij", d_a, W), np.einsum("ij,io->jo", x, d_a), np.ones(len(x)) @ d_a


def _linear_row_by_row(d_a: Array, x: Array, W: Array) -> Triple:
    d_x, d_W, d_b = np.zeros_like(x), np.zeros_like(W), np.zeros(W.shape[1])
    for i, row in enumerate(d_a):
        d_x[i] = W @ row
        d_W += np.outer(x[i], row)
        d_b += row
    return d_x, d_W, d_b


def _leaky_relu_by_factor(d_h: Array, a: Array) -> Array:
    return d_h * ((a > 0) + 0.01 * (a <= 0))


def _batch_norm_step_by_step(d_h: Array, a: Array, gamma: Array, epsilon: float) -> Triple:
    n = len(a)
    centered = a - a.sum(axis=0) / n
    var = (centered**2).sum(axis=0) / n
    s = np.sqrt(var + epsilon)
    d_u = d_h * gamma
    d_var = (d_u * centered).sum(axis=0) * -0.5 * s**-3
    d_mean = -(d_u / s).sum(axis=0) + d_var * -2 * centered.mean(axis=0)
    return d_u / s + d_var * 2 * centered / n + d_mean / n, (d_h * centered / s).sum(axis=0), d_h.sum(axis=0)


def _dropout_by_where(d_h: Array, mask: Array) -> Array:
    return np.where(mask > 0, d_h * mask.max(), 0.0)


# -------------------------------------------------------------------------------- Adam and delta


def _moments_by_increment(grad: Array, m: Array, v: Array, beta1: float, beta2: float) -> Pair:
    return m + (1 - beta1) * (grad - m), v + (1 - beta2) * (grad * grad - v)


def _bias_by_sums(m: Array, v: Array, t: int, beta1: float, beta2: float) -> Pair:
    weights = [sum((1 - beta) * beta**s for s in range(t)) for beta in (beta1, beta2)]
    return m / weights[0], v / weights[1]


def _delta_by_product(z_ctrl: Array, z_stim: Array) -> Array:
    sign = np.repeat([-1 / len(z_ctrl), 1 / len(z_stim)], [len(z_ctrl), len(z_stim)])
    return sign @ np.concatenate([z_ctrl, z_stim])


def _balanced_by_masks(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    shared = [t for t in np.unique(type_stim) if t in type_ctrl]
    member_1 = np.array([type_stim == t for t in shared], dtype=float)
    member_0 = np.array([type_ctrl == t for t in shared], dtype=float)
    mean_1 = member_1 @ z_stim / member_1.sum(axis=1, keepdims=True)
    mean_0 = member_0 @ z_ctrl / member_0.sum(axis=1, keepdims=True)
    return mean_1.mean(axis=0) - mean_0.mean(axis=0)


def _predict_cell_by_cell(z_ctrl: Array, delta: Array) -> Array:
    return np.array([delta + z for z in z_ctrl])


RIGHT = (
    Right("difference of the two expectations", "kl-closed", _kl_as_difference),
    Right("expm1 and products", "kl-closed", _kl_expm1),
    Right("two loops", "kl-closed", _kl_in_loops),
    Right("k times the mean", "kl-closed", _kl_mean_times_k),
    Right("squares completed in sigma", "kl-closed", _kl_by_square),
    Right("squared norms", "cross-entropy", _cross_entropy_by_norms),
    Right("log of sqrt(2 pi e) sigma", "neg-entropy", _entropy_of_each),
    Right("standardized", "gaussian-q", _density_standardized),
    Right("square multiplied out", "gaussian-q", _density_expanded),
    Right("squared norm of the residual", "gaussian-likelihood", _likelihood_by_norm),
    Right("log p and log(1 - p)", "bernoulli-likelihood", _bernoulli_by_probability),
    Right("one logaddexp", "bernoulli-likelihood", _bernoulli_by_logaddexp),
    Right("root of the variance", "reparam-gaussian", _sigma_by_root),
    Right(
        "every second dimension mirrored",
        "reparam-gaussian",
        _noise_mirrored_in_one_dimension,
        (),
        "The dimensions are independent, so each may have its own sign.",
    ),
    Right("product with weights 1/L", "mc-reconstruction", _average_by_product),
    Right("KL subtracted from every draw, then averaged", "mc-elbo", _kl_in_every_draw),
    Right("logaddexp minus log L", "iwae", _iwae_by_logaddexp),
    Right("log of the mean, nothing taken out", "iwae", _iwae_directly),
    Right("loop over the draws", "objective", _objective_in_a_loop),
    Right("sigma sinh(log sigma)", "grad-kl-log-var", _kl_gradient_by_sinh),
    Right("through d_sigma", "grad-kl-mu", _kl_gradient_through_sigma),
    Right("d_z (z - mu) / 2", "grad-reparam-log-var", _sample_gradient_through_z),
    Right("through sigma and the variance", "grad-reparam-mu", _sample_gradient_through_sigma),
    Right("one bracket", "grad-heads-add", _heads_in_one_bracket),
    Right("minus (x_hat - x)", "grad-likelihood", _likelihood_gradient_minus),
    Right("sigmoid as a tanh", "grad-bernoulli-likelihood", _bernoulli_gradient_by_tanh),
    Right("einsum", "grad-linear", _linear_by_einsum),
    Right("row by row", "grad-linear", _linear_row_by_row),
    Right("factor 1 or 0.01", "grad-leaky-relu", _leaky_relu_by_factor),
    Right("through variance and mean, one at a time", "grad-batch-norm", _batch_norm_step_by_step),
    Right("where kept", "grad-dropout", _dropout_by_where),
    Right("increments", "adam-moments", _moments_by_increment),
    Right("sum of the weights", "adam-bias", _bias_by_sums),
    Right("one product with signed weights", "delta", _delta_by_product),
    Right("means by products with membership", "delta-balanced", _balanced_by_masks),
    Right("cell by cell", "delta-predict", _predict_cell_by_cell),
)
