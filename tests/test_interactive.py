"""The interactive pages compute what vae_np computes: formulas on a grid, numbers behind the sliders."""

import json
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import pytest

from vae_np.book.decoder import HELD_OUT, decoder_record, decoder_script, shared_delta, train_decoder
from vae_np.book.places import derivation_folder
from vae_np.elbo.gaussian import kl_standard_normal, log_normal
from vae_np.elbo.reparameterize import reparameterize, reparameterize_backward
from vae_np.model import Params, Stats, decode
from vae_np.scgen import decoded_change, delta_predict
from vae_np.verify import oracle

BOOK = files("vae_np") / "book"
STATIC = BOOK / "static"
PAGES = ("gaussian_kl", "reparameterization", "posterior_gap", "latent_shift")
U = 2.0**-53  # unit roundoff


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


@cache
def trained():
    return train_decoder()


@cache
def script(name):
    return decoder_script() if name == "decoder" else (STATIC / f"{name}.js").read_text("utf-8")


def scripts(name):
    return [script(part) for part in ("mathematics", "drawing", "controls", "decoder", name)]


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
    Sum(d_log_var[:, 0], size).agrees(field(got, "logVar"), n_draws + 5)


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
    Sum(VAR / 2, size).agrees(field(got, "cloud", "logVar"), 14)
    Sum(VAR / 2, size).agrees(field(got, "exact", "logVar"), 3)


def elbo_grid(rng):
    x, w, variance = rng.uniform(-3, 3, 200), rng.uniform(-2, 2, 200), rng.uniform(0.2, 2, 200)
    return x, w, variance, rng.uniform(-3, 3, 200), rng.uniform(-4, 2, 200)


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
    Sum(field(expected, "log_var"), size).agrees(field(got, "posterior", "logVar"), 8)
    bound_and_gap = field(got, "elbo") + field(got, "gap")
    Sum(field(got, "evidence"), evidence + gap + sizes["elbo"]).agrees(bound_and_gap, 26)


def float64_model():
    """The trained model with its float32 weights in float64."""
    model = trained().model
    params = Params(model.params.sizes, model.params.flat.astype(float))
    return params, Stats(model.params.sizes, model.stats.flat.astype(float))


def shown():
    genes = decoder_record(trained())["genes"]
    return [trained().model.genes.index(gene) for gene in genes]


def rounding(params, stats, z):
    """Largest difference of two ways to round the decoder at z, (n, d): errors carried through the layers."""
    h, error = z, np.zeros_like(z)
    for block, running in zip(params.decoder, stats.decoder, strict=True):
        size = np.abs(h) @ np.abs(block.W) + np.abs(block.b)
        error = error @ np.abs(block.W) + (len(block.W) + 1) * U * size
        scale = np.abs(block.gamma) / np.sqrt(running.var + 1e-3)
        size = scale * (np.abs(h @ block.W + block.b) + np.abs(running.mean)) + np.abs(block.beta)
        error = scale * error + 8 * U * size
        h, error = decode_block(h, block, running), error + U * size  # leaky ReLU has no slope above 1
    size = np.abs(h) @ np.abs(params.output.W) + np.abs(params.output.b)
    return 2 * (error @ np.abs(params.output.W) + (len(params.output.W) + 1) * U * size)


def decode_block(h, block, running):
    a = (h @ block.W + block.b - running.mean) / np.sqrt(running.var + 1e-3) * block.gamma + block.beta
    return np.where(a > 0, a, 0.01 * a)


def test_the_decoder_in_evaluation_mode(mathematics, rng):
    params, stats = float64_model()
    z = 2 * rng.standard_normal((100, params.sizes.n_latent))
    got = mathematics.page.evaluate("rows => rows.map((z) => vae.decode(vaeDecoder, z))", z.tolist())
    expected = decode(params, stats, z)[0][:, shown()]
    error, bound = np.abs(np.array(got) - expected), rounding(params, stats, z)[:, shown()]
    assert np.all(error <= bound)
    assert bound.max() < 1e-12


def predicted_means(cell_type, share):
    """What page four must show: the mean of the decoded change, in float64; its rounding."""
    params, stats = float64_model()
    control = trained().cells(cell_type, stimulated=False)
    z = trained().model.encode(control).astype(float)
    moved = delta_predict(z, share * shared_delta(trained()).astype(float))
    before, after = (decode(params, stats, point)[0] for point in (z, moved))
    mean = decoded_change(control.astype(float), before, after).mean(axis=0)
    each = rounding(params, stats, z) + rounding(params, stats, moved)
    sums = len(z) * U * (np.abs(control) + np.abs(before) + np.abs(after)).mean(axis=0)
    return mean[shown()], (each.mean(axis=0) + 4 * sums)[shown()]


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
    assert record == decoder_record(trained())  # trained once more
    params, stats = trained().model.params, trained().model.stats
    assert np.array_equal(record["output"]["W"], params.output.W[:, shown()])
    assert np.array_equal(record["blocks"][0]["var"], stats.decoder[0].var)
    assert np.array_equal(record["delta"], shared_delta(trained()))
    assert [t["name"] for t in record["cellTypes"] if t["heldOut"]] == [HELD_OUT]


def test_the_hidden_cells_are_not_in_training_and_the_shift_helps_to_find_them():
    known = {*zip(trained().cell_type, trained().stimulated, strict=True)} - {(HELD_OUT, True)}
    model = trained().model
    n_seen = sum(len(trained().cells(*group)) for group in known)
    assert model.fitted.reference.z.shape[0] == n_seen
    stimulated = trained().cells(HELD_OUT, stimulated=True).mean(axis=0)[shown()]
    without, whole = (predicted_means(HELD_OUT, share)[0] for share in (0.0, 1.0))
    assert np.linalg.norm(whole - stimulated) < 0.5 * np.linalg.norm(without - stimulated)


# What a reader sees: these checks take a page that holds one interactive figure, wherever it was built.


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


def check_posterior_gap(page):
    names = ("x", "w", "variance", "mu", "log_var")
    for point in ((2.0, 1.0, 1.0, 0.0, 0.0), (-3.0, -2.0, 0.2, 3.0, -4.0), (1.5, 0.0, 0.4, 0.5, 2.0)):
        for name, value in zip(names, point, strict=True):
            set_slider(page, name, value)
        exact = exact_elbo(*point)
        shown = {name: exact[name] for name in ("evidence", "reconstruction", "elbo", "gap")}
        shows(page, shown | {"minus_kl": -exact["kl"], "posterior_mean": exact["mean"]}, 4)
    page.locator('[data-action="to_posterior"]').click()
    moved = {"gap": 0, "elbo": exact["evidence"], "evidence": exact["evidence"], "q_mean": exact["mean"]}
    shows(page, moved | {"q_sd": np.exp(exact["log_var"] / 2)}, 4)


def check_latent_shift(page):
    genes = decoder_record(trained())["genes"]
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


def harness(name, language):
    """A bare page with one interactive figure."""
    tags = "".join(f"<script>{text}</script>" for text in scripts(name))
    style = (STATIC / "interactive.css").read_text("utf-8")
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{name}</title>'
        f'<style>{style}</style></head><body><div class="interactive" data-interactive="{name}"></div>'
        f"{tags}</body></html>"
    )


@pytest.fixture
def open_page(browser, tmp_path):
    """Open a figure from a file; at the end no error may have reached the console."""
    errors, contexts = [], []

    def open_page(name, language="en", motion="reduce", width=1200):
        file = tmp_path / f"{name}.html"
        file.write_text(harness(name, language), "utf-8")
        context = browser.new_context(reduced_motion=motion, viewport={"width": width, "height": 700})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.mark.parametrize("name", PAGES)
def test_sliders_show_what_python_computes(open_page, name):
    CHECKS[name](open_page(name))


def strips(page, shape, attributes):
    """What the axis beneath the rows puts at a number, and the positions of a shape; all in percent."""
    read = "(nodes, names) => nodes.map((node) => names.map((name) => parseFloat(node.getAttribute(name))))"
    ticks = page.locator(".scale text")
    at, values = np.ravel(ticks.evaluate_all(read, ["x"])), np.array(ticks.all_text_contents(), float)
    slope = (at[-1] - at[0]) / (values[-1] - values[0])
    positions = np.array(page.locator(shape).evaluate_all(read, attributes))
    return lambda value: at[0] + slope * (np.array(value) - values[0]), positions


def test_bars_and_marks_stand_where_the_axis_says(open_page):
    page = open_page("posterior_gap")
    parts = exact_elbo(2.0, 1.0, 1.0, 0.5, -1.0)
    set_slider(page, "mu", 0.5)
    set_slider(page, "log_var", -1.0)
    axis, bars = strips(page, "rect.bar", ["x", "width"])
    elbo, evidence, reconstruction = parts["elbo"], parts["evidence"], parts["reconstruction"]
    ends = [(reconstruction, 0), (elbo, reconstruction), (elbo, 0), (elbo, evidence), (evidence, 0)]
    left, width = bars.T
    assert np.allclose(axis(ends), np.column_stack([left, left + width]), rtol=0, atol=2e-3)

    page = open_page("latent_shift")
    page.locator('[data-action="whole"]').click()
    axis, marks = strips(page, ".holder:has(.predicted)", ["x"])
    assert np.allclose(axis(predicted_means(HELD_OUT, 1.0)[0]), marks[:, 0], rtol=0, atol=2e-3)


def test_a_rounded_zero_has_no_sign(open_page):
    page = open_page("gaussian_kl")
    assert page.evaluate("[-1e-9, 0, -0.126].map((value) => vaeDrawing.format(value, 2))") == [
        "0.00",
        "0.00",
        "-0.13",
    ]


def test_the_noise_is_the_one_that_numpy_draws():
    drawn = np.random.default_rng(0).standard_normal((40, 2)).round(2)
    assert np.array_equal(page_noise(), drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_used_by_keyboard_alone_and_reset(open_page, name):
    page = open_page(name)
    inputs = page.locator("input[type=range]")
    names = inputs.evaluate_all("inputs => inputs.map((input) => input.dataset.control)")
    start = page.locator("body").inner_text()
    page.keyboard.press("Tab")
    for control in names:
        focused = "document.activeElement.dataset.control"
        assert page.evaluate(focused) == control
        label = page.evaluate("document.activeElement.labels[0].textContent")
        assert label
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        before = page.locator(f'output[data-value="{control}"]').inner_text()
        step = float(page.evaluate("document.activeElement.step"))
        page.keyboard.press("ArrowRight")
        after = page.locator(f'output[data-value="{control}"]').inner_text()
        assert abs(float(after) - float(before) - step) < 1e-9
        page.keyboard.press("Tab")
    assert page.locator("body").inner_text() != start
    assert page.evaluate("document.activeElement.dataset.action") == "reset"
    page.keyboard.press("Enter")
    assert page.locator("body").inner_text() == start


@pytest.mark.slow
def test_without_reduced_motion_q_glides_and_ends_exactly_at_the_posterior(open_page):
    page = open_page("posterior_gap", motion="no-preference")
    page.evaluate(
        "window.seen = new Set();"
        "const gap = document.querySelector('output[data-value=gap]');"
        "new MutationObserver(() => seen.add(gap.textContent)).observe(gap, {childList: true});"
    )
    page.locator('[data-action="to_posterior"]').click()
    page.wait_for_function("document.querySelector('output[data-value=q_mean]').textContent === '1.0000'")
    shows(page, {"gap": 0, "q_mean": 1, "q_sd": np.sqrt(0.5)}, 4)
    assert page.evaluate("seen.size") > 2


@pytest.mark.slow
def test_dragging_the_curve_moves_its_mean(open_page):
    page = open_page("gaussian_kl")
    box = page.locator("svg.draggable").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"], box["y"])
    ticks = page.locator("svg.draggable text.tick:not(.left)").evaluate_all(
        "texts => texts.map((text) => [Number(text.textContent), Number(text.getAttribute('x'))])"
    )
    (low, left), *_, (high, right) = ticks
    viewbox = page.locator("svg.draggable").evaluate("svg => svg.viewBox.baseVal.width")
    shows(page, {"mu": 1 + 0.1 * viewbox * (high - low) / (right - left)}, 2)


def texts(page):
    """All words of the figure, also those that are only read aloud."""
    labels = "nodes => nodes.map((node) => node.getAttribute('aria-label'))"
    return page.locator("body").inner_text() + "".join(page.locator("[aria-label]").evaluate_all(labels))


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_both_languages_say_the_same_numbers_and_fit_a_narrow_screen(open_page, name):
    english, japanese = (open_page(name, language, width=320) for language in ("en", "ja"))
    numbers = "nodes => nodes.map((node) => [node.dataset.value, node.textContent])"
    ours, theirs = (page.locator("output").evaluate_all(numbers) for page in (english, japanese))
    assert ours == theirs
    assert not re.search("[ぁ-ん一-龥]", texts(english))
    assert re.search("[ぁ-ん一-龥]", texts(japanese))
    for page in (english, japanese):
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        wide = "boxes => boxes.filter((box) => box.scrollWidth > box.clientWidth).length"
        assert page.locator(".numbers").evaluate_all(wide) == 0


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_have_the_same_strings(name):
    tables = re.search(r"    en: \{\n(.*?)\n    \},\n    ja: \{\n(.*?)\n    \},", script(name), re.DOTALL)
    english, japanese = (re.findall(r"^      (\w+):", table, re.MULTILINE) for table in tables.groups())
    assert english == japanese
    assert english


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_holds_its_figure_and_its_links_have_targets(name, language):
    folder, attribute = ("ja", ' lang="ja"') if language == "ja" else ("", "")
    text = (BOOK / "interactive" / folder / f"{name}.md").read_text("utf-8")
    assert text.count(f'\n\n<div class="interactive" data-interactive="{name}"{attribute}>') == 1
    assert text.count("> **") == 3
    links = re.findall(r"\]\(\.\./derivations/(\w+\.md)(?:#([^)]+))?\)", text)
    assert len(links) == text.count("](")
    for page, anchor in links:
        translated = derivation_folder(language) / page
        target = translated if translated.exists() else derivation_folder("en") / page
        headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
        slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in slugs


@pytest.mark.parametrize("name", ["mathematics", "drawing", "controls", *PAGES])
def test_scripts_are_plain_and_ask_no_other_host(name):
    outside = r"https?://(?!www\.w3\.org/2000/svg)|\bimport\b|\bexport\b|\bfetch\b"
    assert not re.search(outside, script(name))
