"""Ellipses, the bias of composition and a walk through latent space: what is drawn is what was given."""

import numpy as np
import pytest
from legends import legend_of, look
from matplotlib.colors import to_hex
from scipy.stats import multivariate_normal

from vae_np.errors import InputError
from vae_np.plots import composition_bias_plot, latent_traversal_plot, posterior_ellipses_plot
from vae_np.plots.palette import BLACK, BLUE, GRAY, VERMILLION
from vae_np.plots.posterior_ellipses import ellipse
from vae_np.scgen import delta, delta_balanced


def arrows_of(figure, color):
    """Start and end of each arrow of a color, (2, 2)."""
    arrows = [text for text in figure.axes[0].texts if text.get_text() == ""]
    return [np.array([a.xyann, a.xy]) for a in arrows if to_hex(a.arrow_patch.get_edgecolor()) == color]


def test_an_ellipse_is_a_contour_of_the_density_that_goes_around_the_mean():
    mean, covariance = np.array([3.0, -1.0]), np.array([[2.0, -0.9], [-0.9, 0.7]])
    points = ellipse(mean, covariance)
    below_the_top = multivariate_normal(mean, covariance).logpdf(mean) - 2  # (2 deviations)^2 / 2
    np.testing.assert_allclose(
        multivariate_normal(mean, covariance).logpdf(points), below_the_top, rtol=1e-12
    )
    np.testing.assert_allclose(points[0], points[-1])
    np.testing.assert_allclose(np.ptp(points[:, 1]) / 2, 2 * np.sqrt(0.7), rtol=1e-3)  # 181 points on it


def test_both_posteriors_of_each_cell_are_drawn(rng):
    mean, mu, log_var = rng.normal(size=(3, 4, 2))
    covariance = np.array([[1.0, 0.4], [0.4, 0.5]])
    figure = posterior_ellipses_plot(mean, covariance, mu, log_var)
    curves = [line.get_xydata() for line in figure.axes[0].lines]
    prior, _, *others = curves
    np.testing.assert_allclose(np.linalg.norm(prior, axis=1), 2)
    assert len(others) == 4 * 4
    for i in range(4):
        exact, center, encoder, encoder_center = others[4 * i : 4 * i + 4]
        np.testing.assert_array_equal(center, mean[i : i + 1])
        np.testing.assert_array_equal(encoder_center, mu[i : i + 1])
        apart = exact - mean[i]
        squares = np.einsum("pi,ij,pj->p", apart, np.linalg.inv(covariance), apart)
        np.testing.assert_allclose(squares, 4)
        np.testing.assert_allclose(((encoder - mu[i]) ** 2 / np.exp(log_var[i])).sum(axis=1), 4)


def test_the_legend_names_the_posterior_that_is_drawn(rng):
    mean, mu, log_var = rng.normal(size=(3, 4, 2))
    figure = posterior_ellipses_plot(mean, np.array([[1.0, 0.4], [0.4, 0.5]]), mu, log_var)
    lines = figure.axes[0].lines
    assert figure.axes[0].get_title() == "Posteriors of 4 cells: means and 2 standard deviations"
    legend = legend_of(figure)
    assert set(legend) == {"exact", "encoder", "prior"}
    for name, centers in {"exact": mean, "encoder": mu, "prior": np.zeros((1, 2))}.items():
        for center in centers:
            # A curve ends where it starts: without its last point, its points lie evenly around its center.
            (dot,) = [line for line in lines if np.array_equal(line.get_xydata(), [center])]
            (curve,) = [
                line
                for line in lines
                if len(line.get_xydata()) > 1
                and np.allclose(line.get_xydata()[:-1].mean(axis=0), center, atol=1e-9)
            ]
            assert look(curve) == (legend[name].color, legend[name].line, ""), name
            assert look(dot) == (legend[name].color, "", legend[name].marker), name


def test_ellipses_need_two_dimensions_and_a_covariance():
    z = np.zeros((3, 2))
    with pytest.raises(InputError, match=r"mean has shape \(3, 4\): give \(cells, 2\)"):
        posterior_ellipses_plot(np.zeros((3, 4)), np.eye(2), z, z)
    with pytest.raises(InputError, match="covariance is not symmetric with positive eigenvalues"):
        posterior_ellipses_plot(z, [[1, 2], [2, 1]], z, z)
    with pytest.raises(InputError, match="covariance is not symmetric"):
        posterior_ellipses_plot(z, [[1, 0.5], [0, 1]], z, z)


@pytest.fixture
def cells(rng):
    """Latent cells of three types, their condition and type, and the arguments of the plot."""
    n_cells = np.array([[9, 5, 2], [3, 4, 12]])
    condition, cell_type = (np.repeat(i, n_cells.ravel()) for i in np.indices((2, 3)).reshape(2, -1))
    z = rng.normal(size=(len(condition), 5)) + 3 * rng.normal(size=(3, 5))[cell_type] + condition[:, None]
    means = [[z[(condition == c) & (cell_type == t)].mean(axis=0) for t in range(3)] for c in (0, 1)]
    return z, condition == 1, cell_type, (*map(np.array, means), *n_cells)


def test_the_balanced_delta_has_its_true_length_and_the_pooled_one_its_share_along_it(cells):
    z, stimulated, cell_type, given = cells
    figure = composition_bias_plot(*given, list("abc"))
    pooled = delta(z[~stimulated], z[stimulated])
    balanced = delta_balanced(z[~stimulated], z[stimulated], cell_type[~stimulated], cell_type[stimulated])
    for color, vector in ((VERMILLION, pooled), (BLACK, balanced)):
        ((start, end),) = arrows_of(figure, color)
        across = balanced / np.linalg.norm(balanced)
        assert (end - start)[0] == pytest.approx(vector @ across)
    ((start, end),) = arrows_of(figure, BLACK)
    np.testing.assert_allclose(end - start, [np.linalg.norm(balanced), 0], atol=1e-12)
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    bias = (given[3] / given[3].sum() - given[2] / given[2].sum()) @ given[0]
    for vector in (pooled, balanced, bias):
        assert any(f"length {np.linalg.norm(vector):.3g}" in text for text in shown)


def test_the_legend_gives_each_length_to_its_own_arrow(cells):
    z, stimulated, cell_type, given = cells
    control, _, n_control, n_stimulated = given
    figure = composition_bias_plot(*given, list("abc"))
    assert figure.axes[0].get_title() == "Pooled delta = mean step of the cells + bias of composition"
    vectors = {
        "balanced delta": delta_balanced(
            z[~stimulated], z[stimulated], cell_type[~stimulated], cell_type[stimulated]
        ),
        "pooled delta": delta(z[~stimulated], z[stimulated]),
        "bias of composition": (n_stimulated / n_stimulated.sum() - n_control / n_control.sum()) @ control,
    }
    legend = legend_of(figure)
    one_type = legend.pop("one type; area: share of the cells")
    steps = np.array(arrows_of(figure, one_type.color))
    np.testing.assert_allclose(steps[:, 0], figure.axes[0].collections[0].get_offsets())
    lengths = {}
    for (label, seen), (name, vector) in zip(legend.items(), vectors.items(), strict=True):
        said, _, length = label.partition(", length ")
        assert said == name
        assert float(length) == pytest.approx(np.linalg.norm(vector), rel=5e-3)
        lengths[name] = float(length), seen
    assert len({length for length, _ in lengths.values()}) == 3
    along = vectors["balanced delta"] / np.linalg.norm(vectors["balanced delta"])
    for name in ("balanced delta", "pooled delta"):
        ((start, end),) = arrows_of(figure, lengths[name][1].color)
        assert (end - start)[0] == pytest.approx(vectors[name] @ along)
    (dashed,) = figure.axes[0].lines
    length, seen = lengths["bias of composition"]
    assert look(dashed) == seen
    assert np.linalg.norm(np.diff(dashed.get_xydata(), axis=0)) == pytest.approx(length, rel=5e-3)


def test_areas_are_the_shares_of_each_condition(cells):
    *_, given = cells
    figure = composition_bias_plot(*given, list("abc"))
    steps = np.array(arrows_of(figure, BLUE))
    before, after = figure.axes[0].collections
    for dots, at, n_cells in ((before, steps[:, 0], given[2]), (after, steps[:, 1], given[3])):
        np.testing.assert_allclose(dots.get_offsets(), at)
        np.testing.assert_allclose(dots.get_sizes() / dots.get_sizes().sum(), n_cells / n_cells.sum())
    assert before.get_sizes().sum() == pytest.approx(after.get_sizes().sum())
    shown = {text.get_text() for text in figure.axes[0].texts} - {""}
    assert shown == {"a  9 → 3 cells", "b  5 → 4 cells", "c  2 → 12 cells"}


def test_the_dashed_line_is_the_bias_and_leads_to_the_pooled_delta(cells):
    *_, given = cells
    figure = composition_bias_plot(*given, list("abc"))
    (dashed,) = [line for line in figure.axes[0].lines if to_hex(line.get_color()) == GRAY]
    corner, end = dashed.get_xydata()
    ((start, pooled_end),) = arrows_of(figure, VERMILLION)
    np.testing.assert_allclose(end, pooled_end)
    bias = (given[3] / given[3].sum() - given[2] / given[2].sum()) @ given[0]
    assert np.linalg.norm(end - corner) == pytest.approx(np.linalg.norm(bias))  # it lies in the plane
    assert end[1] > corner[1]
    steps = np.array(arrows_of(figure, BLUE))
    mean_step = given[3] / given[3].sum() @ (steps[:, 1] - steps[:, 0])
    np.testing.assert_allclose(corner - start, mean_step, atol=1e-12)


def test_equal_shares_leave_no_bias_and_dots_show_the_shares(cells):
    *_, (control, stimulated, n_control, _) = cells
    figure = composition_bias_plot(control, stimulated, n_control, 7 * n_control, list("abc"))
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(*line.get_xydata(), atol=1e-12)
    before, after = (dots.get_sizes() for dots in figure.axes[0].collections)
    np.testing.assert_allclose(before, after)
    np.testing.assert_allclose(before / before.sum(), n_control / n_control.sum())


def test_without_any_response_the_pooled_delta_is_the_bias(rng):
    control = rng.normal(size=(3, 4))
    figure = composition_bias_plot(control, control, [1, 2, 3], [3, 2, 1], list("abc"))
    ((start, end),) = arrows_of(figure, VERMILLION)
    corner, tip = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(np.stack([start, end]), np.stack([corner, tip]), atol=1e-12)
    assert "along the pooled delta" in figure.axes[0].get_xlabel()


def test_what_has_no_direction_or_no_cells_is_refused():
    z = np.ones((2, 3))
    with pytest.raises(InputError, match="the balanced and the pooled delta are zero"):
        composition_bias_plot(z, z, [1, 1], [1, 1], list("ab"))
    with pytest.raises(InputError, match="a type has no cell in a condition"):
        composition_bias_plot(z, z + 1, [1, 0], [1, 1], list("ab"))
    with pytest.raises(InputError, match=r"n_control has shape \(3,\): give \(2,\)"):
        composition_bias_plot(z, z + 1, [1, 1, 1], [1, 1], list("ab"))


def test_the_traversal_draws_changes_and_names_the_largest(rng):
    steps = np.linspace(-1, 2, 7)
    expression = rng.normal(size=(7, 30))
    expression[3, 17] += 50  # comes back: the largest change is not at the end
    expression[-1, 4] -= 40
    genes = [f"gene {i}" for i in range(30)]
    figure = latent_traversal_plot(steps, expression, genes, n_named=2)
    axes = figure.axes[0]
    named = [line.get_xydata() for line in axes.lines]
    for drawn, gene in zip(named, (17, 4), strict=True):
        np.testing.assert_array_equal(drawn[:, 0], steps)
        np.testing.assert_allclose(drawn[:, 1], expression[:, gene] - expression[0, gene])
    ends = {text.get_text(): text.xy for text in axes.texts}
    assert set(ends) == {"gene 17", "gene 4"}
    np.testing.assert_allclose(ends["gene 4"], [2, expression[-1, 4] - expression[0, 4]])
    (others,) = axes.collections
    wanted = np.delete(expression - expression[0], [4, 17], axis=1)
    np.testing.assert_allclose(np.array(others.get_segments())[:, :, 1], wanted.T)
    legend = legend_of(figure)
    assert list(legend) == ["genes of the largest change", "28 other genes"]
    assert legend["genes of the largest change"] == look(axes.lines[0])
    assert legend["28 other genes"] == (to_hex(others.get_color()[0]), "-", "")
    low, high = axes.get_ylim()
    assert low < (expression - expression[0]).min()
    assert high > (expression - expression[0]).max()


@pytest.mark.parametrize("steps", [[0.0, 0.0], [1.0, 0.0]])
def test_steps_have_to_rise(steps):
    with pytest.raises(InputError, match="steps do not rise"):
        latent_traversal_plot(steps, np.zeros((2, 3)), list("abc"))


def test_a_traversal_needs_steps_and_names():
    with pytest.raises(InputError, match="steps do not rise: give at least two"):
        latent_traversal_plot([0.0], np.zeros((1, 3)), list("abc"))
    with pytest.raises(InputError, match="2 genes are named, but the numbers have 3"):
        latent_traversal_plot([0, 1], np.zeros((2, 3)), list("ab"))
