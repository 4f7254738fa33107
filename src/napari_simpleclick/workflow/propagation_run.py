"""One propagation: what it depends on, what it has reached, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_simpleclick.propagation import (
    LEAST_CONFIDENCE,
    Ending,
    Leg,
    Propagation,
    SideBySide,
    Slices,
    interpolated,
)
from napari_simpleclick.workflow.carried_object import CarriedObject, Patch
from napari_simpleclick.workflow.counted import counted, to_look_at
from napari_simpleclick.workflow.shared_predictor import SharedPredictor, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_simpleclick.annotation import Mask, ObjectStack
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import PredictionEngine

NO_PAIR = (
    "Interpolation needs an annotated slice on both sides; click on the object on "
    "another slice first."
)

SLICES_AT_HAND = 4
"""Slices of the image that are kept while several objects go through them."""


@dataclass(eq=False)
class PropagationRun:
    """A propagation of one object or several from one slice.

    Parameters
    ----------
    canvas : Canvas
        The image and its mask.
    engine : PredictionEngine
        The model.
    stacks : tuple of ObjectStack
        The objects, and their slices.
    start : int
        The slice they start from.

    Attributes
    ----------
    objects : dict
        Label to :class:`CarriedObject`.
    sentence : str
        How it ended.
    trouble : str
        Why it could not be done.
    """

    canvas: Canvas
    engine: PredictionEngine
    stacks: tuple[ObjectStack, ...]
    start: int
    sentence: str = ""
    trouble: str = ""

    def __post_init__(self) -> None:
        """Take a snapshot of the canvas, which only the main thread may touch."""
        self.predictor = SharedPredictor(self.engine)
        self.source, self.view = self.canvas.source(), self.canvas.view()
        self._first = first = self.stacks[0]
        self.spacing = self.canvas.spacing(first.plane)
        self._labels, self._overwrite = (
            self.canvas.labels,
            self.canvas.options.overwrite,
        )
        self.length = int(self._labels.shape[first.axis])
        self.objects = {
            stack.label: CarriedObject(
                self.canvas, stack, self.start, self.predictor.check
            )
            for stack in self.stacks
        }
        self._locked = self.canvas.session.objects.locked()
        self.read = lru_cache(SLICES_AT_HAND)(self._read)

    def _read(self, index: int) -> Any:
        """Read a slice of the image."""
        return self.view.read(self._first.object_slice(index).plane)

    def of(self, stack: ObjectStack) -> CarriedObject | None:
        """Find an object, if it goes through these slices."""
        found = self.objects.get(stack.label)
        return found if found is not None and found.stack == stack else None

    @property
    def reached(self) -> int:
        """How many slices were reached so far, those of all objects together."""
        return sum(len(carried.patches) for carried in self.objects.values())

    def same_image(self) -> bool:
        """Whether the image is still there."""
        return self.canvas.source() is self.source

    def taken(self, index: int) -> Mask | None:
        """Tell which pixels of a slice no object of the run may have.

        They belong to other objects, unless these may be covered, or to an object of
        the run which someone has annotated there.
        """
        labels = self._first.object_slice(index).plane.read(self._labels)
        present = np.flatnonzero(np.bincount(labels.ravel())).tolist()
        kept = [label for label in present if label and self._keeps(label, index)]
        return np.isin(labels, kept) if kept else None

    def _keeps(self, label: int, index: int) -> bool:
        """Whether an object's pixels on a slice are not to be taken."""
        carried = self.objects.get(label)
        if carried is not None:
            return carried.is_annotated(index)
        return not self._overwrite or label in self._locked


def walk(
    run: PropagationRun, low: int, high: int, least_confidence: float
) -> Iterator[int]:
    """Propagate; yields the number of each slice that an object has reached.

    Where slices next to the displayed one are annotated, an object goes on from the
    last of them, so that what was accepted needs no run of its own.
    """
    cancelled = False
    try:
        slices = Slices(run.read, run.view.window(), run.spacing)
        legs = [
            Leg(
                label,
                Propagation(
                    cast("Predictor", run.predictor),
                    slices,
                    start,
                    carried.mask(start),
                    carried.annotated,
                    least_confidence,
                ),
                down,
                up,
            )
            for label, carried in run.objects.items()
            for start, down, up in carried.legs(low, high)
        ]
        together = SideBySide(legs, run.taken, run.predictor.view_px)
        for label, step in together.run():
            patch = Patch.cut(step.mask, float(step.confidence))
            run.objects[label].patches[step.index] = patch
            yield step.index
        for leg in legs:
            start = leg.propagation.start
            ways = [
                way for way, stop in ((-1, leg.low), (1, leg.high)) if stop != start
            ]
            for (last, why), way in zip(leg.propagation.endings, ways, strict=True):
                run.objects[leg.label].endings.append((last, why, way))
    except Stopped:
        cancelled = True
    run.sentence = describe(run, cancelled)


def fill(run: PropagationRun) -> Iterator[int]:
    """Interpolate between the annotated slices around; yields slice numbers."""
    (carried,) = run.objects.values()
    try:
        here = carried.annotated(run.start)
        around = (
            carried.nearest(-1),
            None if here is None else (run.start, here),
            carried.nearest(1),
        )
        ends = [end for end in around if end is not None]
        if len(ends) < 2:
            run.trouble = NO_PAIR
            return
        for (low, first), (high, second) in pairwise(ends):
            for index, mask in interpolated(low, first, high, second):
                run.predictor.check()
                carried.patches[index] = Patch.cut(mask)
                yield index
        names = ", ".join(str(index) for index, _ in ends)
        run.sentence = (
            f"Filled in between slices {names} from their shapes."
            if carried.patches
            else f"There is nothing to fill in between slices {names}."
        )
    except Stopped:
        run.sentence = describe(run, cancelled=True)


def describe(run: PropagationRun, cancelled: bool = False) -> str:
    """Say how a run ended, and what to do.

    Parameters
    ----------
    run : PropagationRun
        The run.
    cancelled : bool
        Whether it was ended by the person.
    """
    if len(run.objects) > 1:
        return _describe_all(run, cancelled)
    (carried,) = run.objects.values()
    endings = carried.endings
    why = "; ".join(f"{last}, {ending.value}" for last, ending, _ in endings)
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
    unsure = len(_unsure(carried))
    if unsure:
        slices = "slice is" if unsure == 1 else "slices are"
        advice += f" {unsure} {slices} worth a look: press Check next."
    where = _where(run.start, carried.patches)
    return f"{where}: {'cancelled' if cancelled else why}.{advice}"


def _describe_all(run: PropagationRun, cancelled: bool) -> str:
    """Say how several objects fared."""
    objects = run.objects.values()
    reached = [index for carried in objects for index in carried.patches]
    names = run.canvas.session.objects.name
    still = [names(one.stack.label) for one in objects if not one.patches]
    unsure = [len(_unsure(carried)) for carried in objects]
    text = f"{_where(run.start, reached)}: {counted(len(objects), 'object')}"
    text += ", cancelled." if cancelled else "."
    if still and reached:
        text += f" No slice was reached by {', '.join(still)}."
    if any(unsure):
        text += f" {to_look_at(unsure)}: press Check next."
    return text


def _where(start: int, reached: Any) -> str:
    low, high = min((start, *reached)), max((start, *reached))
    if low == high:
        return "No slice was reached"
    return f"Slices {low}\N{EN DASH}{high}"


def _unsure(carried: CarriedObject) -> list[int]:
    """Slices of an object that are worth a look."""
    return [
        index
        for index, patch in carried.patches.items()
        if patch.confidence is not None
        and patch.confidence < LEAST_CONFIDENCE
        and patch.inside.any()
    ]
