"""One direction: from an annotated slice to its neighbours, one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.images.intensity import Window, default_window
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.inference.shapes import depth
from napari_simpleclick.inference.shown_image import check_contrast
from napari_simpleclick.prompts import Click
from napari_simpleclick.propagation.motion import follow
from napari_simpleclick.propagation.voting import Voters, Votes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_simpleclick.inference import Predictor

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

COLLAPSE = 0.35
"""An object whose area shrinks below this share within one slice has ended."""

LEAST_CONFIDENCE = 0.5
"""A step with less gives up, unless told otherwise."""

LEAST_LIKENESS = 0.15
"""An object that looks less like itself than this has ended, if it does so for long."""

LEAST_LEFT = 0.1
"""Less of a mask than this share is not gone on from when the rest is left out."""

PATIENCE = 2
"""So many slices further, an object that has not ended looks like itself again."""


class Ending(Enum):
    """Why a walk stopped."""

    RANGE = "reached the end of the range"
    GONE = "the object ends here"
    COLLAPSED = "the object shrinks abruptly"
    UNSURE = "the confidence is too low"
    MET = "reached the next annotated slice"


@dataclass(frozen=True)
class Slices:
    """Where the slices of one axis come from.

    Parameters
    ----------
    read : callable
        Slice number to its pixels, (H, W) or (H, W, 3) of any number type.
    window : Window or None
        Intensities that become black and white, the same for all slices; None takes
        the default window of the annotated slice.
    spacing : tuple of float
        Height and width of a pixel.
    """

    read: Callable[[int], NDArray[Any]]
    window: Window | None = None
    spacing: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class ReachedSlice:
    """A slice that was walked to.

    Parameters
    ----------
    index : int
        Number of the slice.
    box : Crop
        Part of the slice outside which there is no object.
    odds : ndarray
        Log-odds in that part, (h, w) float32.
    confidence : float
        0 to 1; how far one can trust the mask. It is that of the step times that of
        all steps before it.
    shape : tuple of int
        (H, W) of the slice.
    """

    index: int
    box: Crop
    odds: Map
    confidence: float
    shape: tuple[int, int]

    @property
    def mask(self) -> Mask:
        """(H, W) bool."""
        full = np.zeros(self.shape, bool)
        full[self.box.slices] = self.odds > 0
        return full


class Walk:
    """Goes from an annotated slice to its neighbours.

    Parameters
    ----------
    predictor : Predictor
        The model; its image and crop are changed.
    slices : Slices
        The slices.
    start : int
        The annotated slice.
    mask : ndarray
        (H, W) bool, the annotation, not empty.

    Attributes
    ----------
    ending : Ending
        Why the last walk stopped.
    focus : ndarray or None
        (H, W) bool, what the network's view is chosen around, so that several objects
        share one; None for the object itself.
    """

    def __init__(
        self, predictor: Predictor, slices: Slices, start: int, mask: Mask
    ) -> None:
        self.predictor, self.start = predictor, start
        self.slices = slices
        self.ending = Ending.RANGE
        self.focus: Mask | None = None
        self._mask = mask

    @cached_property
    def _window(self) -> Window:
        return self.slices.window or default_window(self.slices.read(self.start))

    def to(
        self, stop: int, least_confidence: float = LEAST_CONFIDENCE
    ) -> Generator[ReachedSlice, ReachedSlice | None, None]:
        """Walk up to a slice, and that included.

        Parameters
        ----------
        stop : int
            The last slice, before or after the annotated one.
        least_confidence : float
            Where the confidence of a step alone is lower, the walk stops; 0 never.

        Yields
        ------
        ReachedSlice
            One per slice, in the order of walking. What is sent back in its place, such
            as less of it, is gone on from. Afterwards ``ending`` says why there are no
            more.

        Raises
        ------
        UserError
            If the annotated slice has no contrast.
        """
        self.ending = Ending.RANGE
        if stop == self.start:
            return
        picture = self.slices.read(self.start)
        check_contrast(picture, self._window, f"Slice {self.start}")
        mask, confidence = self._mask, 1.0
        onward = 1 if stop > self.start else -1
        for index in range(self.start + onward, stop + onward, onward):
            before, picture = picture, self.slices.read(index)
            step = self._step(index, before, picture, mask)
            self.ending = self._ending(step, mask, least_confidence)
            alike = self.ending is Ending.GONE or self._like_itself(picture, step)
            if not alike and self.ending is Ending.RANGE:
                step = self._narrowed(picture, step)
                alike = self._like_itself(picture, step)
            if not alike:
                further = range(index + onward, stop + onward, onward)[:PATIENCE]
                if self.ending is not Ending.RANGE or not self._recovers(
                    step.mask, picture, further, least_confidence
                ):
                    self.ending = Ending.GONE
            if self.ending is not Ending.RANGE:
                return
            step = replace(step, confidence=confidence * step.confidence)
            settled = (yield step) or step
            mask, confidence = settled.mask, settled.confidence
            if not mask.any():
                self.ending = Ending.GONE
                return

    def _ending(self, step: ReachedSlice, before: Mask, least: float) -> Ending:
        """Tell why a walk does not get to a slice; RANGE if it does."""
        now = np.count_nonzero(step.odds > 0)
        if now == 0:
            return Ending.GONE
        if now < COLLAPSE * np.count_nonzero(before):
            return Ending.COLLAPSED
        return Ending.UNSURE if step.confidence < least else Ending.RANGE

    def _like_itself(self, picture: NDArray[Any], step: ReachedSlice) -> bool:
        """Tell whether what is under the mask still looks like the object."""
        image = self._gray(picture[step.box.slices])
        return self._voters.likeness(image, step.odds > 0) >= LEAST_LIKENESS

    def _narrowed(self, picture: NDArray[Any], step: ReachedSlice) -> ReachedSlice:
        """Leave out of a mask what does not look like the object.

        Where an object tapers off and its mask lags behind, that is most of it.
        """
        image, mask = self._gray(picture[step.box.slices]), step.odds > 0
        odds = np.where(self._voters.brightness(image) > 0, step.odds, -abs(step.odds))
        odds = _largest(odds)
        left = np.count_nonzero(odds > 0) / np.count_nonzero(mask)
        if left < LEAST_LEFT:
            return step
        return replace(step, odds=odds, confidence=step.confidence * left)

    def _recovers(
        self, mask: Mask, picture: NDArray[Any], further: range, least: float
    ) -> bool:
        """Look ahead whether the object looks like itself again."""
        for index in further:
            before, picture = picture, self.slices.read(index)
            step = self._step(index, before, picture, mask)
            if self._ending(step, mask, least) is not Ending.RANGE:
                return False
            if self._like_itself(picture, step):
                return True
            mask = step.mask
        return False

    @cached_property
    def _voters(self) -> Voters:
        """Rehearse on the annotated slice, once for both directions."""
        box, picture = _around(self._mask), self.slices.read(self.start)
        self._show(picture)

        def ask(prior: Mask) -> Map:
            return self._ask(box, prior)

        image = self._gray(picture[box.slices])
        return Voters(image, self._mask[box.slices], ask)

    def _step(
        self, index: int, before: NDArray[Any], picture: NDArray[Any], mask: Mask
    ) -> ReachedSlice:
        box = _around(mask)
        image = self._gray(picture[box.slices])
        prior = follow(self._gray(before[box.slices]), image, mask[box.slices])
        if not (prior > 0).any():
            return ReachedSlice(index, box, prior, 0.0, mask.shape)
        voters = self._voters  # rehearses first, on the annotated slice
        self._show(picture)
        votes = voters.votes(image, prior, self._ask(box, prior > 0))
        odds = _touching(votes.leader, prior > 0)
        return ReachedSlice(index, box, odds, _confidence(votes, odds), mask.shape)

    def _ask(self, box: Crop, prior: Mask) -> Map:
        """Let the network correct a mask, as if someone had clicked inside it."""
        row, column = divmod(int(depth(prior).argmax()), prior.shape[1])
        click = Click(box.row_min + row, box.column_min + column)
        full = np.zeros(self._mask.shape, bool)
        full[box.slices] = prior
        answer, _ = self.predictor.predict(
            [click], full, state=ObjectState(), focus=self.focus
        )
        chance = answer[box.slices]
        chance = np.clip(chance, 1e-4, 1 - 1e-4)
        return np.asarray(np.log(chance / (1 - chance)))

    def _show(self, picture: NDArray[Any]) -> None:
        self.predictor.set_image(picture, self._window, self.slices.spacing)

    def _gray(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        unit = self._window.apply(pixels)
        unit = unit.mean(axis=2) if unit.ndim == 3 else unit
        return np.asarray(np.round(255 * unit), np.uint8)


def _around(mask: Mask) -> Crop:
    """Part of a slice in which the object can be on the next one."""
    sides: list[int] = []
    spans = [np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    room = 32 + min(int(span[1] - span[0]) for span in spans) // 2
    for span, length in zip(spans, mask.shape, strict=True):
        sides += max(0, int(span[0]) - room), min(length - 1, int(span[1]) + room)
    return Crop(*sides)


def _touching(odds: Map, prior: Mask) -> Map:
    """Take away the parts that touch nothing of the prior."""
    _, parts = cv2.connectedComponents((odds > 0).astype(np.uint8), connectivity=8)
    kept = np.unique(parts[prior & (odds > 0)])
    return np.where(np.isin(parts, kept) | (odds <= 0), odds, -odds)


def _largest(odds: Map) -> Map:
    """Take away all parts but the largest."""
    _, parts = cv2.connectedComponents((odds > 0).astype(np.uint8), connectivity=8)
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    return np.where((parts == areas.argmax()) | (odds <= 0), odds, -odds)


def _confidence(votes: Votes, odds: Map) -> float:
    """Least agreement (IoU) of a voter with what was decided."""
    decided = odds > 0
    if not decided.any():
        return 0.0
    return min(
        np.count_nonzero((vote > 0) & decided) / np.count_nonzero((vote > 0) | decided)
        for vote in votes
    )
