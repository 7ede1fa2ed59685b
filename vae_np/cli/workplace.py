"""Where the trainings of a command are done: here, by processes of this machine, by a Dask cluster."""

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from vae_np import __version__
from vae_np.cli.options import Options
from vae_np.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

SECONDS_TO_CONNECT = 5
ADDRESS = re.compile(r"tcp://(?P<host>\[[^][/]+\]|[^][/:@\s]+):(?P<port>\d{1,5})")


@contextmanager
def workplace(given: Options) -> Iterator[dict[str, Any]]:
    """Yield where trainings are done, as `perform_all` takes it, from `jobs` and `scheduler`.

    Parameters
    ----------
    given
        The options.

    Raises
    ------
    InputError
        If Dask is not installed, the address is none, no scheduler answers, or its workers have not this
        vae_np.
    """
    if given["scheduler"] is None:
        yield {"n_jobs": given["jobs"]}
        return
    address = given["scheduler"]
    if not (parts := ADDRESS.fullmatch(address)):
        raise InputError(f"--scheduler is {address!r}: write tcp://HOST:PORT, as the scheduler prints it")
    logging.disable()  # what goes wrong is said once, by us
    try:
        with connect(address, parts["host"].strip("[]"), int(parts["port"])) as client:
            require_same_version(client)
            yield {"client": client}
    finally:
        logging.disable(logging.NOTSET)


def connect(address: str, host: str, port: int) -> "Client":
    """Make a client of the scheduler at an address, whose parts are given too.

    Raises
    ------
    InputError
        If Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InputError('--scheduler needs Dask: pip install "vae_np[distributed]"') from None
    client = Client.__new__(Client)  # known before it is made: if it is half made, it has to be closed
    try:
        require_speaker(host, port)
        client.__init__(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except Exception as error:
        with suppress(Exception):
            client.close()
        client.status = "closed"
        raise InputError(f"no Dask scheduler answers at {address}: is the address right?") from error
    return client


def require_speaker(host: str, port: int) -> None:
    """Raise OSError if nobody there speaks first, as a scheduler does; a client would wait for ever."""
    with socket.create_connection((host, port), timeout=SECONDS_TO_CONNECT) as connection:
        if not connection.recv(1):
            raise ConnectionResetError


def installed_version() -> str:
    """The version of vae_np, where it is called."""
    return __version__


def require_same_version(client: "Client") -> None:
    """Raise InputError if a worker of the cluster has another vae_np, or none."""
    for worker, version in client.run(installed_version, on_error="return").items():
        if version != __version__:
            found = "no vae_np that fits" if isinstance(version, Exception) else f"vae_np {version}"
            raise InputError(f"Dask worker {worker} has {found}: install vae_np {__version__} there")
