"""What the commands share."""

from __future__ import annotations

import functools
import inspect
import os
import re
import traceback
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from napari_simpleclick.errors import UserError, sentence_of

if TYPE_CHECKING:
    from pydantic import ValidationError
    from rich.progress import Progress

    from napari_simpleclick.tasks.estimate import Span, Timing

console = Console()

MISTAKE, BUG = 2, 70
"""Exit codes: of usage, as everywhere, and EX_SOFTWARE of sysexits.h."""

MOST_JOBS = 8
"""Processes started unless told otherwise; each holds a model of its own."""

ISSUES = "https://github.com/napari-simpleclick/napari-simpleclick/issues"

_tracebacks = ContextVar("tracebacks", default=False)


def show_tracebacks(shown: bool) -> None:
    """Decide whether errors come with where in the code they happened."""
    _tracebacks.set(shown)


def progress_bar(shown: bool = True) -> Progress:
    """Bar with counts and the time left, on stderr."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=3600,
        disable=not shown,
    )


def usual_jobs(device: str) -> int:
    """One process per core, or one alone where a GPU does the work."""
    if not device.startswith("cpu"):
        return 1
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return min(cores, MOST_JOBS)


def one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """End a command's errors in a sentence on stderr, and let its help wrap.

    A person's mistake ends with exit code 2; whatever else goes wrong is a bug, and
    ends with 70 and where to report it. ``--debug`` shows the traceback of both.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if _tracebacks.get():
                traceback.print_exc()
            told = _told(error)
            typer.echo(f"napari-simpleclick: {told or _bug(error)}", err=True)
            raise typer.Exit(MISTAKE if told else BUG) from error

    run.__doc__ = _paragraphs(command.__doc__ or "")
    return run


class Failures:
    """Things of many that could not be done, while the others go on.

    Parameters
    ----------
    what : str
        What there are many of, such as ``volumes``.
    """

    def __init__(self, what: str) -> None:
        self._what, self._count, self._code = what, 0, MISTAKE

    def add(self, path: Path, error: Exception | None) -> None:
        """Say on stderr what was wrong with one of them."""
        if error is None:
            return
        told = _told(error)
        if _tracebacks.get():
            traceback.print_exception(error)
        if not told:
            self._code = BUG
        self._count += 1
        warn([f"{path}: {told or _bug(error)}"])

    def end(self, total: int) -> None:
        """Say how many there were, and end with their exit code; not if none."""
        if self._count:
            warn(
                [
                    f"{self._count} of {total} {self._what} could not be done; the "
                    "same command tries them again."
                ]
            )
            raise typer.Exit(self._code)


def _told(error: Exception) -> str:
    """Say in a sentence what a person can do something about; empty for a bug."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return str(error) or "There is not enough memory; close other programs."
    return sentence_of(error) if isinstance(error, OSError) else ""


def _bug(error: Exception) -> str:
    what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")
    how = "report it" if _tracebacks.get() else "run it with --debug and report that"
    return f"This is a bug ({what}); please {how}: {ISSUES}"


def option_error(error: ValidationError) -> UserError:
    """Say which option a value that was refused came from."""
    first = error.errors()[0]
    name = str(first["loc"][0]).replace("_", "-")
    return UserError(f"--{name}: {first['msg']}.")


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, so that a terminal can break them anew."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text))


def warn(sentences: Iterable[str]) -> None:
    """Say on stderr what is odd about the input."""
    for sentence in sentences:
        typer.echo(f"napari-simpleclick: {sentence}", err=True)


def saved(path: Path, what: str, aside: bool = False) -> None:
    """Say in one line what was written, on stderr if stdout holds something else."""
    typer.echo(f"Saved {path}: {what}.", err=aside)


def tell_timing(
    timing: Timing | None, span: Span | None, timed: str, each: str
) -> None:
    """Say what a dry run has timed, and how long all of it takes.

    Parameters
    ----------
    timing, span : Timing, Span
        None if there is nothing to do.
    timed : str
        What was timed, with braces for how many.
    each : str
        What the time of one is about.
    """
    from napari_simpleclick.tasks.estimate import CAVEAT

    if timing is None or span is None:
        typer.echo("There is nothing left to be done. Nothing was written.")
        return
    count = len(timing.measured)
    took = sum(one.seconds for one in timing.measured) / count
    processes = f"{timing.workers} process{'es' * (timing.workers != 1)}"
    typer.echo(
        f"Timed {timed.format(count)} with {processes}: {took:.3g} s for each {each}, "
        f"after {timing.start_s:.0f} s to load everything."
    )
    typer.echo(f"The whole takes {span}.")
    typer.echo(CAVEAT)


def example(text: str) -> str:
    """Format the last lines of a command's help: a command that runs as printed."""
    return f"[dim]Example:[/dim]\n\nnapari-simpleclick {text}"


ModeOption = Annotated[
    Literal["fast", "exact"],
    typer.Option(
        help="Exact is the published protocol: float32, averaged with the mirrored "
        "image, at two to fourteen times the time."
    ),
]

WORKERS = "Workers"
"""Heading of the options that say by whom the work is done."""

JobsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Processes; one per core.", rich_help_panel=WORKERS),
]

SchedulerOption = Annotated[
    str,
    typer.Option(help="Address of a Dask scheduler.", rich_help_panel=WORKERS),
]

DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say how much there is and how long it takes; write nothing.",
        rich_help_panel=WORKERS,
    ),
]

WeightsOption = Annotated[
    str, typer.Option("--weights", "-w", help="Name in the catalogue, or a file.")
]
