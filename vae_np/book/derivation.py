"""From a derivation page of the repository to a page of the book.

Every equation gets its links; a listing gets its true line numbers and, on a wide screen, the equation
beside it; the quoted error becomes the verdict of this very build; drawings appear.
"""

import re
from collections.abc import Mapping

from vae_np.book.companions import COMPANIONS
from vae_np.book.links import follow_all
from vae_np.book.marks import CODE, DRAWING, FIGURES, REFUTED, shown
from vae_np.book.places import Edition, code_link, root, up
from vae_np.book.verdicts import links, raw, refutations, verdict
from vae_np.book.words import WORDS
from vae_np.verify.exercise import BLOCK
from vae_np.verify.record import Report
from vae_np.verify.run import find, function_of
from vae_np.verify.where import CHECKOUT


def listing(label: str, page: str, language: str) -> str:
    """Show the code of an equation with the line numbers of its file, and a link to that file.

    Parameters
    ----------
    label
        Of an equation with a function.
    page, language
        Where it is shown.

    Returns
    -------
    str
        Markdown.
    """
    function = function_of(find(label))
    assert function is not None
    lines = shown(function)
    file = lines.file.relative_to(CHECKOUT).as_posix()
    address = code_link(file, lines.head[0], page, language)
    parts = [
        f"```{{literalinclude}} /{file}\n:language: python\n:lines: {first}-{last}\n:lineno-match:\n```"
        for first, last in (lines.head, lines.body)
    ]
    title = f'<p class="listing-title"><a class="code" href="{address}">{file}:{lines.head[0]}</a></p>'
    return "\n".join([":::{container} listing", raw(title), *parts, ":::"])


def beside(equation: str, code: str) -> str:
    """Put an equation, once more and only on a wide screen, at the left of its listing."""
    return "\n".join(
        ["::::{container} beside", ":::{container} again", "$$", equation, "$$", ":::", code, "::::"]
    )


def figure(file: str, caption: str) -> str:
    """Show a drawing with its caption, which also describes it to who cannot see it."""
    return f"```{{figure}} {file}\n:alt: {caption}\n:figclass: drawing\n\n{caption}\n```"


def companions(page: str, edition: Edition, exercises: Mapping[str, str]) -> str:
    """Lead from a derivation page to what lets one see, do and try the same.

    Parameters
    ----------
    page, edition
        Its name in the book, and the edition.
    exercises
        Label -> chapter whose exercise asks for it.

    Returns
    -------
    str
        A paragraph of links; empty for a page that nothing goes with.
    """
    topic = page.removeprefix("derivations/")
    goals = list(COMPANIONS.get(topic, ()))
    if topic in exercises.values():
        goals.append(f"exercises/{topic}")
    found = []
    for goal in goals:
        language = edition.language if goal in edition.pages else edition.other_language
        address = f"{up(page, edition.language)}{root(language)}{goal}.html"
        found.append(f'<a href="{address}">{WORDS[edition.language][goal.split("/")[0]]}</a>')
    return raw(f'<p class="companions">{" · ".join(found)}</p>') if found else ""


def derivation_page(
    text: str,
    file: str,
    page: str,
    edition: Edition,
    reports: Mapping[str, Report],
    exercises: Mapping[str, str],
) -> str:
    """Write a derivation page as the book has it.

    Parameters
    ----------
    text, file
        The page in the repository, and its path there.
    page, edition
        Its name in the book, and the edition.
    reports
        Label -> what the judges found.
    exercises
        Label -> chapter whose exercise asks for it.

    Returns
    -------
    str
        MyST Markdown.
    """
    language = edition.language
    equations = {label: equation for equation, label in BLOCK.findall(text)}
    text = follow_all(edition, file, page, text)

    def with_links(block: re.Match[str]) -> str:
        if not block[2]:
            return block[0]
        found = f"```{{index}} single: {block[2]}\n```"
        return f"{found}\n\n{block[0]}\n\n{raw(links(reports[block[2]], page, language, exercises))}"

    text = BLOCK.sub(with_links, text)
    title, _, rest = text.partition("\n")
    text = f"{title}\n\n{companions(page, edition, exercises)}\n{rest}"
    text = CODE.sub(lambda m: beside(equations[m[2]], listing(m[2], page, language)), text)
    text = REFUTED.sub(lambda m: "\n>\n".join(refutations(reports[m[2]])), text)
    text = FIGURES.sub(lambda m: raw(verdict(reports[m[2]], language)), text)
    return DRAWING.sub(lambda m: figure(f"/drawings/{m[1]}.svg", m[2]), text)
