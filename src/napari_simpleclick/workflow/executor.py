"""Who does the work: off the main thread in a window, at once in scripts and tests."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")


def ignore(_: object) -> None:
    """Do nothing with a result."""


class Executor(Protocol):
    """Does work and tells on the main thread how it ended.

    Work must not touch what is shown; callbacks may. Whatever callbacks raise is not
    caught.
    """

    def start(
        self,
        work: Callable[[], Result],
        done: Callable[[Result], None] = ignore,
        failed: Callable[[Exception], None] = ignore,
        title: str = "",
    ) -> None:
        """Do something that takes time.

        Parameters
        ----------
        work : callable
            What takes time.
        done : callable
            Called with what ``work`` returned.
        failed : callable
            Called with the exception that ``work`` raised, instead.
        title : str
            What is shown meanwhile; empty for nothing.
        """

    def go_through(
        self,
        steps: Iterator[object],
        each: Callable[[], None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        title: str,
        total: int,
    ) -> None:
        """Go through an iterator each of whose steps takes time.

        Parameters
        ----------
        steps : iterator
            What takes time.
        each : callable
            Called after each step.
        done : callable
            Called at the end.
        failed : callable
            Called with the exception that a step raised, instead.
        title : str
            What is shown meanwhile.
        total : int
            Steps, at most.
        """

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have something called on the main thread, after what goes on there now.

        It may be asked for from any thread.
        """


class InlineExecutor:
    """Does everything at once, in the thread that asks for it.

    What is asked for from within a callback is done after that callback, so that the
    order is that of a window, and whoever asks from outside finds all done.
    """

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None]] = deque()
        self._busy = False

    def start(
        self,
        work: Callable[[], Result],
        done: Callable[[Result], None] = ignore,
        failed: Callable[[Exception], None] = ignore,
        title: str = "",
    ) -> None:
        """Do something; see :class:`Executor`."""
        self.call_soon(partial(run, work, done, failed))

    def go_through(
        self,
        steps: Iterator[object],
        each: Callable[[], None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        title: str,
        total: int,
    ) -> None:
        """Go through an iterator; see :class:`Executor`."""
        self.call_soon(partial(self._step, steps, each, done, failed))

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call at once, or after the callback that asks for it."""
        self._calls.append(call)
        if self._busy:
            return
        self._busy = True
        try:
            while self._calls:
                self._calls.popleft()()
        finally:
            self._busy = False

    def _step(
        self,
        steps: Iterator[object],
        each: Callable[[], None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        try:
            next(steps)
        except StopIteration:
            done()
        except Exception as error:
            failed(error)
        else:
            each()
            self.call_soon(partial(self._step, steps, each, done, failed))


def run(
    work: Callable[[], Result],
    done: Callable[[Result], None],
    failed: Callable[[Exception], None],
) -> None:
    """Do something here and now, and tell how it ended."""
    try:
        result = work()
    except Exception as error:
        failed(error)
    else:
        done(result)
