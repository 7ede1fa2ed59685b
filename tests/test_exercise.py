"""Exercises: the ladder of every chapter, its right and wrong answers, the four formats, the files."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from vae_np.errors import InputError
from vae_np.verify.check import check
from vae_np.verify.contracts import CONTRACTS, random_sizes
from vae_np.verify.exercise import PROOFS, _proof, chapters, exercise
from vae_np.verify.exercise_bugs import callable_from, planted_bug, possible_bugs
from vae_np.verify.exercise_formats import FORMATS, write_exercise
from vae_np.verify.exercise_functions import ADAPTED, function_for, source
from vae_np.verify.exercise_points import grade
from vae_np.verify.where import derivations

CHAPTERS = chapters()
exercise = cache(exercise)


def solved(function):
    return callable_from(function, function.solution)


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


# ------------------------------------------------------------------------------------ the ladder


def test_the_chapters_are_those_with_a_function_to_check():
    assert CHAPTERS == [
        "reparameterization",
        "monte_carlo",
        "gaussian_kl",
        "objective",
        "likelihoods",
        "backpropagation",
        "encoder_heads",
        "adam",
        "delta",
        "tighter_bounds",
    ]
    assert set(PROOFS) == set(CHAPTERS)


@pytest.mark.parametrize("chapter", ["evidence", "score_function", "nonsense", "", "../adam"])
def test_other_chapters_are_refused_with_the_list(chapter):
    with pytest.raises(InputError, match=r"the chapters are reparameterization, .*, tighter_bounds"):
        exercise(chapter)


def test_a_bad_seed_is_refused():
    with pytest.raises(InputError, match="seed"):
        exercise("adam", -1)


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_chapter_is_a_ladder(chapter, seed):
    made = exercise(chapter, seed)
    kinds = [task.kind for task in made.tasks]
    assert kinds[-1] == "bug"
    assert kinds.count("bug") == 1
    assert kinds == sorted(kinds, key=["formula", "derivative", "bug"].index)
    assert len(kinds) > 1
    names = [task.function.name for task in made.tasks]
    assert len(set(names)) == len(names)


def test_the_bug_is_in_a_function_that_is_not_asked_for_where_the_chapter_has_enough():
    alone = {"reparameterization", "objective", "tighter_bounds"}
    for chapter in CHAPTERS:
        *asked, bug = exercise(chapter).tasks
        repeated = bug.function.labels in [task.function.labels for task in asked]
        assert repeated == (chapter in alone)


def test_half_a_pair_is_borrowed_from_the_chapter_that_derives_it():
    kinds = {task.function.labels[0]: task.kind for task in exercise("gaussian_kl").tasks}
    assert kinds["grad-kl-mu"] == "derivative"
    kinds = {task.function.labels[0]: task.kind for task in exercise("encoder_heads").tasks}
    assert kinds["kl-closed"] == kinds["reparam-gaussian"] == "formula"


def test_the_seed_moves_the_bug():
    bugs = [exercise("gaussian_kl", seed).tasks[-1] for seed in range(5)]
    assert len({bug.wrong for bug in bugs}) > 2
    assert len({bug.function.name for bug in bugs}) > 1
    assert exercise.__wrapped__("gaussian_kl", 3).tasks[-1].wrong == bugs[3].wrong


# ------------------------------------------------------------------- the functions and their bugs


@pytest.mark.parametrize("label", CONTRACTS)
def test_the_solution_is_right_and_has_the_contract_s_arguments(label, rng):
    function, contract = function_for(label), CONTRACTS[label]
    assert function.arguments == contract.arguments
    assert f"def {function.name}({', '.join(contract.arguments)}):" in function.head
    assert f"[{label}]" in function.text
    assert "Raises" not in function.text
    for _ in range(5):
        arguments = contract.draw(rng, random_sizes(rng))
        got, right = as_tuple(solved(function)(*arguments)), as_tuple(contract.reference(*arguments))
        assert len(got) == len(right) == len(function.outputs)
        for g, r in zip(got, right, strict=True):
            np.testing.assert_allclose(g, r, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("label", ADAPTED)
def test_what_is_written_again_here_is_what_the_exercise_shows(label, rng):
    arguments = CONTRACTS[label].draw(rng, random_sizes(rng))
    for g, r in zip(
        as_tuple(ADAPTED[label](*arguments)),
        as_tuple(solved(function_for(label))(*arguments)),
        strict=True,
    ):
        np.testing.assert_array_equal(g, r)


@pytest.mark.parametrize("label", CONTRACTS)
def test_a_bug_is_one_change_that_the_check_finds(label):
    function = function_for(label)
    bugs = possible_bugs(function)
    assert len(bugs) == len(set(bugs)) > 0
    assert function.solution not in bugs
    assert planted_bug(function) in bugs  # it has asked the check


def test_draws_with_the_right_law_are_no_bug():
    function = function_for("reparam-gaussian")
    mirrored = "    return mu - np.exp(0.5 * log_var) * eps"
    assert mirrored in possible_bugs(function)
    assert check("reparam-gaussian", callable_from(function, mirrored)).ok
    assert mirrored not in {planted_bug(function, seed) for seed in range(10)}


def test_a_function_without_a_place_for_a_bug_is_refused():
    bare = replace(function_for("delta-predict"), body=tuple(ast.parse("return z_ctrl").body))
    assert source(bare.body) == "    return z_ctrl"
    with pytest.raises(InputError, match="no place for a bug"):
        planted_bug(bare)


@pytest.mark.parametrize(("chapter", "label"), [(c, label) for c in PROOFS for label in PROOFS[c]])
def test_a_proof_quotes_the_page(chapter, label):
    page = (derivations() / f"{chapter}.md").read_text(encoding="utf-8")
    proof = _proof(page, label)
    start = page.index(f"$$\n{proof.start}\n$$\n")
    goal = page.index(f"$$\n{proof.goal}\n$$ ({label})")
    assert start < goal
    between = page[start:goal]
    assert "\n## " not in between
    assert not proof.start.startswith("=")
    assert proof.section in page[:start]
    assert proof.steps
    assert "](" not in proof.steps


# ------------------------------------------------------------------------------ one point an output


def wrong_in_log_var(d_kl, mu, log_var):
    return d_kl[:, None] * mu, 0.5 * d_kl[:, None] * np.exp(log_var)


def test_grade_prints_the_points(capsys):
    right = solved(function_for("kl-closed"))
    assert grade(("kl-closed", right), ("grad-kl-mu", wrong_in_log_var)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1/1  kl-closed, kl: right"
    assert lines[1] == "1/1  grad-kl-mu, d_mu: right"
    assert lines[2].startswith("0/1  grad-kl-mu, d_log_var: wrong; d_log_var is wrong, d_mu is right; ")
    assert lines[3] == "2 of 3 points"
    assert grade(("kl-closed", right)) == 0
    capsys.readouterr()
    assert grade(("kl-closed", None)) == 1
    assert "0 of 1 points" in capsys.readouterr().out


# ---------------------------------------------------------------------------------- the four formats


def cells(text):
    return json.loads(text)["cells"]


def text_of(cell):
    return "".join(cell["source"])


def run(cells, answers=()):
    """Run the code cells as a kernel would; return the cells that raised, and what."""
    names, raised = {}, {}
    for cell in cells:
        if cell["cell_type"] == "code":
            code = text_of(cell)
            for name, answer in answers:
                if code.startswith(f"def {name}("):
                    code = answer
            try:
                exec(code, names)
            except Exception as error:
                raised[cell["id"]] = str(error)
    return raised


@pytest.mark.parametrize("layout", ["notebook", "nbgrader", "otter"])
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_notebooks_are_nbformat_4_5_without_outputs(chapter, layout):
    text = FORMATS[layout](exercise(chapter))
    notebook = json.loads(text)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            compile(text_of(cell), cell["id"], "exec")
        else:
            assert cell.keys() == {"cell_type", "id", "metadata", "source"}
    assert text == FORMATS[layout](exercise(chapter))


@pytest.mark.parametrize("layout", ["notebook", "python"])
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_learner_s_formats_hold_no_solution(chapter, layout):
    made = exercise(chapter)
    text = FORMATS[layout](made)
    if layout == "notebook":
        text = "\n".join(map(text_of, cells(text)))
    for task in made.tasks:
        assert task.function.head in text
        assert task.function.solution not in text
    assert made.tasks[-1].wrong in text
    assert made.proof.steps not in text


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_in_nbgrader_s_notebook_every_point_is_a_cell_and_the_solutions_win_all(chapter):
    made = exercise(chapter)
    notebook = cells(FORMATS["nbgrader"](made))
    outputs = sum(len(task.function.outputs) for task in made.tasks)
    data = [cell["metadata"]["nbgrader"] for cell in notebook]
    assert all(d["schema_version"] == 3 for d in data)
    assert [d["points"] for d in data if d["grade"]] == [1] * outputs + [2]
    assert len({d["grade_id"] for d in data}) == len(data)
    assert all(d["locked"] != d["solution"] for d in data)
    assert f"together {outputs + 2}." in text_of(notebook[0])
    assert run(notebook) == {}


@pytest.mark.parametrize("chapter", ["gaussian_kl", "encoder_heads"])
def test_each_wrong_answer_fails_its_own_cells(chapter):
    made = exercise(chapter)
    notebook = cells(FORMATS["nbgrader"](made))
    for task in made.tasks:
        function = task.function
        body = task.wrong or planted_bug(function)
        raised = run(notebook, [(function.name, f"{function.head}\n{body}")])
        report = check(function.labels[0], callable_from(function, body))
        expected = {
            f"{task.kind}-{function.labels[0]}-{output}": report.message
            for output in function.outputs
            if not report.outputs[output]
        }
        assert raised == expected
        assert raised


def test_no_answer_and_no_function_fail():
    notebook = cells(FORMATS["nbgrader"](exercise("gaussian_kl")))
    raised = run(notebook, [("kl_standard_normal", "kl_standard_normal = None")])
    assert raised == {"formula-kl-closed-kl": "kl_standard_normal is no function"}
    raised = run(notebook, [("kl_standard_normal", "def kl_standard_normal(mu, log_var): ...")])
    assert "returns nothing" in raised["formula-kl-closed-kl"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_otter_s_test_cells_are_functions_of_the_environment(chapter):
    made = exercise(chapter)
    names = {}
    for task in made.tasks:
        names[task.function.name] = solved(task.function)
    tests = [cell for cell in cells(FORMATS["otter"](made)) if text_of(cell).startswith("def test_")]
    assert len(tests) == sum(len(task.function.outputs) for task in made.tasks)
    for cell in tests:
        found = {}
        exec(text_of(cell), found)
        (test,) = [value for name, value in found.items() if name.startswith("test_")]
        test(names)
        with pytest.raises(KeyError):  # a missing answer is no right answer
            test({})


def test_the_plain_notebook_shows_reports_and_points(capsys):
    made = exercise("gaussian_kl")
    notebook = cells(FORMATS["notebook"](made))
    assert run(notebook) == {}
    assert capsys.readouterr().out.endswith("0 of 6 points\n")
    answers = [(task.function.name, f"{task.function.head}\n{task.function.solution}") for task in made.tasks]
    assert run(notebook, answers) == {}
    assert capsys.readouterr().out.endswith("6 of 6 points\n")


@pytest.mark.parametrize("chapter", ["gaussian_kl", "objective"])
def test_the_python_file_is_a_program(chapter, tmp_path):
    file = write_exercise(chapter, tmp_path, "python")

    def points():
        return subprocess.run([sys.executable, str(file)], capture_output=True, text=True)

    empty = points()
    assert empty.returncode == 1, empty.stderr
    assert empty.stdout.splitlines()[-1].startswith("0 of ")
    assert "NotImplementedError" in empty.stdout
    text = file.read_text(encoding="utf-8")
    for task in exercise(chapter).tasks:
        head, body = task.function.head, task.wrong or '    raise NotImplementedError("write this")'
        assert f"{head}\n{body}\n" in text
        text = text.replace(f"{head}\n{body}\n", f"{head}\n{task.function.solution}\n")
    file.write_text(text, encoding="utf-8")
    full = points()
    assert full.returncode == 0, full.stdout + full.stderr
    won, total = re.fullmatch(r"(\d+) of (\d+) points", full.stdout.splitlines()[-1]).groups()
    assert won == total


# ------------------------------------------------------------------------------------------ files


def test_where_the_file_goes(tmp_path):
    out = tmp_path / "new"
    assert write_exercise("adam", out) == out / "adam.ipynb"
    assert write_exercise("adam", out, "python") == out / "adam.py"
    assert write_exercise("adam", out, "nbgrader") == out / "source" / "adam" / "adam.ipynb"
    assert write_exercise("adam", tmp_path / "otter", "otter") == tmp_path / "otter" / "adam.ipynb"
    assert (out / "adam.ipynb").read_text(encoding="utf-8") == FORMATS["notebook"](exercise("adam"))


def test_answers_are_not_overwritten(tmp_path):
    file = write_exercise("adam", tmp_path, "python")
    assert write_exercise("adam", tmp_path, "python") == file
    file.write_text("answers")
    with pytest.raises(InputError, match=r"adam\.py exists and may hold answers"):
        write_exercise("adam", tmp_path, "python")
    assert file.read_text() == "answers"
    assert [path.name for path in tmp_path.iterdir()] == ["adam.py"]


def test_impossible_outputs_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "adam.py").mkdir()
    with pytest.raises(InputError, match="is a file: give a folder"):
        write_exercise("adam", tmp_path / "file")
    with pytest.raises(InputError, match="does not exist: create it first"):
        write_exercise("adam", tmp_path / "no" / "folder")
    with pytest.raises(InputError, match="exists"):
        write_exercise("adam", tmp_path, "python")
    with pytest.raises(InputError, match="the formats are notebook, nbgrader, otter, python"):
        write_exercise("adam", tmp_path, "pdf")


def test_the_words_of_the_workshop_stay_out_of_the_exercises():
    for chapter in CHAPTERS:
        for layout in FORMATS:
            text = FORMATS[layout](exercise(chapter)).lower()
            assert not re.search(r"\b(museum|doctor|judges?|teeth)\b", text)
