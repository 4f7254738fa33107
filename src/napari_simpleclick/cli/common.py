"""What the commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

console = Console()


def progress_bar(shown: bool = True) -> Progress:
    """Bar with counts and the time left, on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=3600,
        disable=not shown,
    )


def one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """End a user's mistake with its sentence on stderr and exit code 2."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        from pydantic import ValidationError

        try:
            command(*args, **kwargs)
        except ValidationError as error:
            first = error.errors()[0]
            option = "-".join(str(part) for part in first["loc"]).replace("_", "-")
            typer.echo(f"napari-simpleclick: --{option}: {first['msg']}.", err=True)
            raise typer.Exit(2) from error
        except (ValueError, MemoryError, OSError, ImportError) as error:
            typer.echo(f"napari-simpleclick: {error}", err=True)
            raise typer.Exit(2) from error

    return run


def warn(sentences: Iterable[str]) -> None:
    """Say on stderr what is odd about the input."""
    for sentence in sentences:
        typer.echo(f"napari-simpleclick: {sentence}", err=True)


def example(text: str) -> str:
    """Format the last line of a command's help."""
    return f"[dim]Example:[/dim] napari-simpleclick {text}"


WeightsOption = Annotated[
    str, typer.Option("--weights", "-w", help="Name in the catalogue, or a file.")
]
