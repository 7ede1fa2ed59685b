"""The formulas of the interactive pages compute what vae_np computes."""

import json
import re
from typing import NamedTuple

import numpy as np
import pytest
from sliders import exact_elbo, script
from small_decoder import U, float64_model, predicted_means, rounding, shown, trained

from vae_np.book.decoder import HELD_OUT
from vae_np.elbo.gaussian import kl_standard_normal, log_normal
from vae_np.elbo.reparameterize import reparameterize, reparameterize_backward
from vae_np.model import decode
from vae_np.scgen import delta_balanced
from vae_np.verify import oracle


class Sum(NamedTuple):
    """A sum of rounded terms in two orders: the value expected, and the sum of the terms' sizes."""

    value: np.ndarray
    size: np.ndarray

    def agrees(self, got, operations):
        """Each side is off by at most `operations` roundings of the sizes, exp and log counting as two."""
        error = np.abs(np.asarray(got) - self.value)
        bound = 2 * operations * U * self.size
        worst = np.argmax(error - bound)
        assert np.all(error <= bound), (error.flat[worst], np.broadcast_to(bound, error.shape).flat[worst])


@pytest.fixture(scope="module")
def mathematics(browser):
    """A page that knows the formulas, as `call(function, rows of arguments)`."""
    page = browser.new_page()
    page.add_script_tag(content=script("mathematics"))
    page.add_script_tag(content=script("decoder"))

    def call(function, rows):
        return page.evaluate(f"rows => rows.map((row) => vae.{function}(...row))", rows)

    call.page = page
    yield call
    page.close()


GRID = np.array([(m, v) for m in np.linspace(-3, 3, 13) for v in np.linspace(-4, 2, 13)])
MU, LOG_VAR = GRID.T
VAR = np.exp(LOG_VAR)


def field(results, *names):
    for name in names:
        results = [result[name] for result in results]
    return np.array(results)


def columns(*arrays):
    return np.column_stack(arrays).tolist()


def test_the_density(mathematics):
    z = np.linspace(-4, 4, len(GRID))
    got = np.array(mathematics("normalDensity", columns(z, MU, LOG_VAR)))
    expected = log_normal(z[:, None], MU[:, None], LOG_VAR[:, None])
    size = 1 + 0.5 * (oracle.LOG_2PI + np.abs(LOG_VAR) + (z - MU) ** 2 / VAR)
    Sum(np.exp(expected), np.exp(expected) * size).agrees(got, 12)


def test_the_terms_of_the_kl(mathematics):
    got = mathematics("klTerms", columns(MU, LOG_VAR))
    size = 0.5 * (MU**2 + VAR + 1 + np.abs(LOG_VAR))
    Sum(kl_standard_normal(MU[:, None], LOG_VAR[:, None]), size).agrees(field(got, "total"), 7)
    Sum(0.5 * MU**2, size).agrees(field(got, "position"), 2)
    Sum(0.5 * (VAR - 1), size).agrees(field(got, "variance"), 4)
    Sum(-0.5 * LOG_VAR, size).agrees(field(got, "logVariance"), 1)


def test_the_integrand_of_the_kl_adds_up_to_it(mathematics):
    """With 20 points a standard deviation of q, out to 12, the trapezoid rule is exact to rounding."""
    for mu, log_var in ((1.0, -1.0), (-2.5, 1.0), (3.0, -3.0)):
        sigma = np.exp(log_var / 2)
        z, step = np.linspace(mu - 12 * sigma, mu + 12 * sigma, 481, retstep=True)
        got = np.array(mathematics("klDensity", [[point, mu, log_var] for point in z]))
        kl = kl_standard_normal(np.array([mu]), np.array([log_var]))
        size = np.exp(log_normal(z[:, None], np.array([mu]), np.array([log_var])))
        size *= 0.5 * (z**2 + ((z - mu) / sigma) ** 2 + np.abs(log_var))
        Sum(kl, step * size.sum() * (1 + 0.5 * 12**2)).agrees(step * got.sum(), 12)


def test_the_reparameterization_and_its_gradient(mathematics, rng):
    eps = rng.standard_normal(len(GRID))
    z = reparameterize(MU[:, None], LOG_VAR[:, None], eps[:, None])[:, 0]
    size = np.abs(MU) + np.exp(LOG_VAR / 2) * np.abs(eps)
    Sum(z, size).agrees(mathematics("reparameterize", columns(MU, LOG_VAR, eps)), 5)

    n_draws = 9
    d_z, eps = rng.standard_normal((2, n_draws, len(GRID), 1))
    rows = [[d_z[:, i, 0].tolist(), LOG_VAR[i], eps[:, i, 0].tolist()] for i in range(len(GRID))]
    got = mathematics("reparameterizeBackward", rows)
    d_mu, d_log_var = reparameterize_backward(d_z, LOG_VAR[:, None], eps)
    Sum(d_mu[:, 0], np.abs(d_z).sum(axis=0)[:, 0]).agrees(field(got, "mu"), n_draws)
    size = 0.5 * np.exp(LOG_VAR / 2) * np.abs(d_z * eps).sum(axis=0)[:, 0]
    Sum(d_log_var[:, 0], size).agrees(field(got, "log_var"), n_draws + 5)


def test_the_moments_of_a_cloud(mathematics, rng):
    values = rng.normal(1.0, 2.0, (20, 40))
    got = mathematics("moments", [[row.tolist()] for row in values])
    size = np.abs(values).sum(axis=1)
    Sum(values.mean(axis=1), size / 40).agrees(field(got, "mean"), 41)
    # each deviation is off by 41 roundings of the mean's size at most, and so is their root mean square
    sd = values.std(axis=1, ddof=1)
    Sum(sd, sd + size / 40).agrees(field(got, "sd"), 41 + 41)


def test_the_gradient_through_the_cloud_averages_to_the_exact_one(mathematics):
    """The cloud -1, 1 has the moments of N(0, 1) up to the third, so its average is the expectation."""
    rows = [[2.0, mu, log_var, [-1.0, 1.0]] for mu, log_var in GRID]
    got = mathematics("squareGradients", rows)
    size = np.abs(MU) + 2 + np.exp(LOG_VAR / 2) * (1 + np.abs(MU - 2)) + VAR
    Sum(MU - 2, size).agrees(field(got, "cloud", "mu"), 9)
    Sum(MU - 2, size).agrees(field(got, "exact", "mu"), 1)
    Sum(VAR / 2, size).agrees(field(got, "cloud", "log_var"), 14)
    Sum(VAR / 2, size).agrees(field(got, "exact", "log_var"), 3)


def elbo_grid(rng):
    x, w, variance = rng.uniform(-3, 3, 200), rng.uniform(-2, 2, 200), rng.uniform(0.2, 2, 200)
    return x, w, variance, rng.uniform(-3, 3, 200), rng.uniform(-4, 2, 200)


def test_the_parts_of_the_elbo(mathematics, rng):
    points = elbo_grid(rng)
    x, w, variance, mu, log_var = points
    got = mathematics("elboParts", columns(*points))
    expected = [exact_elbo(*point) for point in zip(*points, strict=True)]
    M, var = w**2 + variance, np.exp(log_var)
    kl = 0.5 * (mu**2 + var + 1 + np.abs(log_var))
    evidence = 0.5 * (oracle.LOG_2PI + np.abs(np.log(M)) + 1 + x**2 / M)
    square = (np.abs(x) + np.abs(w * mu)) ** 2 + w**2 * var
    reconstruction = 0.5 * (oracle.LOG_2PI + np.abs(np.log(variance)) + 1 + square / variance)
    apart = (np.abs(mu) + np.abs(w * x) / M) ** 2
    gap = 0.5 * ((var + apart) * M / variance + 2 + np.abs(np.log(variance / M)) + np.abs(log_var))
    sizes = {"evidence": evidence, "reconstruction": reconstruction, "kl": kl, "gap": gap}
    sizes["elbo"] = reconstruction + kl
    for name, size in sizes.items():
        Sum(field(expected, name), size).agrees(field(got, name), 24)
    Sum(field(expected, "mean"), np.abs(w * x) / M).agrees(field(got, "posterior", "mu"), 8)
    size = 1 + np.abs(np.log(variance / M))
    Sum(field(expected, "log_var"), size).agrees(field(got, "posterior", "log_var"), 8)
    bound_and_gap = field(got, "elbo") + field(got, "gap")
    Sum(field(got, "evidence"), evidence + gap + sizes["elbo"]).agrees(bound_and_gap, 26)


def test_the_decoder_in_evaluation_mode(mathematics, rng):
    params, stats = float64_model()
    z = 2 * rng.standard_normal((100, params.sizes.n_latent))
    got = mathematics.page.evaluate("rows => rows.map((z) => vae.decode(vaeDecoder, z))", z.tolist())
    expected = decode(params, stats, z)[0][:, shown()]
    error, bound = np.abs(np.array(got) - expected), rounding(params, stats, z)[:, shown()]
    assert np.all(error <= bound)
    assert bound.max() < 1e-12


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.35, 1.0, 1.5])
def test_the_shifted_mean(mathematics, share):
    for position, cell_type in enumerate(sorted(set(trained().cell_type))):
        code = "([i, share]) => vae.shiftedMean(vaeDecoder, vaeDecoder.cellTypes[i], share)"
        got = mathematics.page.evaluate(code, [position, share])
        mean, bound = predicted_means(cell_type, share)
        assert np.all(np.abs(np.array(got) - mean) <= bound)


def test_the_distance(mathematics, rng):
    a, b = rng.standard_normal((2, 12))
    expected = np.linalg.norm(a - b) / np.sqrt(12)
    size = np.sqrt(np.mean((np.abs(a) + np.abs(b)) ** 2))
    Sum(expected, size).agrees(mathematics("distance", [[a.tolist(), b.tolist()]])[0], 18)


def test_the_decoder_script_is_the_model_exactly_and_the_same_every_time():
    record = json.loads(re.fullmatch(r"window\.vaeDecoder = (.*);\n", script("decoder"))[1])
    assert record == trained().record()  # trained once more
    params, stats = trained().model.params, trained().model.stats
    assert np.array_equal(record["output"]["W"], params.output.W[:, shown()])
    assert np.array_equal(record["blocks"][0]["var"], stats.decoder[0].var)
    assert [t["name"] for t in record["cellTypes"] if t["heldOut"]] == [HELD_OUT]


def test_delta_is_the_balanced_one_of_the_types_seen_in_both_conditions():
    cells, cell_type = trained(), trained().cell_type
    z = cells.model.encode(cells.x).astype(float)
    control, stimulated = ((cell_type != HELD_OUT) & (cells.stimulated == moved) for moved in (False, True))
    expected = delta_balanced(z[control], z[stimulated], cell_type[control], cell_type[stimulated])
    # means of some hundred float32 numbers, added pairwise
    bound = 20 * np.finfo(np.float32).eps * np.abs(z).max(axis=0)
    assert np.all(np.abs(cells.delta() - expected) <= bound)


def test_the_hidden_cells_are_not_in_training_and_the_shift_helps_to_find_them():
    known = {*zip(trained().cell_type, trained().stimulated, strict=True)} - {(HELD_OUT, True)}
    model = trained().model
    n_seen = sum(len(trained().cells(*group)) for group in known)
    assert model.fitted.reference.z.shape[0] == n_seen
    stimulated = trained().cells(HELD_OUT, stimulated=True).mean(axis=0)[shown()]
    without, whole = (predicted_means(HELD_OUT, share)[0] for share in (0.0, 1.0))
    assert np.linalg.norm(whole - stimulated) < 0.5 * np.linalg.norm(without - stimulated)


# What a reader sees: these checks take a page that holds one interactive figure, wherever it was built.
