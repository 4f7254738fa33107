"""From an annotated slice both ways, up to the ends or the next annotated slices."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.errors import UserError
from napari_simpleclick.propagation.interpolation import combine, interpolate_shape
from napari_simpleclick.propagation.walk import (
    LEAST_CONFIDENCE,
    Ending,
    ReachedSlice,
    Slices,
    Walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_simpleclick.inference import Predictor

Mask = NDArray[np.bool_]
Way = Generator[ReachedSlice, ReachedSlice | None, None]
"""Steps of an object one way; what is sent back is gone on from."""


def _nothing(index: int) -> Mask | None:
    return None


@dataclass
class Propagation:
    """Carries the mask of an annotated slice to its neighbours.

    Parameters
    ----------
    predictor : Predictor
        The model; its image and crop are changed.
    slices : Slices
        Where slices come from.
    start : int
        The annotated slice.
    mask : ndarray
        (H, W) bool, the annotation.
    annotated : callable
        Slice number to the mask (H, W) bool of another annotated slice, None if that
        slice is not annotated. Annotated slices are not walked over: between two of
        them, the walks from both are combined by distance; an empty one is where the
        object has ended.
    least_confidence : float
        Where a walk is less sure, it stops; 0 to 1.

    Attributes
    ----------
    endings : list of tuple
        After a run, for each direction: the last slice that was reached, and why it
        went no further.

    Raises
    ------
    UserError
        If the annotation is empty.
    """

    predictor: Predictor
    slices: Slices
    start: int
    mask: Mask
    annotated: Callable[[int], Mask | None] = _nothing
    least_confidence: float = LEAST_CONFIDENCE
    endings: list[tuple[int, Ending]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse an empty annotation."""
        if not self.mask.any():
            raise UserError(
                f"There is no mask on slice {self.start}; annotate the object there "
                "first."
            )
        self._walk = Walk(self.predictor, self.slices, self.start, self.mask)

    def look_at(self, focus: Mask | None) -> None:
        """Choose what the network is shown around a mask, (H, W); None for its own."""
        self._walk.focus = focus

    def run(self, low: int, high: int) -> Iterator[ReachedSlice]:
        """Go from the annotated slice down to ``low`` and up to ``high``.

        Parameters
        ----------
        low, high : int
            Last slices to fill in; ``low`` <= start <= ``high``.

        Yields
        ------
        Step
            One after each prediction. A slice between two annotated ones may come
            twice; the last time counts.
        """
        self.endings = []
        for stop in (low, high):
            if stop != self.start:
                yield from self.one_way(stop)

    def one_way(self, stop: int) -> Way:
        """Go from the annotated slice to another, which is not the same.

        Parameters
        ----------
        stop : int
            The last slice to fill in.

        Yields
        ------
        Step
            As :meth:`run` does; what is sent back in its place is gone on from.
        """
        onward = 1 if stop > self.start else -1
        steps: dict[int, ReachedSlice] = {}
        walk: Way | None = self._walk.to(stop, self.least_confidence)
        ending: Ending | None = None
        settled: ReachedSlice | None = None
        for index in range(self.start + onward, stop + onward, onward):
            mask = self.annotated(index)
            if mask is not None:
                between = dict(self._meet(index, mask, steps))
                for place, step in list(between.items()):
                    between[place] = (yield step) or step
                if len(steps | between) == abs(index - self.start) - 1:
                    ending, steps = Ending.MET, steps | between
                break
            reached = None if walk is None else onwards(walk, settled)
            if reached is None:
                walk = None
            else:
                settled = (yield reached) or reached
                steps[index] = settled
        last = max(steps, key=lambda index: onward * index, default=self.start)
        self.endings.append((last, ending or self._walk.ending))

    def _meet(
        self, other: int, mask: Mask, steps: dict[int, ReachedSlice]
    ) -> Iterator[tuple[int, ReachedSlice]]:
        """Walk back from another annotated slice and combine the two walks."""
        if not mask.any() or abs(other - self.start) < 2:
            return
        back = Walk(self.predictor, self.slices, other, mask)
        nearest = self.start + (1 if other > self.start else -1)
        for step in back.to(nearest, self.least_confidence):
            share = (step.index - self.start) / (other - self.start)
            there = steps.get(step.index)
            both = step if there is None else combine(there, step, share)
            yield step.index, both


def onwards(way: Way, settled: ReachedSlice | None) -> ReachedSlice | None:
    """Take a way's next step, going on from what became of the last; None at its end.

    Parameters
    ----------
    way : Way
        The way.
    settled : ReachedSlice or None
        What to go on from; None for its last step as it was, or for the first one.
    """
    try:
        return way.send(settled)
    except StopIteration:
        return None


def interpolated(
    low: int, first: Mask, high: int, second: Mask
) -> Iterator[tuple[int, Mask]]:
    """Fill the slices between two annotated ones from their shapes alone.

    Parameters
    ----------
    low, high : int
        The annotated slices.
    first, second : ndarray
        (H, W) bool, their masks.

    Yields
    ------
    tuple
        Slice number and its mask, (H, W) bool.
    """
    for index in range(low + 1, high):
        share = (index - low) / (high - low)
        yield index, interpolate_shape(first, second, share)
