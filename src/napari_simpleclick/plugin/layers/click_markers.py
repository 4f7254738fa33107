"""How clicks look: legible at any zoom, and those of the current object first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel
    from napari.layers import Points

    from napari_simpleclick.annotation import Session
    from napari_simpleclick.images import Plane

COLOURS = {True: "#2ecc40", False: "#ff4136"}
"""Green for positive, red for negative clicks."""

SYMBOLS = {True: "disc", False: "x"}
"""For eyes that do not tell the two colours apart."""

POINT_PX = (11, 40)
"""Smallest and largest diameter of a click on the screen, px."""

FADED = 0.25
"""Opacity of the clicks of other objects."""


class ClickMarkers:
    """Gives clicks a size on the screen, and fades those of other objects.

    napari draws a point of size 0 at the origin of a slice that has none; a smallest
    size would make it visible, so it is given only where a point is shown.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    layers : mapping of bool to Points
        The layers of positive and negative clicks, with the feature ``object``.
    plane : callable
        Gives the displayed slice; raises UserError where there is none.
    session : Session
        Its current object's clicks are shown in full.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        layers: Mapping[bool, Points],
        plane: Callable[[], Plane],
        session: Session,
    ) -> None:
        self._layers, self._plane, self._session = layers, plane, session
        for event in ("current_step", "order", "ndisplay"):
            getattr(viewer.dims.events, event).connect(self.fit)
        for layer in self._layers.values():
            layer.events.data.connect(self.fit)
            layer.events.features.connect(self.fade)
        session.happened.connect(self._on_event)
        self.fit()

    def fit(self) -> None:
        """Fit the sizes to what is displayed."""
        try:
            plane: Plane | None = self._plane()
        except UserError:
            plane = None
        for layer in self._layers.values():
            places = np.asarray(layer.data)
            seen = len(places) > 0
            if plane is not None:
                hidden = [a for a in range(len(plane.index)) if a not in plane.axes]
                here = np.array(plane.index)[hidden]
                seen = bool((np.rint(places[:, hidden]) == here).all(axis=1).any())
            limits = (POINT_PX[0] if seen else 0, POINT_PX[1])
            if tuple(layer.canvas_size_limits) != limits:
                layer.canvas_size_limits = limits

    def fade(self) -> None:
        """Fade the clicks of other objects; new points belong to the current one."""
        for sign, layer in self._layers.items():
            if len(layer.data) == 0:
                continue
            owners = np.asarray(layer.features["object"])
            opacity = np.where(np.isin(owners, (0, self._session.label)), 1.0, FADED)
            if np.array_equal(layer.face_color[:, 3], opacity.astype(np.float32)):
                continue
            face = np.tile(transform_color(COLOURS[sign]), (len(opacity), 1))
            border = np.ones_like(face)
            face[:, 3] = border[:, 3] = opacity
            layer.face_color, layer.border_color = face, border

    def _on_event(self, kind: str) -> None:
        if kind == "chosen":
            self.fade()
