"""The two Points layers of an image: its positive and its negative clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from napari.layers.base import ActionType

from napari_simpleclick.plugin.layers.click_markers import COLOURS, SYMBOLS
from napari_simpleclick.workflow.canvas import ShownPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Points
    from numpy.typing import NDArray

NAMES = {True: "positive clicks", False: "negative clicks"}

Note = tuple[int, int, int]
"""Object, slice and order of a click, as its layer's table of features has them."""


class ShownClick(NamedTuple):
    """A click as its layer shows it.

    Parameters
    ----------
    sign : bool
        Whether it is positive.
    place : tuple of float
        In the layer, px.
    note : tuple of int
        Object, slice and order.
    """

    sign: bool
    place: tuple[float, ...]
    note: Note


class ClickPoints:
    """Adds the layers, and keeps clicks and points apart.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that shows the image.
    image : napari.layers.Image
        The image.
    shape : tuple of int
        Of its mask.
    look : dict
        Transform and units of the layers.

    Attributes
    ----------
    layers : dict of bool to napari.layers.Points
        By whether their clicks are positive.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        shape: tuple[int, ...],
        look: dict[str, Any],
    ) -> None:
        self.layers: dict[bool, Points] = {
            sign: viewer.add_points(
                np.zeros((0, image.ndim)),
                ndim=image.ndim,
                name=f"{image.name} {NAMES[sign]}",
                face_color=COLOURS[sign],
                border_color="white",
                size=max(1.0, min(12.0, min(shape[-2:]) / 40)),
                symbol=SYMBOLS[sign],
                features=_features([], sign),
                feature_defaults=_features([(0, 0, 0)], sign),
                **look,
            )
            for sign in (False, True)
        }

    def shown(self) -> list[ShownPoint]:
        """All points that are shown now."""
        return [
            ShownPoint(sign, row, tuple(place), order)
            for sign, layer in self.layers.items()
            for row, (place, order) in enumerate(
                zip(
                    layer.data.astype(float).tolist(),
                    layer.features["order"].tolist(),
                    strict=True,
                )
            )
        ]

    def fresh(self) -> list[ShownPoint]:
        """All points that are no clicks yet, copies of clicks among them."""
        signs, layers = zip(*self.layers.items(), strict=True)
        tables = [layer.features["order"].to_numpy() for layer in layers]
        orders = np.concatenate(tables)
        fresh = np.ones(len(orders), bool)
        fresh[np.unique(orders, return_index=True)[1]] = False
        fresh |= orders == 0
        found, first = [], 0
        for sign, layer, table in zip(signs, layers, tables, strict=True):
            for row in np.flatnonzero(fresh[first : first + len(table)]).tolist():
                place = tuple(layer.data[row].astype(float).tolist())
                found.append(ShownPoint(sign, row, place, int(table[row])))
            first += len(table)
        return found

    def add(self, click: ShownClick) -> None:
        """Show one more click, unless it is shown already.

        The layer tells of it once, when all of it is there; by itself it does so at
        each of a dozen steps.
        """
        layer = self.layers[click.sign]
        if (layer.features["order"].to_numpy() == click.note[-1]).any():
            return
        with layer.events.blocker_all():
            layer.add([click.place])
            self._note(click.sign, -1, click.note)
        layer.refresh(extent=False, highlight=False)
        layer.events.data(
            value=layer.data,
            action=ActionType.ADDED,
            data_indices=(-1,),
            vertex_indices=((),),
        )
        layer.events.features()

    def tag(self, sign: bool, row: int, note: Note) -> None:
        """Write object, slice and order of a click that the person just added."""
        self._note(sign, row, note)
        self.layers[sign].events.features()

    def _note(self, sign: bool, row: int, note: Note) -> None:
        """Fill in a row of a features table, which tells nobody."""
        self.layers[sign].features.iloc[row] = (*note, int(sign))

    def show(self, clicks: Sequence[ShownClick]) -> None:
        """Make the layers show these clicks, and no others."""
        for sign, layer in self.layers.items():
            own = [click for click in clicks if click.sign == sign]
            layer.selected_data = set()
            if own or len(layer.data):
                places = np.array([click.place for click in own])
                layer.data = places.reshape(-1, layer.ndim)
            layer.features = _features([click.note for click in own], sign)


def _features(rows: list[Note], sign: bool) -> dict[str, NDArray[np.int64]]:
    """Feature table of points: object, slice and order of the click, and its sign."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    named = dict(zip(("object", "slice", "order"), table.T, strict=True))
    return {**named, "positive": np.full(len(table), int(sign))}
