"""Names from the data in what is written and shown: HTML, CSV, figures, the terminal; text, and only text."""

import csv
import io
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import FIXED, NAMES, STRANGE, unique_names

from vae_np import plots
from vae_np.cli.output import print_table, remark, say
from vae_np.errors import InputError, in_one_line
from vae_np.evaluate.held_out import Row
from vae_np.evaluate.report import Section, png, write_report, write_scores
from vae_np.verify.record import Report, Term

TEXTS = st.one_of(NAMES, st.text(st.sampled_from("<>&'\"=/ ab!-[]$\\\x00\x1b\r\n"), max_size=12))


# --------------------------------------------------------------------------------------------- HTML


class Skeleton(HTMLParser):
    """Tags with their attributes, and the texts between them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):  # noqa: D102 - the base class says it
        self.tags.append((tag, [(name, value) for name, value in attrs if name != "alt"]))

    def handle_endtag(self, tag):  # noqa: D102 - the base class says it
        self.tags.append(f"/{tag}")

    def handle_data(self, data):  # noqa: D102 - the base class says it
        self.texts.append(data)

    def handle_comment(self, data):  # noqa: D102 - the base class says it
        self.tags.append(("comment", data))

    def unknown_decl(self, data):  # noqa: D102 - the base class says it
        self.tags.append(("declaration", data))


def page_of(path, words):
    """A report in which each word stands in a place of its own."""
    heading, title, paragraph, caption, column, name, cell, figure, point = words
    table = {caption: [[column, "b"], [name, cell]]}
    write_report(path, heading, [Section(title, [paragraph], table, {figure: "data:,"}, [point])])
    return Skeleton(path.read_text(encoding="utf-8"))


@given(st.lists(TEXTS, min_size=9, max_size=9))
@FIXED
def test_names_are_text_in_the_report_and_add_no_tag(tmp_path_factory, words):
    path = tmp_path_factory.getbasetemp() / "page.html"
    plain = page_of(path, list("abcdefghi"))
    page = page_of(path, words)
    assert page.tags == plain.tags
    shown = "".join(page.texts)
    for word in words:
        for line in word.split("\n"):
            assert in_one_line(line) in shown
    assert all(c.isprintable() or c == "\n" for c in shown)


@given(label=TEXTS, message=TEXTS, term=TEXTS, ok=st.booleans())
@FIXED
def test_a_report_in_a_notebook_shows_words_as_text(label, message, term, ok):
    def shown(label, message, term):
        terms = (Term(term, 1.0, 2.0),)
        return Skeleton(Report(label, ok, message, terms, 0.0, 1.0, "page.md", "=")._repr_html_())

    page = shown(label, f"x {message}", term)
    assert page.tags == shown("a", "x b", "c").tags
    for word in (label, message, term):
        assert word.strip("\r\n ") in "".join(page.texts)


# ---------------------------------------------------------------------------------------------- CSV


@given(st.lists(TEXTS, max_size=4))
@FIXED
def test_names_come_back_from_the_csv_file_as_they_were(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "scores.csv"
    write_scores(path, [Row(name, i, "scgen", "mse", 0.5) for i, name in enumerate(names)])
    with path.open(newline="", encoding="utf-8") as file:
        heading, *lines = csv.reader(file)
    assert heading == ["context", "seed", "method", "metric", "value"]
    assert lines == [[name, str(i), "scgen", "mse", "0.5"] for i, name in enumerate(names)]


# ------------------------------------------------------------------------------------------ figures

X = np.array([0.0, 1.0, 2.0])
FIGURES = {
    "means": lambda names: plots.reg_mean_plot(X, X + 1, X * 2, names),
    "heat map": lambda names: plots.score_heatmap(np.outer(X, X), names, names, "MSE", "lowest"),
    "embedding": lambda names: plots.embedding_plot(
        {name: np.outer(X + i, X) for i, name in enumerate(names)}
    ),
    "arrows": lambda names: plots.delta_arrows_plot(np.outer(X, X[1:]), np.outer(X + 1, X[1:]), names, X[1:]),
    "violins": lambda names: plots.violin_plot({name: np.outer(X, X) for name in names}, names),
    "intervals": lambda names: plots.intervals_plot(X, X - 1, X + 1, X, X, names),
}
WORST = {
    "mathematics": ["$\\frac$", "a_{", "$x_1$"],
    "codes": ["a\nb", "\x00", "\udcff"],
    "letters": ["日本語", "👩\u200d🔬", "\u202eabc"],
    "long and hidden": ["x" * 300, "_a", ""],
}


def draw(kind, names):
    """Draw the names, and find each among the texts of the figure, short or with a number after it."""
    figure = FIGURES[kind](names)
    assert png(figure).startswith("data:image/png;base64,")
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    for line in map(in_one_line, names):
        begin = line if len(line) <= 20 else line[:6]
        assert any(text.startswith(begin) for text in texts)


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("names", WORST.values(), ids=WORST)
def test_strange_names_are_drawn_as_they_are(kind, names):
    draw(kind, names)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FIGURES)
def test_any_names_are_drawn(kind):
    for i in range(0, len(STRANGE) - 2, 3):
        draw(kind, STRANGE[i : i + 3])

    @given(unique_names(3))
    @settings(FIXED, max_examples=10)  # a figure takes a second, and there are many kinds
    def any_names(names):
        draw(kind, names)

    any_names()


# ----------------------------------------------------------------------------------------- terminal


@given(st.lists(TEXTS, min_size=3, max_size=3))
@FIXED
def test_the_terminal_gets_no_codes_and_no_markup(words):
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        remark(f"a {words[0]}")
        say(f"b {words[1]}")
    first, second = said.getvalue().removesuffix("\n").split("\n")
    assert first == f"a {in_one_line(words[0])}".rstrip() or first == in_one_line(f"a {words[0]}")
    assert second == in_one_line(f"b {words[1]}")
    assert (first + second).isprintable()


def test_brackets_in_a_table_are_no_markup(capsys):
    print_table(["a", "b"], [["[red]x[/red]", "[/]"]])
    assert "[red]x[/red]" in capsys.readouterr().out


@given(TEXTS)
@FIXED
def test_a_sentence_is_one_line_whatever_the_names_in_it(name):
    sentence = str(InputError(f"cell type {name} does not exist"))
    assert sentence.isprintable()
    if name.isprintable():
        assert sentence == f"cell type {name} does not exist"


def test_a_long_sentence_keeps_its_beginning_and_what_to_do():
    sentence = str(InputError(f"gene {'x' * 100_000} is missing: add it"))
    assert len(sentence) < 2100
    assert sentence.startswith("gene xxx")
    assert sentence.endswith("xxx is missing: add it")
