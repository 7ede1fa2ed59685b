"""`vae-np book`: the derivations, the code, the verdicts and the notebooks as one site."""

from contextlib import nullcontext
from pathlib import Path

import click

from vae_np.cli.options import PATH
from vae_np.cli.output import remark, say


@click.command(short_help="Build the book, and show it.")
@click.option("--out", type=PATH, default=Path("vae-np-book"), show_default=True, help="Folder of the site.")
@click.option("--serve", is_flag=True, help="Show the book on this machine; built first if it is not there.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="For --serve.")
@click.option("--no-execute", is_flag=True, help="Show the notebooks without running them: faster.")
def book(out: Path, serve: bool, port: int, no_execute: bool) -> int:
    """Build the book: each equation beside its code and the verdict of its checks, in English and Japanese.

    Needs the packages of the extra `docs`; the site itself needs no network. With --serve a book that
    is there already is shown as it is; build it anew without --serve. Exit status 1 if an equation is
    wrong.
    """
    from vae_np.book.build import build, is_book
    from vae_np.book.serve import HOST, server

    with server(out, port) if serve else nullcontext() as site:  # a taken port is found before the work
        all_right = True
        if not (serve and is_book(out)):
            all_right = build(out, execute=not no_execute, say=remark)
            say(f"written: {out / 'index.html'}")
        if site:
            click.echo(f"http://{HOST}:{site.server_port}/ (stop with Ctrl-C)")
            site.serve_forever()
    return 0 if all_right else 1
