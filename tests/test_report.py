"""What people read: tables against hand-made scores, sentences about who wins, and one page that is whole."""

import base64
import csv
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

from vae_np import simulate
from vae_np.evaluate import Paired, Row
from vae_np.evaluate.experiment import Experiment
from vae_np.evaluate.leave_one_out import leave_one_out
from vae_np.evaluate.report import Section, png, write_report, write_scores
from vae_np.evaluate.sections import context_section, gene_table, overview, with_scores
from vae_np.evaluate.summary import summarize, verdicts
from vae_np.evaluate.tables import METRICS, averages, number, pairs_table, short_table, table
from vae_np.plots import reg_mean_plot

pytestmark = pytest.mark.filterwarnings("ignore:the cell types respond in different directions")

ROWS = [
    Row(context, seed, method, "r2_mean", value)
    for context, seed, method, value in [
        ("a, <b>", 0, "scgen", 0.90),
        ("c", 0, "scgen", 0.80),
        ("a, <b>", 1, "scgen", 0.92),
        ("c", 1, "scgen", 0.86),
        ("a, <b>", 0, "no_change", 0.5),
        ("c", 0, "no_change", 0.4),
        ("a, <b>", 1, "no_change", 0.5),
        ("c", 1, "no_change", 0.4),
        ("c", 0, "mean_shift", 0.7),
        ("c", 1, "mean_shift", 0.7),
    ]
]


# --------------------------------------------------------------------------------------- tables


def test_the_table_averages_over_contexts_then_seeds():
    assert table(ROWS) == [
        ["method", "R² means"],
        ["scGen", "0.870\n(0.850–0.890)"],
        ["mean shift", "–"],  # not defined in every context: no average to compare with the others
        ["no change", "0.450"],
    ]
    of_c = [row for row in ROWS if row.context == "c"]
    assert table(of_c)[1:3] == [["scGen", "0.830\n(0.800–0.860)"], ["mean shift", "0.700"]]
    heading, lines = short_table(ROWS)
    assert heading == ["method", "R² means"]
    assert lines[0] == ["scGen", "0.870"]
    mean = averages(ROWS)
    np.testing.assert_allclose(mean["scgen"].pop("r2_mean"), 0.87, rtol=1e-12)
    np.testing.assert_allclose(mean["no_change"].pop("r2_mean"), 0.45, rtol=1e-12)
    assert mean == {"scgen": {}, "mean_shift": {}, "no_change": {}}


def test_the_table_shows_the_clipped_scores_its_heading_names():
    metrics = list(METRICS)
    rows = [Row("a", 0, "scgen", metric, i) for i, metric in enumerate(metrics)]
    rows += [Row("a", 0, "scgen", f"{metric}_unclipped", 50 + i) for i, metric in enumerate(metrics)]
    heading, scgen = table(rows)
    for name, cell in zip(heading[1:], scgen[1:], strict=True):
        assert float(cell) == list(METRICS.values()).index(name)
    heading, (scgen,) = short_table(rows)
    assert heading[1:] == ["R² means", "R² top 100", "r of change", "R² variances", "MSE"]
    assert [float(cell) for cell in scgen[1:]] == [metrics.index(m) for m in METRICS if METRICS[m] in heading]


def test_methods_of_other_names_are_shown_too():
    rows = [Row("a", 0, method, "mse", 1) for method in ("my_model", "no_change", "scgen")]
    assert [line[0] for line in table(rows)] == ["method", "scGen", "no change", "my model"]


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.98765, "r2_mean", "0.988"),
        (-1.5, "r2_delta", "-1.500"),
        (0.00123456, "mse", "0.00123"),
        (1.8, "mse", "1.80"),
        (123.4, "mmd", "123"),
    ],
)
def test_numbers_have_three_digits(value, metric, text):
    assert number(value, metric) == text
    assert number(abs(value), metric, "+") == "+" + text.lstrip("-")


PAIRS = [
    Paired("r2_mean", "no_change", 0.42, 0.4, 0.5, 6, 6),
    Paired("r2_mean", "mean_shift", -0.02, -0.03, -0.01, 0, 6),
    Paired("r2_mean", "conditional_vae", -0.2, -0.3, -0.1, 0, 6),
    Paired("r2_mean", "regression", 0.01, -0.01, 0.02, 4, 6),
    Paired("mse", "no_change", -0.25, -0.5, -0.125, 6, 6),
    Paired("mse", "pca_shift", 0.25, 0.125, 0.5, 0, 6),
    Paired("mse_unclipped", "pca_shift", 0.25, 0.125, 0.5, 0, 6),
]


def test_differences_are_arranged_by_method_and_metric():
    assert pairs_table(PAIRS) == [
        ["method", "R² means", "MSE"],
        ["mean shift", "-0.020\n(-0.030 to -0.010)\n0 of 6", "–"],
        ["regression", "+0.010\n(-0.010 to +0.020)\n4 of 6", "–"],
        ["PCA + shift", "–", "+0.250\n(+0.125 to +0.500)\n0 of 6"],
        ["no change", "+0.420\n(+0.400 to +0.500)\n6 of 6", "-0.250\n(-0.500 to -0.125)\n6 of 6"],
        ["conditional VAE", "-0.200\n(-0.300 to -0.100)\n0 of 6", "–"],
    ]
    alone = Paired("r2_mean", "no_change", 0.42, None, None, 1, 1)
    assert pairs_table([alone])[1] == ["no change", "+0.420\n1 of 1"]


def test_sentences_say_who_wins():
    meaning, r2, mse = verdicts(PAIRS)
    assert "the 95 % interval of the difference holds 0" in meaning
    assert r2 == (
        "R² means: a trivial baseline wins: mean shift (-0.020; 0/6); another model wins: conditional VAE "
        "(-0.200; 0/6); scGen wins against: no change (+0.420; 6/6); too close to call: regression "
        "(+0.010; 4/6)."
    )
    assert mse == (
        "MSE (smaller is better): a trivial baseline wins: PCA + shift (+0.250; 0/6); scGen wins against: "
        "no change (-0.250; 6/6)."
    )
    meaning, one = verdicts([Paired("mse", "no_change", 0.5, None, None, 0, 1)])
    assert "Fewer than 6 contexts: who is ahead here may not be elsewhere" in meaning
    assert "a trivial baseline is ahead: no change (+0.500; 0/1)" in one
    few = [pair._replace(n_contexts=5) for pair in PAIRS[:4]]  # an interval of so few is too narrow to trust
    assert verdicts(few)[1] == (
        "R² means: a trivial baseline is ahead: mean shift (-0.020; 0/5); another model is ahead: "
        "conditional VAE (-0.200; 0/5); scGen is ahead of: no change (+0.420; 6/5), regression (+0.010; 4/5)."
    )
    assert verdicts([]) == []


def test_scores_are_written_as_csv_that_reads_back(tmp_path):
    write_scores(tmp_path / "scores.csv", ROWS)
    with (tmp_path / "scores.csv").open(newline="") as file:
        heading, *lines = csv.reader(file)
    assert heading == ["context", "seed", "method", "metric", "value"]
    assert lines[0] == ["a, <b>", "0", "scgen", "r2_mean", "0.9"]


# ----------------------------------------------------------------------------------------- page


class Page(HTMLParser):
    """Tags must close in order; text, images and tables are collected."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.tables, self.text, self.links, self.ids = [], [], [], "", [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):  # noqa: D102 - the base class says it
        attrs = dict(attrs)
        assert "href" not in attrs or attrs["href"].startswith("#")
        self.links += [attrs["href"][1:]] if "href" in attrs else []
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag in ("meta", "img"):
            self.images += [attrs] if tag == "img" else []
            return
        assert tag not in ("script", "link", "iframe")
        self.open.append(tag)
        if tag == "table":
            assert self.open[-2] == "div"  # which scrolls
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):  # noqa: D102 - the base class says it
        assert self.open.pop() == tag

    def handle_data(self, data):  # noqa: D102 - the base class says it
        if self.open and self.open[-1] in ("th", "td"):
            self.tables[-1][-1][-1] += data
        if "style" not in self.open:
            self.text += data


def test_the_page_holds_what_it_is_given_and_escapes_names(tmp_path):
    mean = np.arange(3.0)
    figure = png(reg_mean_plot(mean, mean + 1, mean, ["g<0>", "g1", "g2"]))
    assert base64.b64decode(figure.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    caption, lines = 'a <caption> "x"', [["<i>", "b & c"], ["1 < 2", "3\n(4)"]]
    sections = [
        Section("<script>", ["1 < 2 & 3"], {caption: lines}, {caption: figure}, ["<li>", "&amp;"]),
        Section("two"),
    ]
    write_report(tmp_path / "report.html", "<b>title</b>", sections)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.tables == [lines]
    assert page.images == [{"alt": caption, "src": figure}]
    for words in ("<b>title</b>", "1 < 2 & 3", "<script>", "<li>", "&amp;", "two"):
        assert words in page.text
    assert page.links == page.ids == ["section-0", "section-1"]
    assert "http" not in text
    for promise in ("color-scheme: light dark", "@media print", "overflow-x: auto", "width=device-width"):
        assert promise in text


@pytest.fixture(scope="module")
def study():
    """Scores, runs of the first seed, and the experiment, with names that must be escaped."""
    cells = simulate(240, 30, 3, seed=2)
    cells.obs["cell_type"] = cells.obs["cell_type"].cat.rename_categories({"type 2": "<b>2</b> & $x_2$"})
    cells.var_names = [f"<{name}>" for name in cells.var_names]
    experiment = Experiment(
        *("condition", "cell_type", "control", "stimulated"),
        model={"n_hidden": 16, "n_latent": 4, "n_threads": 1},
        training={"max_epochs": 2, "progress": False},
    )
    contexts = {"<b>2</b> & $x_2$": (40, 40), "type 1": (40, 40)}
    finished = list(leave_one_out(cells, experiment, contexts, [0, 1], look=lambda run: run))
    return [row for one in finished for row in one.rows], [one.seen for one in finished], experiment, contexts


def test_a_study_becomes_a_page(study, tmp_path):
    rows, runs, experiment, contexts = study
    sections = [context_section(run, experiment) for run in runs[::2]]
    sections = [
        overview(rows, PAIRS, experiment, contexts, [0, 1]),
        *(with_scores(s, rows) for s in sections),
    ]
    write_report(tmp_path / "report.html", "title", sections)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    average, differences, cells, scores, genes, *_ = page.tables
    expected = table(rows)
    assert average[1] == [METRICS["r2_mean"], *(line[1] for line in expected[1:])]
    assert average[0][1:] == [line[0] for line in expected[1:]]
    assert differences[0] == ["score", *(line[0] for line in pairs_table(PAIRS)[1:])]
    assert cells[1] == ["<b>2</b> & $x_2$", "40", "40"]
    own = [row for row in rows if row.context == "<b>2</b> & $x_2$"]
    assert scores[1][1] == table(own)[1][1]
    assert scores[1][1] != table(rows)[1][1]
    assert len(genes) == 21
    assert len(page.images) == 3 + 2 * 4
    assert len(page.tables) == 3 + 2 * 2
    for sentence in verdicts(PAIRS):
        assert sentence in page.text
    assert "40 stimulated cells were hidden and predicted from 40 control cells" in page.text


def test_the_summary_is_plain_numbers(study):
    rows, _, experiment, contexts = study
    summary = summarize(rows, PAIRS, experiment, contexts, [0, 1])
    assert summary["mean"] == averages(rows)
    assert summary["differences"][0]["method"] == "no_change"
    assert summary["settings"]["model"] == {"n_hidden": 16, "n_latent": 4, "n_threads": 1}
    assert re.fullmatch(r"\d+\.\d+\.\d+", summary["version"])


def test_the_gene_table_is_the_test_and_the_means(rng):
    control, true = rng.normal(3, 1, (30, 6)), rng.normal(3, 1, (40, 6))
    true[:, 4] += 3
    predicted = control + 0.25
    heading, *lines = gene_table(list("abcdef"), control, true, predicted, n=2)
    assert heading == ["gene", "control mean", "true change", "predicted change", "adjusted P"]
    p = np.array(
        [
            stats.mannwhitneyu(true[:, g], control[:, g], method="asymptotic", use_continuity=False).pvalue
            for g in range(6)
        ]
    )
    adjusted = stats.false_discovery_control(p)
    assert lines[0] == [
        "e",
        f"{control[:, 4].mean():.2f}",
        f"{true[:, 4].mean() - control[:, 4].mean():+.2f}",
        "+0.25",
        f"{adjusted[4]:.1e}",
    ]
    assert lines[1][0] == "abcdef"[np.argsort(p)[1]]
    assert len(lines) == 2
