"""The numbers of the figures on score functions, Adam and the objective satisfy the equations."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from vae_np.book.figures import adam, objective, score_function
from vae_np.data.simulate import simulate
from vae_np.train import fit
from vae_np.verify.judges import EPS, hermite, standard_errors


def exact_estimates(k):
    """Values of the three estimators, with probability weights, whose moments to degree 9 are exact."""
    eps, weight = hermite(k, 5)
    x, sigma = np.sqrt(2), np.sqrt(0.5)
    z = x / 2 + sigma * eps
    f = -0.5 * (k * np.log(2 * np.pi) + ((x - z) ** 2).sum(axis=1))
    score = eps[:, 0] / sigma  # d log q / d mu
    return weight, {
        score_function.PATH: x - z[:, 0],
        score_function.SCORE: f * score,
        score_function.BASELINE: (f - weight @ f) * score,
    }


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_variances_drawn_as_lines_are_those_of_quadrature(k):
    weight, values = exact_estimates(k)
    drawn = score_function.variances(np.array([float(k)]))
    for name, value in values.items():
        mean, square = weight @ value, weight @ value**2
        assert mean == pytest.approx(np.sqrt(2) / 2, rel=1e-12)
        assert drawn[name][0] == pytest.approx(square - mean**2, rel=1e-12)


def test_the_ratios_are_the_table_of_the_page():
    drawn = score_function.variances(np.array(score_function.DIMENSIONS, float))
    plain = drawn[score_function.SCORE] / drawn[score_function.PATH]
    baseline = drawn[score_function.BASELINE] / drawn[score_function.PATH]
    np.testing.assert_allclose(plain, [18.2, 49.6, 240, 880, 3368, 20496], rtol=3e-3)
    np.testing.assert_allclose(baseline, [4.5, 6, 10.5, 18, 33, 78], rtol=1e-12)


@pytest.mark.parametrize("k", [1, 5])
def test_estimators_are_unbiased_with_the_variance_drawn(rng, k):
    n = 20_000
    draws = score_function.estimates(k, n, rng)
    bound = standard_errors(2 * len(draws))
    for name, values in draws.items():
        error = abs(values.mean() - np.sqrt(2) / 2)
        assert error < bound * values.std(ddof=1) / np.sqrt(n), name
        squares = (values - np.sqrt(2) / 2) ** 2
        expected = score_function.variances(np.array([float(k)]))[name][0]
        assert abs(squares.mean() - expected) < bound * squares.std(ddof=1) / np.sqrt(n), name


def test_corrected_moments_of_a_constant_gradient_are_exact():
    path = adam.adam_path(np.full(50, -3.0))
    t = np.arange(1, 51)
    np.testing.assert_allclose(path.m_hat, -3, rtol=200 * EPS / 0.1)
    np.testing.assert_allclose(path.v_hat, 9, rtol=200 * EPS / 0.001)
    np.testing.assert_allclose(path.m, -3 * (1 - 0.9**t), rtol=1e-12)
    np.testing.assert_allclose(path.steps, 1, rtol=1e-8)
    plain = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    np.testing.assert_allclose(path.plain_steps, plain, rtol=1e-6)  # epsilon over sqrt(v) = 0.09
    assert path.plain_steps[0] == pytest.approx(np.sqrt(10), rel=1e-6)


def test_corrected_moments_are_averages_whose_weights_add_up_to_one(rng):
    g = rng.normal(size=40)
    path = adam.adam_path(g)
    for t in (1, 2, 7, 40):
        age = np.arange(t)[::-1]
        m_hat, v_hat = np.average(g[:t], weights=0.9**age), np.average(g[:t] ** 2, weights=0.999**age)
        assert path.m_hat[t - 1] == pytest.approx(m_hat, rel=1e-12)
        assert path.v_hat[t - 1] == pytest.approx(v_hat, rel=1e-12)
        assert path.steps[t - 1] == pytest.approx(abs(m_hat) / np.sqrt(v_hat), rel=1e-6)


def test_a_frame_is_the_same_whatever_frames_surround_it():
    x = np.asarray(simulate(80, 20, 2, shift=0.0).X.toarray())
    few, many = objective.latent_means(x, (0, 3)), objective.latent_means(x, (0, 1, 2, 3))
    assert few.shape == (2, 80, 2)
    np.testing.assert_array_equal(few, many[[0, 3]])
    assert not np.array_equal(many[0], many[1])


def test_all_frames_begin_with_the_same_weights_and_the_same_noise(monkeypatch):
    starts = []

    def recording_fit(params, stats, x, likelihood, **settings):
        starts.append((params.flat.tobytes(), str(settings["rng"].bit_generator.state)))
        return fit(params, stats, x, likelihood, **settings)

    monkeypatch.setattr(objective, "fit", recording_fit)
    objective.latent_means(np.asarray(simulate(40, 20, 2, shift=0.0).X.toarray()), (1, 2, 3))
    assert len(starts) == 3
    assert len(set(starts)) == 1


@pytest.mark.parametrize(
    "draw", [score_function.gradient_noise, adam.bias_correction, objective.training_frames]
)
def test_a_figure_is_drawn_the_same_every_time(draw):
    figure = draw()
    assert isinstance(figure, Figure)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [text.get_text() for text in draw().legends[0].get_texts()]


def test_in_the_last_frame_types_are_apart_and_of_the_size_of_the_prior():
    figure = objective.training_frames()
    first, _, middle, _, last = (
        [np.asarray(dots.get_offsets()) for dots in axes.collections] for axes in figure.axes
    )

    def right(groups):  # share of the cells whose nearest type mean is their own
        centers = np.array([z.mean(axis=0) for z in groups])
        nearest = [np.argmin(((z[:, None] - centers) ** 2).sum(axis=2), axis=1) for z in groups]
        return np.mean(np.concatenate([near == i for i, near in enumerate(nearest)]))

    assert right(last) > 0.95 > right(first)
    # In training the cells first spread, then the KL draws them together.
    sizes = [np.sqrt((np.concatenate(groups) ** 2).mean()) for groups in (middle, last)]
    assert sizes[1] < sizes[0]
