"""Every equation is decided by its judges, and the table of equations is complete."""

import sys
import warnings

import pytest
from labels import BEYOND, PROSE, SOURCE

from vae_np import check, errors, verify_all
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.run import sympy_is_installed, verify


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.label)
def test_equation(equation, record_report):
    report = verify(equation, symbolic=sympy_is_installed())
    record_report(equation, report)
    assert report.ok, report.message


def test_the_table_is_complete():
    assert (len(SOURCE), len(PROSE)) == (25, 10)
    labels = [equation.label for equation in EQUATIONS]
    assert sorted(labels) == sorted(SOURCE | PROSE | BEYOND)
    for equation in EQUATIONS:
        from_source = equation.label in SOURCE | PROSE
        assert (equation.lines is not None) == (equation.printed is not None) == from_source, equation.label
        names = [judge.name for judge in equation.judges]
        assert len(set(names)) == len(names) > 0, equation.label


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.label)
def test_a_sharp_judge_decides_every_equation(equation):
    kinds = {judge.kind for judge in equation.judges if not judge.refutes}
    assert kinds & {"exact", "symbolic", "quadrature", "complex step"}


@pytest.mark.parametrize(
    "equation", [e for e in EQUATIONS if e.printed == "wrong"], ids=lambda equation: equation.label
)
def test_every_wrong_print_is_refuted(equation):
    assert any(judge.refutes for judge in equation.judges)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_no_false_alarm_at_other_random_points(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrong = [report for report in verify_all(seed=seed, symbolic=False) if not report.ok]
    assert not wrong, [f"{report.label}: {report.message}" for report in wrong]


def test_verify_all_refuses_what_it_cannot_do(monkeypatch):
    with pytest.raises(errors.InputError, match="no equation 'kl-close': did you mean kl-closed"):
        verify_all("kl-close")
    with pytest.raises(errors.InputError, match="a label is a text"):
        verify_all(["kl-closed"])
    with pytest.raises(errors.InputError, match=r"seed is 1\.5"):
        verify_all("kl-closed", seed=1.5)
    monkeypatch.setattr("vae_np.verify.run.find_spec", lambda name: None)
    with pytest.raises(errors.InputError, match=r"pip install 'vae_np\[symbolic\]'"):
        verify_all("kl-closed", symbolic=True)
    assert all(v.kind != "symbolic" for v in verify_all("kl-closed")[0].verdicts)
    monkeypatch.setitem(sys.modules, "sympy", None)
    assert check("kl-closed").ok
