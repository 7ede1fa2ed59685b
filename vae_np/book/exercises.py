"""The exercise of a chapter as a page: what is asked, the lines to fill in, how to get it as a file."""

import json
import re

from vae_np.book.places import ANY_LABEL, PAGE_OF, equation_link
from vae_np.verify.exercise import chapters, exercise
from vae_np.verify.exercise_formats import as_notebook

LABELS = re.compile(rf"\[({ANY_LABEL}(?:, {ANY_LABEL})*)\]")


def chapter_of_labels() -> dict[str, str]:
    """Map each label that an exercise asks for to the chapter that derives it.

    Returns
    -------
    dict
        Label -> chapter; where several ask for it, the one that derives it.
    """
    asked: dict[str, str] = {}
    for chapter in chapters():
        for task in exercise(chapter).tasks:
            for label in task.function.labels:
                if label not in asked or PAGE_OF[label] == chapter:
                    asked[label] = chapter
    return asked


def linked(labels: str, page: str) -> str:
    """Make each of some labels, which stand in brackets, lead to its equation."""
    return rf"\[{', '.join(equation_link(label, page) for label in labels.split(', '))}\]"


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
        if cell["cell_type"] == "markdown":
            shown.append(LABELS.sub(lambda labels: linked(labels[1], f"exercises/{chapter}"), source))
        else:
            shown.append(f"```python\n{source}\n```")
    introduction, *rest = shown
    introduction = introduction.replace(f"`{chapter}.md`", f"[{chapter}](../derivations/{chapter}.md)")
    get = (
        "This writes the exercise as a notebook "
        "(`--format python` for a script, `nbgrader` or `otter` for a course):\n\n"
        f"```sh\nvae-np exercise {chapter} --out exercise\n```"
    )
    return "\n\n".join([introduction, get, *rest]) + "\n"
