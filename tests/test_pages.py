"""Every label stands on its page, in a docstring, in the table, in a test; pages say what the code says."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from pages import EDITIONS, QUOTED, REFUTATION, TABLE, code, pages

import vae_np
from vae_np.book.marks import CODE, DRAWING
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.run import closeness, function_of, quoted, sympy_is_installed, verify
from vae_np.verify.where import where

PACKAGE = Path(vae_np.__file__).parent
LABELED = re.compile(r"^\$\$ \(([^)]*)\)", re.MULTILINE)
BRACKETED = re.compile(r"\[([a-z0-9]+(?:-[a-z0-9]+)*)\](?!\()")
# The pages that follow the source text have a Japanese edition, for that text's readers.
FOLLOW_THE_SOURCE = {
    "evidence.md",
    "bound.md",
    "reparameterization.md",
    "monte_carlo.md",
    "gaussian_kl.md",
    "objective.md",
    "delta.md",
}


def labels_of(edition):
    return [
        (label, page.name) for page in pages(edition) for label in LABELED.findall(page.read_text("utf-8"))
    ]


def test_every_label_stands_once_on_its_page_and_every_page_label_in_the_table():
    assert sorted(labels_of("en")) == sorted((e.label, e.page) for e in EQUATIONS)


def test_the_japanese_edition_has_the_same_labels():
    expected = [(e.label, e.page) for e in EQUATIONS if e.page in FOLLOW_THE_SOURCE]
    assert sorted(labels_of("ja")) == sorted(expected)


def test_the_pages_follow_the_order_of_the_table():
    for page in {e.page for e in EQUATIONS}:
        in_table = [e.label for e in EQUATIONS if e.page == page]
        for folder in EDITIONS.values():
            if (folder / page).exists():
                assert LABELED.findall((folder / page).read_text("utf-8")) == in_table


def docstrings():
    """Every docstring of the package, but of the table and its tools."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                yield path, ast.get_docstring(node) or ""


def test_every_label_in_a_docstring_is_in_the_table():
    for path, docstring in docstrings():
        for label in BRACKETED.findall(docstring):
            known = label in TABLE or label in {"project", "batch", "i", "n"}
            assert known or not re.search("[a-z]-[a-z]", label), f"{path.name}: [{label}]"


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.label)
def test_the_function_carries_the_label_and_the_record_is_found(equation):
    function = function_of(equation)
    if function is not None:
        assert f"[{equation.label}]" in function.__doc__
    places = where(equation.label)
    page, line = places.page.rsplit(":", 1)
    lines = (places.root / page).read_text("utf-8").splitlines()
    assert lines[int(line) - 1].startswith(f"$$ ({equation.label})")
    record, line = places.record.rsplit(":", 1)
    assert f'"{equation.label}"' in (places.root / record).read_text("utf-8").splitlines()[int(line) - 1]
    if function is not None:
        file, line = places.function.rsplit(":", 1)
        text = (places.root / file).read_text("utf-8").splitlines()[int(line) - 1]
        assert text.startswith(f"def {function.__name__}(")
    assert places.test.endswith(f"[{equation.label}]")


ALL_PAGES = [pytest.param(page, id=f"{e}-{page.stem}") for e in EDITIONS for page in pages(e)]


@pytest.mark.parametrize("page", ALL_PAGES)
def test_the_code_on_a_page_is_the_code(page):
    text = page.read_text("utf-8")
    shown = {match[2]: match[0] for match in CODE.finditer(text)}
    expected = {label for label in LABELED.findall(text) if TABLE[label].function}
    assert set(shown) == expected
    for label, block in shown.items():
        assert block == code(label), f"{page.name}: renew it with `python tests/pages.py`"


@pytest.mark.parametrize("page", ALL_PAGES)
def test_captions_are_plain_text(page):
    """They stand for the picture, too, where it is not seen, so they hold no TeX and no Markdown."""
    for name, caption in DRAWING.findall(page.read_text("utf-8")):
        assert not re.search(r"[$\\`*]|\]\(", caption), name


@cache
def verdicts_of(label):
    return {
        verdict.judge: verdict for verdict in verify(TABLE[label], symbolic=sympy_is_installed()).verdicts
    }


def assert_is_quoted(error, bound, verdict):
    """The figures on a page are those of the judge, but for what another machine's rounding changes."""
    assert float(bound) == pytest.approx(verdict.bound, rel=0.1)
    if verdict.error > 1e-12:
        assert float(error) == pytest.approx(verdict.error, rel=0.1)
    else:  # rounding errors may be several times as large elsewhere
        assert verdict.error / 20 - 1e-15 <= float(error) <= 20 * verdict.error + 1e-15


RENEW = "renew the pages with `python tests/pages.py`"


@pytest.mark.skipif(not sympy_is_installed(), reason="the pages quote symbolic judges too")
@pytest.mark.parametrize("page", ALL_PAGES)
def test_the_figures_on_a_page_are_those_of_the_judges(page):
    text = page.read_text("utf-8")
    figures = {match[0]: match[1:] for match in QUOTED.findall(text)}
    assert set(figures) == set(LABELED.findall(text))
    for label, (n_judges, name, error, bound) in figures.items():
        verdicts = verdicts_of(label)
        assert int(n_judges) == len(verdicts), RENEW
        assert name in verdicts, RENEW
        assert_is_quoted(error, bound, verdicts[name])
        # the judge quoted is the closest, or elsewhere nearly so
        closest = quoted(list(verdicts.values()))
        assert closeness(verdicts[name]) >= closeness(closest) / 20, RENEW
        assert verdicts[name].kind == closest.kind or "monte carlo" not in (verdicts[name].kind, closest.kind)


@pytest.mark.parametrize("folder", EDITIONS.values(), ids=EDITIONS)
def test_the_errata_quote_every_refutation_of_a_wrong_print(folder):
    figures = {
        match[:2]: match[2:] for match in REFUTATION.findall((folder / "errata.md").read_text("utf-8"))
    }
    wrong = [equation for equation in EQUATIONS if equation.printed == "wrong"]
    expected = {(e.label, judge.name) for e in wrong for judge in e.judges if judge.refutes}
    assert set(figures) == expected, RENEW
    for (label, name), (error, bound) in figures.items():
        assert_is_quoted(error, bound, verdicts_of(label)[name])


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere_and_every_section_is_whole(page):
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    is_ja = page.parent.name == "ja"
    for keyword in ("**検査。**", "**問い。**") if is_ja else ("**Check.**", "**Question.**"):
        assert text.count(keyword) == len(LABELED.findall(text)), keyword
    assert "http" not in text
