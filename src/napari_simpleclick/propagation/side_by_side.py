"""Several objects through the same slices, side by side and kept apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.propagation.propagation import onwards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_simpleclick.propagation.propagation import Propagation, Way
    from napari_simpleclick.propagation.walk import ReachedSlice

Mask = NDArray[np.bool_]

SMALLER = 2.0
"""An object is shown at most so many times smaller than by itself, to share a view."""


class Leg(NamedTuple):
    """One object on its way from one annotated slice.

    Parameters
    ----------
    label : int
        The object.
    propagation : Propagation
        Where it starts.
    low, high : int
        Last slices to fill in; the start for none on that side.
    """

    label: int
    propagation: Propagation
    low: int
    high: int


@dataclass
class _Walker:
    """A leg one way, with the step that it would take next."""

    leg: Leg
    way: Way
    step: ReachedSlice | None
    mask: Mask


def _nothing(index: int) -> Mask | None:
    return None


class SideBySide:
    """Carries objects through the slices, all of them to a slice before the next one.

    Where two claim a pixel, the surer has it, by its log-odds, and the other goes on
    without it.

    Parameters
    ----------
    legs : sequence of Leg
        Objects and their starts; an object may have several.
    taken : callable
        Slice number to the pixels (H, W) bool that none of them may have; None for
        none.
    view_px : int or None
        Side of what the network takes, px, if it encodes a view once for all objects
        in it; None if each object is to have its own view.
    """

    def __init__(
        self,
        legs: Sequence[Leg],
        taken: Callable[[int], Mask | None] = _nothing,
        view_px: int | None = None,
    ) -> None:
        self.legs, self._taken, self._view_px = legs, taken, view_px
        self._claims: dict[int, dict[int, ReachedSlice]] = {}

    def run(self) -> Iterator[tuple[int, ReachedSlice]]:
        """Go all ways.

        Yields
        ------
        tuple
            An object and its mask on a slice. One may come again, where less of it is
            left; the last time counts.
        """
        for leg in self.legs:
            leg.propagation.endings = []
        for onward in (-1, 1):
            yield from self._one_way(onward)

    def _one_way(self, onward: int) -> Iterator[tuple[int, ReachedSlice]]:
        walkers = []
        for leg in self.legs:
            stop = leg.high if onward > 0 else leg.low
            if stop != leg.propagation.start:
                way = leg.propagation.one_way(stop)
                walkers.append(_Walker(leg, way, None, leg.propagation.mask))
        self._share_views(walkers)
        for walker in walkers:
            walker.step = onwards(walker.way, None)
        while walkers := [one for one in walkers if one.step is not None]:
            yield from self._one_slice(walkers, onward)

    def _one_slice(
        self, walkers: list[_Walker], onward: int
    ) -> Iterator[tuple[int, ReachedSlice]]:
        """Settle the slice that is next, and let those who reached it walk on."""
        steps = [one.step for one in walkers if one.step is not None]
        index = onward * min(onward * step.index for step in steps)
        here = [one for one in walkers if one.step and one.step.index == index]
        reached = {one.leg.label: one.step for one in here if one.step is not None}
        yield from self._settle(index, reached).items()
        claims = self._claims[index]
        for one in here:
            one.mask = claims[one.leg.label].mask
        self._share_views(here)
        for one in here:
            one.step = onwards(one.way, claims[one.leg.label])

    def _settle(
        self, index: int, reached: dict[int, ReachedSlice]
    ) -> dict[int, ReachedSlice]:
        """Leave each pixel to one object; tells what is new, and what has changed."""
        claims = self._claims.setdefault(index, {})
        taken, changed = self._taken(index), list(reached)
        for label, step in reached.items():
            claims[label] = step if taken is None else _without(step, taken)
        best = _surest(claims) if len(claims) > 1 else None
        for label, step in claims.items():
            settled = step if best is None else _without(step, best != label)
            lost = np.count_nonzero(step.odds > 0) - np.count_nonzero(settled.odds > 0)
            claims[label] = _trimmed(settled)
            if lost and label not in reached:
                changed.append(label)
        return {label: claims[label] for label in changed}

    def _share_views(self, walkers: list[_Walker]) -> None:
        """Let the network see objects that are close to each other in one view."""
        if self._view_px is None or len(walkers) < 2:
            return
        held = [one for one in walkers if one.mask.any()]
        for group in _groups([_box(one.mask) for one in held], self._view_px):
            focus = None
            if len(group) > 1:
                focus = np.any([held[place].mask for place in group], axis=0)
            for place in group:
                held[place].leg.propagation.look_at(focus)


def _surest(claims: dict[int, ReachedSlice]) -> NDArray[np.int64]:
    """Label (H, W) of the object with the highest odds above 0; 0 where none has."""
    shape = next(iter(claims.values())).shape
    best, owner = np.zeros(shape, np.float32), np.zeros(shape, np.int64)
    for label, step in claims.items():
        where = step.box.slices
        more = step.odds > best[where]
        best[where][more] = step.odds[more]
        owner[where][more] = label
    return owner


def _without(step: ReachedSlice, taken: Mask) -> ReachedSlice:
    """Take pixels away from an object, (H, W) bool."""
    lost = taken[step.box.slices] & (step.odds > 0)
    return replace(step, odds=np.where(lost, -step.odds, step.odds))


def _trimmed(step: ReachedSlice) -> ReachedSlice:
    """Forget what lies around the object, which is most of the memory."""
    if not (step.odds > 0).any():
        return step
    box = _box(step.mask)
    top, left = box.row_min - step.box.row_min, box.column_min - step.box.column_min
    odds = step.odds[top : top + box.height, left : left + box.width].copy()
    return replace(step, box=box, odds=odds)


def _box(mask: Mask) -> Crop:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Crop(int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1]))


def _groups(boxes: Sequence[Crop], view_px: int) -> list[list[int]]:
    """Put objects together whose common view shows none of them much smaller.

    Parameters
    ----------
    boxes : sequence of Crop
        Around the objects.
    view_px : int
        Side of what the network takes, px; a view of no more pixels loses none.

    Returns
    -------
    list of list of int
        Places in ``boxes``.
    """
    groups: list[tuple[Crop, float, list[int]]] = []
    for place, box in enumerate(boxes):
        least = float(max(box.height, box.width))
        for number, (hull, smallest, members) in enumerate(groups):
            both, own = _hull(hull, box), min(smallest, least)
            if max(both.height, both.width) <= max(view_px, SMALLER * own):
                groups[number] = both, own, [*members, place]
                break
        else:
            groups.append((box, least, [place]))
    return [members for _, _, members in groups]


def _hull(first: Crop, second: Crop) -> Crop:
    return Crop(
        min(first.row_min, second.row_min),
        max(first.row_max, second.row_max),
        min(first.column_min, second.column_min),
        max(first.column_max, second.column_max),
    )
