"""`vae-np equations`, `check`, `exercise`, `where`: the mathematics, verified, practiced and found."""

import json
import time
from pathlib import Path
from typing import Any

import click

from vae_np.cli.options import PATH, options
from vae_np.cli.output import print_table, remark, say


@click.command(short_help="Verify the equations.")
@click.argument("labels", nargs=-1, metavar="[LABEL]...")
@options("seed", "json")
def equations(labels: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401
    """Verify every equation by all of its judges; with LABELs those alone, judge by judge.

    A judge is an independent way to decide a claim: an exact value, quadrature, sampling, a complex
    step, and, where SymPy is installed, symbols. Exit status 1 if one disagrees.
    """
    from vae_np.verify.run import find, sympy_is_installed, verify_all
    from vae_np.verify.table import LEGEND, as_json, claim, details, overview, summary

    start = time.perf_counter()
    reports = verify_all(*labels, seed=given["seed"] or 0)
    seconds = time.perf_counter() - start
    if given["as_json"]:
        click.echo(json.dumps(as_json(reports)))
    else:
        if labels:
            for report in reports:
                click.echo(f"\n{claim(find(report.label))}")
                print_table(*details(report), n_words=2)
        else:
            print_table(*overview(reports), n_words=2)
            click.echo(LEGEND)
        click.echo(summary(reports, seconds))
    for report in reports:
        if not report.ok:
            remark(f"vae-np: {report.label} ({report.page}) is WRONG: {report.message}")
    if not sympy_is_installed():
        remark("the symbolic judges did not take part: pip install 'vae_np[symbolic]'")
    return 0 if all(report.ok for report in reports) else 1


@click.command(short_help="Check a function of your own.")
@click.argument("label")
@click.argument("target", metavar="FILE.py:FUNCTION")
@click.option(
    "--level",
    type=click.IntRange(0, 3),
    default=2,
    show_default=True,
    help="Say 0 right or wrong, 1 which output, 2 which term, 3 the coefficients.",
)
@click.option(
    "--gradescope",
    type=PATH,
    help="Also write a results.json for Gradescope, with a point for each output.",
)
@options("seed", "json")
def check(label: str, target: str, **given: Any) -> int:  # noqa: ANN401
    """Check FUNCTION in FILE.py against the equation LABEL, and name the term that is wrong.

    The file runs in a process of its own, for 30 seconds at most. Exit status 1 if it is wrong.
    """
    from vae_np.verify.runner.search import own_modules

    with own_modules(Path(target.rpartition(":")[0])):
        answer = _answer(label, target, given["gradescope"], level=given["level"], seed=given["seed"] or 0)
    if given["as_json"]:
        click.echo(json.dumps({name: answer[name] for name in ("label", "ok", "message", "terms")}))
    else:
        say(f"{label}: {answer['message']}")
    return 0 if answer["ok"] else 1


def _answer(label: str, target: str, gradescope: Path | None, **given: int) -> dict[str, Any]:
    """Check the function and write what Gradescope reads, in which a file without it is a wrong one."""
    from vae_np.data.writing import require_writable
    from vae_np.verify.gradescope import write_results
    from vae_np.verify.sandbox import NoFunctionError, check_file, failed

    if gradescope is None:
        return check_file(label, target, **given)
    require_writable(gradescope)
    try:
        answer = check_file(label, target, **given)
    except NoFunctionError as missing:
        answer = failed(label, str(missing))
    write_results(gradescope, [answer])
    return answer


@click.command(short_help="Write the exercise of a chapter.")
@click.argument("chapter")
@click.option(
    "--out",
    type=PATH,
    required=True,
    help="Output folder (nbgrader: the course folder).",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["notebook", "nbgrader", "otter", "python"]),
    default="notebook",
    show_default=True,
    help="What to write.",
)
@options("seed")
def exercise(chapter: str, out: Path, layout: str, **given: Any) -> None:  # noqa: ANN401
    """Write tasks on CHAPTER, a derivation page: a formula, a derivative, a planted bug, a proof."""
    from vae_np.verify.exercise_formats import write_exercise

    say(f"written: {write_exercise(chapter, out, layout, given['seed'] or 0)}")


@click.command(short_help="Find an equation's page, function, record and test.")
@click.argument("label")
@options("json")
def where(label: str, **given: Any) -> None:  # noqa: ANN401
    """Print where the equation LABEL stands: its page, function, record and test, as file:line."""
    from vae_np.verify.where import where as find_places

    places = find_places(label)
    if given["as_json"]:
        click.echo(json.dumps({"label": label} | places._asdict() | {"root": str(places.root)}))
        return
    for name in ("page", "function", "record", "test"):
        click.echo(f"{name:<10}{getattr(places, name) or '-'}")
    if places.root != Path.cwd():
        remark(f"in {places.root}")
