"""Work off the main thread, without a trace once it is done.

napari's own ``create_worker`` keeps each worker, and so all that it worked on, for as
long as the window is open (seen in 0.9.2); with one for every click that is too much.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, TypeVar

from napari.utils import progress
from superqt.utils import WorkerBase, create_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

Result = TypeVar("Result")

PATIENCE_MS = 30_000
"""Longest wait for workers at the end of the process."""

# napari waits when the application quits, which a script without ``napari.run`` never
# does; a worker that outlives Qt's objects aborts the process
atexit.register(WorkerBase.await_workers, PATIENCE_MS)


def _ignore(_: object) -> None:
    pass


def start(
    work: Callable[[], Result],
    done: Callable[[Result], None] = _ignore,
    failed: Callable[[Exception], None] = _ignore,
    title: str = "",
) -> None:
    """Do something in a worker.

    Parameters
    ----------
    work : callable
        Runs in the worker; it must not touch the viewer.
    done : callable
        Called on the main thread with what ``work`` returned.
    failed : callable
        Called on the main thread with the error, instead.
    title : str
        What napari's activity dock shows meanwhile; empty for nothing.
    """
    bar = progress(total=0, desc=title) if title else None

    def run() -> tuple[Result | None, Exception | None]:
        try:
            return work(), None
        except Exception as error:
            return None, error

    def end(outcome: tuple[Result, Exception | None]) -> None:
        if bar is not None:
            bar.close()
        result, error = outcome
        if error is not None:
            failed(error)
        else:
            done(result)

    create_worker(run, _connect={"returned": end})


def go_through(
    work: Iterator[object],
    each: Callable[[], None],
    done: Callable[[], None],
    failed: Callable[[Exception], None],
    title: str,
    total: int,
) -> None:
    """Go through the steps of an iterator in a worker.

    Parameters
    ----------
    work : iterator
        Runs in the worker; it must not touch the viewer.
    each : callable
        Called on the main thread after each step.
    done : callable
        Called on the main thread at the end.
    failed : callable
        Called on the main thread with the error, instead.
    title : str
        What napari's activity dock shows meanwhile.
    total : int
        Steps, at most.
    """
    bar = progress(total=total, desc=title)

    def run() -> Generator[None, None, tuple[Exception | None]]:
        try:
            for _ in work:
                yield
        except Exception as error:
            return (error,)  # an error alone would be raised
        return (None,)

    def step(_: object) -> None:
        bar.update(1)
        each()

    def end(outcome: tuple[Exception | None]) -> None:
        bar.close()
        (error,) = outcome
        done() if error is None else failed(error)

    create_worker(run, _connect={"yielded": step, "returned": end})
