"""How an exercise is written down: plain Python, notebook, nbgrader's source notebook, otter's.

All have the same tasks in the same order. nbgrader and otter take a notebook with the solutions in it
and make the learner's version from that; the other two are the learner's version. A notebook is JSON
(nbformat 4.5) and is written without any of the notebook packages.
"""

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vae_np.data.writing import require_writable, whole_file
from vae_np.errors import InputError
from vae_np.verify.exercise import Exercise, Task, exercise
from vae_np.verify.exercise_functions import Function

PROOF_POINTS = 2
TITLES = {"formula": "write a formula", "derivative": "write a derivative", "bug": "find the bug"}
EMPTY = '    raise NotImplementedError("write this")'
Cell = dict[str, Any]


# --------------------------------------------------------------------------- what is said and asked


def _id(task: Task) -> str:
    return f"{task.kind}-{task.function.labels[0]}"


def _points(exercise: Exercise) -> int:
    return sum(len(task.function.outputs) for task in exercise.tasks) + PROOF_POINTS


def _introduction(exercise: Exercise) -> str:
    label = exercise.tasks[0].function.labels[0]
    return (
        f"# Exercise: {exercise.title}\n\n"
        f"The derivation is on the page `{exercise.chapter}.md`; `vae-np where {label}` prints its place. "
        "A function is tested by `vae_np.check`, which compares it with the equation and names the term "
        "that is wrong. It gives no answer away: run it as often as you like.\n\n"
        "Arrays have n cells, k latent dimensions, d genes, L draws; `log_var` is the logarithm of the "
        "variance; a gradient is `d_` and a name. Every output of a function is one point, the proof is "
        f"{PROOF_POINTS}, together {_points(exercise)}."
    )


def _request(i: int, task: Task, below: bool) -> str:
    """What a task asks; the function with the bug stands either below, to be edited, or in the text."""
    function = task.function
    labels, outputs = (", ".join(dict.fromkeys(names)) for names in (function.labels, function.outputs))
    text = f"## Task {i}: {TITLES[task.kind]}\n\n`{function.name}` [{labels}] returns {outputs}."
    if task.kind != "bug":
        return text + " Write its body."
    text += " One thing in the function "
    text += "below" if below else "here"
    text += " was changed, and it is wrong now. Find the place, say in a comment what is wrong, repair it."
    return text if below else f"{text}\n\n```python\n{function.head}\n{task.wrong}\n```"


def _proof_request(exercise: Exercise) -> str:
    proof = exercise.proof
    return (
        f"## Task {len(exercise.tasks) + 1}: prove the next line\n\n"
        f"The page, under “{proof.section}”, has come to\n\n$$\n{proof.start}\n$$\n\n"
        f"Derive from it [{proof.label}]\n\n$$\n{proof.goal}\n$$\n\n"
        f"Write every step, and name the rule or the assumption that allows it. {PROOF_POINTS} points."
    )


GRADE = "from vae_np.verify.exercise_points import grade"


def _setup(exercise: Exercise, *checks: str) -> str:
    """Import what the solutions use, and what checks them."""
    code = "\n".join(task.function.solution for task in exercise.tasks)
    lines = ["import math"] if "math." in code else []
    lines += ["import numpy as np"]
    lines += ["from vae_np import elbo"] if "elbo." in code else []
    return "\n".join([*lines, *checks])


def _unsolved(task: Task) -> str:
    return f"{task.function.head}\n{task.wrong or EMPTY}"


def _test(function: Function, output: str) -> str:
    """The lines that decide one point."""
    label = function.labels[function.outputs.index(output)]
    return (
        f'assert callable({function.name}), "{function.name} is no function"\n'
        f'report = vae_np.check("{label}", {function.name})\n'
        f'assert report.outputs["{output}"], report.message\n'
        f'print("{output}: right")'
    )


def _grade(exercise: Exercise) -> str:
    pairs = [f'    ("{task.function.labels[0]}", {task.function.name}),' for task in exercise.tasks]
    return "\n".join(["grade(", *pairs, ")"])


# ------------------------------------------------------------------------------------- notebooks


def _cell(kind: str, name: str, text: str, metadata: Cell | None = None) -> Cell:
    cell: Cell = {"cell_type": kind, "id": name, "metadata": metadata or {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell | {"source": text.splitlines(keepends=True)}


def _notebook(cells: list[Cell]) -> str:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_notebook(exercise: Exercise) -> str:
    """Write a notebook to work in: a check beneath each task, the points at the end."""
    cells = [
        _cell("markdown", "introduction", _introduction(exercise)),
        _cell("code", "setup", _setup(exercise, "import vae_np", GRADE)),
    ]
    for i, task in enumerate(exercise.tasks, 1):
        name, function = _id(task), task.function
        cells += [
            _cell("markdown", f"{name}-task", _request(i, task, below=True)),
            _cell("code", name, _unsolved(task)),
            _cell("code", f"{name}-check", f'vae_np.check("{function.labels[0]}", {function.name})'),
        ]
    cells += [
        _cell("markdown", "proof-task", _proof_request(exercise)),
        _cell("markdown", "proof", "Your proof:"),
        _cell("code", "points", f"{_grade(exercise)};"),
    ]
    return _notebook(cells)


def _nbgrader(name: str, *, points: int = 0, solution: bool = False) -> Cell:
    """Metadata of schema version 3: an answer is solved, a test is graded and locked, a proof is both."""
    grade = points > 0
    metadata = {"grade": grade, "grade_id": name, "locked": not solution, "schema_version": 3}
    metadata |= {"solution": solution, "task": False}
    return {"nbgrader": metadata | ({"points": points} if grade else {})}


def as_nbgrader(exercise: Exercise) -> str:
    """Write the instructor's notebook of nbgrader; `nbgrader generate_assignment` takes the solutions out."""
    cells = [
        _cell("markdown", "introduction", _introduction(exercise), _nbgrader("introduction")),
        _cell("code", "setup", _setup(exercise, "import vae_np"), _nbgrader("setup")),
    ]
    for i, task in enumerate(exercise.tasks, 1):
        name, function = _id(task), task.function
        request, answer = _request(i, task, below=False), _between(function, "###")
        cells += [
            _cell("markdown", f"{name}-task", request, _nbgrader(f"{name}-task")),
            _cell("code", name, answer, _nbgrader(name, solution=True)),
        ]
        for output in function.outputs:
            test = f"{name}-{output}"
            cells.append(_cell("code", test, _test(function, output), _nbgrader(test, points=1)))
    steps = f"### BEGIN SOLUTION\n{exercise.proof.steps}\n### END SOLUTION"
    proof = _nbgrader("proof", points=PROOF_POINTS, solution=True)
    cells += [
        _cell("markdown", "proof-task", _proof_request(exercise), _nbgrader("proof-task")),
        _cell("markdown", "proof", steps, proof),
    ]
    return _notebook(cells)


def _between(function: Function, mark: str) -> str:
    """The function with its body marked as the solution."""
    return f"{function.head}\n    {mark} BEGIN SOLUTION\n{function.solution}\n    {mark} END SOLUTION"


def _otter_test(task: Task, output: str) -> str:
    """A test case of otter: a function of the learner's names; the call beneath runs it in this notebook."""
    function = task.function
    name = "test_" + re.sub(r"\W", "_", f"{_id(task)}_{output}")
    lines = ["import vae_np", "", f'{function.name} = env["{function.name}"]', _test(function, output)]
    return f"def {name}(env):\n{textwrap.indent(chr(10).join(lines), '    ')}"


def as_otter(exercise: Exercise) -> str:
    """Write the instructor's notebook of otter; `otter assign` makes the learner's and the tests."""
    config = (
        "# ASSIGNMENT CONFIG\nexport_cell: false\nrequirements:\n    - vae-np\ntests:\n    ok_format: false"
    )
    cells = [
        _cell("raw", "config", config),
        _cell("markdown", "introduction", _introduction(exercise)),
        _cell("code", "setup", _setup(exercise, "import vae_np")),
    ]

    def question(name: str, settings: str, request: str, answer: Cell, tests: list[Cell]) -> list[Cell]:
        def mark(kind: str, text: str) -> Cell:
            return _cell("raw", f"{name}-{kind}", text)

        return [
            mark("begin", f"# BEGIN QUESTION\nname: {name}\n{settings}"),
            _cell("markdown", f"{name}-task", request),
            mark("begin-solution", "# BEGIN SOLUTION"),
            answer,
            mark("end-solution", "# END SOLUTION"),
            *(
                [mark("begin-tests", "# BEGIN TESTS"), *tests, mark("end-tests", "# END TESTS")]
                if tests
                else []
            ),
            mark("end", "# END QUESTION"),
        ]

    for i, task in enumerate(exercise.tasks, 1):
        name, outputs = _id(task), task.function.outputs
        answer = _cell("code", name, _between(task.function, "#"))
        tests = [_cell("code", f"{name}-{output}", _otter_test(task, output)) for output in outputs]
        cells += question(name, f"points: {len(outputs)}", _request(i, task, below=False), answer, tests)
    settings = f"manual: true\npoints: {PROOF_POINTS}"
    steps = _cell("markdown", "proof", exercise.proof.steps)
    cells += question("proof", settings, _proof_request(exercise), steps, [])
    return _notebook(cells)


# -------------------------------------------------------------------------------------- plain Python


def _wrapped(text: str) -> list[str]:
    """Break long lines, but not equations."""
    lines = text.split("\n")
    return [w for line in lines for w in ([line] if "\\" in line else textwrap.wrap(line, 100) or [""])]


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in _wrapped(text.removeprefix("## ")))


def as_python(exercise: Exercise) -> str:
    """Write one file with functions to fill in; run as a program it prints the points."""
    introduction = _introduction(exercise).removeprefix("# ").replace("\n\n", ".\n\n", 1)
    head = "\n".join(_wrapped(introduction))
    tasks = [
        f"{_comment(_request(i, task, below=True))}\n\n\n{_unsolved(task)}"
        for i, task in enumerate(exercise.tasks, 1)
    ]
    points = textwrap.indent(f"raise SystemExit(\n{textwrap.indent(_grade(exercise), '    ')}\n)", "    ")
    return "\n\n\n".join(
        [
            f'"""{head}\n"""\n\n{_setup(exercise, GRADE)}',
            *tasks,
            f"{_comment(_proof_request(exercise))}\n#\n# Your proof:",
            f'if __name__ == "__main__":\n{points}\n',
        ]
    )


# ------------------------------------------------------------------------------------------ the file

FORMATS: dict[str, Callable[[Exercise], str]] = {
    "notebook": as_notebook,
    "nbgrader": as_nbgrader,
    "otter": as_otter,
    "python": as_python,
}


def write_exercise(chapter: str, out: str | Path, layout: str = "notebook", seed: int = 0) -> Path:
    """Write the exercise of a chapter into a folder, which is made if it is not there.

    Parameters
    ----------
    chapter
        Stem of a derivation page, such as ``"gaussian_kl"``.
    out
        The folder. For ``nbgrader`` it is the course's: the file goes to ``source/CHAPTER/``.
    layout
        ``"notebook"``, ``"nbgrader"``, ``"otter"`` (what `otter assign` reads) or ``"python"``.
    seed
        Another seed plants another bug and may ask for another proof.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the chapter has no exercise, the layout is unknown, the folder cannot be written, or the file
        exists with other contents: it may hold somebody's answers.
    """
    if layout not in FORMATS:
        raise InputError(f"format {layout!r} is unknown: the formats are {', '.join(FORMATS)}")
    content = FORMATS[layout](exercise(chapter, seed)).encode()
    out = Path(out)
    if not out.is_dir():
        require_writable(out)
        if out.exists():
            raise InputError(f"output folder {out} is a file: give a folder")
    folder = out / "source" / chapter if layout == "nbgrader" else out
    file = folder / f"{chapter}{'.py' if layout == 'python' else '.ipynb'}"
    if file.exists() and not (file.is_file() and file.read_bytes() == content):
        raise InputError(f"{file} exists and may hold answers: remove it, or give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as temporary:
        temporary.write_bytes(content)
    return file
