"""What has been reported as a bug and is none."""

import math

import numpy as np

from vae_np.verify.mutants.record import Array, Right, Triple


def _minus_noise(mu: Array, log_var: Array, eps: Array) -> Array:
    return mu - np.exp(0.5 * log_var) * eps


def _minus_half(mu: Array, log_var: Array) -> Array:
    return -0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(axis=-1)


def _log_sigma_without_half(mu: Array, log_var: Array) -> Array:
    sigma = np.exp(log_var / 2)
    return (-np.log(sigma) + (sigma**2 + mu**2) / 2 - 0.5).sum(axis=1)


def _minus_the_loss(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    nll = 0.5 * (np.log(2 * np.pi * variance) + (x - x_hat) ** 2 / variance).sum(axis=2).mean(axis=0)
    kld = -0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(axis=1)
    return -(nll + kld)


def _mse_times_genes(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    mse = ((x - x_hat) ** 2).mean(axis=(0, 2))
    constant = np.log(2 * np.pi * variance)
    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    return -0.5 * x.shape[1] * (mse / variance + constant) - kl


def _folded_correction(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    root = math.sqrt(1 - beta2**t)
    return theta - lr * root / (1 - beta1**t) * m / (np.sqrt(v) + epsilon * root), m, v


RIGHT = (
    Right(
        "mu - sigma * eps",
        "reparam-gaussian",
        _minus_noise,
        ("a frequent question",),
        "The noise has a symmetric law, so z has the same one; only the gradient must have the same minus.",
    ),
    Right(
        "-0.5 * sum(1 + log_var - mu^2 - exp(log_var))",
        "kl-closed",
        _minus_half,
        ("pytorch/examples #298", "pytorch/examples #824", "PyTorch-VAE #69", "textvae #4"),
        "The minus is inside: the bracket is -2 KL, so the value is the KL itself, to be added to a loss.",
    ),
    Right(
        "-log sigma, without a half",
        "kl-closed",
        _log_sigma_without_half,
        ("improved-diffusion #119",),
        "log sigma^2 / 2 is log sigma: half of one is the whole of the other.",
    ),
    Right(
        "minus (reconstruction loss + KL)",
        "objective",
        _minus_the_loss,
        ("pytorch/examples #298", "wiseodd/generative-models #43", "keras #6500"),
        "The loss is minus the ELBO: in it both terms have a plus.",
    ),
    Right(
        "number of genes times the mean squared error",
        "objective",
        _mse_times_genes,
        ("keras #7404",),
        "The factor turns the mean over genes back into the sum.",
    ),
    Right(
        "bias corrections folded into the step size",
        "adam-step",
        _folded_correction,
        ("caffe #4224",),
        "m_hat / (sqrt(v_hat) + epsilon) times sqrt(1 - beta2^t) above and below; epsilon must take part.",
    ),
)
