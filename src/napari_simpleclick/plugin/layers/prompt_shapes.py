"""Boxes, scribbles and lassos as shapes in a napari layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color
from psygnal import Signal

from napari_simpleclick.plugin.layers.camera import camera_of
from napari_simpleclick.plugin.layers.click_markers import COLOURS, FADED
from napari_simpleclick.prompts import Box, Lasso, Scribble
from napari_simpleclick.workflow.canvas import ShownShape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.components import ViewerModel
    from napari.layers import Shapes
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Session
    from napari_simpleclick.images import Plane

LINE_PX = 2.0
"""Width of the lines on the screen, px."""

REDRAWN_FROM = 1.25
"""The lines get their width anew when the zoom has changed by this factor."""

BAND = -1
"""Order of the shape that is being drawn."""

SHAPE_OF = {Box: "rectangle", Scribble: "path", Lasso: "polygon"}
"""What napari calls the prompts."""


class Drawn(NamedTuple):
    """A shape to be shown.

    Parameters
    ----------
    prompt : Box, Scribble or Lasso
        What it stands for.
    plane : Plane
        Its slice.
    label : int
        Its object.
    order : int
        Of its prompt; 0 for one that is to become a prompt.
    """

    prompt: Box | Scribble | Lasso
    plane: Plane
    label: int = 0
    order: int = 0

    @property
    def vertices(self) -> NDArray[np.float64]:
        """(N, D) corners in image coordinates, px."""
        prompt = self.prompt
        if isinstance(prompt, Box):
            rows = (prompt.row_min, prompt.row_max)
            columns = (prompt.column_min, prompt.column_max)
            places = [
                (rows[i], columns[j]) for i, j in ((0, 0), (0, 1), (1, 1), (1, 0))
            ]
        else:
            places = list(prompt.points)
            places *= 2 if len(places) == 1 else 1
        return np.array([self.plane.position(*place) for place in places])

    @property
    def positive(self) -> bool:
        """Whether it adds to the object."""
        return getattr(self.prompt, "positive", True)


class PromptShapes:
    """A Shapes layer that comes when there is something to show.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    make : callable
        Adds the empty layer to the viewer.
    session : Session
        Its current object's shapes are shown in full.

    Attributes
    ----------
    layer : napari.layers.Shapes or None
        The layer, once there is one.
    """

    made = Signal(object)
    """The layer is in the viewer now."""

    changed = Signal(object)
    """The person has added, moved or removed shapes; the event of napari."""

    def __init__(
        self, viewer: ViewerModel, make: Callable[[], Shapes], session: Session
    ) -> None:
        self._viewer, self._make, self._session = viewer, make, session
        self._camera = camera_of(viewer)
        self.layer: Shapes | None = None
        self._put: dict[int, NDArray[Any]] = {}
        self._band: Drawn | None = None
        self._quiet = False
        self._zoom = 0.0
        session.happened.connect(self._on_event)

    # -- what is shown ---------------------------------------------------------------

    def shown(self) -> list[ShownShape]:
        """All shapes that are shown now, but for one that is being drawn."""
        if self.layer is None:
            return []
        orders = [int(order) for order in self.layer.features["order"]]
        none = np.zeros(0)
        signs = [bool(sign) for sign in self.layer.features["positive"]]
        return [
            ShownShape(
                str(kind),
                signs[row],
                row,
                tuple(tuple(float(x) for x in place) for place in vertices),
                orders[row],
                not np.array_equal(vertices, self._put.get(orders[row], none)),
            )
            for row, (kind, vertices) in enumerate(
                zip(self.layer.shape_type, self.layer.data, strict=True)
            )
            if orders[row] != BAND
        ]

    def show(self, drawn: Sequence[Drawn]) -> None:
        """Show these shapes, and no others but the one that is being drawn."""
        if self.layer is None and not drawn:
            return
        band = [] if self._band is None else [self._band]
        self._replace([*drawn, *band])

    def add(self, drawn: Drawn) -> None:
        """Add a shape as a person does with napari's own tools."""
        self.drop_band()
        self._add(self._ready(), [drawn])
        self.changed.emit(None)

    def band(self, drawn: Drawn) -> None:
        """Show a shape as it is being drawn."""
        self.drop_band()
        self._band = drawn._replace(order=BAND)
        self._add(self._ready(), [self._band])

    def drop_band(self) -> None:
        """Show the shape that is being drawn no more."""
        if self._band is None or self.layer is None:
            return
        self._band = None
        orders = np.asarray(self.layer.features["order"])
        before, self._quiet = self._quiet, True
        self.layer.remove([int(row) for row in np.flatnonzero(orders == BAND)])
        self._quiet = before

    def tag(self, row: int, label: int, order: int) -> None:
        """Note which prompt a shape that was just added has become."""
        assert self.layer is not None
        table = self.layer.features.copy()
        table.loc[row, ["object", "order"]] = (label, order)
        self.layer.features = table.astype(int)
        self._put[order] = self.layer.data[row].copy()

    # -- the layer -------------------------------------------------------------------

    def _ready(self) -> Shapes:
        """Give the layer; the person's choice of a layer stays as it is."""
        if self.layer is None:
            active = self._viewer.layers.selection.active
            self.layer = self._make()
            if active is not None:
                self._viewer.layers.selection.active = active
            self.layer.events.data.connect(self._on_data)
            self._camera.events.zoom.connect(self._on_zoom)
            self.made.emit(self.layer)
        return self.layer

    def _replace(self, drawn: Sequence[Drawn]) -> None:
        layer = self._ready()
        before, self._quiet = self._quiet, True
        layer.selected_data = set()
        if len(layer.data):
            layer.remove(list(range(len(layer.data))))
        self._put.clear()
        self._quiet = before
        orders = [one.order for one in drawn]
        self._add(layer, drawn)
        for order, vertices in zip(orders, layer.data, strict=True):
            self._put[order] = vertices.copy()

    def _add(self, layer: Shapes, drawn: Sequence[Drawn]) -> None:
        if not drawn:
            return
        before, self._quiet = self._quiet, True
        table = layer.features.copy()
        self._zoom = self._camera.zoom
        layer.add(
            [one.vertices for one in drawn],
            shape_type=[SHAPE_OF[type(one.prompt)] for one in drawn],
            edge_color=np.array(
                [self._colour(one.label, one.positive) for one in drawn]
            ),
            face_color="transparent",
            edge_width=self._width(),
        )
        rows = range(len(table), len(table) + len(drawn))
        for row, one in zip(rows, drawn, strict=True):
            table.loc[row] = (one.label, one.order, int(one.positive))
        layer.features = table.astype(int)
        self._quiet = before

    def _colour(self, label: int, positive: bool) -> NDArray[np.float32]:
        colour = transform_color(COLOURS[positive])[0].copy()
        colour[3] = 1.0 if label in (0, self._session.label) else FADED
        return np.asarray(colour, np.float32)

    def _width(self) -> float:
        """Width of the lines in px of the layer, so that it fits the screen."""
        assert self.layer is not None
        dims = self._viewer.dims
        shown = [axis - dims.ndim for axis in dims.displayed]
        pixel = min(abs(float(self.layer.scale[axis])) for axis in shown)
        return LINE_PX / max(self._zoom * pixel, 1e-6)

    # -- events ----------------------------------------------------------------------

    def _on_data(self, event: Any) -> None:
        """Tell what the person has done, when it is done."""
        drawing = getattr(self.layer, "_is_creating", False)
        done = str(event.action) in ("added", "removed", "changed")
        if done and not drawing and not self._quiet:
            self.changed.emit(event)

    def _on_zoom(self) -> None:
        zoom = self._camera.zoom
        ratio = zoom / self._zoom if self._zoom else 1.0
        layer = self.layer
        if layer is None or not len(layer.data) or layer not in self._viewer.layers:
            return
        if max(ratio, 1 / max(ratio, 1e-9)) > REDRAWN_FROM:
            self._zoom = zoom
            layer.edge_width = [self._width()] * len(layer.data)

    def _on_event(self, kind: str) -> None:
        """Fade the shapes of other objects when another one is chosen."""
        layer = self.layer
        if kind == "chosen" and layer is not None and len(layer.data):
            table = layer.features
            layer.edge_color = np.array(
                [
                    self._colour(int(label), bool(sign))
                    for label, sign in zip(
                        table["object"], table["positive"], strict=True
                    )
                ]
            )


def features() -> dict[str, NDArray[np.int64]]:
    """Empty feature table of the layer: object and order of the prompt, its sign."""
    return {name: np.zeros(0, np.int64) for name in ("object", "order", "positive")}


def defaults() -> dict[str, NDArray[np.int64]]:
    """Features of a shape that was drawn with napari's own tools."""
    return {
        "object": np.zeros(1, int),
        "order": np.zeros(1, int),
        "positive": np.ones(1, int),
    }
