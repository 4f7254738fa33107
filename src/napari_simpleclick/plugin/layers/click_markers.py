"""Keeping clicks visible at any zoom, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari.layers import Points
    from napari.viewer import Viewer

    from napari_simpleclick.images import Plane

POINT_PX = (9, 40)
"""Smallest and largest diameter of a click on the screen, px."""


class ClickMarkers:
    """Gives Points layers their smallest size only where they show a point.

    napari draws a point of size 0 at the origin of a slice that has none; a smallest
    size would make it visible.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer.
    layers : iterable of Points
        The layers.
    plane : callable
        Gives the displayed slice; raises ValueError where there is none.
    """

    def __init__(
        self, viewer: Viewer, layers: Iterable[Points], plane: Callable[[], Plane]
    ) -> None:
        self._layers, self._plane = tuple(layers), plane
        for event in ("current_step", "order", "ndisplay"):
            getattr(viewer.dims.events, event).connect(self.fit)
        for layer in self._layers:
            layer.events.data.connect(self.fit)
        self.fit()

    def fit(self) -> None:
        """Fit the sizes to what is displayed."""
        try:
            plane: Plane | None = self._plane()
        except UserError:
            plane = None
        for layer in self._layers:
            seen = any(plane is None or plane.holds(tuple(at)) for at in layer.data)
            limits = (POINT_PX[0] if seen else 0, POINT_PX[1])
            if tuple(layer.canvas_size_limits) != limits:
                layer.canvas_size_limits = limits
