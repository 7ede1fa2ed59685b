"""The gap of the bound and the terms of the KL: the artists hold the numbers that were given."""

import numpy as np
import pytest
from legends import legend_of, line_of, look
from matplotlib.colors import to_hex
from matplotlib.text import Annotation

from vae_np.errors import InputError
from vae_np.plots import kl_terms_plot, posterior_gap_plot
from vae_np.plots.kl_terms import Terms


def gap_arguments(rng, n_q=3, m=40):
    z = np.linspace(-2, 3, m)
    q = {f"q{i}": rng.random(m) for i in range(n_q)}
    return [z, rng.random(m), rng.random(m), q, -1.25, -1.25 - rng.random(n_q), rng.random(n_q)]


def terms_of(rng, n_terms, m=30, name="term"):
    at = np.sort(rng.normal(size=m))
    names = [f"{name} {i}" for i in range(n_terms)]
    return Terms(at, {n: rng.normal(size=m) for n in names}, {n: rng.normal(size=m) for n in names})


def test_posterior_gap_draws_every_density(rng):
    z, prior, posterior, q, *numbers = gap_arguments(rng)
    above = posterior_gap_plot(z, prior, posterior, q, *numbers).axes[0]
    for line, density in zip(above.lines, [posterior, *q.values()], strict=True):
        np.testing.assert_array_equal(line.get_data(), [z, density])
    (area,) = above.collections
    height = area.get_paths()[0].vertices[:, 1].max()
    assert height == prior.max()
    assert len({line.get_linestyle() for line in above.lines[1:]}) == len(q)


def test_a_bar_starts_at_the_elbo_is_as_long_as_the_gap_and_carries_its_name(rng):
    *densities, q, log_evidence, elbo, gap = gap_arguments(rng)
    figure = posterior_gap_plot(*densities, q, log_evidence, elbo, gap)
    below = figure.axes[1]
    *marks, end = below.lines
    assert set(end.get_xdata()) == {log_evidence}
    rows = [round(tick) for tick in below.get_yticks()]
    for i, (mark, bar) in enumerate(zip(marks, below.patches, strict=True)):
        assert (*mark.get_xdata(), *mark.get_ydata()) == (elbo[i], i)
        assert bar.get_x() == elbo[i]
        assert bar.get_width() == gap[i]
        assert bar.get_y() + bar.get_height() / 2 == pytest.approx(rows[i])
        assert mark.get_color() == figure.axes[0].lines[1 + i].get_color()
    assert [text.get_text() for text in below.get_yticklabels()] == list(q)
    (sizes,) = below.child_axes
    assert [float(text.get_text()) for text in sizes.get_yticklabels()] == pytest.approx(gap, rel=5e-3)
    assert below.yaxis_inverted()  # the first q stands at the top


def test_a_bar_of_numbers_that_break_the_equation_does_not_end_at_the_line(rng):
    *arguments, elbo, gap = gap_arguments(rng, n_q=1)
    (bar,) = posterior_gap_plot(*arguments, elbo, gap).axes[1].patches
    assert bar.get_x() + bar.get_width() == pytest.approx(elbo[0] + gap[0])
    assert abs(bar.get_x() + bar.get_width() - arguments[4]) > 1e-3


def test_the_legend_of_the_gap_names_what_is_drawn(rng):
    z, prior, posterior, q, log_evidence, elbo, gap = gap_arguments(rng)
    figure = posterior_gap_plot(z, prior, posterior, q, log_evidence, elbo, gap)
    above, below = figure.axes[:2]
    assert above.get_title() == "Densities of the latent variable"
    assert below.get_title() == "ELBO (mark) + KL from the posterior (bar) = log p(x)"
    legend = legend_of(figure)
    (area,) = above.collections
    assert area.get_paths()[0].vertices[:, 1].max() == prior.max()
    assert legend.pop("prior") == look(area)
    for name, density in {"posterior": posterior, **q}.items():
        assert legend.pop(name) == look(line_of(above, density)), name
    assert [bar.get_width() for bar in below.patches] == list(gap)
    assert {legend.pop("KL(q||posterior)")} == {look(bar) for bar in below.patches}
    ((name, seen),) = legend.items()
    assert float(name.removeprefix("log p(x) = ")) == log_evidence
    (end,) = [line for line in below.lines if list(line.get_xdata()) == [log_evidence] * 2]
    assert seen == look(end)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, np.zeros((2, 2)), r"z has shape \(2, 2\): give \(points,\)"),
        (1, np.ones(3), r"prior has shape \(3,\): give \(40,\)"),
        (2, np.full(40, np.nan), "posterior holds nan"),
        (3, {}, "q is empty: give at least one density"),
        (3, {"a": np.ones(2)}, r"density of 'a' has shape \(2,\)"),
        (4, np.inf, "log_evidence holds inf"),
        (5, np.ones(2), r"elbo has shape \(2,\): give \(3,\)"),
        (6, np.ones(4), r"gap has shape \(4,\): give \(3,\)"),
    ],
)
def test_gaps_that_cannot_be_drawn(rng, place, value, message):
    arguments = gap_arguments(rng)
    arguments[place] = value
    with pytest.raises(InputError, match=message):
        posterior_gap_plot(*arguments)


def test_kl_terms_draws_terms_their_sum_and_the_pulls(rng):
    columns = terms_of(rng, 1), terms_of(rng, 3)
    panels = np.reshape(kl_terms_plot(*columns).axes, (2, 2))
    for terms, (above, below) in zip(columns, panels.T, strict=True):
        values, slopes = (np.array(list(part.values())) for part in (terms.values, terms.slopes))
        wanted = np.concatenate([values.sum(axis=0, keepdims=True), values])
        pulls = -np.concatenate([slopes.sum(axis=0, keepdims=True), slopes])
        for axes, curves in ((above, wanted), (below, pulls)):
            drawn = [line.get_data() for line in axes.lines if len(line.get_xdata()) > 2]
            assert len(drawn) == len(curves)
            for (at, curve), right in zip(drawn, curves, strict=True):
                np.testing.assert_array_equal(at, terms.at)
                np.testing.assert_allclose(curve, right, rtol=1e-15 * len(curves), atol=1e-15)


def test_titles_and_legend_of_the_terms_name_what_is_drawn(rng):
    columns = {"mu": terms_of(rng, 2, name="of mu"), "log_var": terms_of(rng, 3, name="of log_var")}
    figure = kl_terms_plot(*columns.values(), rate=0.7)
    legend = legend_of(figure)
    total = legend.pop("KL, the sum of the terms")
    panels = np.reshape(figure.axes, (2, 2)).T
    for (variable, terms), (above, below) in zip(columns.items(), panels, strict=True):
        assert above.get_title() == f"along {variable}"
        assert below.get_xlabel() == variable
        assert look(line_of(above, sum(terms.values.values()))) == total
        assert look(line_of(below, -sum(terms.slopes.values()))) == total
        for name in terms.values:
            seen = legend.pop(name)
            assert look(line_of(above, terms.values[name])) == seen, name
            assert look(line_of(below, -terms.slopes[name])) == seen, name
    assert figure.axes[0].get_ylabel() == "terms [nats]"
    assert figure.axes[2].get_ylabel() == "pull: minus the slope"
    ((name, seen),) = legend.items()
    assert float(name.removeprefix("a step of gradient descent, rate ")) == 0.7
    arrows = [text for axes in figure.axes for text in axes.texts if isinstance(text, Annotation)]
    assert {to_hex(arrow.arrow_patch.get_edgecolor()) for arrow in arrows} == {seen.color}
    assert seen.marker == ">"


def test_an_arrow_is_one_step_of_gradient_descent_from_the_curve(rng):
    terms = terms_of(rng, 2)
    figure = kl_terms_plot(terms, terms, rate=0.7)
    total, slope = (sum(part.values()) for part in (terms.values, terms.slopes))
    arrows = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    assert arrows
    for arrow in arrows:
        (i,) = np.flatnonzero(terms.at == arrow.xyann[0])
        assert arrow.xyann[1] == pytest.approx(total[i])
        assert arrow.xy == pytest.approx((terms.at[i] - 0.7 * slope[i], total[i]))
        assert abs(arrow.xy[0] - arrow.xyann[0]) > 0.01 * np.ptp(terms.at)


def test_the_arrows_of_a_bowl_point_to_its_bottom():
    at = np.linspace(-3, 3, 31)
    bowl = Terms(at, {"square": at**2 / 2}, {"square": at})
    for axes in kl_terms_plot(bowl, bowl).axes[:2]:
        assert all(abs(arrow.xy[0]) < abs(arrow.xyann[0]) for arrow in axes.texts)
        assert {np.sign(arrow.xyann[0]) for arrow in axes.texts} == {-1, 1}


def test_terms_that_cannot_be_drawn(rng):
    good = terms_of(rng, 2)
    with pytest.raises(InputError, match="terms along mu need a value and a slope each"):
        kl_terms_plot(good._replace(slopes={}), good)
    with pytest.raises(InputError, match="terms along log_var need a value and a slope each"):
        kl_terms_plot(good, Terms(good.at, {}, {}))
    with pytest.raises(InputError, match=r"term 'term 0' has shape \(2,\): give \(30,\)"):
        kl_terms_plot(good, good._replace(values=good.values | {"term 0": np.ones(2)}))
    with pytest.raises(InputError, match="points of mu holds inf"):
        kl_terms_plot(good._replace(at=np.full(30, np.inf)), good)
