"""Views of a slice: what a search sees at once, and what it makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.similar.candidates import Candidate, iou
from napari_simpleclick.inference.similar.descriptors import (
    STRIDE,
    Descriptors,
    covered,
)
from napari_simpleclick.inference.similar.picture import Tiling, usual_sides
from napari_simpleclick.inference.similar.places import find_seeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.inference.crops import Crop
    from napari_simpleclick.inference.similar.candidates import (
        Answers,
        BoxedMask,
        Place,
    )
    from napari_simpleclick.inference.similar.logistic import Logistic
    from napari_simpleclick.inference.similar.picture import Picture
    from napari_simpleclick.networks import Features

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

SMALLEST, LARGEST = 0.3, 2.0
"""Areas that are proposed, in those of the smallest and the largest example."""

MOST_SEEDS = 40
"""Clicks on a view, the likeliest places first."""

TAKEN = 0.3
"""What lies so far on objects that exist is none."""

SAME = 0.8
"""Masks of a higher IoU come from seeds on the same thing."""

SURE = 0.5
"""A mask whose places are likelier on average is about one of the objects."""

LEAST_COVERED = 0.25
"""Share of a place that such a mask covers, from which on it has been answered."""

LEAST_MISSED = 0.3
"""How likely a place has to be that is clicked on because no such mask covers it."""


@dataclass(eq=False)
class View:
    """A view of a picture, encoded and described.

    Parameters
    ----------
    crop : Crop
        What is seen, square px of the picture.
    own : Crop
        The part of it that no other view is as close to.
    features : tuple of Tensor
        What the network has made of it.
    descriptors : Descriptors
        What its places look like.
    """

    crop: Crop
    own: Crop
    features: Features
    descriptors: Descriptors

    def likely(self, line: Logistic) -> Map:
        """Tell of each place how likely it is in an object, 0 to 1."""
        return line.probability(self.descriptors.rows).reshape(self.descriptors.size)


@dataclass(frozen=True, eq=False)
class Sizes:
    """What is known of the sizes of examples, in square px.

    Parameters
    ----------
    tiling : Tiling
        How large views are.
    small : float
        Side of a small example.
    least_area, most_area : float
        Of what may be like them.
    """

    tiling: Tiling
    small: float
    least_area: float
    most_area: float

    @classmethod
    def of(cls, masks: Sequence[Mask], size: tuple[int, int]) -> Sizes:
        """Measure examples, for a network that is shown (height, width) px."""
        areas = np.array([np.count_nonzero(mask) for mask in masks], float)
        return cls(
            Tiling.fitting(*usual_sides(masks), size),
            float(np.percentile(np.sqrt(areas), 10)),
            SMALLEST * float(areas.min()),
            LARGEST * float(areas.max()),
        )


class ViewSearch:
    """Looks at pictures view by view, and has the network answer clicks on them.

    Parameters
    ----------
    answers : Answers
        The network.
    sizes : Sizes
        Of the examples.
    """

    def __init__(self, answers: Answers, sizes: Sizes) -> None:
        self.answers, self.sizes = answers, sizes

    def views(self, picture: Picture) -> Iterator[View]:
        """Go through the views of a picture, each encoded when its turn comes.

        All of them at once would fill the memory.
        """
        for crop, own in self.sizes.tiling.views(picture.square):
            pixels = picture.crop(crop, self.answers.size)
            features = self.answers.encode(pixels)
            maps = features if self.answers.encodes_once else None
            yield View(crop, own, features, Descriptors.of(maps, pixels))

    def candidates(
        self, view: View, likely: Map, taken: Mask | None = None
    ) -> Iterator[tuple[Candidate, BoxedMask]]:
        """Go through the masks that the network makes of the seeds of a view.

        Parameters
        ----------
        view : View
            The view.
        likely : ndarray
            Of each of its places, how likely it is in an object; see
            :meth:`View.likely`.
        taken : ndarray or None
            (H, W) bool in square px, where objects are already.

        Yields
        ------
        tuple
            What the network made of a seed, and its mask in square px of the picture.
        """
        seeds = self._seeds(view, likely, taken)
        found = self._clicked(view, seeds)
        left, middles = _uncovered(found, view, likely)
        missed = [
            place
            for place in self._seeds(view, left, taken, LEAST_MISSED)
            if all(math.dist(place, seed) > STRIDE for seed in seeds)
        ]
        if missed:
            beside = [_nearest(seed, middles) for seed in missed]
            again = self._clicked(view, missed, beside)
            found = self._plausible(iter([*found, *again]), view)
        for candidate in found:
            mask = candidate.in_view(view.crop)
            if taken is None or not _overlaps(mask, taken):
                yield candidate, mask

    def _seeds(
        self, view: View, likely: Map, taken: Mask | None, least: float = 0.0
    ) -> list[Place]:
        """Choose where to click in a view's own part, the likeliest first."""
        scale = self._scale(view)
        margin = STRIDE / scale  # so far apart do neighbours see the same peak
        seeds = []
        for seed in find_seeds(likely, self.sizes.small * scale):
            place = self.in_picture(seed.place, view.crop)
            own = _holds(view.own, place, margin) and not _is_taken(taken, place)
            if own and seed.likely >= least:
                seeds.append(seed.place)
        return seeds[:MOST_SEEDS]

    def _clicked(
        self,
        view: View,
        places: Sequence[Place],
        beside: Sequence[tuple[Place, ...]] = (),
    ) -> list[Candidate]:
        """Click on places, and once more in the middle of what came of each."""
        if not places:
            return []
        beside = beside or [()] * len(places)
        first = self.answers.decode(view.features, places, [None] * len(places), beside)
        made = self._plausible(map(Candidate.of, places, first, beside), view)
        if not made:
            return []
        middles = [one.middle() for one in made]
        beside = [one.beside for one in made]
        second = self.answers.decode(
            view.features, middles, [one.probability for one in made], beside
        )
        return self._plausible(map(Candidate.of, middles, second, beside), view)

    def _scale(self, view: View) -> float:
        """Side of a square px of the picture in px of the network's input."""
        height, width = self.answers.size
        return math.sqrt(height / view.crop.height * width / view.crop.width)

    def _plausible(
        self, candidates: Iterator[Candidate | None], view: View
    ) -> list[Candidate]:
        """Those of a size that examples have, without those that are nearly the same.

        Parameters
        ----------
        candidates : iterator of Candidate or None
            What seeds gave.
        view : View
            In which.
        """
        area = self._scale(view) ** 2
        low, high = self.sizes.least_area * area, self.sizes.most_area * area
        sized = [one for one in candidates if one and low <= one.area <= high]
        sized.sort(key=lambda one: -one.stability)
        masks = [one.boxed for one in sized]
        kept: list[int] = []
        for number, mask in enumerate(masks):
            if all(iou(mask, masks[other]) < SAME for other in kept):
                kept.append(number)
        return [sized[number] for number in kept]

    def in_picture(self, place: tuple[float, float], crop: Crop) -> tuple[float, float]:
        """Row and column in square px of a place in a view."""
        return (
            crop.row_min + place[0] * crop.height / self.answers.size[0],
            crop.column_min + place[1] * crop.width / self.answers.size[1],
        )


def _uncovered(
    found: Sequence[Candidate], view: View, likely: Map
) -> tuple[Map, list[Place]]:
    """Tell how likely places are that no likely mask covers, and its middles."""
    left, middles = likely.copy(), []
    for candidate in found:
        share = covered(candidate.mask, view.descriptors.size)
        if (likely * share).sum() > SURE * share.sum():
            left[share > LEAST_COVERED] = 0
            middles.append(candidate.middle())
    return left, middles


def _nearest(place: Place, others: Sequence[Place]) -> tuple[Place, ...]:
    """Give the nearest of other places; nothing if there is none."""
    return tuple(sorted(others, key=lambda other: math.dist(place, other))[:1])


def _holds(crop: Crop, place: tuple[float, float], margin: float) -> bool:
    return (
        crop.row_min - margin <= place[0] <= crop.row_max + margin
        and crop.column_min - margin <= place[1] <= crop.column_max + margin
    )


def _is_taken(taken: Mask | None, place: tuple[float, float]) -> bool:
    if taken is None:
        return False
    row, column = (
        min(int(at), side - 1) for at, side in zip(place, taken.shape, strict=True)
    )
    return bool(taken[row, column])


def _overlaps(mask: BoxedMask, taken: Mask) -> bool:
    there = np.count_nonzero(mask.inside & taken[mask.box.slices])
    return bool(there > TAKEN * max(1, mask.area))
