"""The part of a slice that is in sight, from the camera and the size of the drawing."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Viewport
from napari_simpleclick.plugin.layers.camera import camera_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_simpleclick.images import Plane

    Place = tuple[float, ...]


def visible_part(
    viewer: ViewerModel,
    plane: Plane,
    shape: tuple[int, int],
    to_image: Callable[[Place], Place],
) -> Viewport | None:
    """Find the rows and columns of the displayed slice that are in sight.

    Where the image is turned in the view, they are those of the rectangle around it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        It needs no window; napari takes its drawing to have 800 x 600 px then.
    plane : Plane
        The slice, which is displayed.
    shape : tuple of int
        (height, width) of the slice.
    to_image : callable
        A position in the world to image coordinates; raises UserError where that cannot
        be said.

    Returns
    -------
    Viewport or None
        In px of the slice; None in 3-D, or if nothing of the slice is in sight.
    """
    dims = viewer.dims
    if dims.ndisplay != 2:
        return None
    camera = camera_of(viewer)
    centre = camera.center[-2:]
    half = [side / camera.zoom / 2 for side in _drawing_size(viewer)]
    points = []
    for signs in product((-1, 1), repeat=2):
        corner = list(dims.point)
        for axis, at, sign, reach in zip(
            dims.displayed, centre, signs, half, strict=True
        ):
            corner[axis] = at + sign * reach
        try:
            points.append(plane.point(to_image(tuple(corner))))
        except UserError:
            return None
    (top, bottom), (left, right) = (
        (max(min(at), -0.5), min(max(at), side - 0.5))
        for at, side in zip(zip(*points, strict=True), shape, strict=True)
    )
    if not (top < bottom and left < right):
        return None
    return Viewport(top, bottom, left, right)


def _drawing_size(viewer: ViewerModel) -> tuple[float, float]:
    """(height, width) in px of the screen of what shows a layer."""
    canvas: Any = getattr(viewer, "canvas", None)  # since napari 0.9
    if canvas is None:
        height, width = viewer._canvas_size
    else:
        height, width = canvas.viewbox_size(viewer.layers)
    return float(height), float(width)
