"""The part of a slice that a person sees."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewport:
    """Rows and columns of a slice that are in sight.

    Parameters
    ----------
    row_min, row_max, column_min, column_max : float
        Its edges, px of the slice; the centre of the first pixel is 0, its edge -0.5.
        They may lie beyond the slice.

    Raises
    ------
    ValueError
        If nothing lies between two edges, or one is not finite.
    """

    row_min: float
    row_max: float
    column_min: float
    column_max: float

    def __post_init__(self) -> None:
        """Refuse edges that enclose nothing."""
        edges = (self.row_min, self.row_max, self.column_min, self.column_max)
        enclosed = self.row_min < self.row_max and self.column_min < self.column_max
        if not (enclosed and all(map(math.isfinite, edges))):
            raise ValueError(f"{edges} is no part of a slice.")

    @classmethod
    def around(cls, row: float, column: float, side: float) -> Viewport:
        """Give the square of so many px around a place."""
        half = side / 2
        return cls(row - half, row + half, column - half, column + half)
