"""Work that is done again whenever something has changed, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.workflow.executor import Executor

Result = TypeVar("Result")


class OneAtATime(Generic[Result]):
    """Joins what is asked for in one go, and what is asked for while it works.

    Parameters
    ----------
    executor : Executor
        Does the work.
    begin : callable
        Called on the main thread; gives the work, or None if there is none to do.
    done : callable
        Called with the result.
    failed : callable
        Called with the exception, instead.
    """

    def __init__(
        self,
        executor: Executor,
        begin: Callable[[], Callable[[], Result] | None],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._executor = executor
        self._begin, self._done, self._failed = begin, done, failed
        self._asked = self._busy = False

    def ask(self, _: Any = None) -> None:
        """Have it done after what goes on now; once for all that ask meanwhile."""
        if not self._asked:
            self._asked = True
            self._executor.call_soon(self._go)

    def _go(self) -> None:
        if self._busy or not self._asked:
            return
        self._asked = False
        work = self._begin()
        if work is not None:
            self._busy = True
            self._executor.start(work, self._on_done, self._on_error)

    def _on_done(self, result: Result) -> None:
        self._busy = False
        self._done(result)
        self._go()

    def _on_error(self, error: Exception) -> None:
        self._busy = False
        self._failed(error)
        self._go()
