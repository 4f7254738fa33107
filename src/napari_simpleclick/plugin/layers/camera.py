"""The camera of a viewer."""

from __future__ import annotations

from typing import Any


def camera_of(viewer: Any) -> Any:
    """Give the camera of a viewer; it is its scene's since napari 0.9."""
    return getattr(viewer, "scene", viewer).camera
