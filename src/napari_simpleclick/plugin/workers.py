"""Work off the main thread, without a trace once it is done.

napari's own ``create_worker`` keeps each worker, and so all that it worked on, for as
long as the window is open (seen in 0.9.2); with one for every click that is too much.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from napari.utils import progress
from qtpy.QtCore import QObject, Qt, Signal
from superqt.utils import WorkerBase, create_worker

from napari_simpleclick.workflow.executor import InlineExecutor, ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_simpleclick.workflow import Executor

Result = TypeVar("Result")

SYNCHRONOUS = "NAPARI_SIMPLECLICK_SYNCHRONOUS"
"""Environment variable; with 1, everything is done at once on the main thread."""

PATIENCE_MS = 30_000
"""Longest wait for workers at the end of the process."""

# napari waits when the application quits, which a script without ``napari.run`` never
# does; a worker that outlives Qt's objects aborts the process
atexit.register(WorkerBase.await_workers, PATIENCE_MS)


def make_executor() -> Executor:
    """Give what does the work of a window, as the environment wants it."""
    if os.environ.get(SYNCHRONOUS) == "1":
        return InlineExecutor()
    return ThreadedExecutor()


class _Calls(QObject):  # type: ignore[misc]
    """Brings calls from any thread to the one that it was made in."""

    asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        queued = Qt.ConnectionType.QueuedConnection
        self.asked.connect(self._on_asked, queued)

    def _on_asked(self, call: Callable[[], None]) -> None:
        call()


class ThreadedExecutor:
    """Works in threads of Qt's pool, and shows what goes on in napari's activity dock.

    See :class:`napari_simpleclick.workflow.Executor`.
    """

    def __init__(self) -> None:
        self._calls = _Calls()

    def start(
        self,
        work: Callable[[], Result],
        done: Callable[[Result], None] = ignore,
        failed: Callable[[Exception], None] = ignore,
        title: str = "",
    ) -> None:
        """Do something in a worker."""
        bar = progress(total=0, desc=title) if title else None

        def run() -> tuple[Result | None, Exception | None]:
            try:
                return work(), None
            except Exception as error:
                return None, error  # some napari releases add one of their own to it

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
        self,
        steps: Iterator[object],
        each: Callable[[], None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        title: str,
        total: int,
    ) -> None:
        """Go through an iterator in a worker."""
        bar = progress(total=total, desc=title)

        def run() -> Generator[None, None, tuple[Exception | None]]:
            try:
                for _ in steps:
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

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have the main thread call something."""
        with suppress(RuntimeError):  # Qt is gone, and nothing is shown any more
            self._calls.asked.emit(call)
