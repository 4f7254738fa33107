"""The command line."""

from __future__ import annotations

from typing import Annotated

import typer

import napari_simpleclick
from napari_simpleclick.cli import (
    encode,
    evaluate,
    export,
    measure,
    models,
    propagate,
    replay,
    report,
    segment,
    teach,
    weights,
)
from napari_simpleclick.cli.common import show_tracebacks

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for commands in (
    segment,
    propagate,
    encode,
    measure,
    report,
    export,
    replay,
    evaluate,
    models,
    teach,
):
    app.add_typer(commands.app)
app.add_typer(weights.app, name="weights")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"napari-simpleclick {napari_simpleclick.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Say which it is."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            envvar="NAPARI_SIMPLECLICK_DEBUG",
            help="Show the traceback of an error; goes before the command.",
        ),
    ] = False,
) -> None:
    """Interactive segmentation: a click becomes a mask."""
    show_tracebacks(debug)


def main() -> None:
    """Run the command line."""
    app(prog_name="napari-simpleclick", windows_expand_args=False)
