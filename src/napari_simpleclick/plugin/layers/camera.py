"""Where napari keeps the camera and the grid of a viewer."""

from __future__ import annotations

from typing import Any


def camera_of(viewer: Any) -> Any:
    """Give the camera of a viewer; it is its scene's since napari 0.9."""
    return getattr(viewer, "scene", viewer).camera


def grid_of(viewer: Any) -> Any:
    """Give the grid of pictures of a viewer; it is its canvas' since napari 0.9."""
    return getattr(viewer, "canvas", viewer).grid
