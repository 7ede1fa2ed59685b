"""Where the trainings of a command are done: here, by processes of this machine, by a Dask cluster."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vae_np import __version__
from vae_np.cli.options import Options
from vae_np.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

SECONDS_TO_CONNECT = 5


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
        If Dask is not installed, no scheduler answers, or its workers have not this vae_np.
    """
    if given["scheduler"] is None:
        yield {"n_jobs": given["jobs"]}
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError('--scheduler needs Dask: pip install "vae_np[distributed]"') from None
    address = given["scheduler"]
    logging.disable()  # what goes wrong is said once, by us
    try:
        try:
            client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(f"no Dask scheduler answers at {address}: is the address right?") from error
        with client:
            require_same_version(client)
            yield {"client": client}
    finally:
        logging.disable(logging.NOTSET)


def installed_version() -> str:
    """The version of vae_np, where it is called."""
    return __version__


def require_same_version(client: "Client") -> None:
    """Raise InputError if a worker of the cluster has another vae_np, or none."""
    for worker, version in client.run(installed_version, on_error="return").items():
        if version != __version__:
            found = "no vae_np that fits" if isinstance(version, Exception) else f"vae_np {version}"
            raise InputError(f"Dask worker {worker} has {found}: install vae_np {__version__} there")
