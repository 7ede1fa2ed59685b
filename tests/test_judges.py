"""Each tool of the judges accepts what is right and rejects what is wrong by little more than its bound."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from vae_np.verify import judges
from vae_np.verify.record import Equation, Judge, Measured
from vae_np.verify.run import ask, quoted, verify


def accepts(measured):
    return measured.error <= measured.bound


def test_rounding():
    x = np.array([1.0, -3.0])
    assert accepts(judges.rounding(x, x * (1 + 50 * judges.EPS), 100))
    assert not accepts(judges.rounding(x, x * (1 + 200 * judges.EPS), 100))
    assert not accepts(judges.rounding(np.array([np.nan, 1.0]), x, 100))
    assert not accepts(judges.rounding((x, x * np.nan), (x, x), 100))
    assert judges.rounding(x[:, None], x, 100).error == math.inf  # shapes must agree, not broadcast
    assert not accepts(judges.rounding((x, 0 * x), (x, x), 100))
    with pytest.raises(ValueError, match="longer"):
        judges.rounding((x,), (x, x), 100)


def test_refined_takes_the_difference_of_the_rules_as_its_bound():
    assert judges.refined(1.0, 1.0 + 1e-6, 1.0 + 3e-6, 10).bound == pytest.approx(2e-6, rel=1e-3)
    assert not accepts(judges.refined(1.0, 1.0 + 3e-6, 1.0 + 4e-6, 10))


def test_not_above():
    assert accepts(judges.not_above(np.array([1.0, 2.0]), np.array([1.0, 5.0]), 10))
    assert not accepts(judges.not_above(np.array([1.0, 2.0]), np.array([0.999, 5.0]), 10))
    assert not accepts(judges.not_above(np.array([np.nan]), np.array([1.0]), 10))


def test_standard_errors_are_those_of_one_false_alarm_in_a_million():
    assert judges.standard_errors(1) == pytest.approx(4.892, abs=5e-4)
    assert 2 * norm.sf(judges.standard_errors(20)) * 20 == pytest.approx(1e-6)


def test_monte_carlo_bound_and_detectable_deviation(rng):
    draws = rng.standard_normal((10_000, 3))
    right = judges.monte_carlo(draws, np.zeros(3))
    assert accepts(right)
    assert right.bound == pytest.approx(judges.standard_errors(3) * 0.01, rel=0.05)
    assert not accepts(judges.monte_carlo(draws, np.array([0, 0, right.detectable])))
    assert accepts(judges.monte_carlo(np.ones((1000, 1)), 1.0))  # no spread at all
    assert not accepts(judges.monte_carlo(np.ones((1000, 1)), 1.001))


def test_in_law(rng):
    samples = rng.standard_normal((100_000, 2))
    right = judges.in_law(samples, [norm.cdf, norm.cdf])
    assert accepts(right)
    assert not accepts(judges.in_law(samples * np.nan, [norm.cdf, norm.cdf]))
    shift = right.detectable / norm.pdf(0)  # moves the distribution function by that much at 0
    assert not accepts(judges.in_law(samples + np.array([0, 2 * shift]), [norm.cdf, norm.cdf]))


def test_worst_takes_what_is_closest_to_its_bound():
    near, far, none = Measured(0.9, 1.0, ""), Measured(0.5, 1e3, ""), Measured(0.0, 0.0, "")
    assert judges.worst([far, near, none]) is near
    for beyond in (Measured(1e-9, 0.0, ""), Measured(math.nan, 1.0, "")):
        assert judges.worst([near, beyond, far]) is beyond


def test_steps_of_one_are_exact_for_an_affine_function():
    x, W, d = np.array([[3.0, -2.0]]), np.array([[5.0], [7.0]]), np.array([[2.0]])
    np.testing.assert_array_equal(judges.steps_of_one(np.matmul, (x, W), 0, d), [[10, 14]])
    np.testing.assert_array_equal(judges.steps_of_one(np.matmul, (x, W), 1, d), [[6], [-4]])


def cubic(x, y):
    return (x**3 * y).sum(axis=-1)


def test_gradient_and_taylor(rng):
    x, y, d = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    right = (3 * x**2 * y * d[:, None], x**3 * d[:, None])
    assert accepts(judges.gradient(cubic, (x, y), d, right, 100))
    assert accepts(judges.taylor(cubic, (x, y), d, right, rng))
    for i in range(2):
        wrong = [right[0].copy(), right[1].copy()]
        wrong[i][2, 1] *= 1.001
        assert not accepts(judges.gradient(cubic, (x, y), d, tuple(wrong), 100))
        wrong[i] *= 1.1
        assert not accepts(judges.taylor(cubic, (x, y), d, tuple(wrong), rng))


def test_hermite_is_exact_to_its_degree(rng):
    eps, weight = judges.hermite(2, 3)
    assert weight.sum() == pytest.approx(1, rel=1e-14)
    for powers, moment in {(4, 0): 3, (2, 2): 1, (1, 3): 0, (4, 4): 9}.items():
        assert weight @ np.prod(eps ** np.array(powers), axis=1) == pytest.approx(moment, abs=1e-13)
    assert weight @ eps[:, 0] ** 6 != pytest.approx(15, rel=0.1)  # degree 6 takes four nodes
    mu, log_var = judges.random_gaussians(rng, 5, 2)
    second = judges.normal_expectation(lambda z: (z**2).sum(axis=-1), mu, log_var, 2)
    np.testing.assert_allclose(second, (mu**2 + np.exp(log_var)).sum(axis=1), rtol=1e-14)


def test_symbolic_identities():
    sympy = pytest.importorskip("sympy")
    x = sympy.symbols("x")
    assert accepts(
        judges.identities((x + 1) ** 2 - x**2 - 2 * x - 1, sympy.sin(x) ** 2 + sympy.cos(x) ** 2 - 1)
    )
    assert judges.identities(x - x, x).error == 1
    agrees = Measured(0.0, 1e-15, "")
    assert judges.proved(agrees, x - x) is agrees
    assert not accepts(judges.proved(agrees, x))


def equation(*judges):
    return Equation("a-label", "1 = 1", "=", "page.md", None, judges)


def test_a_judge_that_raises_or_finds_nan_decides_against():
    def raises(_, rng):
        raise ZeroDivisionError("by zero")

    right = Judge("right", "exact", lambda _, rng: Measured(0.0, 1e-15, ""))
    broken = Judge("broken", "exact", raises)
    nan = Judge("nan", "exact", lambda _, rng: Measured(math.nan, 1.0, ""))
    refuting_nan = nan._replace(refutes=True)
    for wrong in (broken, nan, refuting_nan):
        report = verify(equation(right, wrong))
        assert not report.ok
        assert quoted(report.verdicts).judge == wrong.name
    assert "ZeroDivisionError: by zero" in verify(equation(right, broken)).message
    assert verify(equation(right, right._replace(name="again"))).ok


def test_a_refutation_needs_an_error_above_the_bound():
    small = Judge("small", "exact", lambda _, rng: Measured(1e-16, 1e-15, ""), refutes=True)
    large = Judge("large", "exact", lambda _, rng: Measured(1e-3, 1e-15, ""), refutes=True)
    assert not verify(equation(small)).ok
    assert verify(equation(large)).ok


def test_every_judge_has_random_numbers_of_its_own():
    draw = Judge("draw", "exact", lambda _, rng: Measured(rng.random(), 1.0, ""))
    one = equation(draw)
    errors = {ask(one, draw).error, ask(one, draw, seed=1).error, ask(one, draw._replace(name="b")).error}
    assert len(errors) == 3
    assert ask(one, draw).error == ask(equation(draw, draw._replace(name="b")), draw).error
