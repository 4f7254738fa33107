"""The cases of a queue, and where each of them stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.case_queue.find_cases import case_names, find_cases
from napari_simpleclick.workflow.case_queue.queue_file import (
    CaseState,
    ExportChoice,
    QueuedCase,
    QueueFile,
    QueueRecord,
    queue_path,
)

if TYPE_CHECKING:
    from napari_simpleclick.workflow.case_queue.find_cases import FoundCases

OVER = (CaseState.DONE, CaseState.SKIP)
EXPORTS = "exports"
"""Folder of exports, if none was chosen."""


class CaseQueue:
    """Cases in an order, and where each stands; every change is written at once.

    Parameters
    ----------
    found : FoundCases
        What there is now.
    file : QueueFile
        What is known of it.

    Raises
    ------
    UserError
        If the file cannot be read.
    """

    changed = Signal()
    """A case stands elsewhere, or another one is open."""

    def __init__(self, found: FoundCases, file: QueueFile) -> None:
        self.found, self.file = found, file
        self.record = _joined(file.read(), found)

    @property
    def cases(self) -> tuple[QueuedCase, ...]:
        """All of them, in their order."""
        return self.record.cases

    @property
    def read_only(self) -> str:
        """Why nothing is kept, in a sentence; empty if all is."""
        return self.file.read_only

    @property
    def current(self) -> QueuedCase | None:
        """The case that was opened last."""
        return self.get(self.record.current)

    def get(self, name: str) -> QueuedCase | None:
        """Find a case by its name."""
        return next((case for case in self.cases if case.name == name), None)

    def path(self, case: QueuedCase) -> Path:
        """Say where a case is."""
        return self.found.home / case.path

    def is_missing(self, case: QueuedCase) -> bool:
        """Whether a case is not where it was any more."""
        return not self.path(case).exists()

    def count(self, state: CaseState) -> int:
        """Count the cases that stand somewhere."""
        return sum(case.state is state for case in self.cases)

    def next(self) -> QueuedCase | None:
        """Give the next case that is neither done nor to be skipped, from now on.

        After the last one it begins again; None if all are over. Cases that are gone
        are left out.
        """
        names = [case.name for case in self.cases]
        start = names.index(self.record.current) + 1 if self.current else 0
        turned = (*self.cases[start:], *self.cases[:start])
        return next(
            (
                case
                for case in turned
                if case.state not in OVER
                and case.name != self.record.current
                and not self.is_missing(case)
            ),
            None,
        )

    def previous(self) -> QueuedCase | None:
        """Give the case before, wherever it stands; None at the first."""
        names = [case.name for case in self.cases]
        if self.current is None:
            return None
        before = self.cases[: names.index(self.record.current)]
        there = [case for case in before if not self.is_missing(case)]
        return there[-1] if there else None

    def export_target(self) -> Path:
        """Give the folder that exports go to."""
        return self.found.home / _target(self.record)

    # -- changes -------------------------------------------------------------------

    def mark(self, name: str, state: CaseState, exported: bool | None = None) -> None:
        """Say where a case stands; see :meth:`write` for what is raised."""
        cases = tuple(
            replace(
                case,
                state=state,
                exported=case.exported if exported is None else exported,
            )
            if case.name == name
            else case
            for case in self.cases
        )
        self._put(replace(self.record, cases=cases))

    def go_to(self, name: str) -> None:
        """Say that a case is open now."""
        self._put(replace(self.record, current=name))

    def choose_export(self, export: ExportChoice) -> None:
        """Say what becomes of cases that are done.

        Elsewhere there is nothing yet that may be replaced.
        """
        before, cases = self.record.export, self.cases
        if (export.format, export.target) != (before.format, before.target):
            cases = tuple(replace(case, exported=False) for case in cases)
        self._put(replace(self.record, cases=cases, export=export))

    def look_again(self) -> None:
        """Look for cases that came, went or were moved.

        Raises
        ------
        UserError
            If the folder or list is gone.
        """
        self.found = find_cases(self.found.text)
        self._put(_joined(self.record, self.found))

    def close(self) -> None:
        """Let other windows have the queue."""
        self.file.close()

    def _put(self, record: QueueRecord) -> None:
        if record == self.record:
            return
        self.record = record
        try:
            self.file.write(record)
        finally:
            self.changed.emit()


def open_queue(text: str) -> CaseQueue:
    """Open the queue of a folder, a pattern or a list, as it stood before.

    Parameters
    ----------
    text : str
        As :func:`.find_cases.find_cases` takes it.

    Raises
    ------
    UserError
        If there is no case, or the file of the queue is damaged.
    """
    return queue_of(find_cases(text))


def queue_of(found: FoundCases) -> CaseQueue:
    """Open the queue of cases that were found, as it stood before.

    Raises
    ------
    UserError
        If the file of the queue is damaged.
    """
    file = QueueFile(queue_path(found))
    try:
        return CaseQueue(found, file)
    except UserError:
        file.close()
        raise


def _moved(gone: list[str], new: list[str], every: set[str]) -> dict[str, str]:
    """Tell where files are now: by their names, with as many folders as those need.

    A name that others have too, such as ``flair.nii.gz``, says nothing by itself.
    """
    moved: dict[str, str] = {}
    for depth in range(1, max((len(Path(path).parts) for path in gone), default=0) + 1):
        ends = Counter(Path(path).parts[-depth:] for path in every)
        for old in gone:
            end = Path(old).parts[-depth:]
            now = [path for path in new if Path(path).parts[-depth:] == end]
            if (
                old not in moved
                and len(end) == depth
                and len(now) == 1
                and ends[end] == 2
            ):
                moved[old] = now[0]
    return moved


def _target(record: QueueRecord) -> str:
    return record.export.target or EXPORTS


def _joined(record: QueueRecord, found: FoundCases) -> QueueRecord:
    """Take cases that are new into a record; those that were moved keep their state."""
    home = found.home
    there = [
        path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
        for path in found.paths
    ]
    known = {case.path: case for case in record.cases}
    new = [path for path in there if path not in known]
    if known:  # before that nothing was exported
        target = home / _target(record)
        new = [path for path in new if not (home / path).is_relative_to(target)]
    gone = [case.path for case in record.cases if not (home / case.path).exists()]
    moved = _moved(gone, new, {*there, *known})
    cases = [
        replace(case, path=moved.get(case.path, case.path)) for case in record.cases
    ]
    rest = [path for path in new if path not in moved.values()]
    taken = {case.name for case in cases}
    names = dict(zip(there, case_names(found.paths, home), strict=True))
    for path in rest:
        name, number = names[path], 2
        while name in taken:
            name, number = f"{names[path]} {number}", number + 1
        taken.add(name)
        cases.append(QueuedCase(name, path))
    places = {path: number for number, path in enumerate(there)}
    last = len(places)
    cases.sort(key=lambda case: places.get(case.path, last))
    return replace(record, cases=tuple(cases))
