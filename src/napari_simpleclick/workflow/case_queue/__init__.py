"""A list of cases to work through, that is gone on with another day."""

from napari_simpleclick.workflow.case_queue.case_queue import CaseQueue, open_queue
from napari_simpleclick.workflow.case_queue.case_work import CaseViewer, CaseWork
from napari_simpleclick.workflow.case_queue.queue_file import (
    CaseState,
    ExportChoice,
    QueuedCase,
)

__all__ = [
    "CaseQueue",
    "CaseState",
    "CaseViewer",
    "CaseWork",
    "ExportChoice",
    "QueuedCase",
    "open_queue",
]
