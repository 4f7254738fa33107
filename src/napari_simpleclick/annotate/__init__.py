"""What a person is doing: objects, clicks, requests, undo. No Qt, no torch."""

from napari_simpleclick.annotate.options import Options
from napari_simpleclick.annotate.propagated import Note, Propagated
from napari_simpleclick.annotate.session import (
    Edit,
    Notes,
    Request,
    Session,
    Step,
    Steps,
)
from napari_simpleclick.annotate.spot import Mask, Spot, Stack, fingerprint

__all__ = [
    "Edit",
    "Mask",
    "Note",
    "Notes",
    "Options",
    "Propagated",
    "Request",
    "Session",
    "Spot",
    "Stack",
    "Step",
    "Steps",
    "fingerprint",
]
