"""What can be done to whole objects besides clicking: all that it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# pydantic reads this type when a session file is written or read
from napari_simpleclick.images.planes import Plane  # noqa: TC001

Kind = Literal[
    "merge",
    "split parts",
    "cut",
    "split at clicks",
    "fill holes",
    "smooth",
    "grow",
    "shrink",
    "largest part",
    "renumber",
]


@dataclass(frozen=True)
class ObjectAction:
    """An action on the pixels of objects, to be done again on other masks.

    Parameters
    ----------
    kind : str
        What is done.
    labels : tuple of int
        The objects. Of several that are merged the first one stays; a split object is
        followed by the label of the first new one, and a renumbered one by its new
        label.
    plane : Plane
        The slice in view.
    axis : int or None
        The axis that slices follow, if all slices are meant; None for the plane alone.
    points : tuple
        (row, column) on the slice: of the stroke that cuts.
    marks : tuple
        Position in the mask of a click in each part.
    amount_px : float
        How far to grow or shrink, px of the slice's finer axis.
    spacing : tuple of float or None
        Size of a voxel along each axis; None where it cannot be compared.
    overwrite : bool
        Whether what grows may take pixels of other objects.
    weighed : bool
        Whether the network's last answer helped to find where parts meet.
    """

    kind: Kind
    labels: tuple[int, ...]
    plane: Plane
    axis: int | None = None
    points: tuple[tuple[float, float], ...] = ()
    marks: tuple[tuple[int, ...], ...] = ()
    amount_px: float = 1.0
    spacing: tuple[float | None, ...] = ()
    overwrite: bool = False
    weighed: bool = False

    @property
    def makes_objects(self) -> bool:
        """Whether pixels go to new objects."""
        return self.kind in ("split parts", "cut", "split at clicks")
