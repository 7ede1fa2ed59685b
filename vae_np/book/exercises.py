"""The exercise of a chapter as a page: what is asked, the lines to fill in, how to get it as a file."""

import json

from vae_np.verify.exercise import chapters, exercise
from vae_np.verify.exercise_formats import as_notebook


def chapter_of_labels() -> dict[str, str]:
    """Map each label that an exercise asks for to the chapter that derives it.

    Returns
    -------
    dict
        Label -> chapter; a chapter's own labels come before those that it borrows.
    """
    asked: dict[str, str] = {}
    for chapter in chapters():
        for task in exercise(chapter).tasks:
            for label in task.function.labels:
                asked.setdefault(label, chapter)
    return asked


def exercise_page(chapter: str) -> str:
    """Write the exercise of a chapter as Markdown.

    Parameters
    ----------
    chapter
        Stem of a derivation page.

    Returns
    -------
    str
        A page that shows the tasks; the solutions are not on it.
    """
    cells = json.loads(as_notebook(exercise(chapter)))["cells"]
    shown = []
    for cell in cells:
        source = "".join(cell["source"])
        shown.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    introduction, *rest = shown
    get = (
        f"Read [the derivation](../derivations/{chapter}.md). This writes the exercise as a notebook "
        "(`--format python` for a script, `nbgrader` or `otter` for a course):\n\n"
        f"```sh\nvae-np exercise {chapter} --out exercise\n```"
    )
    return "\n\n".join([introduction, get, *rest]) + "\n"
