"""The checker: right functions pass, wrong ones are caught and their term is named, nothing is raised."""

import inspect
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from ast_mutants import in_place_of, mutants

import vae_np
from vae_np.cli import main
from vae_np.errors import InputError
from vae_np.model import Params, Sizes, gaussian, initialize, loss, loss_backward
from vae_np.verify import check as check_module
from vae_np.verify.check import check
from vae_np.verify.contracts import CONTRACTS, random_sizes
from vae_np.verify.explain import explain, written
from vae_np.verify.gradients import check_gradients
from vae_np.verify.run import find, function_of
from vae_np.verify.sandbox import check_file
from vae_np.verify.terms import DICTIONARIES, EXPECTED


def kl(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)


@pytest.mark.parametrize("label", CONTRACTS)
def test_the_right_function_is_right(label):
    report = check(label, CONTRACTS[label].reference)
    assert report.ok, report.message
    assert report.message == "right"
    assert report.error <= report.bound
    assert all(report.outputs.values())
    assert report.page == find(label).page


@pytest.mark.parametrize("label", CONTRACTS)
def test_the_right_formula_is_a_combination_of_the_terms(label):
    """So what the explainer calls the expected coefficients is the equation itself."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        arguments = CONTRACTS[label].draw(rng, random_sizes(rng))
        right = CONTRACTS[label].reference(*arguments)
        outputs = right if isinstance(right, tuple) else (right,)
        dictionaries = DICTIONARIES[label](*arguments)
        assert len(outputs) == len(CONTRACTS[label].outputs) == len(dictionaries) == len(EXPECTED[label])
        for output, terms, expected in zip(outputs, dictionaries, EXPECTED[label], strict=True):
            value = sum(c * np.broadcast_to(terms[name], output.shape) for name, c in expected.items())
            # at most 40 additions of numbers of this size
            np.testing.assert_allclose(value, output, rtol=1e-12, atol=1e-13 * np.abs(output).max())


@pytest.mark.parametrize(
    ("change", "level", "says"),
    [
        (lambda mu, lv: kl(mu, lv) * 2, 2, "the factor 1/2 in front is missing"),
        (
            lambda mu, lv: -kl(mu, lv),
            3,
            "the whole formula has the factor -1, expected +1; the sign is reversed",
        ),
        (
            lambda mu, lv: kl(mu, lv) + 0.25 * lv.sum(axis=1),
            3,
            "the coefficient of sum_j log sigma_j^2 is -1/4, expected -1/2; log sigma was used where the "
            "formula has log sigma^2",
        ),
        (lambda mu, lv: kl(mu, lv) / mu.shape[1], 2, "averages over the latent dimensions"),
        (lambda mu, lv: kl(mu, lv) / len(mu), 2, "divides by the number of cells"),
        (lambda mu, lv: kl(mu, lv) + 0.5 * mu.shape[1], 2, "the term sum_j 1 is missing"),
        (lambda mu, lv: kl(mu, lv) + 1e-3 * lv[:, 0] ** 5, 2, "depends on log_var, not on mu"),
        (lambda mu, lv: kl(mu, np.clip(lv, -1, 1)), 2, "look for a clip"),
        (lambda mu, lv: kl(mu, np.log(np.exp(lv) + 1e-6)), 2, "a small constant inside a logarithm"),
        (lambda mu, lv: kl(mu, lv).astype(np.float32), 2, "compute in float64"),
        (lambda mu, lv: (mu**2).sum(), 2, "kl has the shape (), expected"),
        (lambda mu, lv: mu**2, 2, "the sum over the last axis is missing"),
        (lambda mu, lv: kl(mu, lv) * np.nan, 2, "kl holds NaN"),
        (lambda mu, lv: np.log(0 * mu).sum(axis=1), 2, "kl holds infinite values"),
        (lambda mu, lv: None, 2, "a return statement is missing"),
        (lambda mu, lv: (mu, lv), 2, "it returns 2 values, expected 1: kl"),
        (lambda mu, lv: np.array(["a"] * len(mu)), 2, "values of type"),
        (lambda mu, lv: [[1], [1, 2]], 2, "no array"),
        (lambda mu: kl(mu, mu), 2, "it raises TypeError"),
        (lambda mu, lv: math.exp("a"), 2, "in line"),
        (lambda mu, lv: exit(3), 2, "it raises SystemExit"),
        (np.ones(3), 2, "this is a ndarray, not a function"),
    ],
)
def test_what_is_wrong_is_said(change, level, says):
    report = check("kl-closed", change, level=level)
    assert not report.ok
    assert says in report.message
    assert report.message.startswith("wrong; ")
    assert not any(report.outputs.values())


def test_the_levels_say_more_and_more():
    wrong = lambda mu, lv: kl(mu, lv) + 0.25 * lv.sum(axis=1)  # noqa: E731
    messages = [check("kl-closed", wrong, level=level).message for level in range(4)]
    assert messages[0] == messages[1] == "wrong"
    assert "-1/4" not in messages[2]
    assert "-1/4, expected -1/2" in messages[3]
    assert check("kl-closed", wrong, level=1).terms == ()
    assert check("kl-closed", wrong).terms == (("sum_j log sigma_j^2", -0.25, -0.5),)


def test_the_outputs_are_judged_one_by_one():
    def wrong(d_z, log_var, eps):
        return d_z, d_z * eps  # stops at d sigma

    report = check("grad-reparam-log-var", wrong, level=3)
    assert report.outputs == {"d_mu": True, "d_log_var": False}
    assert "d_log_var is wrong, d_mu is right" in report.message
    assert "multiply by d sigma / d log_var = sigma / 2" in report.message
    assert "d_log_var is wrong, d_mu is right" in check("grad-reparam-mu", wrong, level=1).message


def test_memory_that_is_used_again_is_copied():
    kept = {}

    def reuses(mu, log_var):
        out = kept.setdefault(len(mu), np.empty(len(mu)))
        out[:] = kl(mu, log_var)
        return out

    assert check("kl-closed", reuses).ok


def test_nothing_but_zeros_and_things_that_cannot_be_read():
    assert "gives 0 everywhere" in check("kl-closed", lambda mu, lv: 1 // 2 * kl(mu, lv)).message

    class Unreadable:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("not now")

    class MuteError(Exception):
        def __str__(self):
            raise ValueError

    def raises(mu, lv):
        raise MuteError

    assert "cannot be read as an array" in check("kl-closed", lambda mu, lv: Unreadable()).message
    assert "it raises MuteError" in check("kl-closed", raises).message
    assert "extra axis of length 1" in check("kl-closed", lambda mu, lv: kl(mu, lv)[:, None]).message


def test_arguments_that_are_changed_in_place_change_nothing_for_us():
    def careless(mu, log_var):
        value = kl(mu, log_var)
        mu[:] = log_var[:] = 0
        return value

    assert check("kl-closed", careless).ok


def test_any_map_with_the_right_law_is_a_reparameterization():
    assert check("reparam-gaussian", lambda mu, log_var, eps: mu - np.exp(log_var / 2) * eps).ok
    assert check("reparam-gaussian", lambda mu, log_var, eps: mu + np.exp(log_var / 2) * eps[:, ::-1]).ok
    for nearly in (
        lambda mu, log_var, eps: mu + 1.05 * np.exp(log_var / 2) * eps,
        lambda mu, log_var, eps: mu.mean(axis=0) + np.exp(log_var / 2) * eps,
        lambda mu, log_var, eps: mu + np.sqrt(np.exp(log_var) + 0.01) * eps,
        lambda mu, log_var, eps: mu + np.exp(log_var / 2) * np.random.default_rng(0).normal(size=mu.shape),
        lambda mu, log_var, eps: mu + np.exp(log_var / 2) * np.abs(eps),
    ):
        assert not check("reparam-gaussian", nearly).ok
    wrong = check("reparam-gaussian", lambda mu, log_var, eps: mu + np.exp(log_var) * eps)
    assert "the standard deviation is exp(log_var / 2)" in wrong.message
    small = check("reparam-gaussian", lambda mu, log_var, eps: mu + 0.01 * np.exp(log_var / 2) * eps, level=3)
    assert "the coefficient of sigma_j eps_j is +1/100" in small.message or "0.01" in small.message


def test_without_a_function_the_equation_itself_is_verified():
    assert vae_np.check("elbo").ok  # a relation: it has no function
    assert len(vae_np.check("kl-closed").verdicts) > 5


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(InputError, match="did you mean kl-closed"):
        check("kl-close", kl)
    with pytest.raises(InputError, match="elbo has no function to check"):
        check("elbo", kl)
    with pytest.raises(InputError, match="level is 4"):
        check("kl-closed", kl, level=4)
    with pytest.raises(InputError, match="seed is -1"):
        check("kl-closed", kl, seed=-1)


def test_a_report_is_pretty(capsys):
    wrong = check("kl-closed", lambda mu, lv: kl(mu, lv) + 0.25 * lv.sum(axis=1))
    text, page = str(wrong), wrong._repr_html_()
    assert "sum_j log sigma_j^2: got -0.25, expected -0.5" in text
    assert "see derivations/gaussian_kl.md" in text
    assert "<td>sum_j log sigma_j^2</td><td>-0.25</td><td>-0.5</td>" in page
    assert "<script>" not in replace(wrong, message="wrong; <script>")._repr_html_()
    assert str(check("kl-closed", kl)) == "kl-closed: right"


def test_coefficients_are_written_as_one_writes_them():
    values = {0: "0", 1: "+1", -0.5: "-1/2", 2 / 3: "+2/3", 0.123456: "+0.123456"}
    assert {value: written(value) for value in values} == values
    assert written(-math.log(2 * math.pi) / 2) == "-1/2 log 2 pi"
    assert written(math.log(2 * math.pi)) == "+log 2 pi"


def test_an_explanation_has_to_predict_fresh_values():
    contract = CONTRACTS["kl-closed"]
    rng = np.random.default_rng(0)
    runs = [check_module._run(contract, lambda mu, lv: 2 * kl(mu, lv), rng) for _ in range(20)]
    trials = [check_module.Trial(r.sizes, r.arguments, r.got[0], r.expected[0]) for r in runs]
    assert explain("kl-closed", 0, trials[:10], trials[10:]) is not None
    spoiled = trials[10]._replace(got=trials[10].got + 1e-6)
    assert explain("kl-closed", 0, trials[:10], [spoiled]) is None


# -------------------------------------------------------------------------------- automatic mutants


def learners_versions(label):
    """Every automatic mutant of the function behind a label, with the contract's signature."""
    contract, function = CONTRACTS[label], function_of(find(label))
    names = list(inspect.signature(function).parameters)
    for description, mutant in mutants(function):
        if tuple(names[: len(contract.arguments)]) == contract.arguments:
            yield description, mutant
        else:

            def within_the_contract(*arguments, mutant=mutant):
                with in_place_of(function, mutant):
                    return contract.reference(*arguments)

            yield description, within_the_contract


def is_equivalent(label, fn):
    """Sieve: the same values at inputs that the check does not use."""
    contract = CONTRACTS[label]
    for seed in range(1000, 1030):
        rng = np.random.default_rng(seed)
        arguments = contract.draw(rng, random_sizes(rng))
        right = contract.reference(*arguments)
        try:
            got = fn(*arguments)
        except Exception:
            return False
        right, got = (out if isinstance(out, tuple) else (out,) for out in (right, got))
        for r, g in zip(right, got, strict=True):
            if np.shape(r) != np.shape(g) or not np.allclose(r, g, rtol=1e-9, atol=1e-12):
                return False
    return True


@pytest.mark.slow
def test_automatic_mutants_are_caught_and_most_are_named():
    caught = compared = named = 0
    missed, unnamed = [], []
    with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *args, **kwargs: None)
        for label in CONTRACTS:
            for description, fn in learners_versions(label):
                if is_equivalent(label, fn) or (
                    label == "reparam-gaussian" and description.endswith("mu - np.exp(0.5 * log_var) * eps")
                ):
                    continue
                report = check(label, fn)
                if report.ok:
                    missed.append((label, description))
                    continue
                caught += 1
                if any(
                    word in report.message for word in ("raises", "shape", "returns", "holds", "no array")
                ):
                    continue
                compared += 1
                named += bool(report.terms)
                if report.terms:
                    assert len(report.terms) <= 6 * len(report.outputs)
                    assert all(term.got != term.expected for term in report.terms)
                else:
                    unnamed.append((label, description))
                    assert "depends on" in report.message or "compute in float64" in report.message
    print(f"mutants: {caught} caught, {len(missed)} missed; {named} of {compared} comparable ones named")
    assert not missed
    assert named >= 0.8 * compared, unnamed


# ---------------------------------------------------------------------------------- the command line


@pytest.fixture
def student(tmp_path):
    file = tmp_path / "student.py"
    file.write_text(
        "import numpy as np\n"
        "print('hello from the file')\n"
        "def right(mu, log_var):\n"
        "    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)\n"
        "def wrong(mu, log_var):\n"
        "    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var / 2).sum(axis=1)\n"
        "def endless(mu, log_var):\n"
        "    while True: pass\n"
        "def hungry(mu, log_var):\n"
        "    return np.ones(10**10)\n"
        "def leaves(mu, log_var):\n"
        "    import os; os._exit(3)\n"
        "def crashes(mu, log_var):\n"
        "    import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def raises(mu, log_var):\n"
        "    return 1 / 0\n"
    )
    return file


def test_check_on_the_command_line(student, capfd):
    assert main(["check", "kl-closed", f"{student}:right"]) == 0
    assert capfd.readouterr().out == "kl-closed: right\n"
    assert main(["check", "kl-closed", f"{student}:wrong", "--level", "3", "--json"]) == 1
    captured = capfd.readouterr()
    result = json.loads(captured.out)
    assert "hello from the file" in captured.err
    assert result.keys() == {"label", "ok", "message", "terms"}
    assert result["terms"] == [{"name": "sum_j log sigma_j^2", "got": -0.25, "expected": -0.5}]
    assert "log sigma was used" in result["message"]


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("endless", "look for an endless loop"),
        ("hungry", "MemoryError"),
        ("leaves", "ended the process with exit status 3"),
        ("crashes", "ended by signal 11"),
        ("raises", "it raises ZeroDivisionError: division by zero, in line 16 (return 1 / 0)"),
    ],
)
def test_a_file_that_misbehaves_is_a_report(student, function, says):
    answer = check_file("kl-closed", f"{student}:{function}", seconds=6 if function == "endless" else 30)
    assert not answer["ok"]
    assert says in answer["message"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:", "the file is no Python"),
        ("import nonsense_that_is_not_there", "the file raises ModuleNotFoundError"),
        ("raise SystemExit(2)", "the file ends itself"),
        ("1 / 0", "ZeroDivisionError: division by zero, in line 1 (1 / 0)"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_a_report(tmp_path, text, says):
    file = tmp_path / "broken.py"
    file.write_text(text)
    answer = check_file("kl-closed", f"{file}:f")
    assert not answer["ok"]
    assert says in answer["message"]


def test_files_beside_the_learners_do_not_stand_in_for_modules(tmp_path, monkeypatch, capfd):
    for name in ("random", "json", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('I am not that module')")
    (tmp_path / "mine.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from vae_np.elbo import kl_standard_normal\n"
        "@dataclass\n"
        "class Point:\n"
        "    x: int = 1\n"
        "def kl(mu, log_var):\n"
        "    return kl_standard_normal(mu, log_var)\n"
        "def stops(mu, log_var):\n"
        "    raise KeyboardInterrupt\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["check", "kl-closed", "mine.py:kl"]) == 0
    assert main(["check", "kl-closed", "mine.py:stops"]) == 1
    assert "it raises KeyboardInterrupt, in line 10" in capfd.readouterr().out


def test_bad_usage_is_one_line(student, tmp_path, capfd):
    for arguments, says in [
        (["kl-closed", f"{student}:nothing"], "has no function nothing: it has right, wrong"),
        (["kl-close", f"{student}:right"], "did you mean kl-closed"),
        (["elbo", f"{student}:right"], "elbo has no function to check"),
        (["kl-closed", str(student)], "is not FILE.py:FUNCTION"),
        (["kl-closed", f"{tmp_path / 'none.py'}:f"], "does not exist"),
        (["kl-closed", f"{student}:right", "--gradescope", str(tmp_path)], "is a folder"),
    ]:
        assert main(["check", *arguments]) == 2
        captured = capfd.readouterr()
        assert captured.out == ""
        lines = [line for line in captured.err.splitlines() if line != "hello from the file"]
        assert len(lines) == 1
        assert says in lines[0]


def test_gradescope_results_have_the_documented_fields(tmp_path, capfd):
    file, out = tmp_path / "s.py", tmp_path / "results.json"
    file.write_text("def f(d_z, log_var, eps):\n    return d_z, d_z * eps\n")
    assert main(["check", "grad-reparam-log-var", f"{file}:f", "--gradescope", str(out)]) == 1
    results = json.loads(out.read_text())
    assert results["score"] == 1
    assert [test["name"] for test in results["tests"]] == [
        "grad-reparam-log-var: d_mu",
        "grad-reparam-log-var: d_log_var",
    ]
    for test in results["tests"]:
        documented = {
            "name",
            "number",
            "score",
            "max_score",
            "status",
            "output",
            "output_format",
            "visibility",
        }
        assert test.keys() <= documented
        assert test["status"] in ("passed", "failed")
    assert "d_log_var is wrong, d_mu is right" in results["tests"][1]["output"]


def test_to_gradescope_a_file_without_the_function_is_a_wrong_answer(tmp_path, capfd):
    file, out = tmp_path / "s.py", tmp_path / "results.json"
    file.write_text("def g(mu, log_var):\n    return mu\n")
    assert main(["check", "kl-closed", f"{file}:f", "--gradescope", str(out)]) == 1
    sentence = "wrong; s.py has no function f: it has g"
    assert capfd.readouterr().out == f"kl-closed: {sentence}\n"
    results = json.loads(out.read_text())
    assert (results["score"], results["tests"][0]["output"]) == (0, sentence)
    assert main(["check", "kl-closed", f"{file}:f"]) == 2


# ---------------------------------------------------------------------------------- whole gradients


@pytest.fixture
def regression(rng):
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    params = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}

    def value(p):
        return ((x @ p["W"] + p["b"] - y) ** 2).sum() / 14

    def gradient(p):
        residual = (x @ p["W"] + p["b"] - y) / 7
        return {"W": x.T @ residual, "b": residual.sum(axis=0)}

    return value, gradient, params


def test_a_right_gradient_is_right(regression):
    report = check_gradients(*regression)
    assert report.ok
    assert report.bound < 1e-11  # by the complex step


def test_the_first_wrong_block_is_named_with_its_factor(regression):
    value, gradient, params = regression
    report = check_gradients(value, lambda p: {**gradient(p), "b": -gradient(p)["b"]}, params)
    assert "b is the first wrong block" in report.message
    assert "right: W" in report.message
    assert "the gradient of b is -1 times the right one" in report.message
    assert report.terms == (("b", -1.0, 1.0),)
    both = check_gradients(value, lambda p: {k: 2 * g + 1 for k, g in gradient(p).items()}, params)
    assert "W is the first wrong block" in both.message
    assert "wrong too: b" in both.message
    assert both.terms == ()


def test_a_loss_without_complex_numbers_is_checked_by_differences(regression):
    value, gradient, params = regression
    report = check_gradients(lambda p: float(np.abs(value(p))), gradient, params)
    assert report.ok
    assert 1e-8 <= report.bound < 1.1e-8
    assert not check_gradients(
        lambda p: float(np.abs(value(p))), lambda p: {**gradient(p), "b": 0 * p["b"]}, params
    ).ok


def test_gradients_with_other_blocks_or_shapes(regression):
    value, gradient, params = regression
    assert (
        "the gradient of b is missing"
        in check_gradients(value, lambda p: {"W": gradient(p)["W"]}, params).message
    )
    wrong = check_gradients(value, lambda p: {**gradient(p), "W": gradient(p)["W"].T}, params)
    assert "the gradient of W has the shape (2, 3), expected (3, 2)" in wrong.message
    assert "it raises KeyError" in check_gradients(value, lambda p: p["c"], params).message
    with pytest.raises(InputError, match="block n is no array of floats"):
        check_gradients(value, gradient, {"n": np.arange(3)})


def test_every_block_is_decided_by_what_suits_it():
    params = {"W": np.array([1.0, 2.0]), "b": np.array([0.5, -1.0])}
    hidden = lambda p: (p["W"] ** 2).sum() + (np.real(p["b"]) ** 2).sum()  # noqa: E731 - complex steps vanish in b
    assert not check_gradients(hidden, lambda p: {"W": 2 * p["W"], "b": 0 * p["b"]}, params).ok
    assert check_gradients(hidden, lambda p: {"W": 2 * p["W"], "b": 2 * p["b"]}, params).ok
    large = lambda p: 1e8 + (np.abs(p["W"]) ** 2).sum() + (p["b"] ** 2).sum()  # noqa: E731 - rounding of the loss
    assert check_gradients(large, lambda p: {"W": 2 * p["W"], "b": 2 * p["b"]}, params).ok
    small = lambda p: (np.abs(p["W"]) ** 2).sum() + 1e-4 * (np.abs(p["b"]) ** 2).sum()  # noqa: E731
    assert not check_gradients(small, lambda p: {"W": 2 * p["W"], "b": -5e-4 * p["b"]}, params).ok


def test_a_single_wrong_entry_of_a_large_block_is_found(rng):
    params = {"W": rng.normal(size=(60, 60))}
    wrong = 2 * params["W"]
    wrong[17, 3] += 1e-3
    assert not check_gradients(lambda p: (p["W"] ** 2).sum(), lambda p: {"W": wrong}, params).ok


def test_the_learners_functions_may_do_what_they_like(regression):
    value, gradient, params = regression

    def careless(p):
        out = gradient(p)
        p["W"][:] = 0
        return out

    assert check_gradients(value, careless, params).ok
    assert params["W"].any()
    assert check_gradients(value, lambda p: {k: g.tolist() for k, g in gradient(p).items()}, params).ok
    assert "it raises SystemExit" in check_gradients(lambda p: exit(2), gradient, params).message
    assert (
        "has a block c" in check_gradients(value, lambda p: {**gradient(p), "c": np.ones(1)}, params).message
    )
    for bad in (None, [1.0], {}, {"a": np.zeros(0)}):
        with pytest.raises(InputError):
            check_gradients(value, gradient, bad)
    with pytest.raises(InputError, match="level is 9"):
        check_gradients(value, gradient, params, level=9)


def test_our_own_whole_gradient(rng):
    params, stats = initialize(Sizes(6, 5, 2, 1), rng, np.float64)
    x, eps = rng.normal(size=(8, 6)), rng.standard_normal((2, 8, 2))

    def value(p: Params):
        return loss(p, stats, x, eps, None, gaussian(0.7))[0].total.mean()

    def gradient(p: Params):
        return loss_backward(loss(p, stats, x, eps, None, gaussian(0.7))[1])

    assert check_gradients(value, gradient, params).ok

    def without_the_kl(p: Params):
        return loss_backward(loss(p, stats, x, eps, None, gaussian(0.7), kl_weight=0.0)[1])

    report = check_gradients(value, without_the_kl, params)
    wrong, right = report.message.split("; right: ")
    assert "mu.W" in wrong
    assert "log_var.W" in wrong
    assert {"decoder[0].W", "output.W", "output.b"} <= set(right.split(";")[0].split(", "))
