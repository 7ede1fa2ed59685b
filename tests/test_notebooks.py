"""The notebooks carry no outputs, say how to install, and run in the book from the first cell to the last."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path):
    return json.loads(path.read_text("utf-8"))["cells"]


@EACH
def test_a_notebook_carries_no_outputs(path):
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells(path))


@EACH
def test_the_first_cell_says_how_to_install_and_all_do_it_in_the_same_words(path):
    first = ["".join(cells(other)[0]["source"]).split("\n", 1)[1] for other in (path, NOTEBOOKS[0])]
    assert "pip install" in first[0]
    assert first[0] == first[1]


@EACH
def test_a_notebook_asserts_and_its_links_lead_somewhere(path):
    text = ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown"]
    for target in re.findall(r"\]\(([^)#]+)\)", "\n".join(text)):
        assert (path.parent / target).exists(), target
    code = ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]
    assert any("assert" in source for source in code)
    assert not any("http" in source for source in code + text)


@pytest.mark.slow
@EACH
def test_a_notebook_ran_and_its_outputs_are_in_the_book(path, book):
    line = rf"^notebook {path.stem}\.ipynb: \d+ s, (\d+) s of a core$"  # others work on the machine meanwhile
    assert int(re.search(line, book.said, re.MULTILINE)[1]) < 60
    page = (book.folder / "notebooks" / f"{path.stem}.html").read_text("utf-8")
    assert page.count("cell_output") >= 3
    assert "image/png" in page or ".png" in page


def written(path, *sources):
    """A notebook with cells of code."""
    made = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": s,
        }
        for i, s in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    path.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


def executed(folder, *paths):
    """Run notebooks in a process of their own: kernels leave sockets and event loops behind."""
    code = (
        "import sys, pathlib; from vae_np.book.notebooks import execute_all;"
        "folder, *paths = map(pathlib.Path, sys.argv[1:]); execute_all(paths, folder, print)"
    )
    command = [sys.executable, "-c", code, str(folder), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("assert 1 + 1 == 3, 'no'", "notebook bad.ipynb fails: AssertionError: no"),
        ("import sys; print('careful', file=sys.stderr)", "notebook bad.ipynb writes to stderr: careful"),
        ("import warnings; warnings.warn('old')", "notebook bad.ipynb writes to stderr"),
        ("import os; os._exit(3)", "notebook bad.ipynb fails: Kernel died"),
        (None, "notebook bad.ipynb cannot be read"),
    ],
)
def test_a_notebook_that_fails_or_warns_stops_the_book(tmp_path, source, said):
    static = "import sys; assert sys.modules['ipywidgets'] is None"  # a page has no use for sliders
    good = written(
        tmp_path / "good.ipynb", static, "print(6 * 7)", "import os; print('process', os.getpid())"
    )
    bad = tmp_path / "bad.ipynb"
    if source is None:
        bad.write_text("{half a note")
    else:
        written(bad, "1 + 1", source)
    (tmp_path / "out").mkdir()
    result = executed(tmp_path / "out", good)
    assert result.stdout.startswith("notebook good.ipynb: ")
    ran = (tmp_path / "out" / "good.ipynb").read_text()
    assert "42" in ran
    with pytest.raises(ProcessLookupError):  # nothing is left running
        os.kill(int(re.search(r"process (\d+)", ran)[1]), 0)
    result = executed(tmp_path / "out", bad)
    assert result.stderr.splitlines()[-1].startswith(f"vae_np.errors.InputError: {said}"), result.stderr
    assert not (tmp_path / "out" / "bad.ipynb").exists()


@pytest.mark.slow
def test_waiting_is_no_work_and_the_work_of_other_processes_is(tmp_path):
    busy = "import time\nwhile time.process_time() < 3: pass"
    child = f"import subprocess, sys; assert not subprocess.call([sys.executable, '-c', {busy!r}])"
    paths = [
        written(tmp_path / f"{name}.ipynb", source)
        for name, source in (
            ("waits", "import time; time.sleep(12); sum = print = str = 3"),
            ("works", busy),
            ("lets_work", child),
        )
    ]
    (tmp_path / "out").mkdir()
    lines = re.findall(r"(\w+)\.ipynb: (\d+) s, (\d+) s of a core", executed(tmp_path / "out", *paths).stdout)
    seconds = {name: (int(wall), int(work)) for name, wall, work in lines}
    assert seconds["waits"][0] >= 12 > seconds["waits"][1] + 3
    assert min(seconds["works"][1], seconds["lets_work"][1]) >= 3
