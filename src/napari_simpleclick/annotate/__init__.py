"""What a person is doing: objects, clicks, requests, undo. No Qt, no torch."""

from napari_simpleclick.annotate.session import (
    Edit,
    Request,
    Session,
    Spot,
    Step,
    Steps,
)

__all__ = ["Edit", "Request", "Session", "Spot", "Step", "Steps"]
