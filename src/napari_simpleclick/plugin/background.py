"""Work off the main thread, without a trace once it is done.

napari's own ``create_worker`` keeps each worker, and so all that it worked on, for as
long as the window is open (seen in 0.9.2); with one for every click that is too much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from napari.utils import progress
from superqt.utils import create_worker

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


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
