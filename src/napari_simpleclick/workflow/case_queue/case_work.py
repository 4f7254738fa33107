"""Working through a queue: cases opened, left, exported, and marked as they stand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.exports import export, kind_of
from napari_simpleclick.workflow.case_queue.case_queue import OVER, queue_of
from napari_simpleclick.workflow.case_queue.find_cases import find_cases
from napari_simpleclick.workflow.case_queue.queue_file import CaseState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.exports import ExportCase
    from napari_simpleclick.workflow.case_queue.case_queue import CaseQueue
    from napari_simpleclick.workflow.case_queue.find_cases import FoundCases
    from napari_simpleclick.workflow.case_queue.queue_file import QueuedCase
    from napari_simpleclick.workflow.executor import Executor

ALL_OVER = "All cases are done or skipped."
FIRST = "This is the first case."
CHANGED = (
    "'{}' was changed while it was exported, so it is not done; have it exported again."
)

NO_OBJECT = "'{}' has no object; it is done, and nothing was exported."


class CaseViewer(Protocol):
    """Shows one case at a time."""

    def read(self, path: Path) -> Callable[[], object]:
        """Read a case, off the main thread; gives what shows it, on the main thread."""

    def take_away(self) -> None:
        """Show the case no more; what was done on it is written."""

    def is_touched(self) -> bool:
        """Whether something was done on the case, today or before."""

    def trouble(self) -> Exception | None:
        """Why the work on the case is not written; None if it is."""

    def belongs_to(self, queue: Path) -> None:
        """Have the session of the case kept for as long as its queue."""

    def to_export(self, name: str) -> ExportCase:
        """Give the case with its mask as they are now."""


class CaseWork:
    """Goes through the cases of a queue.

    Parameters
    ----------
    viewer : CaseViewer
        Shows them.
    executor : Executor
        Reads and exports.

    Attributes
    ----------
    queue : CaseQueue or None
        The queue; None before one is opened.
    open_case : str
        Name of the case that is shown; empty for none.
    busy : bool
        Whether a case is being read or exported.
    """

    changed = Signal()
    """Another case is shown, or where one stands has changed."""

    status = Signal(str)
    """What is going on, in a few words."""

    failed = Signal(object)
    """Something cannot be done; an exception."""

    def __init__(self, viewer: CaseViewer, executor: Executor) -> None:
        self.viewer, self.executor = viewer, executor
        self.queue: CaseQueue | None = None
        self.open_case, self.busy = "", False
        self._belongs = self._changed = False
        self._sought = ""

    def find(self, text: str) -> None:
        """Look for cases in the background, then work through them.

        Parameters
        ----------
        text : str
            A folder, a pattern or a list. A mistake leaves the list that is open.
        """
        self.busy, self._sought = True, text
        self.executor.start(
            partial(find_cases, text),
            partial(self._on_found, text),
            partial(self._on_not_found, text),
            "Looking for cases",
        )
        self.changed.emit()

    def _on_found(self, text: str, found: FoundCases) -> None:
        if text != self._sought:
            return  # the panel was closed meanwhile
        self.close()  # it may be the same, and its file is locked
        try:
            self.begin(queue_of(found))
        except UserError as error:
            self.failed.emit(error)
            self.changed.emit()

    def _on_not_found(self, text: str, error: Exception) -> None:
        if text == self._sought:
            self.busy, self._sought = False, ""
            self.failed.emit(error)
            self.changed.emit()

    def begin(self, queue: CaseQueue) -> None:
        """Work through a queue from now on: on with the case of the last time."""
        self.close()
        self.queue = queue
        queue.changed.connect(self.changed.emit)
        last = queue.current
        unfinished = last is not None and last.state not in OVER
        if unfinished and last is not None and not queue.is_missing(last):
            self.open(last.name)
        else:
            self.next()
        self.changed.emit()

    def close(self) -> None:
        """Let go of the queue; the case stays shown."""
        if self.queue is not None:
            self.queue.changed.disconnect(self.changed.emit)
            self.queue.close()
        self.queue, self.open_case, self.busy = None, "", False
        self._sought = ""

    # -- going from case to case -----------------------------------------------------

    def next(self) -> None:
        """Go to the next case that is not over yet."""
        queue = self._queue()
        if queue is None:
            return
        case = queue.next()
        if case is None:
            left = queue.current
            alone = left is not None and left.state not in OVER and self.open_case
            self.status.emit("This is the last case." if alone else ALL_OVER)
        else:
            self.open(case.name)

    def previous(self) -> None:
        """Go to the case before, wherever it stands."""
        queue = self._queue()
        if queue is None:
            return
        case = queue.previous()
        if case is None:
            self.status.emit(FIRST)
        else:
            self.open(case.name)

    def open(self, name: str) -> None:
        """Show a case, with the session of the last time."""
        queue = self._queue()
        case = None if queue is None else queue.get(name)
        if queue is None or case is None or not self._may_leave():
            return
        path = queue.path(case)
        if queue.is_missing(case):
            self.failed.emit(
                UserError(
                    f"'{path}' is gone; put it back, or have the folder looked through "
                    "again if it was moved."
                )
            )
            return
        self._keep(partial(queue.go_to, name))
        self._leave()
        self._begin(f"Opening {name}…")
        self.executor.start(
            partial(self.viewer.read, path),
            partial(self._show, case),
            self._fail,
            f"Opening {name}",
        )

    def _show(self, case: QueuedCase, show: Callable[[], object]) -> None:
        self.busy = False
        if self.queue is None:
            return
        self.open_case, self._belongs = case.name, False
        try:
            show()
        except UserError as error:
            self.open_case = ""
            self._fail(error)
            return
        if self.viewer.is_touched():
            self._belong()
            if case.state is CaseState.UNTOUCHED:
                self._in_work(case.name)
        self.status.emit("")
        self.changed.emit()

    def _leave(self) -> None:
        """Take away what is shown, also a case of a list that was closed."""
        self.open_case = ""
        self.viewer.take_away()

    def _may_leave(self) -> bool:
        """Refuse to leave a case whose work is not written."""
        trouble = self.viewer.trouble()
        if trouble is not None:
            self.failed.emit(trouble)
        return trouble is None

    # -- where cases stand -------------------------------------------------------------

    def touch(self) -> None:
        """Note that something was done on the case that is shown just now."""
        case = self.queue.get(self.open_case) if self.queue is not None else None
        if case is None:
            return
        if self.busy:
            self._changed = True
            return
        self._belong()
        if case.state is not CaseState.IN_WORK:
            self._in_work(case.name)

    def _belong(self) -> None:
        """Have the session of the case kept, once for each time it is open."""
        if self.queue is not None and not self._belongs and not self.queue.read_only:
            self._belongs = True
            self.viewer.belongs_to(self.queue.file.path)

    def _in_work(self, name: str) -> None:
        if self.queue is not None and not self.queue.read_only:
            self._keep(partial(self.queue.mark, name, CaseState.IN_WORK))

    def skip(self) -> None:
        """Leave the case out, and go on."""
        if self._may_leave():
            self._mark_and_go_on(CaseState.SKIP)

    def reopen(self, name: str) -> None:
        """Take a case for one that is not over."""
        queue = self._queue()
        if queue is not None and self._may_change(queue):
            self._in_work(name)

    def done(self) -> None:
        """Export the case as was chosen, if it has objects; mark it and go on."""
        queue = self._queue()
        if queue is None or not self.open_case or not self._may_change(queue):
            return
        if not self._may_leave():
            return
        case, choice = queue.get(self.open_case), queue.record.export
        if case is None:
            return
        if not choice.format:
            self._mark_and_go_on(CaseState.DONE)
            return
        try:
            kind, given = kind_of(choice.format), self.viewer.to_export(case.name)
        except UserError as error:
            self.failed.emit(error)
            return
        if not (given.labels > 0).any() and not case.exported:
            self._mark_and_go_on(CaseState.DONE)
            self.status.emit(NO_OBJECT.format(case.name))
            return
        work = partial(
            export,
            given,
            kind,
            kind.target(given.name, queue.export_target()),
            as_classes=choice.as_classes,
            replace=case.exported,
        )
        self._changed = False
        self._begin(f"Exporting {case.name}…")
        self.executor.start(
            work, self._on_exported, self._fail, f"Exporting {case.name}"
        )

    def _on_exported(self, _: object) -> None:
        self.busy = False
        queue = self.queue
        if queue is None or not self._changed:
            self._mark_and_go_on(CaseState.DONE, exported=True)
            return
        name = self.open_case
        self._keep(partial(queue.mark, name, CaseState.IN_WORK, exported=True))
        self._fail(UserError(CHANGED.format(name)))

    def _mark_and_go_on(self, state: CaseState, exported: bool | None = None) -> None:
        queue = self._queue()
        if queue is None or not self.open_case or not self._may_change(queue):
            return
        self._keep(partial(queue.mark, self.open_case, state, exported))
        following = queue.next()
        if following is not None:
            self.open(following.name)
            return
        self.status.emit(ALL_OVER)
        self.changed.emit()

    def _may_change(self, queue: CaseQueue) -> bool:
        if queue.read_only:
            self.failed.emit(UserError(queue.read_only))
        return not queue.read_only

    def _queue(self) -> CaseQueue | None:
        """Give the queue, if nothing of it is under way."""
        if self.queue is None:
            self.failed.emit(UserError("Open a folder of cases first."))
        return None if self.busy else self.queue

    def _keep(self, change: Callable[[], Any]) -> None:
        """Change the queue; if that cannot be written, say so and go on."""
        try:
            change()
        except UserError as error:
            self.failed.emit(error)

    def _begin(self, told: str) -> None:
        self.busy = True
        self.status.emit(told)
        self.changed.emit()

    def _fail(self, error: Exception) -> None:
        self.busy = False
        self.status.emit("")
        self.failed.emit(error)
        self.changed.emit()
