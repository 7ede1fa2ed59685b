"""The figures of the pages on the linear-Gaussian model and on delta satisfy the equations beside them."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from vae_np.book.figures import delta as figures
from vae_np.book.figures import linear_gaussian
from vae_np.plots.palette import BLACK, VERMILLION
from vae_np.scgen import delta, delta_balanced
from vae_np.verify.oracle import (
    kl_to_posterior,
    linear_gaussian_elbo,
    linear_gaussian_evidence,
    linear_gaussian_posterior,
    rotation_gap,
)


def test_the_model_of_the_ellipses_is_the_example_of_the_page():
    model = linear_gaussian.model()
    np.testing.assert_allclose(model.M, linear_gaussian.M)
    assert rotation_gap(model.M) == pytest.approx(0.5 * np.log(6 / 5))


def test_the_upright_ellipses_are_the_best_ones_and_pay_the_price_of_the_page(rng):
    model, x = linear_gaussian.model(), linear_gaussian.X
    mean, covariance = linear_gaussian_posterior(model, x)
    mu, log_var = linear_gaussian.best_diagonal(mean)
    gap = linear_gaussian_evidence(model, x) - linear_gaussian_elbo(model, x, mu, log_var)
    np.testing.assert_allclose(gap, 0.5 * np.log(6 / 5))
    for _ in range(50):
        other = log_var + 0.3 * rng.normal(size=2)
        assert (kl_to_posterior(mu, other, mean, covariance) >= gap).all()


def test_the_drawn_ellipses_are_contours_of_the_posterior_found_by_bayes_rule():
    model, x = linear_gaussian.model(), linear_gaussian.X
    curves = [line.get_xydata() for line in linear_gaussian.diagonal_posterior().axes[0].lines][2:]

    def log_joint(z, cell):
        return -0.5 * (z**2).sum(axis=1) - ((x[cell] - z @ model.W) ** 2).sum(axis=1) / (2 * model.variance)

    for cell in range(len(x)):
        exact, center, upright, _ = curves[4 * cell : 4 * cell + 4]
        np.testing.assert_allclose(log_joint(center, cell) - log_joint(exact, cell), 2)  # 2 deviations
        for axis in (0, 1):  # narrower than its shadow, as the posterior is tilted
            assert np.ptp(upright[:, axis]) < np.ptp(exact[:, axis])


def test_the_arrows_are_the_pooled_and_the_balanced_delta_of_the_cells():
    z, condition, cell_type = figures.uneven_cells()
    control, stimulated = condition == 0, condition == 1
    balanced = delta_balanced(z[control], z[stimulated], cell_type[control], cell_type[stimulated])
    pooled = delta(z[control], z[stimulated])
    ends = {
        to_hex(text.arrow_patch.get_edgecolor()): np.subtract(text.xy, text.xyann)
        for text in figures.composition_bias().axes[0].texts
        if text.get_text() == ""
    }
    # Two latent dimensions: the picture is the latent space, turned.
    for color, vector in ((BLACK, balanced), (VERMILLION, pooled)):
        assert np.linalg.norm(ends[color]) == pytest.approx(np.linalg.norm(vector))
    assert ends[BLACK] @ ends[VERMILLION] == pytest.approx(balanced @ pooled)
    # 280 cells of deviation 0.3 a coordinate: each of six group means is known to 0.3 / sqrt(n)
    deviation = 0.3 / 3 * np.sqrt(2 * (1 / 90 + 1 / 40 + 1 / 10))
    assert np.abs(balanced - [1, 0]).max() < 5 * deviation
    assert np.linalg.norm(pooled) > 2 * np.linalg.norm(balanced)


def test_the_walk_passes_through_half_the_shift_and_ends_at_the_prediction():
    model, z = figures.trained()
    axes = figures.latent_traversal().axes[0]

    def decoded_mean(scale):
        settings = {"mode": "decode", "clip": False, "scale": scale}
        return model.predict("control", "stimulated", figures.TARGET, **settings)[0].X.mean(0, dtype=float)

    start, halfway, end = (decoded_mean(scale) for scale in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(start, model.decode(z).mean(0, dtype=float), rtol=1e-6)
    names = {text.get_text() for text in axes.texts}
    largest = np.argsort(-np.abs(end - start))[: len(names)]
    assert names == {model.genes[i] for i in largest}
    rounding = 50 * float(np.finfo(np.float32).eps * np.abs(end).max())  # sums of 64 units in float32
    bends = []
    for line, gene in zip(axes.lines, largest, strict=True):
        first, middle, last = line.get_ydata()[[0, 5, 10]]
        assert first == 0
        assert middle == pytest.approx(halfway[gene] - start[gene], abs=rounding)
        assert last == pytest.approx(end[gene] - start[gene], abs=rounding)
        bends.append(abs(middle - last / 2))
    assert max(bends) > 1000 * rounding  # an affine decoder has straight lines
