"""What a reader of an interactive page sees: sliders are moved, and the numbers are those of vae_np.

Each check takes a page of a browser that holds one interactive figure, wherever it was built.
"""

import json
import re
from functools import cache
from importlib.resources import files

import numpy as np
from small_decoder import predicted_means, shown, trained

from vae_np.book.decoder import HELD_OUT, decoder_script
from vae_np.elbo.gaussian import kl_standard_normal
from vae_np.elbo.reparameterize import reparameterize, reparameterize_backward
from vae_np.verify import oracle

STATIC = files("vae_np") / "book" / "static"


@cache
def script(name):
    """Text of a script of the pages; the decoder is trained for it."""
    return decoder_script() if name == "decoder" else (STATIC / f"{name}.js").read_text("utf-8")


def set_slider(page, name, value):
    page.locator(f'[data-control="{name}"]').evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", str(value)
    )


def shows(page, expected, digits):
    """Every number on the page is the expected one, rounded."""
    for name, value in expected.items():
        text = page.locator(f'output[data-value="{name}"]').inner_text()
        assert abs(float(text) - value) <= 0.5 * 10.0**-digits + 1e-12, (name, text, value)


def check_gaussian_kl(page):
    for mu, log_var in ((1.0, -1.0), (-2.5, 1.0), (0.0, 0.0), (3.0, -3.0)):
        set_slider(page, "mu", mu)
        set_slider(page, "log_var", log_var)
        kl = kl_standard_normal(np.array([mu]), np.array([log_var]))
        terms = {"kl_position": mu**2 / 2, "kl_log_variance": -log_var / 2, "kl": kl}
        terms |= {"kl_variance": (np.exp(log_var) - 1) / 2}
        terms |= {"sigma": np.exp(log_var / 2), "variance": np.exp(log_var)}
        shows(page, terms, 4)
    page.locator('[data-action="to_prior"]').click()
    shows(page, {"kl": 0, "mu": 0, "log_var": 0}, 2)


def page_noise():
    """The noise that the page claims to have drawn with NumPy."""
    numbers = re.search(r"const EPS = (\[.*?\n  \]);", script("reparameterization"), re.DOTALL)[1]
    return np.array(json.loads(re.sub(r",\s*\]$", "]", numbers)))


def check_reparameterization(page):
    eps, target = page_noise(), np.array([2.0, -1.0])
    for mu, log_var in (([-1, 1], [0.5, -1]), ([2, -2], [0.2, -4]), ([0.3, -0.7], [0, 0])):
        for j in (0, 1):
            set_slider(page, f"mu_{j + 1}", mu[j])
            set_slider(page, f"log_var_{j + 1}", log_var[j])
        m, v = np.array([mu], float), np.array([log_var], float)
        z = reparameterize(m, v, eps[:, None, :])
        d_mu, d_log_var = reparameterize_backward((z - target) / len(eps), v, eps[:, None, :])
        columns = {"mean": m[0], "sd": np.exp(v[0] / 2), "sample_mean": z[:, 0].mean(axis=0)}
        columns |= {"sample_sd": z[:, 0].std(axis=0, ddof=1), "exact_d_mu": m[0] - target}
        columns |= {"cloud_d_mu": d_mu[0], "cloud_d_log_var": d_log_var[0]}
        columns |= {"exact_d_log_var": np.exp(v[0]) / 2}
        shows(page, {f"{name}_{j + 1}": column[j] for name, column in columns.items() for j in (0, 1)}, 3)
    before = m[0] - 0.3 * d_mu[0]
    page.locator('[data-action="step"]').click()
    shows(page, {"mean_1": before[0], "mean_2": before[1]}, 3)


def exact_elbo(x, w, variance, mu, log_var):
    """All parts from the oracle of the linear-Gaussian model, one number each."""
    model = oracle.LinearGaussian(np.array([[w]]), np.zeros(1), variance)
    cell, q = np.array([[x]]), (np.array([[mu]]), np.array([[log_var]]))
    mean, covariance = oracle.linear_gaussian_posterior(model, cell)
    return {
        "evidence": oracle.linear_gaussian_evidence(model, cell)[0],
        "reconstruction": oracle.expected_log_likelihood(model, cell, *q)[0],
        "elbo": oracle.linear_gaussian_elbo(model, cell, *q)[0],
        "kl": kl_standard_normal(*q)[0],
        "gap": oracle.kl_to_posterior(*q, mean, covariance)[0],
        "mean": mean[0, 0],
        "log_var": np.log(covariance[0, 0]),
    }


def check_posterior_gap(page):
    names = ("x", "w", "variance", "mu", "log_var")
    for point in ((2.0, 1.0, 1.0, 0.0, 0.0), (-3.0, -2.0, 0.2, 3.5, -4.0), (1.5, 0.0, 0.4, 0.5, 2.0)):
        for name, value in zip(names, point, strict=True):
            set_slider(page, name, value)
        exact = exact_elbo(*point)
        shown = {name: exact[name] for name in ("evidence", "reconstruction", "elbo", "gap")}
        shows(page, shown | {"minus_kl": -exact["kl"], "posterior_mean": exact["mean"]}, 4)
    page.locator('[data-action="to_posterior"]').click()
    moved = {"gap": 0, "elbo": exact["evidence"], "evidence": exact["evidence"], "q_mean": exact["mean"]}
    shows(page, moved | {"q_sd": np.exp(exact["log_var"] / 2)}, 4)


def check_latent_shift(page):
    genes = trained().record()["genes"]
    for cell_type, share in ((HELD_OUT, 1.0), ("type 1", -0.5), ("type 3", 0.25)):
        page.locator('[data-control="cell_type"]').select_option(cell_type)
        set_slider(page, "share", share)
        mean, _ = predicted_means(cell_type, share)
        stimulated = trained().cells(cell_type, stimulated=True).mean(axis=0, dtype=float)[shown()]
        shows(page, dict(zip(genes, mean, strict=True)), 2)
        shows(page, {"distance": np.sqrt(np.mean((mean - stimulated) ** 2))}, 3)
    page.locator('[data-action="whole"]').click()
    shows(page, dict(zip(genes, predicted_means("type 3", 1.0)[0], strict=True)), 2)


CHECKS = {
    "gaussian_kl": check_gaussian_kl,
    "reparameterization": check_reparameterization,
    "posterior_gap": check_posterior_gap,
    "latent_shift": check_latent_shift,
}
