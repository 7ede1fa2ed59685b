"""Every figure, with usual and awkward data: no text covers another, is cut off, or is read as a formula."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from vae_np import plots
from vae_np.plots import palette
from vae_np.plots.kl_terms import Terms

LONG = "CD4 positive effector memory T cells of donor "
ODD = ["$x_{1$", "_hidden", "a_b^c", "$$"]


def gene_plot(plot, n, n_named, name="g"):
    def draw(rng):
        predicted, true, control = rng.random((3, n)) ** 3
        return plot(predicted, true, control, [f"{name}{i}" for i in range(n)], n_named)

    return draw


def arrows(n, noise, names, n_latent=20):
    def draw(rng):
        shared = rng.normal(size=n_latent)
        deltas = shared + noise * rng.normal(size=(n, n_latent))
        return plots.delta_arrows_plot(rng.normal(size=(n, n_latent)), deltas, names[:n], shared)

    return draw


def history(n_epochs, parts=("train", "validation"), weight=1.0):
    def draw(rng):
        names = [f"{part}_{loss}" for part in parts for loss in ("total", "reconstruction", "kl")]
        weights = {"kl_weight": np.linspace(weight, 1, n_epochs)}
        return plots.history_plot({name: 600 + rng.random(n_epochs) for name in names} | weights)

    return draw


def heatmap(n_methods, n_contexts, context="context "):
    def draw(rng):
        values = rng.random((n_methods, n_contexts))
        values[-1, -1] = values[0, 0] if values.size == 1 else np.nan
        contexts = [f"{context}{i}" for i in range(n_contexts)]
        return plots.score_heatmap(values, ["conditional_vae"] * n_methods, contexts, "R² of the mean $_")

    return draw


def frames(n_frames, names, n_cells=60, size=1.0):
    def draw(rng):
        means = size * rng.normal(size=(n_frames, n_cells, 2))
        cell_types = [names[i % len(names)] for i in range(n_cells)]
        return plots.training_frames_plot(means, cell_types, range(n_frames))

    return draw


def gradient_noise(names, dimensions=(1, 2, 5, 10, 20, 50), spread=1.0):
    def draw(rng):
        variances = {name: np.square(dimensions) for name in names}
        draws = {name: spread * rng.standard_t(2, 500) for name in names}
        return plots.gradient_noise_plot(draws, 0.5, dimensions, variances, variances)

    return draw


def intervals(n):
    def draw(rng):
        mean, true, control = rng.random((3, n))
        return plots.intervals_plot(
            mean, mean - 0.1, mean + 0.1, true, control, [f"{LONG}{i}" for i in range(n)]
        )

    return draw


def ellipses(n):
    def draw(rng):
        mean = rng.normal(size=(n, 2))
        return plots.posterior_ellipses_plot(mean, [[1, -0.5], [-0.5, 1]], mean + 0.2, np.zeros((n, 2)))

    return draw


def composition(n, names, n_latent=6):
    def draw(rng):
        control = rng.normal(size=(n, n_latent))
        cells = rng.integers(1, 999, size=(2, n))
        return plots.composition_bias_plot(control, control + rng.random(n_latent), *cells, names[:n])

    return draw


def traversal(n, n_named, name="g"):
    def draw(rng):
        expression = np.cumsum(rng.normal(size=(11, n)), axis=0)
        genes = [f"{name}{i}" for i in range(n)]
        return plots.latent_traversal_plot(np.linspace(0, 1, 11), expression, genes, n_named)

    return draw


def posterior_gap(names, scale=1.0):
    def draw(rng):
        z, n = np.linspace(-3, 3, 50), len(names)
        q = {name: rng.random(50) for name in names}
        return plots.posterior_gap_plot(
            z, rng.random(50), rng.random(50), q, -scale, -scale * (1 + np.arange(n)), scale * np.arange(n)
        )

    return draw


def kl_terms(names, n=50):
    def draw(rng):
        at = np.linspace(-4, 2, n)
        terms = Terms(at, dict.fromkeys(names, at**2), dict.fromkeys(names, 2 * at))
        return plots.kl_terms_plot(terms, terms)

    return draw


NUMBERED = [f"{LONG}{i}" for i in range(20)]
FIGURES = {
    "mean": gene_plot(plots.reg_mean_plot, 500, 10),
    "mean-60-long": gene_plot(plots.reg_mean_plot, 500, 60, LONG),
    "mean-wide": gene_plot(plots.reg_mean_plot, 30, 10, "W" * 38),
    "mean-narrow": gene_plot(plots.reg_mean_plot, 30, 10, "i" * 38),
    "mean-one": gene_plot(plots.reg_mean_plot, 1, 10, "$"),
    "mean-zeros": lambda rng: plots.reg_mean_plot(*np.zeros((3, 4)), ODD),
    "var": gene_plot(plots.reg_var_plot, 500, 25),
    "latent": lambda rng: plots.latent_plot(*(rng.normal(size=(50, 6)) + i for i in range(4))),
    "latent-one": lambda rng: plots.latent_plot(*np.arange(4.0).reshape(4, 1, 1)),
    "pca": lambda rng: plots.embedding_plot({name: rng.normal(size=(30, 5)) for name in ODD}),
    "pca-identical": lambda rng: plots.embedding_plot({name: np.ones((3, 5)) for name in ODD}),
    "pca-one": lambda rng: plots.embedding_plot({"_": np.ones((1, 1))}),
    "pca-20-long": lambda rng: plots.embedding_plot({name: rng.normal(size=(9, 5)) for name in NUMBERED}),
    "arrows": arrows(4, 0.5, ODD),
    "arrows-parallel": arrows(20, 0, NUMBERED),
    "arrows-20": arrows(20, 1, NUMBERED),
    "arrows-one": arrows(1, 0, ["$"], n_latent=1),
    "arrows-zero": lambda rng: plots.delta_arrows_plot(
        np.zeros((2, 3)), np.zeros((2, 3)), ODD[:2], np.ones(3)
    ),
    "history": history(100),
    "history-warm-up": history(40, weight=0.0),
    "history-one": history(1, ["train"]),
    "classifier": lambda rng: plots.classifier_plot(rng.normal(size=90), rng.normal(size=9) + 1, ODD[:2]),
    "classifier-long": lambda rng: plots.classifier_plot([1], [1], NUMBERED[:2]),
    "violins": lambda rng: plots.violin_plot(
        {n: rng.random((20, 9)) for n in ("control", "true")}, NUMBERED[:9]
    ),
    "violins-one": lambda rng: plots.violin_plot({"_$": [[0.0]]}, ["$"]),
    "heatmap": heatmap(7, 8),
    "heatmap-one": heatmap(1, 1, "$"),
    "heatmap-20-long": heatmap(7, 20, LONG),
    "arrows-wide": arrows(5, 1, ["W" * 39 + str(i) for i in range(5)]),
    "pca-wide": lambda rng: plots.embedding_plot(
        {"W" * 38 + str(i): rng.normal(size=(9, 5)) for i in range(5)}
    ),
    "frames": frames(5, ODD),
    "frames-one": frames(1, ["$"], n_cells=1),
    "frames-12-long": frames(12, NUMBERED, size=1e4),
    "gradient-noise": gradient_noise(["pathwise", "score function", "$x_{1$"]),
    "gradient-noise-one": gradient_noise(["_"], dimensions=[3], spread=0.0),
    "gradient-noise-long": gradient_noise(NUMBERED[:5], dimensions=range(1, 9), spread=1e6),
    "adam-bias": lambda rng: plots.adam_bias_plot(*rng.random((6, 3000)), mean=0.5, mean_square=1),
    "adam-bias-two": lambda rng: plots.adam_bias_plot(*-rng.random((6, 2)) * 1e-9, mean=0, mean_square=0),
    "intervals": intervals(30),
    "intervals-one": intervals(1),
    "posterior-gap": posterior_gap(ODD),
    "posterior-gap-20-long": posterior_gap(NUMBERED, 1e6),
    "posterior-gap-one": posterior_gap(["$"], 0.0),
    "kl-terms": kl_terms(ODD),
    "kl-terms-20-long": kl_terms(NUMBERED),
    "kl-terms-one": kl_terms(["$"], 1),
    "ellipses": ellipses(5),
    "ellipses-one": ellipses(1),
    "composition": composition(4, ODD),
    "composition-20": composition(20, NUMBERED),
    "composition-one": composition(1, ["$"], n_latent=1),
    "traversal": traversal(200, 8),
    "traversal-30-long": traversal(60, 30, LONG),
    "traversal-flat": lambda rng: plots.latent_traversal_plot([0, 1], np.zeros((2, 4)), ODD),
}


def drawn_texts(figure):
    """Every text that is visible, with its box in pixels; a tick outside the axes is not drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    outside = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.majorTicks:
            if not low <= tick.get_loc() <= high:
                outside |= {tick.label1, tick.label2}
    texts = [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in outside
    ]
    return [(text, Text.get_window_extent(text, renderer)) for text in texts]


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_covers_another_or_is_cut_off(rng, name):
    figure = FIGURES[name](rng)
    texts = drawn_texts(figure)
    assert len(texts) > 3
    for text, box in texts:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
        assert text.get_fontsize() >= 9, text
    straight = [(text, box) for text, box in texts if text.get_rotation() % 90 == 0]
    for (a, box_a), (b, box_b) in itertools.combinations(straight, 2):
        assert not box_a.overlaps(box_b), (a, b)


@pytest.mark.parametrize("name", ["mean-zeros", "pca", "arrows", "classifier"])
def test_names_are_shown_as_they_are(rng, name):
    shown = " ".join(text.get_text() for text, _ in drawn_texts(FIGURES[name](rng)))
    for odd in ODD[:2]:
        assert odd in shown
    parsed = [
        text
        for text, _ in drawn_texts(FIGURES[name](rng))
        if "$" in text.get_text() and text.get_parse_math()
    ]
    assert not parsed


def test_the_legend_covers_no_data(rng):
    for name in (
        "mean",
        "latent",
        "pca-20-long",
        "arrows-20",
        "classifier",
        "violins",
        "history",
        "intervals",
        "posterior-gap",
        "kl-terms",
        "ellipses",
        "composition-20",
        "traversal",
    ):
        figure = FIGURES[name](rng)
        drawn_texts(figure)
        legend = figure.legends[0].get_window_extent()
        assert not any(legend.overlaps(axes.get_window_extent()) for axes in figure.axes), name


def test_things_of_one_figure_differ_in_more_than_color():
    roles = [palette.CONTROL, palette.PREDICTED, palette.TRUE]
    for look in zip(*roles, strict=True):
        assert len(set(look)) == 3
    grays = sorted(np.dot([0.299, 0.587, 0.114], to_rgb(role.color)) for role in roles)
    assert np.diff(grays).min() > 0.1  # of black to white
    figure = plots.embedding_plot({name: np.eye(2) for name in palette.ROLES if name != "stimulated"})
    shapes = {dots.get_paths()[0].vertices.tobytes() for dots in figure.axes[0].collections}
    assert len(shapes) == 3
    kinds = [palette.kind("", i) for i in range(72)]
    assert len({(kind.color, kind.marker) for kind in kinds}) == 72
    assert palette.kind("true", 5) == palette.TRUE
