"""The interactive pages in a browser and as files: numbers, marks, controls, texts in both languages."""

import re
from importlib.resources import files

import numpy as np
import pytest
from sliders import CHECKS, STATIC, exact_elbo, page_noise, script, set_slider, shows
from small_decoder import predicted_means

from vae_np.book.decoder import HELD_OUT
from vae_np.book.places import derivation_folder

BOOK = files("vae_np") / "book"
PAGES = tuple(CHECKS)


def harness(name, language):
    """A bare page with one interactive figure."""
    parts = ("mathematics", "drawing", "controls", "decoder", name)
    tags = "".join(f"<script>{script(part)}</script>" for part in parts)
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


def ten_clicks(page):
    button = page.locator('[data-action="step"]')
    button.evaluate("button => { for (let i = 0; i < 10; i += 1) button.click(); }")


def sliders_between_two_clicks(page):
    page.locator('[data-action="step"]').click()
    for name, value in {"mu_1": 1.5, "mu_2": -2, "log_var_1": 0.5, "log_var_2": -3}.items():
        set_slider(page, name, value)
    page.locator('[data-action="step"]').click()


@pytest.mark.parametrize("act", [ten_clicks, sliders_between_two_clicks])
def test_an_action_during_a_glide_leads_where_it_leads_without_motion(open_page, act):
    still, moving = (open_page("reparameterization", motion=motion) for motion in ("reduce", "no-preference"))
    start = still.locator("table").all_inner_texts()
    act(still)
    act(moving)
    goal = still.locator("table").all_inner_texts()
    assert goal != start
    reached = "goal => goal.every((text, i) => document.querySelectorAll('table')[i].innerText === text)"
    moving.wait_for_function(reached, arg=goal, timeout=5000)  # a glide takes 600 ms
    moving.wait_for_timeout(100)  # and it does not go on
    assert moving.locator("table").all_inner_texts() == goal


def test_the_posterior_is_within_reach_of_the_sliders(open_page):
    page = open_page("posterior_gap")
    read = "inputs => inputs.map((input) => [input.dataset.control, [input.min, input.max].map(Number)])"
    ends = dict(page.locator("input[type=range]").evaluate_all(read))
    for w in np.linspace(*ends["w"], 41):
        for variance in np.linspace(*ends["variance"], 19):
            exact = [exact_elbo(x, w, variance, 0.0, 0.0) for x in ends["x"]]  # the mean is linear in x
            for name, key in (("mu", "mean"), ("log_var", "log_var")):
                low, high = ends[name]
                assert all(low <= point[key] <= high for point in exact), (w, variance)


@pytest.mark.parametrize(("name", "start"), [("gaussian_kl", 1.0), ("posterior_gap", -0.5)])
def test_dragging_the_curve_moves_its_mean(open_page, name, start):
    page = open_page(name)
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
    shows(page, {"mu": start + 0.1 * viewbox * (high - low) / (right - left)}, 2)


def texts(page):
    """All words of the figure, also those that are only read aloud."""
    labels = "nodes => nodes.map((node) => node.getAttribute('aria-label'))"
    return page.locator("body").inner_text() + "".join(page.locator("[aria-label]").evaluate_all(labels))


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
    attribute = ' lang="ja"' if language == "ja" else ""
    text = (BOOK / "pages" / language / "interactive" / f"{name}.md").read_text("utf-8")
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
