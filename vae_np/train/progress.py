"""The progress bar of a training: epoch, loss, time left; on stderr, and silent off a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def progress_bar(n_epochs: int, show: bool, n_done: int = 0) -> Iterator[Callable[[float], None]]:
    """Show a bar inside a `with` block and yield the function to call after each epoch.

    Parameters
    ----------
    n_epochs
        Length of the bar.
    show
        Whether to show it where stderr is a terminal or a notebook.
    n_done
        Epochs that are done already.

    Yields
    ------
    callable
        Takes the loss of the epoch, in nats per cell.
    """
    if not show:
        yield lambda loss: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4g}"),
        TimeRemainingColumn(),
    )
    silent = not (console.is_terminal or console.is_jupyter)
    bar = Progress(*columns, console=console, disable=silent)
    task = bar.add_task("training", total=n_epochs, completed=n_done, loss=float("nan"))
    try:
        with suppress(OSError):  # the terminal may be closed by now: nobody looks, training goes on
            bar.start()
        yield lambda loss: bar.update(task, advance=1, loss=loss)
    finally:
        with suppress(OSError):
            bar.stop()
