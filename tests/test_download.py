"""A download arrives whole or not at all, goes on where it was cut, and keeps its checksum; no network."""

import hashlib
import http.client
import http.server
import io
import os
import socket
import sys
import threading
import urllib.request
import urllib.response
from pathlib import Path

import numpy as np
import pytest

from vae_np.data import transfer
from vae_np.data.download import cache_folder, fetch
from vae_np.errors import InputError

CONTENT = np.random.default_rng(5).bytes(600_000)
OTHER = np.random.default_rng(6).bytes(700_000)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Site:
    """What the server has and how it behaves; the requests that it saw."""

    def __init__(self):
        self.content, self.version = CONTENT, {"ETag": '"one"'}
        self.status, self.cut_after, self.stall, self.ranges, self.chunked = 200, None, False, True, False
        self.other_start, self.extra = None, b""
        self.requests = []


class Handler(http.server.BaseHTTPRequestHandler):
    """An HTTP server as the standard describes it (RFC 9110, sections 13.1.5 and 14), faults on demand."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Send what the site has, from the byte that is asked for."""
        site = self.server.site
        site.requests.append(dict(self.headers))
        if site.stall:
            self.server.stopped.wait(20)
            return
        if site.status != 200:
            self.send_error(site.status)
            return
        start, total = 0, len(site.content)
        asked = self.headers.get("Range") if site.ranges else None
        if asked and self.headers.get("If-Range") in site.version.values():
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.end_headers()
                self.wfile.write(b"nothing left")
                return
        if start and site.other_start is not None:
            start = site.other_start
        body = site.content[start:] + site.extra
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        for name, value in site.version.items():
            self.send_header(name, value)
        if site.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if site.cut_after is None else body[: site.cut_after])

    def log_message(self, *_):
        """Keep the terminal quiet."""


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site, server.stopped = Site(), threading.Event()
    server.site.url = f"http://127.0.0.1:{server.server_address[1]}/cells.h5ad"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.site
    server.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def cut(site, path, after):
    """Let a download break off after some bytes of the body."""
    site.cut_after = after
    with pytest.raises(InputError, match="try again, it goes on from there"):
        fetch(site.url, path)
    site.cut_after = None
    assert not path.exists()


def test_a_file_comes_once_and_its_checksum_lies_beside_it(site, tmp_path):
    path = tmp_path / "cells.h5ad"
    assert fetch(site.url, path) == fetch(site.url, str(path)) == path
    assert len(site.requests) == 1
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["cells.h5ad", "cells.h5ad.sha256"]
    assert (tmp_path / "cells.h5ad.sha256").read_text() == f"{sha256(CONTENT)}  cells.h5ad\n"


def test_a_download_that_was_cut_goes_on(site, tmp_path):
    path = tmp_path / "cells.h5ad"
    cut(site, path, 250_000)
    assert (tmp_path / "cells.h5ad.part").read_bytes() == CONTENT[:250_000]
    fetch(site.url, path)
    assert path.read_bytes() == CONTENT
    assert site.requests[1]["Range"] == "bytes=250000-"
    assert site.requests[1]["If-Range"] == '"one"'
    assert names(tmp_path) == ["cells.h5ad", "cells.h5ad.sha256"]


def test_the_date_serves_where_there_is_no_strong_etag(site, tmp_path):
    date = "Sun, 01 Nov 2026 10:00:00 GMT"
    site.version = {"ETag": 'W/"one"', "Last-Modified": date}
    cut(site, tmp_path / "cells.h5ad", 100_000)
    fetch(site.url, tmp_path / "cells.h5ad")
    assert site.requests[1]["If-Range"] == date
    assert (tmp_path / "cells.h5ad").read_bytes() == CONTENT


def change(site):
    site.content, site.version = OTHER, {"ETag": '"two"'}


def ignore_ranges(site):
    site.ranges = False


def answer_from_elsewhere(site):
    site.other_start = 100_000


def shorten(site):
    site.content = CONTENT[:200_000]  # under the same mark: a range beyond its end


def forget_versions(site):
    site.version = {}


@pytest.mark.parametrize("event", [change, ignore_ranges, answer_from_elsewhere, shorten, forget_versions])
def test_what_cannot_be_continued_starts_over(site, tmp_path, event):
    path = tmp_path / "cells.h5ad"
    cut(site, path, 250_000)
    event(site)
    fetch(site.url, path)
    assert path.read_bytes() == site.content
    assert names(tmp_path) == ["cells.h5ad", "cells.h5ad.sha256"]


def test_a_part_of_unknown_origin_is_not_continued(site, tmp_path):
    (tmp_path / "cells.h5ad.part").write_bytes(b"x" * 1000)
    fetch(site.url, tmp_path / "cells.h5ad")
    site.version = {}
    cut(site, tmp_path / "no_version", 1000)
    fetch(site.url, tmp_path / "no_version")
    site.version = {"ETag": '"one"'}
    cut(site, tmp_path / "elsewhere", 1000)
    fetch(site.url + "?other", tmp_path / "elsewhere")
    assert not any("Range" in request for request in site.requests)
    assert all(
        (tmp_path / name).read_bytes() == CONTENT for name in ("cells.h5ad", "no_version", "elsewhere")
    )


def test_a_part_that_is_whole_already_is_taken(site, tmp_path):
    path = tmp_path / "cells.h5ad"
    cut(site, path, 599_999)
    with (tmp_path / "cells.h5ad.part").open("ab") as part:
        part.write(CONTENT[-1:])  # as if the process had died between the last byte and the renaming
    fetch(site.url, path)
    assert path.read_bytes() == CONTENT
    assert len(site.requests) == 2


def test_a_body_without_an_announced_length(site, tmp_path):
    site.chunked = True
    fetch(site.url, tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == CONTENT
    cut(site, tmp_path / "cells.h5ad", 250_000)


def test_a_pinned_checksum_decides(site, tmp_path):
    path = tmp_path / "cells.h5ad"
    with pytest.raises(InputError, match=rf"SHA-256 {sha256(CONTENT)}, which is not the one asked for"):
        fetch(site.url, path, sha256=sha256(OTHER))
    assert names(tmp_path) == []
    fetch(site.url, path, sha256=sha256(CONTENT).upper())
    assert path.read_bytes() == CONTENT
    with pytest.raises(InputError, match="is damaged or was changed"):
        fetch(site.url, path, sha256=sha256(OTHER))
    with pytest.raises(InputError, match="sha256 is 'abc': give 64 hexadecimal digits"):
        fetch(site.url, path, sha256="abc")


def test_a_damaged_file_is_named_and_can_be_had_again(site, tmp_path):
    path = tmp_path / "cells.h5ad"
    fetch(site.url, path)
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(InputError, match=r"cells\.h5ad is damaged or was changed.*delete it"):
        fetch(site.url, path)
    path.unlink()
    assert fetch(site.url, path).read_bytes() == CONTENT


def test_a_file_that_changed_at_its_source_is_named(site, tmp_path):
    path = tmp_path / "cells.h5ad"
    fetch(site.url, path).unlink()
    change(site)
    with pytest.raises(InputError, match=r"not that of the first download \(delete .*sha256 to accept\)"):
        fetch(site.url, path)
    assert names(tmp_path) == ["cells.h5ad.sha256"]
    (tmp_path / "cells.h5ad.sha256").write_text("nonsense")
    with pytest.raises(InputError, match="holds no SHA-256: delete it"):
        fetch(site.url, path)
    (tmp_path / "cells.h5ad.sha256").unlink()
    assert fetch(site.url, path).read_bytes() == OTHER


def test_a_file_put_there_by_hand_is_recorded(site, tmp_path):
    (tmp_path / "cells.h5ad").write_bytes(OTHER)
    fetch(site.url, tmp_path / "cells.h5ad")
    assert (tmp_path / "cells.h5ad.sha256").read_text().startswith(sha256(OTHER))
    assert site.requests == []


@pytest.mark.parametrize(("status", "advice"), [(404, "check the address"), (503, "try again later")])
def test_a_refusal_is_named(site, tmp_path, status, advice):
    site.status = status
    with pytest.raises(InputError, match=f"answered {status} .*: {advice}"):
        fetch(site.url, tmp_path / "cells.h5ad")
    site.status = 204
    with pytest.raises(InputError, match="answered 204"):
        fetch(site.url, tmp_path / "cells.h5ad")
    assert names(tmp_path) == []


def test_a_redirect_does_not_leave_https(site, tmp_path, monkeypatch):
    def lead_away(self, request):
        headers = http.client.HTTPMessage()
        headers["Location"] = site.url
        answer = urllib.response.addinfourl(io.BytesIO(), headers, request.full_url, 302)
        answer.msg = "Found"
        return answer

    monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", lead_away)
    with pytest.raises(
        InputError, match=r"cannot be reached \(it leads to http://.*, which is not encrypted"
    ):
        fetch("https://example.org/cells.h5ad", tmp_path / "cells.h5ad")
    assert site.requests == []
    assert names(tmp_path) == []


@pytest.mark.parametrize(("start", "end"), [("http", "http"), ("http", "https"), ("https", "https")])
def test_other_redirects_are_followed(start, end):
    request = urllib.request.Request(f"{start}://example.org/a")
    new = transfer._StayEncrypted().redirect_request(
        request, io.BytesIO(), 302, "Found", http.client.HTTPMessage(), f"{end}://example.org/b"
    )
    assert new.full_url == f"{end}://example.org/b"


def test_a_server_that_says_nothing_is_left(site, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
    site.stall = True
    with pytest.raises(InputError, match=r"cannot be reached \(no answer for 0\.2 seconds\)"):
        fetch(site.url, tmp_path / "cells.h5ad")
    assert names(tmp_path) == []


def test_addresses_without_a_server_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/cells.h5ad"
    with pytest.raises(InputError, match=r"cannot be reached \(Connection refused\)"):
        fetch(url, tmp_path / "cells.h5ad")
    for url in ("cells.h5ad", "file:///etc/hostname", ""):
        with pytest.raises(InputError, match="is no http or https address"):
            fetch(url, tmp_path / "cells.h5ad")
    for url in ("http://127.0.0.1:port/x", "http:///x", "http://127.0.0.1/with blank"):
        with pytest.raises(InputError, match="cannot be reached"):
            fetch(url, tmp_path / "cells.h5ad")
    assert names(tmp_path) == []


def test_more_than_was_announced_is_refused(site, tmp_path):
    path = tmp_path / "cells.h5ad"
    cut(site, path, 250_000)
    site.extra = b"more"  # Content-Range still says 600,000
    with pytest.raises(InputError, match="sent 600004 bytes where 600000 were announced"):
        fetch(site.url, path)
    site.extra = b""
    assert fetch(site.url, path).read_bytes() == CONTENT


def test_a_full_disk_is_named_and_the_download_goes_on_later(site, tmp_path):
    """The limit of the file size stands for the full disk: the system refuses the write in the same way."""
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        with pytest.raises(
            InputError, match=r"cells\.h5ad\.part cannot be written: File too large; make room"
        ):
            fetch(site.url, tmp_path / "cells.h5ad")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "cells.h5ad").exists()
    assert fetch(site.url, tmp_path / "cells.h5ad").read_bytes() == CONTENT
    assert "Range" in site.requests[1]


def test_unwritable_places_are_named_before_the_download(site, tmp_path):
    for path, message in {
        tmp_path: "is a folder",
        tmp_path / "no" / "cells.h5ad": "does not exist: create it first",
        Path("/proc/cells.h5ad"): "not writable",
    }.items():
        with pytest.raises(InputError, match=message):
            fetch(site.url, path)
    assert site.requests == []


def test_the_bar_is_on_stderr_and_only_on_a_terminal(site, tmp_path, capsys, monkeypatch):
    fetch(site.url, tmp_path / "silent")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    fetch(site.url, tmp_path / "shown")
    out, err = capsys.readouterr()
    assert out == ""
    assert "shown" in err
    assert "600.0/600.0 kB" in err
    fetch(site.url, tmp_path / "off", progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"VAE_NP_CACHE": "{tmp}/own"}, "own"),
        ("win32", {"VAE_NP_CACHE": "~/own"}, "own"),
        ("linux", {"XDG_CACHE_HOME": "{tmp}/xdg"}, "xdg/vae_np"),
        ("linux", {}, ".cache/vae_np"),
        ("darwin", {"XDG_CACHE_HOME": "{tmp}/xdg"}, "Library/Caches/vae_np"),
        ("win32", {"LOCALAPPDATA": "{tmp}/local"}, "local/vae_np"),
        ("win32", {}, "AppData/Local/vae_np"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(tmp_path, monkeypatch, platform, variables, folder):
    for name in ("VAE_NP_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == tmp_path / folder
    assert (tmp_path / folder).is_dir()


def test_a_cache_that_cannot_be_created_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAE_NP_CACHE", os.fspath(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"no cache folder .* name a writable one .* VAE_NP_CACHE"):
        cache_folder()
