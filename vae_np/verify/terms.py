"""The terms that a wrong formula may be made of, equation by equation.

For one set of arguments a dictionary gives the value of every candidate term, in the shape of the output:
monomials in the quantities of the formula, summed or averaged as outputs are, and, where formulas are no
sums of monomials (Adam, batch norm, delta), the known wrong readings. A term's name is what the
explainer writes: j counts latent dimensions, g genes, l draws, i cells.
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np

Terms = dict[str, np.ndarray]
Group = list[tuple[str, Any]]
Dictionary = Callable[..., list[Terms]]
LOG_2PI = np.log(2 * np.pi)


# ------------------------------------------------------------------------------------- monomials


def powers(name: str, x: Any, exponents: Iterable[int]) -> Group:  # noqa: ANN401
    """Several powers of a quantity, named ``x_j^2`` and the like."""
    return [
        (name if p == 1 else f"{name}^{p}" if p > 0 else f"1/{name}^{-p}" if p < -1 else f"1/{name}", x**p)
        for p in exponents
    ]


def sigmas(log_var: np.ndarray) -> Group:
    """Powers of sigma = exp(log_var / 2), from 1/sigma^4 to sigma^4, and its root."""
    whole = powers("sigma_j", np.exp(log_var / 2), (1, 2, 3, 4, -1, -2, -3, -4))
    return [*whole, ("sqrt(sigma_j)", np.exp(log_var / 4))]


def logs(log_var: np.ndarray) -> Group:
    """The logarithm of sigma^2 and its square."""
    return [("log sigma_j^2", log_var), ("(log sigma_j^2)^2", log_var**2)]


def monomials(*groups: Group, most: int = 2) -> Terms:
    """Products of at most one factor a group and at most `most` factors in all; the empty one is 1."""
    terms: Terms = {}
    for factors in product(*([("", None), *group] for group in groups)):
        chosen = [(name, value) for name, value in factors if value is not None]
        if len(chosen) <= most:
            name, value = " ".join(name for name, _ in chosen) or "1", np.ones(())
            for _, factor in chosen:
                value = value * factor
            terms[name] = value
    return terms


def reduced(terms: Terms, like: np.ndarray, index: str, scales: dict[str, float]) -> Terms:
    """Sum every term over the last axis of `like`, plainly and times each of the scales."""
    sums: Terms = {}
    for name, value in terms.items():
        total = (value if value.shape[-1:] == like.shape[-1:] else value * np.ones_like(like)).sum(axis=-1)
        for scale, factor in {"": 1.0, **scales}.items():
            sums[f"{scale}sum_{index} {name}"] = factor * total
    return sums


def over_cells(value: np.ndarray) -> np.ndarray:
    """The sum over all cells in the place of each cell's own value."""
    return np.full(len(value), value.sum())


def scaled(terms: Terms, scales: dict[str, float]) -> Terms:
    """Every term plainly and times each of the scales."""
    return {
        f"{scale}{name}": factor * value
        for name, value in terms.items()
        for scale, factor in {"": 1.0, **scales}.items()
    }


# --------------------------------------------------------------------------- densities, KL, sampling


def _means(like: np.ndarray, index: str) -> dict[str, float]:
    """1/(number of entries) turns the sum over the last axis into a mean; 1/n averages over cells too."""
    return {f"1/({'k' if index == 'j' else 'd'}) ": 1 / like.shape[-1], "1/n ": 1 / like.shape[-2]}


def q_terms(mu: np.ndarray, log_var: np.ndarray) -> Terms:
    """Monomials in mu, sigma and log sigma^2."""
    magnitude: Group = [*powers("mu_j", mu, (1, 2, 3, 4)), ("|mu_j|", np.abs(mu))]
    return monomials(magnitude, sigmas(log_var), logs(log_var))


def _of_q(mu: np.ndarray, log_var: np.ndarray) -> list[Terms]:
    terms = reduced(q_terms(mu, log_var), mu, "j", _means(mu, "j"))
    pooled = ("sum_j mu_j^2", "sum_j sigma_j^2", "sum_j 1", "sum_j log sigma_j^2")
    cells = {f"sum over cells of {name}": over_cells(terms[name]) for name in pooled}
    return [{"1": np.ones(len(mu)), "k": np.full(len(mu), mu.shape[1]), **terms, **cells}]


def _of_log_var(log_var: np.ndarray) -> list[Terms]:
    return _of_q(np.zeros_like(log_var), log_var)


def _of_log_q(z: np.ndarray, mu: np.ndarray, log_var: np.ndarray) -> list[Terms]:
    place: Group = [
        *powers("(z_j - mu_j)", z - mu, (1, 2, 3, 4)),
        ("|z_j - mu_j|", np.abs(z - mu)),
        *powers("z_j", z, (1, 2, 3, 4)),
        *powers("mu_j", mu, (1, 2, 3, 4)),
        ("z_j mu_j", z * mu),
        *powers("(z_j + mu_j)", z + mu, (1, 2)),
        ("z_j^2 mu_j^2", (z * mu) ** 2),
        ("(z_j / mu_j)^2", (z / mu) ** 2),
    ]
    terms = monomials(place, sigmas(log_var), logs(log_var))
    return [{"1": np.ones(len(mu)), **reduced(terms, mu, "j", _means(mu, "j"))}]


def _of_sample(mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> list[Terms]:
    place: Group = [*powers("mu_j", mu, (1, 2)), ("exp(mu_j/2)", np.exp(mu / 2))]
    spread = powers("eps_j", eps, (1, 2, -1))
    return [monomials(place, sigmas(log_var), logs(log_var)[:1], spread, most=3)]


# ----------------------------------------------------------------------------------- likelihoods


def data_terms(x: np.ndarray, x_hat: np.ndarray) -> Group:
    """What compares x with x_hat."""
    return [
        *powers("(x_g - xhat_g)", x - x_hat, (1, 2, 3, 4)),
        ("|x_g - xhat_g|", np.abs(x - x_hat)),
        *powers("(x_g + xhat_g)", x + x_hat, (1, 2)),
        *powers("x_g", x, (1, 2, 4)),
        *powers("xhat_g", x_hat, (1, 2, 4)),
        ("x_g xhat_g", x * x_hat),
        ("x_g^2 xhat_g^2", (x * x_hat) ** 2),
        ("(x_g / xhat_g)^2", (x / x_hat) ** 2),
    ]


def variance_terms(variance: float) -> Group:
    """Functions of the decoder's variance v."""
    return [
        *powers("v", variance, (1, 2, -1, -2)),
        ("sqrt v", variance**0.5),
        ("1/sqrt v", variance**-0.5),
        ("log v", np.log(variance)),
        ("log(1+v)", np.log1p(variance)),
    ]


def _of_gaussian(x: np.ndarray, x_hat: np.ndarray, variance: float) -> list[Terms]:
    terms = monomials(data_terms(x, x_hat), variance_terms(variance))
    return [
        {
            "1": np.ones(len(x)),
            **scaled(monomials(variance_terms(variance)), {}),
            **reduced(terms, x, "g", _means(x, "g")),
        }
    ]


def _of_gaussian_gradient(d_ll: np.ndarray, x: np.ndarray, x_hat: np.ndarray, variance: float) -> list[Terms]:
    weight: Group = powers("d_ll", d_ll[:, None], (1, 2, -1))
    terms = monomials(weight, data_terms(x, x_hat), variance_terms(variance), most=3)
    return [scaled(terms, {"1/n ": 1 / len(x), "1/(d) ": 1 / x.shape[1]})]


def coin_terms(x: np.ndarray, logits: np.ndarray) -> Group:
    """Functions of binary data and log odds."""
    p = 1 / (1 + np.exp(-logits))
    softplus = np.logaddexp(0, logits)
    return [
        ("a_g", logits),
        ("x_g", x),
        ("x_g a_g", x * logits),
        ("log(1+e^a_g)", softplus),
        ("log(1+e^-a_g)", softplus - logits),
        ("x_g log(1+e^a_g)", x * softplus),
        ("a_g log(1+e^a_g)", logits * softplus),
        ("x_g a_g log(1+e^a_g)", x * logits * softplus),
        ("p_g", p),
        ("x_g p_g", x * p),
        ("p_g^2", p**2),
        ("p_g (1-p_g)", p * (1 - p)),
        ("a_g^2", logits**2),
        ("x_g / p_g", x / p),
        ("(x_g - p_g)^2", (x - p) ** 2),
        ("x_g / a_g", x / logits),
        ("log(1+e^p_g)", np.log1p(np.exp(p))),
        ("(1-x_g) / (1-p_g)", (1 - x) / (1 - p)),
        ("(x_g - p_g) p_g (1-p_g)", (x - p) * p * (1 - p)),
    ]


def _of_bernoulli(x: np.ndarray, logits: np.ndarray) -> list[Terms]:
    return [
        {"1": np.ones(len(x)), **reduced(monomials(coin_terms(x, logits), most=1), x, "g", _means(x, "g"))}
    ]


def _of_bernoulli_gradient(d_ll: np.ndarray, x: np.ndarray, logits: np.ndarray) -> list[Terms]:
    weight: Group = powers("d_ll", d_ll[:, None], (1, 2, -1))
    terms = monomials(weight, coin_terms(x, logits))
    return [scaled(terms, {"1/n ": 1 / len(x), "1/(d) ": 1 / x.shape[1]})]


# ------------------------------------------------------------------------------- Monte Carlo, ELBO


def draw_terms(log_lik: np.ndarray, name: str) -> Terms:
    """What can be made of L values a cell."""
    n_draws = len(log_lik)
    total, largest = log_lik.sum(axis=0), log_lik.max(axis=0)
    return {
        f"mean_l {name}": total / n_draws,
        f"sum_l {name}": total,
        f"1/(L-1) sum_l {name}": total / (n_draws - 1),
        f"1/(L+1) sum_l {name}": total / (n_draws + 1),
        f"1/n mean_l {name}": total / n_draws / log_lik.shape[1],
        f"median_l {name}": np.median(log_lik, axis=0),
        f"max_l {name}": largest,
        f"min_l {name}": log_lik.min(axis=0),
        f"the first draw's {name}": log_lik[0],
        f"the last draw's {name}": log_lik[-1],
        f"sum_l ({name})^2": (log_lik**2).sum(axis=0),
        f"mean_l exp({name})": np.exp(log_lik).mean(axis=0),
        f"sum_l exp({name})": np.exp(log_lik).sum(axis=0),
        f"log sum_l exp({name})": largest + np.log(np.exp(log_lik - largest).sum(axis=0)),
        "1": np.ones(log_lik.shape[1]),
        "L": np.full(log_lik.shape[1], float(n_draws)),
        "log L": np.full(log_lik.shape[1], np.log(n_draws)),
    }


def _of_draws(log_lik: np.ndarray) -> list[Terms]:
    return [draw_terms(log_lik, "log p(x|z_l)")]


def _of_weights(log_w: np.ndarray) -> list[Terms]:
    return [draw_terms(log_w, "log w_l")]


def kl_scales(n_draws: int, n: int) -> dict[str, float]:
    """Factors that a KL is wrongly given."""
    return {"1/L ": 1 / n_draws, "L ": n_draws, "1/n ": 1 / n}


def _of_elbo(log_lik: np.ndarray, kl: np.ndarray) -> list[Terms]:
    scales = kl_scales(*log_lik.shape)
    return [
        {
            **draw_terms(log_lik, "log p(x|z_l)"),
            **scaled({"KL": kl, "KL^2": kl**2}, scales),
            "KL mean_l log p(x|z_l)": kl * log_lik.mean(axis=0),
        }
    ]


def _of_objective(
    x: np.ndarray, x_hat: np.ndarray, mu: np.ndarray, log_var: np.ndarray, variance: float
) -> list[Terms]:
    n_draws, n, d = x_hat.shape
    comparison: Group = [
        *powers("(x_g - xhat_g)", x - x_hat, (1, 2, 4)),
        ("|x_g - xhat_g|", np.abs(x - x_hat)),
    ]
    per_draw = reduced(monomials(comparison, variance_terms(variance)), x_hat, "g", {"1/(d) ": 1 / d})
    data: Terms = {}
    for name, value in per_draw.items():
        value = np.broadcast_to(value, (n_draws, n))
        data |= {
            f"mean_l {name}": value.mean(axis=0),
            f"sum_l {name}": value.sum(axis=0),
            f"1/n mean_l {name}": value.mean(axis=0) / n,
            f"the first draw's {name}": value[0],
        }
    small = monomials(
        [*powers("mu_j", mu, (1, 2)), ("|mu_j|", np.abs(mu))], sigmas(log_var)[:6], logs(log_var)[:1], most=1
    )
    prior = reduced(small, mu, "j", {"1/(k) ": 1 / mu.shape[1], **kl_scales(n_draws, n)})
    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    log_lik = -0.5 * (LOG_2PI + np.log(variance) + (x - x_hat) ** 2 / variance).sum(axis=-1)
    whole = scaled({"KL": kl}, {**kl_scales(n_draws, n), "1/(k) ": 1 / mu.shape[1]})
    whole |= {"1/(d) mean_l log p(x|z_l)": log_lik.mean(axis=0) / d}
    return [{"1": np.ones(n), **whole, **draw_terms(log_lik, "log p(x|z_l)"), **data, **prior}]


# ------------------------------------------------------------------------------------- gradients


def _of_kl_gradient(d_kl: np.ndarray, mu: np.ndarray, log_var: np.ndarray) -> list[Terms]:
    n, k = mu.shape
    weight: Group = powers("d_kl", d_kl[:, None], (1, 2, -1))
    magnitude: Group = [*powers("mu_j", mu, (1, 2, -1)), ("|mu_j|", np.abs(mu))]
    terms = scaled(
        monomials(weight, magnitude, sigmas(log_var), logs(log_var), most=3), {"1/n ": 1 / n, "1/(k) ": 1 / k}
    )
    return [terms, terms]


def _of_sample_gradient(d_z: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> list[Terms]:
    n, k = eps.shape
    terms = monomials(
        powers("d_z", d_z, (1, 2, -1)),
        sigmas(log_var),
        logs(log_var),
        powers("eps_j", eps, (1, 2, -1)),
        most=3,
    )
    terms = scaled(terms, {"1/n ": 1 / n, "1/(k) ": 1 / k})
    return [terms, terms]


def _of_heads(
    d_z: np.ndarray, d_kl: np.ndarray, mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray
) -> list[Terms]:
    n, k = mu.shape
    sample = monomials(
        powers("d_z", d_z, (1,)), sigmas(log_var), logs(log_var)[:1], powers("eps_j", eps, (1, 2)), most=3
    )
    prior = monomials(
        powers("d_kl", d_kl[:, None], (1,)),
        powers("mu_j", mu, (1, 2)),
        sigmas(log_var),
        logs(log_var)[:1],
        most=3,
    )
    both = {"d_z d_kl mu_j": d_z * d_kl[:, None] * mu}
    terms = scaled({**sample, **prior, **both}, {"1/n ": 1 / n, "1/(k) ": 1 / k})
    return [terms, terms]


def _of_linear(d_a: np.ndarray, x: np.ndarray, W: np.ndarray) -> list[Terms]:
    n, k, d = *d_a.shape, x.shape[1]
    to_x = {
        "d_a W^T": d_a @ W.T,
        "x": x,
        "sum_o d_a": np.repeat(d_a.sum(axis=1, keepdims=True), d, axis=1),
        "1": np.ones((n, d)),
        "|d_a| |W|^T": np.abs(d_a) @ np.abs(W).T,
        "d_a (W^2)^T": d_a @ (W**2).T,
    }
    to_W = {
        "x^T d_a": x.T @ d_a,
        "W": W,
        "sum_i d_a": np.repeat(d_a.sum(axis=0)[None], d, axis=0),
        "1": np.ones((d, k)),
        "(x^2)^T d_a": (x**2).T @ d_a,
        "mean_i x sum_i d_a": np.outer(x.mean(axis=0), d_a.sum(axis=0)),
    }
    to_b = {
        "sum_i d_a": d_a.sum(axis=0),
        "1": np.ones(k),
        "the first cell's d_a": d_a[0],
        "max_i d_a": d_a.max(axis=0),
        "sum_i d_a^2": (d_a**2).sum(axis=0),
        "sum_i sum_o d_a": np.full(k, d_a.sum()),
    }
    scales = {"1/n ": 1 / n, "1/(k) ": 1 / k, "1/(d) ": 1 / d}
    return [scaled(terms, scales) for terms in (to_x, to_W, to_b)]


def _of_leaky_relu(d_h: np.ndarray, a: np.ndarray) -> list[Terms]:
    side: Group = [
        ("[a > 0]", a > 0),
        ("[a <= 0]", a <= 0),
        ("[a = 0]", a == 0),
        ("[a < 0]", a < 0),
        ("[a > 1]", a > 1),
        ("[a > 0.01]", a > 0.01),
        ("[a > -1]", a > -1),
    ]
    return [monomials(side, powers("d_h", d_h, (1, 2, -1)), powers("a", a, (1,)), most=3)]


def _of_dropout(d_h: np.ndarray, mask: np.ndarray) -> list[Terms]:
    kept: Group = [
        ("mask", mask),
        ("[mask > 0]", (mask > 0) * 1.0),
        ("mask^2", mask**2),
        ("keep", np.full_like(mask, 1 / mask.max())),
    ]
    return [monomials(kept, powers("d_h", d_h, (1, 2)), most=3)]


def _of_batch_norm(d_h: np.ndarray, a: np.ndarray, gamma: np.ndarray, epsilon: float) -> list[Terms]:
    n = len(a)
    centered = a - a.mean(axis=0)
    to_a: Terms = {}
    for kind, var in {"": centered.var(axis=0), ", variance with n-1": centered.var(axis=0, ddof=1)}.items():
        for root, s in {
            "s": np.sqrt(var + epsilon),
            "sqrt(var)": np.sqrt(var),
            "s^2": var + epsilon,
            "(sqrt(var) + epsilon)": np.sqrt(var) + epsilon,
        }.items():
            u = centered / s
            for factor, g in {"gamma ": gamma, "": np.ones_like(gamma), "gamma^2 ": gamma**2}.items():
                d_u = d_h * g
                to_a |= {
                    f"{factor}d_h / {root}{kind}": d_u / s,
                    f"{factor}mean_i(d_h) / {root}{kind}": np.broadcast_to(d_u.mean(axis=0) / s, a.shape),
                    f"{factor}u mean_i(d_h u) / {root}{kind}": u * (d_u * u).mean(axis=0) / s,
                    f"{factor}mean_i(d_h u) / {root}{kind}": np.broadcast_to(
                        (d_u * u).mean(axis=0) / s, a.shape
                    ),
                    f"{factor}u mean_i(d_h) / {root}{kind}": u * d_u.mean(axis=0) / s,
                }
    to_a = scaled(to_a, {"n ": n, "1/n ": 1 / n})
    u = centered / np.sqrt(centered.var(axis=0) + epsilon)
    to_gamma = {
        "sum_i d_h u": (d_h * u).sum(axis=0),
        "sum_i d_h a": (d_h * a).sum(axis=0),
        "sum_i d_h": d_h.sum(axis=0),
        "sum_i d_h (a - mean)": (d_h * centered).sum(axis=0),
        "sum_i d_h u gamma": (d_h * u).sum(axis=0) * gamma,
        "sum_i d_h u / sqrt(var)": (d_h * centered / centered.std(axis=0)).sum(axis=0),
        "1": np.ones_like(gamma),
        "sum_i d_h u, variance with n-1": (
            d_h * centered / np.sqrt(centered.var(axis=0, ddof=1) + epsilon)
        ).sum(axis=0),
        "sum_i u": u.sum(axis=0),
        "sum_i d_h^2": (d_h**2).sum(axis=0),
        "sum_i u^2": (u**2).sum(axis=0),
    }
    scales = {"1/n ": 1 / n}
    to_beta = {
        "sum_i d_h": d_h.sum(axis=0),
        "sum_i d_h gamma": d_h.sum(axis=0) * gamma,
        "1": np.ones_like(gamma),
        "sum_i d_h u": (d_h * u).sum(axis=0),
        "sum_i d_h^2": (d_h**2).sum(axis=0),
    }
    return [to_a, scaled(to_gamma, scales), scaled(to_beta, scales)]


# ------------------------------------------------------------------------------------------ Adam


def moment_terms(name: str, grad: np.ndarray, old: np.ndarray, beta: float, other: float) -> Terms:
    """What a running moment may be updated with."""
    weights: Group = [
        ("beta", beta),
        ("(1-beta)", 1 - beta),
        ("the other beta", other),
        ("(1 - the other beta)", 1 - other),
        ("beta^2", beta**2),
    ]
    what: Group = [
        (name, old),
        ("g", grad),
        ("g^2", grad**2),
        ("|g|", np.abs(grad)),
        (f"{name}^2", old**2),
        (f"g {name}", grad * old),
        ("1", np.ones_like(old)),
        ("g^4", grad**4),
    ]
    return {f"{w} {t}".strip(): wv * tv for w, wv in [("", 1.0), *weights] for t, tv in what}


def _of_moments(grad: np.ndarray, m: np.ndarray, v: np.ndarray, beta1: float, beta2: float) -> list[Terms]:
    return [moment_terms("m", grad, m, beta1, beta2), moment_terms("v", grad, v, beta2, beta1)]


def corrections(beta: float, t: int, other: float) -> Group:
    """Factors that a moment may be multiplied with in place of 1/(1 - beta^t)."""
    rules = {
        "1/(1-beta^t)": 1 / (1 - beta**t),
        "1/(1-beta)": 1 / (1 - beta),
        "1/(1-beta^(t-1))": 1 / (1 - beta ** (t - 1)),
        "1/(1-beta^(t+1))": 1 / (1 - beta ** (t + 1)),
        "1/(1-beta^(2t))": 1 / (1 - beta ** (2 * t)),
        "(1-beta^t)": 1 - beta**t,
        "1/(1 - the other beta^t)": 1 / (1 - other**t),
        "1/(1-beta t)": 1 / (1 - beta * t),
        "1/(1+beta^t)": 1 / (1 + beta**t),
        "1/beta^t": beta**-t,
        "1/t": 1 / t,
        "1/(1-t)": 1 / (1 - t),
        "1/(2-beta^t)": 1 / (2 - beta**t),
        "1/(1/2-beta^t)": 1 / (0.5 - beta**t),
        "1/(1-beta)^t": (1 - beta) ** -t,
        "beta^t": beta**t,
        "(1-beta)": 1 - beta,
    }
    return list(rules.items())


def _of_bias(m: np.ndarray, v: np.ndarray, t: int, beta1: float, beta2: float) -> list[Terms]:
    def terms(name: str, x: np.ndarray, beta: float, other: float) -> Terms:
        kinds: Group = [
            (name, x),
            ("1", np.ones_like(x)),
            (f"{name}^2", x**2),
            (f"sqrt({name})", np.sqrt(np.abs(x))),
            (f"1/{name}", 1 / x),
        ]
        return {
            f"{t_name} {c_name}".strip(): tv * cv
            for t_name, tv in kinds
            for c_name, cv in [("", 1.0), *corrections(beta, t, other)]
        }

    return [terms("m", m, beta1, beta2), terms("v", v, beta2, beta1)]


def _of_adam(
    theta: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> list[Terms]:
    new_m, new_v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    means: Group = [(f"m {name}", new_m * factor) for name, factor in corrections(beta1, t, beta2)]
    means += [("m", new_m), ("g", grad), ("the old m 1/(1-beta^t)", m / (1 - beta1**t)), ("the old m", m)]
    squares = [(f"v {name}", new_v * factor) for name, factor in corrections(beta2, t, beta1)]
    squares += [
        ("v", new_v),
        ("the old v 1/(1-beta^t)", v / (1 - beta2**t)),
        ("the old v", v),
        ("g^2", grad**2),
    ]
    steps: Terms = {
        "theta": theta,
        "1": np.ones_like(theta),
        "lr": np.full_like(theta, lr),
        "lr g": lr * grad,
        "g": grad,
        "lr theta": lr * theta,
        "lr m 1/(1-beta^t)": lr * new_m / (1 - beta1**t),
    }
    with np.errstate(all="ignore"):
        for (m_name, m_hat), (v_name, v_hat) in product(means, squares):
            for d_name, denominator in {
                f"(sqrt({v_name}) + epsilon)": np.sqrt(v_hat) + epsilon,
                f"sqrt({v_name} + epsilon)": np.sqrt(v_hat + epsilon),
                f"({v_name} + epsilon)": v_hat + epsilon,
                f"sqrt({v_name})": np.sqrt(v_hat),
                f"(sqrt({v_name}) - epsilon)": np.sqrt(v_hat) - epsilon,
                f"(sqrt({v_name}) epsilon)": np.sqrt(v_hat) * epsilon,
                f"(sqrt({v_name}) + 2 epsilon)": np.sqrt(v_hat) + 2 * epsilon,
            }.items():
                steps[f"lr {m_name} / {d_name}"] = lr * m_hat / denominator
    first, second = _of_moments(grad, m, v, beta1, beta2)
    return [steps, first, second]


# ----------------------------------------------------------------------------------------- delta


def group_terms(z: np.ndarray, name: str) -> Terms:
    """What can stand for the place of a group of cells."""
    return {
        f"mean of {name}": z.mean(axis=0),
        f"median of {name}": np.median(z, axis=0),
        f"sum of {name}": z.sum(axis=0),
        f"max of {name}": z.max(axis=0),
        f"min of {name}": z.min(axis=0),
        f"first of {name}": z[0],
    }


def _of_delta(z_ctrl: np.ndarray, z_stim: np.ndarray) -> list[Terms]:
    everything = np.concatenate([z_ctrl, z_stim])
    return [
        {
            **group_terms(z_ctrl, "z_ctrl"),
            **group_terms(z_stim, "z_stim"),
            "mean of all cells": everything.mean(axis=0),
            "1": np.ones(z_ctrl.shape[1]),
        }
    ]


def _of_balanced_delta(
    z_ctrl: np.ndarray, z_stim: np.ndarray, type_ctrl: np.ndarray, type_stim: np.ndarray
) -> list[Terms]:
    shared = [t for t in np.unique(type_ctrl) if t in type_stim]
    terms: Terms = {"1": np.ones(z_ctrl.shape[1])}
    for name, z, types in (("z_ctrl", z_ctrl, type_ctrl), ("z_stim", z_stim, type_stim)):
        of_type = {t: z[types == t] for t in np.unique(types)}
        counts = {t: len(of_type[t]) for t in of_type}
        other = type_stim if name == "z_ctrl" else type_ctrl
        other_counts = {t: int((other == t).sum()) for t in shared}
        both = {t: counts[t] + other_counts[t] for t in shared}
        least = {t: min(counts[t], other_counts[t]) for t in shared}

        def weighted(weight: dict, of_type: dict = of_type) -> np.ndarray:
            return sum(weight[t] * of_type[t].mean(axis=0) for t in shared) / sum(weight[t] for t in shared)

        terms |= {
            f"mean over shared types of the mean of {name}": np.mean(
                [of_type[t].mean(axis=0) for t in shared], axis=0
            ),
            f"sum over shared types of the mean of {name}": np.sum(
                [of_type[t].mean(axis=0) for t in shared], axis=0
            ),
            f"median over shared types of the mean of {name}": np.median(
                [of_type[t].mean(axis=0) for t in shared], axis=0
            ),
            f"mean over shared types of the median of {name}": np.mean(
                [np.median(of_type[t], axis=0) for t in shared], axis=0
            ),
            f"mean over all its types of the mean of {name}": np.mean(
                [cells.mean(axis=0) for cells in of_type.values()], axis=0
            ),
            f"mean over shared types, weighted by their {name} cells, of the mean of {name}": weighted(
                counts
            ),
            f"mean over shared types, weighted by the others' cells, of the mean of {name}": weighted(
                other_counts
            ),
            f"mean over shared types, weighted by all their cells, of the mean of {name}": weighted(both),
            f"mean over shared types, weighted by the smaller count, of the mean of {name}": weighted(least),
            f"mean of all {name} cells": z.mean(axis=0),
            f"median of all {name} cells": np.median(z, axis=0),
            f"sum over types of the sum of {name}": z.sum(axis=0),
            **{
                f"mean of the {name} cells of the {i}. shared type": of_type[t].mean(axis=0)
                for i, t in enumerate(shared, 1)
            },
        }
    return [terms]


def _of_shift(z_ctrl: np.ndarray, delta: np.ndarray) -> list[Terms]:
    shift = np.broadcast_to(delta, z_ctrl.shape)
    terms = monomials(powers("z", z_ctrl, (1, 2, -1)), powers("delta", shift, (1, 2, -1)))
    return [{**terms, "mean of z_ctrl": np.broadcast_to(z_ctrl.mean(axis=0), z_ctrl.shape)}]


DICTIONARIES: dict[str, Dictionary] = {
    "gaussian-q": _of_log_q,
    "cross-entropy": _of_q,
    "neg-entropy": _of_log_var,
    "kl-closed": _of_q,
    "reparam-gaussian": _of_sample,
    "mc-reconstruction": _of_draws,
    "mc-elbo": _of_elbo,
    "objective": _of_objective,
    "gaussian-likelihood": _of_gaussian,
    "grad-likelihood": _of_gaussian_gradient,
    "bernoulli-likelihood": _of_bernoulli,
    "grad-bernoulli-likelihood": _of_bernoulli_gradient,
    "grad-linear": _of_linear,
    "grad-leaky-relu": _of_leaky_relu,
    "grad-batch-norm": _of_batch_norm,
    "grad-dropout": _of_dropout,
    "grad-reparam-mu": _of_sample_gradient,
    "grad-reparam-log-var": _of_sample_gradient,
    "grad-kl-mu": _of_kl_gradient,
    "grad-kl-log-var": _of_kl_gradient,
    "grad-heads-add": _of_heads,
    "adam-moments": _of_moments,
    "adam-bias": _of_bias,
    "adam-step": _of_adam,
    "delta": _of_delta,
    "delta-balanced": _of_balanced_delta,
    "delta-predict": _of_shift,
    "iwae": _of_weights,
}

# The right formula as coefficients of terms; a term that is not listed is expected to be 0.
Q = {"sum_j mu_j^2": 0.5, "sum_j sigma_j^2": 0.5, "sum_j 1": -0.5, "sum_j log sigma_j^2": -0.5}
EXPECTED: dict[str, tuple[dict[str, float], ...]] = {
    "gaussian-q": (
        {"sum_j 1": -LOG_2PI / 2, "sum_j log sigma_j^2": -0.5, "sum_j (z_j - mu_j)^2 1/sigma_j^2": -0.5},
    ),
    "cross-entropy": ({"sum_j 1": -LOG_2PI / 2, "sum_j mu_j^2": -0.5, "sum_j sigma_j^2": -0.5},),
    "neg-entropy": ({"sum_j 1": -(LOG_2PI + 1) / 2, "sum_j log sigma_j^2": -0.5},),
    "kl-closed": (Q,),
    "reparam-gaussian": ({"mu_j": 1.0, "sigma_j eps_j": 1.0},),
    "mc-reconstruction": ({"mean_l log p(x|z_l)": 1.0},),
    "mc-elbo": ({"mean_l log p(x|z_l)": 1.0, "KL": -1.0},),
    "objective": ({"mean_l log p(x|z_l)": 1.0, "KL": -1.0},),
    "gaussian-likelihood": (
        {"sum_g 1": -LOG_2PI / 2, "sum_g log v": -0.5, "sum_g (x_g - xhat_g)^2 1/v": -0.5},
    ),
    "grad-likelihood": ({"d_ll (x_g - xhat_g) 1/v": 1.0},),
    "bernoulli-likelihood": ({"sum_g x_g a_g": 1.0, "sum_g log(1+e^a_g)": -1.0},),
    "grad-bernoulli-likelihood": ({"d_ll x_g": 1.0, "d_ll p_g": -1.0},),
    "grad-linear": ({"d_a W^T": 1.0}, {"x^T d_a": 1.0}, {"sum_i d_a": 1.0}),
    "grad-leaky-relu": ({"[a > 0] d_h": 1.0, "[a <= 0] d_h": 0.01},),
    "grad-batch-norm": (
        {"gamma d_h / s": 1.0, "gamma mean_i(d_h) / s": -1.0, "gamma u mean_i(d_h u) / s": -1.0},
        {"sum_i d_h u": 1.0},
        {"sum_i d_h": 1.0},
    ),
    "grad-dropout": ({"mask d_h": 1.0},),
    **dict.fromkeys(("grad-reparam-mu", "grad-reparam-log-var"), ({"d_z": 1.0}, {"d_z sigma_j eps_j": 0.5})),
    **dict.fromkeys(
        ("grad-kl-mu", "grad-kl-log-var"), ({"d_kl mu_j": 1.0}, {"d_kl sigma_j^2": 0.5, "d_kl": -0.5})
    ),
    "grad-heads-add": (
        {"d_z": 1.0, "d_kl mu_j": 1.0},
        {"d_z sigma_j eps_j": 0.5, "d_kl sigma_j^2": 0.5, "d_kl": -0.5},
    ),
    "adam-moments": ({"beta m": 1.0, "(1-beta) g": 1.0}, {"beta v": 1.0, "(1-beta) g^2": 1.0}),
    "adam-bias": ({"m 1/(1-beta^t)": 1.0}, {"v 1/(1-beta^t)": 1.0}),
    "adam-step": (
        {"theta": 1.0, "lr m 1/(1-beta^t) / (sqrt(v 1/(1-beta^t)) + epsilon)": -1.0},
        {"beta m": 1.0, "(1-beta) g": 1.0},
        {"beta v": 1.0, "(1-beta) g^2": 1.0},
    ),
    "delta": ({"mean of z_stim": 1.0, "mean of z_ctrl": -1.0},),
    "delta-balanced": (
        {
            "mean over shared types of the mean of z_stim": 1.0,
            "mean over shared types of the mean of z_ctrl": -1.0,
        },
    ),
    "delta-predict": ({"z": 1.0, "delta": 1.0},),
    "iwae": ({"log sum_l exp(log w_l)": 1.0, "log L": -1.0},),
}
