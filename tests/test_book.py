"""The parts of the book that need no Sphinx: places and links, quoted lines, verdicts, the command."""

import errno
import re
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from vae_np.book import build as building
from vae_np.book.companions import COMPANIONS
from vae_np.book.derivation import derivation_page
from vae_np.book.links import follow_all
from vae_np.book.marks import CODE, DRAWING, shown
from vae_np.book.places import Edition, code_link, page_of, up
from vae_np.book.serve import HOST, server
from vae_np.book.verdicts import links, refutations, summary, verdict
from vae_np.cli import main
from vae_np.elbo import kl_standard_normal
from vae_np.errors import InputError
from vae_np.layers import linear_backward
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.run import find, verify
from vae_np.verify.where import CHECKOUT, derivations

EN = Edition(
    "en", frozenset({"derivations/bound", "derivations/index", "guide"}), frozenset({"derivations/index"})
)
JA = Edition("ja", frozenset({"derivations/bound", "derivations/index"}), frozenset({"derivations/adam"}))


@pytest.mark.parametrize(
    ("file", "page"),
    [
        ("derivations/bound.md", (None, "derivations/bound")),
        ("derivations/ja/bound.md", ("ja", "derivations/bound")),
        ("derivations/README.md", (None, "derivations/index")),
        ("derivations/ja/README.md", ("ja", "derivations/index")),
        ("README.md", (None, "guide")),
        ("equations.md", (None, "equations")),
        ("notebooks/gaussian_kl.ipynb", (None, "notebooks/gaussian_kl")),
    ],
)
def test_a_file_of_the_repository_has_its_page(file, page):
    assert page_of(file) == page


@pytest.mark.parametrize(
    ("edition", "file", "link", "expected"),
    [
        (EN, "derivations/adam.md", "[x](bound.md#here)", "[x](bound.md#here)"),
        (EN, "README.md", "[x](derivations/bound.md)", "[x](derivations/bound.md)"),
        (EN, "derivations/adam.md", "[x](README.md)", "[x](index.md)"),
        (EN, "derivations/README.md", "[x](ja/README.md)", '<a href="../ja/derivations/index.html">x</a>'),
        (EN, "derivations/adam.md", "[x](../LICENSE)", "x"),
        (EN, "derivations/adam.md", "[x](#here)", "[x](#here)"),
        (EN, "derivations/adam.md", "`[x](bound.md)`\n```sh\n[x](bound.md)\n```", None),
        (JA, "derivations/ja/bound.md", "[x](../adam.md)", '<a href="../../derivations/adam.html">x</a>'),
        (JA, "derivations/ja/bound.md", "[x](README.md)", "[x](index.md)"),
        (JA, "interactive/kl.md", "[x](../derivations/bound.md)", "[x](../derivations/bound.md)"),
    ],
)
def test_a_link_leads_to_its_page_in_the_book(edition, file, link, expected):
    page = page_of(file)[1]
    followed = follow_all(edition, file, page, f"See {link}.")
    if expected is None:  # a block of code stays as it is
        assert followed.endswith("```sh\n[x](bound.md)\n```.")
    else:
        assert followed == f"See {expected}."


def test_a_link_to_code_leads_to_the_line_of_the_function_that_it_names():
    link = "[`kl_standard_normal`](../vae_np/elbo/gaussian.py)"
    followed = follow_all(EN, "derivations/bound.md", "derivations/bound", link)
    line = line_of_start("vae_np/elbo/gaussian.py", "def kl_standard_normal(")
    assert f'href="../code/vae_np/elbo/gaussian.html#L{line}"' in followed
    assert ">`kl_standard_normal`</a>" in followed


def line_of_start(file, start):
    lines = (CHECKOUT / file).read_text("utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.startswith(start))


def test_ways_up_count_the_folders_and_the_edition():
    assert [up(page, "en") for page in ("index", "a/b", "code/x/y")] == ["", "../", "../../"]
    assert [up(page, "ja") for page in ("index", "a/b")] == ["../", "../../"]
    assert code_link("vae_np/errors.py", 3, "a/b", "ja") == "../../code/vae_np/errors.html#L3"


@pytest.mark.parametrize("function", [kl_standard_normal, linear_backward], ids=lambda f: f.__name__)
def test_the_lines_shown_are_the_function_without_docstring_and_decorator(function):
    lines = shown(function)
    text = lines.text
    assert text.startswith(f"def {function.__name__}(")
    assert '"""' not in text
    assert "@" not in text.split("def ")[0]
    whole = lines.file.read_text("utf-8").splitlines()
    assert whole[lines.head[0] - 1].startswith("def ")
    assert whole[lines.body[1] - 1].lstrip().startswith("return")
    assert '"""' in whole[lines.body[0] - 2]


@pytest.fixture(scope="module")
def report():
    return verify(find("kl-closed"), symbolic=False)


def test_a_verdict_quotes_every_judge(report):
    html = verdict(report, "en")
    assert html.count("<tr>") == 1 + len(report.verdicts)
    assert f"{len(report.verdicts)} judges" in html
    assert "verdict right" in html


def test_a_wrong_equation_is_shown_as_wrong(report):
    failed = report.verdicts[0]._replace(ok=False, error=1.0)
    wrong = replace(report, ok=False, verdicts=(failed, *report.verdicts[1:]))
    html = verdict(wrong, "en")
    assert "verdict wrong" in html
    assert "<strong>WRONG</strong>" in html
    assert f"{failed.judge}; error 1.0e+00" in html.replace("&#x27;", "'")
    assert "誤り" in verdict(wrong, "ja")


def test_the_links_and_the_summary_say_when_an_equation_is_wrong(report):
    wrong = replace(report, ok=False)
    for language, words in (("en", ("right", "WRONG")), ("ja", ("正しい", "誤り"))):
        for given, word in zip((report, wrong), words, strict=True):
            assert f">{word}</span>" in links(given, "derivations/bound", language, {})
    assert summary([report, wrong], "en") == f"2 equations, {2 * len(report.verdicts)} judges: 1 WRONG."
    assert summary([report], "en").endswith("all agree.")


def test_only_judges_that_refute_a_wrong_reading_are_quoted_as_refuting():
    report = verify(find("kl-nearly-zero"), symbolic=False)
    expected = [judge.name for judge in find("kl-nearly-zero").judges if judge.refutes]
    assert len(expected) == 2
    assert re.findall(r"refutes: (.*?); error", "\n".join(refutations(report))) == expected


def test_an_equation_gets_its_links_its_listing_and_its_verdict(report):
    page = "\n".join(
        [
            "# Title",
            "$$\na [unlabeled] one\n$$\n",
            "$$\nKL = 1\n$$ (kl-closed)",
            "<!-- figure kl_terms: What it shows. -->",
            "<!-- code kl-closed -->\n```python\nold\n```",
            "> `kl-closed`: 1 judge; closest: an old one; error 1.0e+00, bound 1.0e+00",
        ]
    )
    made = derivation_page(page, "derivations/bound.md", "derivations/bound", EN, {"kl-closed": report}, {})
    lines = shown(kl_standard_normal)
    assert f":lines: {lines.head[0]}-{lines.head[1]}\n" in made
    assert f":lines: {lines.body[0]}-{lines.body[1]}\n" in made
    assert "old" not in made
    assert "{index} single: kl-closed" in made
    assert 'href="#equation-kl-closed"' in made
    assert "/drawings/kl_terms.svg" in made
    assert made.count("\nKL = 1\n") == 2  # itself, and beside its code
    assert made.count("a [unlabeled] one") == 1


def test_every_drawing_on_a_page_has_its_function_and_both_editions_have_the_same():
    names = {}
    for page in derivations().glob("*.md"):
        found = [name for name, _ in DRAWING.findall(page.read_text("utf-8"))]
        for name in found:
            assert callable(getattr(import_module(f"vae_np.book.figures.{page.stem}"), name))
        names[page.name] = found
    assert sum(map(len, names.values())) >= 8
    for page in (derivations() / "ja").glob("*.md"):
        assert [name for name, _ in DRAWING.findall(page.read_text("utf-8"))] == names[page.name]


def test_what_goes_with_a_page_exists():
    notebooks = {f"notebooks/{path.stem}" for path in (CHECKOUT / "notebooks").glob("*.ipynb")}
    folder = Path(building.__file__).parent / "pages" / "en" / "interactive"
    interactive = {f"interactive/{path.stem}" for path in folder.glob("*.md")}
    named = {goal for goals in COMPANIONS.values() for goal in goals}
    assert named <= notebooks | interactive
    assert interactive <= named
    assert set(COMPANIONS) <= {equation.page.removesuffix(".md") for equation in EQUATIONS} | {"speed"}


def test_every_page_has_its_code_marked_as_the_book_reads_it():
    labels = {
        label for page in derivations().glob("*.md") for _, label in CODE.findall(page.read_text("utf-8"))
    }
    assert labels == {equation.label for equation in EQUATIONS if equation.function}


# ------------------------------------------------------------------------------------ the command


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["book", "--out", str(tmp_path), "--no-execute"]) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert "no part of a book" in said
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def a_book(folder):
    """What a finished book looks like from outside."""
    folder.mkdir()
    (folder / "index.html").write_text("a book")
    (folder / building.MARK).write_text("index.html")
    return folder


def test_a_book_is_replaced_unless_something_was_added_to_it_or_it_is_in_use(tmp_path, capsys, monkeypatch):
    book = a_book(tmp_path / "book")
    assert building.require_place(book) == book.resolve()
    link = tmp_path / "link"
    link.symlink_to(book)
    assert building.require_place(link) == book.resolve()
    with pytest.raises(InputError, match="lies in a book"):
        building.require_place(book / "part")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="loop/new cannot be resolved"):
        building.require_place(tmp_path / "loop" / "new")
    monkeypatch.chdir(book)
    assert main(["book", "--out", "."]) == 2
    assert "in use" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    (book / "notes.txt").write_text("mine")
    assert main(["book", "--out", str(book)]) == 2
    assert "holds notes.txt, which is no part of a book" in capsys.readouterr().err
    assert (book / "notes.txt").read_text() == "mine"


def test_the_old_book_stays_if_the_new_one_cannot_take_its_place(tmp_path):
    book = a_book(tmp_path / "book")
    with pytest.raises(FileNotFoundError):
        building.put_in_place(tmp_path / "no-site", book, tmp_path / "old")
    assert (book / "index.html").read_text() == "a book"
    site = tmp_path / "site"
    site.mkdir()
    building.put_in_place(site, book, tmp_path / "old")
    assert not (book / "index.html").exists()


def test_a_full_disk_is_called_so(tmp_path):
    with pytest.raises(InputError, match="no space left"), building.room_for(tmp_path / "book"):
        raise OSError(errno.ENOSPC, "No space left on device", "some/file.js")
    with pytest.raises(PermissionError), building.room_for(tmp_path / "book"):
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("right", [True, False])
def test_the_exit_status_says_whether_every_equation_is_right(tmp_path, monkeypatch, capsys, right):
    monkeypatch.setattr(building, "build", lambda out, execute, say: right)
    assert main(["book", "--out", str(tmp_path / "book")]) == (0 if right else 1)
    assert "written: " in capsys.readouterr().out


def test_a_taken_port_is_found_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(building, "build", lambda *_, **__: pytest.fail("built"))
    with server(tmp_path, 0) as site:
        assert main(["book", "--out", str(tmp_path / "new"), "--serve", "--port", str(site.server_port)]) == 2
    assert "give another --port" in capsys.readouterr().err


def test_a_file_or_a_missing_folder_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["book", "--out", str(tmp_path / "file")]) == 2
    assert main(["book", "--out", str(tmp_path / "no" / "such")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_a_missing_tool_is_named_with_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(building, "NEEDED", ("numpy", "no_such_package"))
    assert main(["book", "--out", str(tmp_path / "book")]) == 2
    said = capsys.readouterr().err
    assert "the book needs no_such_package: pip install 'vae_np[docs]'" in said
    assert "numpy" not in said


def test_a_site_is_served_on_loopback_only_and_shows_its_files(tmp_path):
    (tmp_path / "index.html").write_text("<p>here</p>")
    with server(tmp_path, 0) as site:
        assert site.server_address[0] == HOST == "127.0.0.1"
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            address = f"http://{HOST}:{site.server_port}"
            with urllib.request.urlopen(f"{address}/") as answer:
                assert answer.read() == b"<p>here</p>"
            with pytest.raises(urllib.error.HTTPError) as missing:
                urllib.request.urlopen(f"{address}/../conftest.py")
            missing.value.close()
            with pytest.raises(InputError, match="give another --port"):
                server(tmp_path, site.server_port)
        finally:
            site.shutdown()
            thread.join()
