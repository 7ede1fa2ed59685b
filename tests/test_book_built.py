"""The built book, read as files and in a browser: links, lines, verdicts, equations, search, keyboard."""

import ast
import re
import threading
from functools import cache
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from test_interactive import CHECKS

from vae_np.book.marks import shown as shown_lines
from vae_np.book.places import CHECKOUT
from vae_np.book.serve import server
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.exercise import chapters
from vae_np.verify.run import function_of, sympy_is_installed

pytestmark = pytest.mark.slow

READ = ["index.html", "derivations/gaussian_kl.html", "ja/derivations/gaussian_kl.html"]
SEEN = [*READ, "notebooks/scgen_on_pbmc.html", "reference/elbo.html", "exercises/gaussian_kl.html"]
SEEN += ["code/vae_np/elbo/gaussian.html", "equations.html", "interactive/posterior_gap.html", "search.html"]


@cache
def soup(path):
    from bs4 import BeautifulSoup

    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def pages(folder):
    return sorted(folder.rglob("*.html"))


@cache
def anchors(path):
    found = {tag.get("id") for tag in soup(path).find_all(id=True)}
    return found | {tag.get("name") for tag in soup(path).find_all("a", attrs={"name": True})}


def links(path):
    """Every address that a page refers to, with the file that it leads to and the anchor there."""
    for tag in soup(path).find_all(["a", "img", "script", "link"]):
        address = tag.get("href") or tag.get("src")
        if not address or address.startswith("data:"):
            continue
        where, anchor = urldefrag(address)
        goal = path.parent / unquote(urlsplit(where).path) if where else path
        yield tag, address, goal.resolve(), unquote(anchor)


# ----------------------------------------------------------------------------------- read as files


def test_nothing_is_loaded_from_another_host_and_every_link_leads_somewhere(book):
    root = book.folder.resolve()
    n_links = 0
    for path in pages(root):
        for tag, address, goal, anchor in links(path):
            if urlsplit(address).scheme:
                assert tag.name == "a", f"{path.name} loads {address}"
                continue
            n_links += 1
            goal = goal / "index.html" if goal.is_dir() else goal
            assert goal.is_file(), f"{path.relative_to(root)} links to {address}"
            assert root in goal.parents
            if anchor and goal.suffix == ".html":
                assert anchor in anchors(goal), f"{path.relative_to(root)} links to {address}"
    assert n_links > 10_000


@pytest.mark.parametrize("edition", ["", "ja"])
def test_every_equation_leads_to_the_lines_of_its_function_judges_and_test(book, edition):
    folder = book.folder / edition / "derivations"
    seen = set()
    for equation in EQUATIONS:
        path = folder / equation.page.replace(".md", ".html")
        if not path.is_file():
            assert edition == "ja"
            continue
        own = soup(path).find("a", class_="label", href=f"#equation-{equation.label}")
        assert f"equation-{equation.label}" in anchors(path)
        line = own.find_parent("p")
        found = {}
        for name in ("function", "record", "test"):
            tag = line.find("a", class_=name)
            if tag is None:
                assert name == "function"
                assert equation.function is None
                continue
            where, anchor = urldefrag(tag["href"])
            listing = (path.parent / where).resolve()
            source = CHECKOUT / listing.relative_to((book.folder / "code").resolve()).with_suffix(".py")
            assert anchor in anchors(listing)
            found[name] = source.read_text("utf-8").splitlines()[int(anchor.removeprefix("L")) - 1]
        if equation.function:
            assert found["function"].startswith(f"def {equation.function.split(':')[1]}(")
        assert f'label="{equation.label}"' in found["record"]
        assert found["test"].startswith("def test_equation(")
        seen.add(equation.label)
    assert len(seen) == len(EQUATIONS) if edition == "" else len(seen) > 25


def test_a_listing_has_the_line_numbers_of_its_file(book):
    """Each line shown beside an equation is that line of the file that the listing names."""
    n_lines = 0
    for path in (book.folder / "derivations").glob("*.html"):
        for listing in soup(path).find_all("div", class_="listing"):
            name, first = listing.find("a", class_="code").text.rsplit(":", 1)
            source = (CHECKOUT / name).read_text("utf-8").splitlines()
            shown = [line for block in listing.find_all("pre") for line in block.text.splitlines()]
            numbers = [int(number.text) for number in listing.find_all("span", class_="linenos")]
            assert numbers[0] == int(first)
            assert len(numbers) == len(shown)
            for number, line in zip(numbers, shown, strict=True):
                assert line.strip().removeprefix(str(number)).strip() == source[number - 1].strip()
            n_lines += len(numbers)
    functions = [function_of(equation) for equation in EQUATIONS if equation.function]
    ends = [lines for function in functions for lines in shown_lines(function)[1:]]
    assert n_lines == sum(last - first + 1 for first, last in ends)


@pytest.mark.skipif(not sympy_is_installed(), reason="the book quotes symbolic judges too")
def test_every_equation_shows_the_verdict_of_all_of_its_judges(book):
    for equation in EQUATIONS:
        page = soup(book.folder / "derivations" / equation.page.replace(".md", ".html"))
        shown = [box for box in page.find_all("details") if box.summary.code.text == equation.label]
        assert len(shown) == 1
        assert "right" in shown[0]["class"]
        names = [row.find("td").text for row in shown[0].find_all("tr")[1:]]
        assert names == [judge.name for judge in equation.judges]


def test_a_label_in_the_code_leads_back_to_its_equation(book):
    for equation in EQUATIONS:
        if equation.function is None:
            continue
        module = equation.function.split(":")[0].replace(".", "/")
        listing = book.folder / "code" / f"{module}.html"
        page = equation.page.replace(".md", ".html")
        ends = f"derivations/{page}#equation-{equation.label}"
        assert any(tag["href"].endswith(ends) for tag in soup(listing).find_all("a", class_="label"))


def test_every_public_function_is_in_the_reference(book):
    for package in ("layers", "elbo", "model", "train"):
        names = {
            dt["id"].split(".")[-1]
            for dt in soup(book.folder / f"reference/{package}.html").find_all("dt", id=True)
        }
        for file in (CHECKOUT / "vae_np" / package).glob("*.py"):
            for node in ast.parse(file.read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    assert node.name in names


def test_every_chapter_has_its_exercise_and_no_solution(book):
    for chapter in chapters():
        assert "Task 1" in soup(book.folder / f"exercises/{chapter}.html").text
        assert "write this" in soup(book.folder / f"exercises/{chapter}.html").text


# --------------------------------------------------------------------------------- in the browser


@pytest.fixture(scope="module")
def site(book):
    """Address of the book on a server of its own."""
    with server(book.folder, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def open_page(page, address):
    """Open a page and wait until its mathematics is set."""
    page.goto(address, wait_until="load")
    page.evaluate("async () => { if (window.MathJax?.startup) await MathJax.startup.promise }")


def test_every_page_loads_without_an_error_or_an_outside_request_and_its_equations_are_seen(page, site, book):
    wrong = []
    page.on(
        "console",
        lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((site, "data:")) else wrong.append(request.url),
    )
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    n_equations = 0
    for path in pages(book.folder):
        name = path.relative_to(book.folder).as_posix()
        if name.startswith("code/") and name not in SEEN:
            continue  # all of one kind; read as files above
        open_page(page, f"{site}/{name}")
        seen = page.evaluate(
            """() => ({
                text: document.querySelector('article')?.innerText ?? '',
                errors: document.querySelectorAll('[data-mjx-error], mjx-merror').length,
                unset: [...document.querySelectorAll('.math')].filter(m => m.checkVisibility()
                    && !(m.querySelector('mjx-container svg')?.getBoundingClientRect().height > 3)).length,
                equations: document.querySelectorAll('div.math mjx-container').length,
                written: document.querySelectorAll('div.math').length,
            })"""
        )
        assert not wrong, f"{name}: {wrong}"
        assert seen["errors"] == 0, name
        assert seen["unset"] == 0, name
        assert "$$" not in seen["text"], name
        assert not re.search(r"\{(ref|doc|code|figures|verdicts)\b", seen["text"]), name
        assert seen["equations"] == seen["written"], name
        n_equations += seen["equations"]
    assert n_equations > 500


def test_a_code_link_lands_on_the_line(page, site):
    open_page(page, f"{site}/derivations/gaussian_kl.html")
    page.locator("a.function[href*='gaussian.html#L']").last.click()
    page.wait_for_url("**/code/vae_np/elbo/gaussian.html#L*")
    anchor = page.url.rsplit("#", 1)[1]
    page.wait_for_function(
        """id => {
            const { y } = document.getElementById(id).getBoundingClientRect();
            return 0 <= y && y < innerHeight;
        }""",
        arg=anchor,
    )
    line = page.evaluate("id => document.getElementById(id).closest('pre').innerText.split('\\n')", anchor)
    assert "def " in line[int(anchor[1:]) - 1]


@pytest.mark.parametrize(("edition", "label"), [("", "kl-closed"), ("ja/", "kl-closed"), ("", "adam-bias")])
def test_search_finds_an_equation_by_its_label(page, site, edition, label):
    open_page(page, f"{site}/{edition}index.html")
    box = page.locator(".sidebar-search")
    box.fill(label)
    box.press("Enter")
    found = page.locator("#search-results ul.search li a")
    found.first.wait_for()
    page_of = next(e.page for e in EQUATIONS if e.label == label).replace(".md", ".html")
    first = [found.nth(i).get_attribute("href") for i in range(min(3, found.count()))]
    assert any(page_of in address for address in first), first


@pytest.mark.parametrize("width", [360, 768])
@pytest.mark.parametrize("name", SEEN)
def test_a_small_screen_shows_the_page_without_sideways_scrolling(browser, site, name, width):
    context = browser.new_context(viewport={"width": width, "height": 740})
    page = context.new_page()
    open_page(page, f"{site}/{name}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    size = page.locator("article, .content").first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 13
    context.close()


def luminance(color):
    """Relative luminance of an rgb(...) color, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_verdicts_and_links_stand_out_in_light_and_dark(browser, site, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    open_page(page, f"{site}/derivations/gaussian_kl.html")
    background = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (background > 0.5) == (scheme == "light")
    for selector in (
        "article p",
        "article p a",
        ".equation-links .right",
        "details.verdict summary",
        ".linenos",
    ):
        color = luminance(page.evaluate("s => getComputedStyle(document.querySelector(s)).color", selector))
        low, high = sorted((color, background))
        assert (high + 0.05) / (low + 0.05) >= 4.5, selector
    context.close()


def test_the_editions_lead_to_each_other(page, site):
    open_page(page, f"{site}/derivations/gaussian_kl.html")
    page.locator(".edition a").click()
    page.wait_for_url("**/ja/derivations/gaussian_kl.html")
    assert page.evaluate("document.documentElement.lang") == "ja"
    page.locator(".edition a").click()
    page.wait_for_url(f"{site}/derivations/gaussian_kl.html")
    open_page(page, f"{site}/notebooks/gaussian_kl.html")  # not translated: to the start page
    page.locator(".edition a").click()
    page.wait_for_url("**/ja/index.html")


@pytest.mark.parametrize("edition", ["", "ja/"])
@pytest.mark.parametrize("name", CHECKS)
def test_sliders_change_the_figure_to_the_numbers_of_python(page, site, edition, name):
    open_page(page, f"{site}/{edition}interactive/{name}.html")
    CHECKS[name](page)


def test_a_verdict_opens_with_the_keyboard(page, site):
    open_page(page, f"{site}/derivations/gaussian_kl.html")
    summary = page.locator("details.verdict summary").first
    table = page.locator("details.verdict table").first
    assert not table.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    assert table.is_visible()


def test_a_wide_screen_shows_an_equation_beside_its_code(browser, site):
    context = browser.new_context(viewport={"width": 1900, "height": 1000})
    page = context.new_page()
    open_page(page, f"{site}/derivations/gaussian_kl.html")
    equation, listing = (
        page.locator(f".beside > {part}").first.bounding_box() for part in (".again", ".listing")
    )
    assert equation["x"] + equation["width"] <= listing["x"]
    assert abs((equation["y"] + equation["height"] / 2) - (listing["y"] + listing["height"] / 2)) < 5
    assert page.evaluate("document.documentElement.scrollWidth") <= 1900
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not page.locator(".beside > .again").first.is_visible()
    context.close()


def test_paper_shows_the_text_and_not_the_navigation(page, site):
    open_page(page, f"{site}/derivations/gaussian_kl.html")
    page.emulate_media(media="print")
    assert not page.locator(".sidebar-drawer").is_visible()
    assert page.locator("article h1").is_visible()
    assert page.locator("div.math mjx-container").first.is_visible()


def test_the_book_opens_from_the_disk_without_a_server(page, book):
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    open_page(page, (book.folder / "interactive" / "gaussian_kl.html").as_uri())
    assert page.locator("input[type=range]").count() > 0
    assert page.locator("mjx-container").count() > 0
    assert not wrong
