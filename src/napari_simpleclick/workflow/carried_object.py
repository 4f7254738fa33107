"""One of the objects that are carried through the slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_simpleclick.annotation import Mask, fingerprint
from napari_simpleclick.workflow.mask_array import release
from napari_simpleclick.workflow.merging import support

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.annotation import ObjectStack
    from napari_simpleclick.propagation import Ending
    from napari_simpleclick.workflow.canvas import Canvas


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
class CarriedObject:
    """What a run knows of an object.

    It is made on the main thread and then worked on by another, in which
    :meth:`annotated` looks at the mask slice by slice.

    Parameters
    ----------
    canvas : Canvas
        The image and its mask.
    stack : ObjectStack
        The object and its slices.
    start : int
        The slice it starts from.
    check : callable
        Raises if nobody waits for the run any more.

    Attributes
    ----------
    patches : dict
        What was reached, by slice number.
    before : dict
        Fingerprints of the masks that were there when a slice was walked over.
    anchors : set of int
        Annotated slices that it came to.
    endings : list of tuple
        Last slice, why it went no further, and the way: 1 up, -1 down.
    """

    canvas: Canvas
    stack: ObjectStack
    start: int
    check: Callable[[], None]
    patches: dict[int, Patch] = field(default_factory=dict)
    before: dict[int, bytes] = field(default_factory=dict)
    anchors: set[int] = field(default_factory=set)
    endings: list[tuple[int, Ending, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Remember the labels, and whether there is a mask to begin with."""
        self._labels = self.canvas.labels
        self._held = self.is_held()

    def is_held(self) -> bool:
        """Whether the object has a mask on the slice it starts from."""
        return bool(self.mask(self.start).any())

    def stands(self) -> bool:
        """Whether the mask that it started from, if there was one, is still there."""
        return not self._held or self.is_held()

    def mask(self, index: int) -> Mask:
        """Read the object's present mask on a slice."""
        labels = self.stack.object_slice(index).plane.read(self._labels)
        return np.asarray(labels == self.stack.label)

    def release(self) -> None:
        """Let go of the mask's slices that were looked at."""
        release(self._labels)

    def is_annotated(self, index: int) -> bool:
        """Whether someone made the mask on a slice."""
        objects, where = self.canvas.session.objects, self.stack.object_slice(index)
        return objects.is_annotated(where, self.mask(index))

    def annotated(self, index: int) -> Mask | None:
        """Read a slice's mask if someone made it, and remember what was there."""
        self.check()
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
        length = int(self._labels.shape[self.stack.axis])
        stop = length if onward > 0 else -1
        for index in range(self.start + onward, stop, onward):
            mask = self.annotated(index)
            if mask is not None:
                return index, mask
        return None
