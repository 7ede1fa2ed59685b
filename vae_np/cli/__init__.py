"""The command line: `vae-np demo`, `train`, `predict`, `evaluate`, `equations`, `where`, `check`, ...

Exit status: 0 done, 1 a check failed, 2 bad usage or bad input, said in one line on stderr, 130 interrupted
by Ctrl-C, 143 by `kill`, 129 by a terminal that closed. Progress and remarks go to stderr, results to stdout;
with --json stdout holds the JSON alone.
"""

import io
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

import click

from vae_np import __version__
from vae_np.cli.bench import bench
from vae_np.cli.book import book
from vae_np.cli.demo import demo
from vae_np.cli.evaluate import evaluate
from vae_np.cli.output import remark
from vae_np.cli.predict import predict
from vae_np.cli.train import train
from vae_np.cli.verify import check, equations, exercise, where
from vae_np.errors import InputError
from vae_np.signals import behind


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vae-np")
def program() -> None:
    """Variational autoencoder and scGen in NumPy: predict how a cell type responds to a stimulus."""


for command in (bench, book, check, demo, equations, evaluate, exercise, predict, train, where):
    program.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status.

    Parameters
    ----------
    arguments
        The words after the program's name; None takes them from the command line.

    Returns
    -------
    int
        0 done, 1 a check failed, 2 bad usage or bad input, 128 and the signal's number if one ended it.
    """
    said: set[str] = set()

    def one_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if str(message) not in said:
            said.add(str(message))
            remark(f"vae-np: warning: {message}")

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without R² still shows the table
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = one_line
        try:
            return program.main(arguments, prog_name="vae-np", standalone_mode=False) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
        except click.ClickException as error:
            remark(f"vae-np: {error.format_message()} (vae-np --help shows the usage)")
        except InputError as error:
            remark(_with_notes(f"vae-np: {error}", error))
        except SystemExit:  # how click and rich leave when nobody reads our output any more
            return 0
        except MemoryError as error:
            remark(_with_notes(f"vae-np: there is not enough memory: {error}".rstrip(": "), error))
        except (OSError, SystemError) as error:
            if interrupt := behind(error):
                return _ended(interrupt, error)
            if isinstance(error, SystemError):
                raise
            what = f"{error.filename or 'a file'} could not be used: {error.strerror or error}"
            remark(_with_notes(f"vae-np: {what}", error))
        except (click.Abort, KeyboardInterrupt) as error:
            cause = error.__cause__ or error
            return _ended(cause, cause)
    return 2


def _with_notes(message: str, error: BaseException) -> str:
    """A message, and what was noted on its way here."""
    return "; ".join([message, *getattr(error, "__notes__", [])])


def _ended(interrupt: BaseException, noted: BaseException) -> int:
    """Say that a signal ended the work, and how a kept training is resumed; give the exit status."""
    remark(_with_notes("vae-np: interrupted", noted if hasattr(noted, "__notes__") else interrupt))
    return 128 + getattr(interrupt, "number", signal.SIGINT)
