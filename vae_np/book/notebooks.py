"""Run the notebooks, so that the book shows what they print and draw today."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import default

from vae_np.errors import InputError
from vae_np.kernels.threads import usable_cores
from vae_np.verify.where import derivations

STATIC = "import sys; sys.modules['ipywidgets'] = None"  # a page shows the figure, not the sliders
SECONDS = "text/x-seconds"  # of a core, whatever else the machine does meanwhile
TELL_SECONDS = """  # by names that no cell can have changed
__import__("IPython.display").display.publish_display_data(
    {"text/x-seconds": f"{__import__('math').fsum(__import__('os').times()[:4])}"}
)
"""
LONGEST = 300  # seconds for one cell on a slow machine; a notebook computes for less than 60


class ThisPython(AsyncKernelManager):
    """Starts a kernel in this very Python, whatever other ones Jupyter knows of."""

    @default("kernel_spec_manager")
    def _no_other(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def notebooks() -> list[Path]:
    """List the notebooks: the originals in a checkout, the copies in an installed package."""
    return sorted((derivations().parent / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> tuple[nbformat.NotebookNode, float]:
    """Run a notebook from its first cell to its last in a fresh process.

    Parameters
    ----------
    path
        The notebook; the file stays as it is.

    Returns
    -------
    nbformat.NotebookNode
        With outputs.
    float
        Seconds for which it kept a core busy, with the processes that it waited for.

    Raises
    ------
    InputError
        If it is no notebook, or a cell fails, takes too long or writes to stderr; none of the project does.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        raise InputError(
            f"notebook {path.name} cannot be read: it is no notebook, or a damaged one"
        ) from error
    notebook.cells = [
        nbformat.v4.new_code_cell(STATIC),
        *notebook.cells,
        nbformat.v4.new_code_cell(TELL_SECONDS),
    ]
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        timeout=LONGEST,
        extra_arguments=["--Application.log_level=ERROR"],  # its remarks on sockets are nobody's concern
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise InputError(f"notebook {path.name} fails: {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise InputError(f"notebook {path.name} fails: {str(error).splitlines()[0]}") from error
    told = notebook.cells.pop().outputs
    del notebook.cells[0]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise InputError(f"notebook {path.name} writes to stderr: {' '.join(output.text.split())}")
    return notebook, next(float(output.data[SECONDS]) for output in told if SECONDS in output.get("data", {}))


def execute_all(paths: Sequence[Path], folder: Path, say: Callable[[str], None]) -> None:
    """Run notebooks, one a core at a time, and write them with their outputs.

    Parameters
    ----------
    paths
        The notebooks.
    folder
        Where the executed ones are written, under the same names.
    say
        Told of each one that is done.

    Raises
    ------
    InputError
        As in `executed`.
    """

    def run(path: Path) -> None:
        start = time.perf_counter()
        notebook, work = executed(path)
        nbformat.write(notebook, folder / path.name)
        say(f"notebook {path.name}: {time.perf_counter() - start:.0f} s, {work:.0f} s of a core")

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(run, paths))
