"""What was found and waits for a person to say whether it is an object."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation.packing import pack_mask, unpack_mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_simpleclick.annotation.object_slice import Mask
    from napari_simpleclick.images.planes import Plane


LEAST_SCORE = 0.4
"""What is less sure is not proposed, unless it is wanted."""

FOUND = "find"
"""Name of the edit by which a search proposes what it has found."""


class Verdict(Enum):
    """What became of a proposal."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Proposal:
    """A mask on a slice that may be an object; not part of the mask yet.

    Parameters
    ----------
    plane : Plane
        The slice.
    corner : tuple of int
        Row and column of the first pixel of the box around it.
    packed : bytes
        What is in the box, see :func:`.packing.pack_mask`.
    score : float
        How much it looks like an object, 0 to 1.
    seed : tuple of float
        Row and column that it was found from.
    kind : str or None
        What the names of the objects that it is like begin with, in small letters;
        empty for those without a name, None if that is not known.
    verdict : Verdict
        What became of it.
    """

    plane: Plane
    corner: tuple[int, int]
    packed: bytes
    score: float
    seed: tuple[float, float]
    kind: str | None = None
    verdict: Verdict = Verdict.OPEN

    @classmethod
    def of(
        cls,
        plane: Plane,
        corner: tuple[int, int],
        inside: Mask,
        score: float,
        seed: tuple[float, float],
        kind: str | None = None,
    ) -> Proposal:
        """Pack a mask (h, w) bool whose first pixel is at ``corner`` of a slice."""
        return cls(plane, corner, pack_mask(inside), score, seed, kind)

    @property
    def inside(self) -> Mask:
        """The mask in its box, (h, w) bool."""
        return unpack_mask(self.packed)

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Put it into an empty slice (H, W); what lies outside is cut off."""
        full = np.zeros(shape, bool)
        row, column = self.corner
        part = full[row:, column:]
        inside = self.inside[: part.shape[0], : part.shape[1]]
        part[: inside.shape[0], : inside.shape[1]] = inside
        return full

    def share_on(self, taken: NDArray[Any]) -> float:
        """Tell how much of it lies on what is above 0 on its slice (H, W), 0 to 1.

        Only what is in its box is looked at, however large the slice is.
        """
        row, column = self.corner
        inside = self.inside
        under = taken[row : row + inside.shape[0], column : column + inside.shape[1]]
        covered = inside[: under.shape[0], : under.shape[1]] & (under > 0)
        return float(covered.sum() / max(1, inside.sum()))

    def holds(self, row: float, column: float) -> bool:
        """Whether a place of its slice lies on it."""
        inside = self.inside
        down, across = round(row) - self.corner[0], round(column) - self.corner[1]
        height, width = inside.shape
        if not (0 <= down < height and 0 <= across < width):
            return False
        return bool(inside[down, across])


ProposalStates = dict[int, Proposal | None]
"""Proposals by number; None for one that is not there."""


class Proposals:
    """All proposals of a session that were not replaced by others."""

    def __init__(self) -> None:
        self._known: dict[int, Proposal] = {}
        self._last = 0

    def __iter__(self) -> Iterator[tuple[int, Proposal]]:
        """Go through numbers and proposals, oldest first."""
        return iter(sorted(self._known.items()))

    def put(self, states: ProposalStates) -> None:
        """Replace what is known of proposals; None removes one."""
        for number, proposal in states.items():
            self._known.pop(number, None)
            self._last = max(self._last, number)
            if proposal is not None:
                self._known[number] = proposal

    def find(self, number: int) -> Proposal | None:
        """Give a proposal; None if it is not there."""
        return self._known.get(number)

    def free_number(self) -> int:
        """Find a number that no proposal ever had."""
        return self._last + 1

    def open(self) -> list[int]:
        """Numbers of those that wait for a verdict, the likeliest first."""
        waiting = [
            (-one.score, number)
            for number, one in self._known.items()
            if one.verdict is Verdict.OPEN
        ]
        return [number for _, number in sorted(waiting)]

    def rejected(self) -> list[Proposal]:
        """Those that were refused, oldest first."""
        return [one for _, one in self if one.verdict is Verdict.REJECTED]
