"""The generated exercises in the real nbgrader and otter-grader: who gets which points, and is told what."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vae_np.verify.exercise import chapters, exercise
from vae_np.verify.exercise_formats import FORMATS, write_exercise

pytestmark = pytest.mark.slow
IN_CI = os.environ.get("CI") == "true"


def require(*names):
    """Skip without the packages of the extra `teaching`; in CI they are required."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing and IN_CI:
        pytest.fail(f"{', '.join(missing)} is not installed: pip install 'vae_np[teaching]'")
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")


def run(folder, *words):
    """Run a module of this environment in a folder, with no settings but its own."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    own = {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home), "IPYTHONDIR": str(home)}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader calls alembic
    result = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


# -------------------------------------------------------------------------------------- submissions


def answers(chapter, **bodies):
    """The right function of every task, some bodies replaced."""
    return {
        task.function.name: f"{task.function.head}\n{bodies.get(task.function.name, task.function.solution)}"
        for task in exercise(chapter).tasks
    }


def filled(released, answers, proof="By the linearity of the integral."):
    """A learner's notebook: the released one with functions and a proof written into it."""
    notebook = json.loads(released.read_text(encoding="utf-8"))
    written = set()
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        for name, answer in answers.items():
            if cell["cell_type"] == "code" and text.startswith(f"def {name}("):
                cell["source"] = answer
                written.add(name)
        if text in ("YOUR ANSWER HERE", "_Type your answer here, replacing this text._"):
            cell["source"] = proof
            written.add("proof")
    assert written == {*answers, "proof"}
    return json.dumps(notebook)


def test_every_notebook_is_valid(tmp_path):
    require("nbformat", "nbgrader")
    files = []
    for made in map(exercise, chapters()):
        for layout in ("notebook", "nbgrader", "otter"):
            files.append(str(tmp_path / f"{layout}-{made.chapter}.ipynb"))
            Path(files[-1]).write_text(FORMATS[layout](made), encoding="utf-8")
    code = """if True:
        import sys, nbformat
        from nbgrader.nbgraderformat import MetadataValidator, SCHEMA_VERSION
        for file in sys.argv[1:]:
            notebook = nbformat.read(file, as_version=4)
            nbformat.validate(notebook)
            MetadataValidator().validate_nb(notebook)
        print(len(sys.argv) - 1, SCHEMA_VERSION)
    """
    assert run(tmp_path, "-c", code, *files).split() == ["30", "3"]


# ----------------------------------------------------------------------------------------- nbgrader

GRADEBOOK = """if True:
    import json, sys
    from nbgrader.api import Gradebook
    scores = {}
    with Gradebook("sqlite:///gradebook.db") as book:
        for submission in book.assignment_submissions(sys.argv[1]):
            student = submission.student.id
            proof = book.find_grade("proof", sys.argv[1], sys.argv[1], student)
            waits = bool(proof.needs_manual_grade)
            if waits:
                proof.manual_score = 2  # the teacher reads it
                proof.needs_manual_grade = False
                book.db.commit()
            points = {g.name: g.score for notebook in submission.notebooks for g in notebook.grades}
            scores[student] = {"points": points, "sum": submission.score, "of": submission.max_score}
            scores[student]["proof waits"] = waits
    print(json.dumps(scores))
"""


def outputs(notebook):
    """What each cell of a graded notebook said: the text of its error, or its printed output."""
    said = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        said[name] = "".join(
            out.get("evalue", "") or "".join(out.get("text", "")) for out in cell.get("outputs", [])
        )
    return said


def test_nbgrader_gives_the_right_points_and_says_why(tmp_path):
    require("nbgrader")
    chapter = "gaussian_kl"
    write_exercise(chapter, tmp_path, "nbgrader")
    run(tmp_path, "-m", "nbgrader", "generate_assignment", chapter)
    released = tmp_path / "release" / chapter / f"{chapter}.ipynb"
    text = released.read_text(encoding="utf-8")
    tasks = exercise(chapter).tasks
    assert "BEGIN SOLUTION" not in text
    assert all(json.dumps(task.function.solution)[1:-1] not in text for task in tasks)
    bug = tasks[-1]

    d_log_var = "    return d_kl[:, None] * mu, 0.5 * d_kl[:, None] * np.exp(log_var)"
    swapped = "    d = d_kl[:, None]\n    return 0.5 * d * (np.exp(log_var) - 1), d * mu"
    log_sigma = "    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var / 2).sum(axis=-1)"
    submissions = {
        "right": filled(released, answers(chapter)),
        "log_sigma": filled(released, answers(chapter, kl_standard_normal=log_sigma)),
        "d_log_var": filled(released, answers(chapter, kl_standard_normal_backward=d_log_var)),
        "swapped": filled(released, answers(chapter, kl_standard_normal_backward=swapped)),
        "bug_stays": filled(released, answers(chapter, **{bug.function.name: bug.wrong})),
        "nothing": text,
        "cheat": filled(
            released, answers(chapter) | {"kl_standard_normal": "kl_standard_normal = None"}
        ).replace("assert report.ok", "assert True or report.ok"),
    }
    for student, notebook in submissions.items():
        folder = tmp_path / "submitted" / student / chapter
        folder.mkdir(parents=True)
        (folder / f"{chapter}.ipynb").write_text(notebook, encoding="utf-8")
    run(tmp_path, "-m", "nbgrader", "autograde", chapter)
    scores = json.loads(run(tmp_path, "-c", GRADEBOOK, chapter))
    said = {
        student: outputs(tmp_path / "autograded" / student / chapter / f"{chapter}.ipynb")
        for student in submissions
    }

    kl, d_kl = "formula-kl-closed-kl", "derivative-grad-kl-mu"
    every = [f"{t.kind}-{t.function.labels[0]}-{o}" for t in tasks for o in t.function.outputs]
    expected = {
        "right": {},
        "log_sigma": {kl: "log sigma_j^2 has a wrong coefficient"},
        "d_log_var": {
            f"{d_kl}-d_log_var": "wrong; d_log_var is wrong, d_mu is right; the term d_kl is missing"
        },
        "swapped": dict.fromkeys([f"{d_kl}-d_mu", f"{d_kl}-d_log_var"], "d_mu and d_log_var are wrong"),
        "bug_stays": {every[-1]: "wrong; "},
        "nothing": dict.fromkeys(every, "it raises NotImplementedError"),
        "cheat": {kl: "kl_standard_normal is no function"},
    }
    assert scores.keys() == expected.keys()
    for student, lost in expected.items():
        manual = 0 if student == "nothing" else 2  # an untouched proof is 0 without being read
        points = {name: float(name not in lost) for name in every} | {"proof": float(manual)}
        assert scores[student]["points"] == points, student
        assert scores[student]["of"] == len(every) + 2
        assert scores[student]["sum"] == len(every) - len(lost) + manual
        assert scores[student]["proof waits"] == (manual > 0)
        for name in every:
            assert lost.get(name, ": right\n") in said[student][name], (student, name)


# --------------------------------------------------------------------------------------------- otter


def test_otter_gives_the_right_points_and_says_why(tmp_path):
    require("otter")
    chapter = "encoder_heads"
    master = write_exercise(chapter, tmp_path, "otter")
    run(tmp_path, "-m", "otter", "assign", "--no-pdfs", master.name, "dist")  # runs the tests, too
    released = tmp_path / "dist" / "student" / master.name
    (archive,) = (tmp_path / "dist" / "autograder").glob("*.zip")
    text = released.read_text(encoding="utf-8")
    tasks = exercise(chapter).tasks
    assert "BEGIN SOLUTION" not in text
    assert all(json.dumps(task.function.solution)[1:-1] not in text for task in tasks)
    bug = tasks[-1]

    wrong = answers(
        chapter,
        reparameterize="    return mu + np.exp(log_var) * eps",
        reparameterize_backward="    return d_z, np.exp(log_var / 2) * d_z * eps",
        **{bug.function.name: bug.wrong},
    )
    submissions = {
        "right": filled(released, answers(chapter)),
        "wrong": filled(released, wrong),
        "nothing": text,
    }
    every = {f"{task.kind}-{task.function.labels[0]}": float(len(task.function.outputs)) for task in tasks}
    # the bug is in one of the two outputs
    losses = {"formula-reparam-gaussian": 1, "derivative-grad-reparam-mu": 1, list(every)[-1]: 1}
    expected = {
        "right": every,
        "wrong": {name: points - losses.get(name, 0) for name, points in every.items()},
        "nothing": dict.fromkeys(every, 0.0),
    }
    messages = {
        "right": {},
        "wrong": {
            "formula-reparam-gaussian": "AssertionError: wrong; ",
            "derivative-grad-reparam-mu": "AssertionError: wrong; d_log_var is wrong, d_mu is right; ",
            list(every)[-1]: "is wrong",
        },
        "nothing": dict.fromkeys(every, "it returns nothing: a return statement is missing"),
    }
    for student, notebook in submissions.items():
        folder = tmp_path / student
        folder.mkdir()
        (folder / master.name).write_text(notebook, encoding="utf-8")
        run(folder, "-m", "otter", "run", "--no-logo", "-a", str(archive), master.name)
        tests = json.loads((folder / "results.json").read_text(encoding="utf-8"))["tests"]
        tests = {test["name"]: test for test in tests if test["name"] in every}
        assert {name: test["score"] for name, test in tests.items()} == expected[student], student
        assert {name: test["max_score"] for name, test in tests.items()} == every
        for name, message in messages[student].items():
            assert message in tests[name]["output"]
