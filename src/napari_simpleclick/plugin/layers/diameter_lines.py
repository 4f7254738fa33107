"""The diameters of objects as lines on the slice that they were measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_simpleclick.plugin.layers.colours import object_colour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Session
    from napari_simpleclick.images import Plane
    from napari_simpleclick.measurement import Diameters
    from napari_simpleclick.workflow.shown_diameters import OnSlice

NAME = "diameters"
WIDTH_PX = 1.5

LIGHTER = 0.35
"""Share of a colour that is left in its lines; the rest is white."""


class DiameterLines(NamedTuple):
    """The longest diameter of an object, and the longest one across it.

    Parameters
    ----------
    diameters : Diameters
        Their ends are places on the slice, px.
    plane : Plane
        The slice.
    colour : tuple of float
        Red, green, blue and opacity, 0 to 1.
    """

    diameters: Diameters
    plane: Plane
    colour: tuple[float, float, float, float]

    def lines(self) -> NDArray[np.float64]:
        """Lines (2, 2, D), start and way, image px."""
        both = self.diameters.longest_line, self.diameters.across_line
        ends = np.array([[self.plane.position(*end) for end in one] for one in both])
        return np.stack([ends[:, 0], ends[:, 1] - ends[:, 0]], axis=1)


def diameter_lines(session: Session, found: OnSlice) -> list[DiameterLines]:
    """Give those of a slice, in the colours of the objects."""
    return [
        DiameterLines(diameters, found.plane, _colour(session, label))
        for label, diameters in found.diameters.items()
    ]


def _colour(session: Session, label: int) -> tuple[float, float, float, float]:
    """Lighten the colour of an object, to be seen on its mask."""
    parts = bytes.fromhex(object_colour(session, label)[1:7])
    red, green, blue = (1 - LIGHTER * (1 - part / 255) for part in parts)
    return red, green, blue, 1.0
