"""One propagation: what it depends on, what it has reached, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from napari_simpleclick.annotation import Mask, fingerprint
from napari_simpleclick.propagation import (
    LEAST_CONFIDENCE,
    Ending,
    Propagation,
    Slices,
    interpolated,
)
from napari_simpleclick.workflow.mask_array import release
from napari_simpleclick.workflow.merging import support
from napari_simpleclick.workflow.shared_predictor import SharedPredictor, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_simpleclick.annotation import ObjectStack
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import PredictionEngine

NO_PAIR = (
    "Interpolation needs an annotated slice on both sides; click on the object on "
    "another slice first."
)


class Patch(NamedTuple):
    """A mask on a slice, without the empty rows and columns around it.

    Parameters
    ----------
    where : tuple of slice
        Rows and columns.
    inside : ndarray
        The mask there, bool.
    confidence : float or None
        0 to 1; None where the image was not looked at.
    """

    where: tuple[slice, slice]
    inside: Mask
    confidence: float | None

    @classmethod
    def cut(cls, mask: Mask, confidence: float | None = None) -> Patch:
        """Cut the object out of a slice."""
        where = support(mask)
        return cls(where, mask[where].copy(), confidence)

    def paste(self, shape: tuple[int, ...]) -> Mask:
        """Put the object back into an empty slice."""
        full = np.zeros(shape, bool)
        full[self.where] = self.inside
        return full


@dataclass(eq=False)
class PropagationRun:
    """A propagation of one object from one slice.

    It is made on the main thread and then worked on by another, in which
    :meth:`annotated` looks at the mask slice by slice.

    Parameters
    ----------
    canvas : Canvas
        The image and its mask.
    engine : PredictionEngine
        The model.
    stack : ObjectStack
        The object and its slices.
    start : int
        The slice it starts from.

    Attributes
    ----------
    patches : dict
        What was reached, by slice number.
    before : dict
        Fingerprints of the masks that were there when a slice was walked over.
    anchors : set of int
        Annotated slices that it came to.
    sentence : str
        How it ended.
    trouble : str
        Why it could not be done.
    """

    canvas: Canvas
    engine: PredictionEngine
    stack: ObjectStack
    start: int
    patches: dict[int, Patch] = field(default_factory=dict)
    before: dict[int, bytes] = field(default_factory=dict)
    anchors: set[int] = field(default_factory=set)
    sentence: str = ""
    trouble: str = ""

    def __post_init__(self) -> None:
        """Take a snapshot of the canvas, which only the main thread may touch."""
        self.predictor = SharedPredictor(self.engine)
        self.source, self.view = self.canvas.source(), self.canvas.view()
        self.spacing = self.canvas.spacing(self.stack.plane)
        self.length = int(self.canvas.labels.shape[self.stack.axis])
        self._labels = self.canvas.labels
        self._held = bool(self.mask(self.start).any())

    def read(self, index: int) -> Any:
        """Read a slice of the image."""
        return self.view.read(self.stack.object_slice(index).plane)

    def stands(self) -> bool:
        """Whether the image and the mask that it started from are still there."""
        same = self.canvas.source() is self.source
        return same and (not self._held or bool(self.mask(self.start).any()))

    def mask(self, index: int) -> Mask:
        """Read the object's present mask on a slice."""
        labels = self.stack.object_slice(index).plane.read(self._labels)
        return np.asarray(labels == self.stack.label)

    def release(self) -> None:
        """Let go of the mask's slices that were looked at."""
        release(self._labels)

    def annotated(self, index: int) -> Mask | None:
        """Read a slice's mask if someone made it, and remember what was there."""
        self.predictor.check()
        mask = self.mask(index)
        self.before[index] = fingerprint(mask)
        self.release()
        if not self.canvas.session.objects.is_annotated(
            self.stack.object_slice(index), mask
        ):
            return None
        self.anchors.add(index)
        return mask

    def legs(self, low: int, high: int) -> list[tuple[int, int, int]]:
        """Cut a run into stretches, each with its start and its last slices.

        Parameters
        ----------
        low, high : int
            Last slices; low <= start <= high.

        Returns
        -------
        list of tuple
            Annotated slice, and the last slice below and above it.
        """
        first, last = (self._end_of_annotated(stop) for stop in (low, high))
        if first == last:
            return [(self.start, low, high)]
        legs = [(first, low, first), (last, last, high)]
        return [leg for leg in legs if leg[1] < leg[2]] or [(self.start, low, high)]

    def _end_of_annotated(self, stop: int) -> int:
        """Last of the annotated slices that follow the displayed one that way."""
        place, onward = self.start, 1 if stop > self.start else -1
        own = self.annotated(place)
        while own is not None and own.any() and place != stop:
            own = self.annotated(place + onward)
            if own is not None and own.any():
                place += onward
        return place

    def nearest(self, onward: int) -> tuple[int, Mask] | None:
        """Find the next annotated slice, up or down."""
        stop = self.length if onward > 0 else -1
        for index in range(self.start + onward, stop, onward):
            mask = self.annotated(index)
            if mask is not None:
                return index, mask
        return None


def walk(
    run: PropagationRun, low: int, high: int, least_confidence: float
) -> Iterator[int]:
    """Propagate; yields the number of each slice that was reached.

    Where slices next to the displayed one are annotated, it goes on from the last of
    them, so that what was accepted needs no run of its own.
    """
    endings: list[tuple[int, Ending, int]] = []
    try:
        for start, down, up in run.legs(low, high):
            propagation = Propagation(
                cast("Predictor", run.predictor),
                Slices(run.read, run.view.window(), run.spacing),
                start,
                run.mask(start),
                run.annotated,
                least_confidence,
            )
            for step in propagation.run(down, up):
                run.patches[step.index] = Patch.cut(step.mask, float(step.confidence))
                yield step.index
            ways = [way for way, stop in ((-1, down), (1, up)) if stop != start]
            for (last, why), way in zip(propagation.endings, ways, strict=True):
                endings.append((last, why, way))
    except Stopped:
        endings = []
    run.sentence = describe(run, endings)


def fill(run: PropagationRun) -> Iterator[int]:
    """Interpolate between the annotated slices around; yields slice numbers."""
    try:
        here = run.annotated(run.start)
        around = (
            run.nearest(-1),
            None if here is None else (run.start, here),
            run.nearest(1),
        )
        ends = [end for end in around if end is not None]
        if len(ends) < 2:
            run.trouble = NO_PAIR
            return
        for (low, first), (high, second) in pairwise(ends):
            for index, mask in interpolated(low, first, high, second):
                run.predictor.check()
                run.patches[index] = Patch.cut(mask)
                yield index
        names = ", ".join(str(index) for index, _ in ends)
        run.sentence = (
            f"Filled in between slices {names} from their shapes."
            if run.patches
            else f"There is nothing to fill in between slices {names}."
        )
    except Stopped:
        run.sentence = describe(run, ())


def describe(run: PropagationRun, endings: Iterable[tuple[int, Ending, int]]) -> str:
    """Say how a run ended, and what to do; without endings, that it was cancelled.

    Parameters
    ----------
    run : PropagationRun
        The run.
    endings : iterable of tuple
        Last slice, why it went no further, and the way: 1 up, -1 down.
    """
    endings = tuple(endings)
    reached = [run.start, *run.patches]
    low, high = min(reached), max(reached)
    why = "; ".join(f"{last}, {ending.value}" for last, ending, _ in endings)
    where = f"Slices {low}\N{EN DASH}{high}" if low < high else "No slice was reached"
    doubtful = [
        str(last + way)
        for last, ending, way in endings
        if ending in (Ending.UNSURE, Ending.COLLAPSED) and 0 <= last + way < run.length
    ]
    advice = ""
    if doubtful:
        slices = f"slice{'s' * (len(doubtful) > 1)} {' and '.join(doubtful)}"
        advice = (
            f" If it is still there on {slices}, click on it there and press Both; "
            "else it is done."
        )
    unsure = sum(
        patch.confidence is not None and patch.confidence < LEAST_CONFIDENCE
        for patch in run.patches.values()
    )
    if unsure:
        slices = "slice is" if unsure == 1 else "slices are"
        advice += f" {unsure} {slices} worth a look: press Check next."
    return f"{where}: {why or 'cancelled'}.{advice}"
