"""The command line."""

from __future__ import annotations

import typer

from napari_simpleclick.cli import (
    evaluate,
    measure,
    models,
    propagate,
    replay,
    segment,
    weights,
)

app = typer.Typer(
    no_args_is_help=True,
    help="Interactive segmentation: a click becomes a mask.",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for commands in (segment, propagate, measure, replay, evaluate, models):
    app.add_typer(commands.app)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command line."""
    app(windows_expand_args=False)
