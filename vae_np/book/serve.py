"""Show a finished book in the browser: a small web server that only this machine can reach."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vae_np.errors import InputError

HOST = "127.0.0.1"


class Quiet(SimpleHTTPRequestHandler):
    """Answers requests for files without a line in the terminal for each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 - the base class's signature
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Goes on without a word when a browser leaves before its file has come."""

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class
        """Report what is no fault of the browser's."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Open a server for the files of a folder, on the loopback address.

    Parameters
    ----------
    folder
        Of the site.
    port
        To listen on; 0 takes a free one.

    Returns
    -------
    ThreadingHTTPServer
        Not yet serving; `server_port` is the port.

    Raises
    ------
    InputError
        If the port is taken or not allowed.
    """
    try:
        return Server((HOST, port), partial(Quiet, directory=str(folder)))
    except OSError as error:
        raise InputError(f"port {port} cannot be used: {error.strerror}: give another --port") from error
