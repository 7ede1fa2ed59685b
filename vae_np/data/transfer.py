"""One HTTP transfer into a file that can be cut short at any byte and taken up there again.

What came so far is `name.part`. Beside it `name.part.tag` holds the address and the mark that the server
gave the file's present version (ETag or Last-Modified). The next transfer asks for the missing bytes only,

    Range: bytes=1000-        "from byte 1000 on"
    If-Range: "abc"           "if it is still this version, else all of it",

so a file that was changed in between is never glued to the old beginning.
"""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from vae_np.errors import InputError

PIECE = 1 << 18  # bytes
TIMEOUT = 30.0  # seconds without a single byte


def transfer(url: str, part: Path, progress: bool = True) -> None:
    """Bring `part` from whatever it holds to the whole file at `url`.

    Parameters
    ----------
    url
        An http or https address.
    part
        The file to complete; what it holds of an earlier transfer is kept where that is right.
    progress
        Whether to show a bar on stderr where that is a terminal.

    Raises
    ------
    InputError
        If the address is none, the server cannot be reached, refuses or stops before the end (`part`
        then keeps what came), or the disk does not take the bytes.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url!r} is no http or https address: give the whole address")
    tag = part.with_name(part.name + ".tag")
    try:
        have, version = _resumable(url, part, tag)
        answer, start, total = _answer_from(url, have, version)
        with answer, part.open("r+b" if start else "wb") as file, _bar(part.stem, total, progress) as show:
            if start == 0:
                _remember(url, answer.headers, tag)
            file.seek(start)  # not appended: a second process writes the same bytes to the same place
            show(start)
            for piece in _pieces(url, answer):
                file.write(piece)
                show(len(piece))
        size = part.stat().st_size
    except OSError as error:
        raise InputError(f"{part} cannot be written: {error.strerror}; make room and try again") from error
    if total is not None and size < total:
        raise InputError(f"{url} broke off after {size} of {total} bytes: try again, it goes on from there")
    if total is not None and size > total:
        part.unlink()
        raise InputError(f"{url} sent {size} bytes where {total} were announced: try again")
    tag.unlink(missing_ok=True)


def _resumable(url: str, part: Path, tag: Path) -> tuple[int, str]:
    """Bytes at hand and the version they are of; 0 bytes where that is not known."""
    if not (part.exists() and tag.exists()):
        return 0, ""
    address, _, version = tag.read_text(errors="replace").partition("\n")
    return (part.stat().st_size, version) if address == url and version else (0, "")


def _remember(url: str, headers: http.client.HTTPMessage, tag: Path) -> None:
    """Store the version of what is about to come; a weak ETag does not promise the same bytes."""
    version = headers.get("ETag", "W/")
    version = headers.get("Last-Modified", "") if version.startswith("W/") else version
    tag.write_text(f"{url}\n{version}")


class _StayEncrypted(urllib.request.HTTPRedirectHandler):
    """Follow the server's redirects, but none from https to anything else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(req.full_url).scheme == "https" != urlsplit(newurl).scheme:
            raise urllib.error.URLError(f"it leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(url: str, have: int, version: str) -> http.client.HTTPResponse:
    """Ask for the file from byte `have` on; InputError with the reason where no file comes."""
    request = urllib.request.Request(url, headers={"User-Agent": "vae_np", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", version)
    try:
        return urllib.request.build_opener(_StayEncrypted).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # no byte after `have`
            return error  # type: ignore[return-value]  # an HTTPError is an answer too
        advice = "check the address" if error.code in (404, 410) else "try again later"
        raise InputError(f"{url} answered {error.code} {error.reason}: {advice}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(
            f"{url} cannot be reached ({_reason(error)}): check the network and the address"
        ) from error


def _answer_from(url: str, have: int, version: str) -> tuple[http.client.HTTPResponse, int, int | None]:
    """Ask for the file from byte `have` on; give the answer, its first byte and the length of the file.

    A server may send the whole file instead. If it sends anything else, the whole file is asked for.
    An answer 416 says that no byte is left: right if exactly the whole file is there already.
    """
    answer = _answer(url, have, version)
    if answer.status == 200:
        length = answer.headers.get("Content-Length", "")
        return answer, 0, int(length) if length.isdigit() else None
    named = re.fullmatch(r"bytes (\*|\d+)(?:-\d+)?/(\d+|\*)", answer.headers.get("Content-Range", ""))
    first, total = named.groups() if named else ("", "")
    right = (total == str(have)) if answer.status == 416 else (answer.status == 206 and first == str(have))
    if right:
        return answer, have, int(total) if total.isdigit() else None
    answer.close()
    if not have:
        raise InputError(
            f"{url} answered {answer.status} {answer.reason}, which is no file: check the address"
        )
    return _answer_from(url, 0, "")


def _pieces(url: str, answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """What comes, piece by piece; of an answer 416 the body is no part of the file."""
    try:
        while answer.status != 416 and (piece := answer.read(PIECE)):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{url} broke off ({_reason(error)}): try again, it goes on from there") from error


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)  # urllib wraps what the socket said
    if isinstance(inner, TimeoutError):
        return f"no answer for {TIMEOUT:g} seconds"
    return str(getattr(inner, "strerror", None) or inner or type(inner).__name__)


@contextmanager
def _bar(name: str, total: int | None, show: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar of bytes inside a `with` block and yield the function that moves it on."""
    if not show:
        yield lambda n_bytes: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    silent = not (console.is_terminal or console.is_jupyter)
    with Progress(*columns, console=console, disable=silent) as bar:
        task = bar.add_task(name, total=total)
        yield lambda n_bytes: bar.update(task, advance=n_bytes)
