"""Objects that look like those that were accepted: learning, seeding, choosing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.similar.candidates import (
    Candidate,
    boxed,
    iou,
    suppressed,
)
from napari_simpleclick.inference.similar.descriptors import (
    STRIDE,
    Descriptors,
    covered,
)
from napari_simpleclick.inference.similar.judge import (
    Lesson,
    describe,
    fit_judge,
)
from napari_simpleclick.inference.similar.picture import Tiling, usual_sides
from napari_simpleclick.inference.similar.places import (
    ViewPlaces,
    find_seeds,
    fit_places,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.inference.crops import Crop
    from napari_simpleclick.inference.similar.candidates import Answers, BoxedMask
    from napari_simpleclick.inference.similar.logistic import Logistic
    from napari_simpleclick.inference.similar.picture import Picture
    from napari_simpleclick.networks import Features

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

FEWEST_EXAMPLES = 3
"""Objects without which nothing can be told about what they have in common."""

SMALLEST, LARGEST = 0.3, 2.0
"""Areas that are proposed, in those of the smallest and the largest example."""

MOST_SEEDS = 40
"""Clicks on a view, the likeliest places first."""

TAKEN = 0.3
"""What lies so far on objects that exist is none."""


@dataclass(frozen=True, eq=False)
class ExampleSlice:
    """A slice with accepted objects, and with what is none.

    Parameters
    ----------
    picture : Picture
        The slice.
    objects, others : sequence of ndarray
        (H, W) bool masks: the examples, and what was rejected or is of another kind.
    whole : bool
        Whether all that is like the examples is among them. If not, what looks much
        like them is not learned from.
    """

    picture: Picture
    objects: Sequence[Mask]
    others: Sequence[Mask] = ()
    whole: bool = False


@dataclass(frozen=True, eq=False)
class SimilarObject:
    """Something that looks like the examples.

    Parameters
    ----------
    box : Crop
        Rows and columns of the slice.
    mask : ndarray
        (height, width) bool, inside the box.
    score : float
        How sure it is, 0 to 1.
    seed : tuple of float
        Row and column of the click that gave it.
    """

    box: Crop
    mask: Mask
    score: float
    seed: tuple[float, float]


@dataclass(eq=False)
class _View:
    """A view of a picture, encoded and described."""

    crop: Crop
    own: Crop
    features: Features
    descriptors: Descriptors


@dataclass(frozen=True, eq=False)
class _Sized:
    """What is known of the sizes of examples, in square px."""

    tiling: Tiling
    small: float
    least_area: float
    most_area: float


class SimilarFinder:
    """Learns from examples, and finds what is like them on other slices.

    Every view of a slice is encoded once, for networks that encode once, and seeds are
    decoded together. The same examples and slices give the same objects. What each
    place and each mask looks like is told by the network's maps if it encodes once,
    else by brightness, edges and texture at several scales.

    Parameters
    ----------
    answers : Answers
        The network.

    Examples
    --------
    >>> from napari_simpleclick import Predictor, load_weights
    >>> from napari_simpleclick.inference.similar import Answers, SimilarFinder
    >>> finder = SimilarFinder(Answers(Predictor(load_weights("bundled")[0])))
    >>> finder.answers.decoded
    0
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._sized: _Sized | None = None
        self._places: Logistic | None = None
        self._judge: Logistic | None = None

    # -- learning ------------------------------------------------------------------

    def learn(self, slices: Sequence[ExampleSlice]) -> Iterator[None]:
        """Learn from examples, in place of those before; yields twice a slice.

        Raises
        ------
        UserError
            If there are fewer than three examples, or they fill their slices.
        """
        squared = [one.picture.squared(m) for one in slices for m in one.objects]
        squared = [mask for mask in squared if mask.any()]
        if len(squared) < FEWEST_EXAMPLES:
            raise UserError(
                f"There are {len(squared)} examples; give at least {FEWEST_EXAMPLES}."
            )
        self._sized = sized = _sizes(squared, self.answers.size)
        inside: list[list[ViewPlaces]] = []
        for one in slices:
            inside.append(list(self._inside(one, sized.tiling)))
            yield
        self._places = fit_places([place for part in inside for place in part])
        if self._places is None:
            raise UserError(
                "The examples fill their slices, or are too small to learn from."
            )
        lessons: list[Lesson] = []
        for number, one in enumerate(slices):
            lessons += self._lessons(one, sized.tiling, self._without(inside, number))
            yield
        self._judge = fit_judge(lessons)

    def _inside(self, one: ExampleSlice, tiling: Tiling) -> Iterator[ViewPlaces]:
        """Tell of places in each view of a slice whether they are in an example."""
        truth = np.zeros(one.picture.square, bool)
        for mask in one.objects:
            truth |= one.picture.squared(mask)
        for crop, own in tiling.views(truth.shape):
            seen = self._view(one.picture, crop, own).descriptors
            share = covered(self._resized(truth[crop.slices]), seen.size)
            yield ViewPlaces.of(seen.rows, share, one.whole)

    def _without(self, inside: list[list[ViewPlaces]], number: int) -> list[Logistic]:
        """Classifiers of places for each view of a slice that have not seen it.

        What a classifier says of what it was fitted to is better than what it will say
        of other slices, so the judge of masks must not learn from that.
        """
        assert self._places is not None
        others = [p for n, part in enumerate(inside) if n != number for p in part]
        own = inside[number]
        if others and (line := fit_places(others)) is not None:
            return [line] * len(own)
        halves = [own[half::2] for half in (1, 0)]
        lines = [fit_places(half) if half else None for half in halves]
        return [lines[n % 2] or self._places for n in range(len(own))]

    def _lessons(
        self, one: ExampleSlice, tiling: Tiling, lines: list[Logistic]
    ) -> Iterator[Lesson]:
        """Go through what the network makes of seeds on a slice, and what it is."""
        examples = [boxed(one.picture.squared(mask)) for mask in one.objects]
        others = [boxed(one.picture.squared(mask)) for mask in one.others]
        views = tiling.views(one.picture.square)
        for (crop, own), line in zip(views, lines, strict=True):
            view = self._view(one.picture, crop, own)  # all views would fill the memory
            likely = self._likely(view, line)
            for candidate, mask in self._candidates(view, likely):
                right = max((iou(mask, other) for other in examples), default=0.0)
                wrong = max((iou(mask, other) for other in others), default=0.0)
                row = describe(candidate, view.descriptors, likely)
                yield Lesson(row, right, wrong, one.whole)

    # -- finding -------------------------------------------------------------------

    def find(self, picture: Picture, taken: Mask | None = None) -> list[SimilarObject]:
        """Find what looks like the examples on a slice.

        Parameters
        ----------
        picture : Picture
            The slice.
        taken : ndarray or None
            (H, W) bool, where objects are already; what lies there is not proposed.

        Returns
        -------
        list of SimilarObject
            The likeliest first; they hardly overlap.

        Raises
        ------
        ValueError
            If nothing was learned yet.
        """
        if self._sized is None or self._places is None or self._judge is None:
            raise ValueError("Nothing was learned yet; call learn first.")
        there = None if taken is None else picture.squared(taken)
        found: list[tuple[BoxedMask, float, tuple[float, float]]] = []
        for crop, own in self._sized.tiling.views(picture.square):
            view = self._view(picture, crop, own)
            likely = self._likely(view, self._places)
            for candidate, mask in self._candidates(view, likely, there):
                row = describe(candidate, view.descriptors, likely)
                looks = float(self._judge.probability(row[None])[0])
                seed = self._in_picture(candidate.seed, crop)
                found.append((mask, float(looks * candidate.stability), seed))
        found.sort(key=lambda one: -one[1])
        kept = suppressed([mask for mask, _, _ in found])
        objects = []
        for mask, score, seed in (found[number] for number in kept):
            box, inside = picture.back(mask.inside, mask.box)
            if inside.any():
                place = picture.place_back(seed)
                objects.append(SimilarObject(box, inside, score, place))
        return objects

    # -- views and seeds -----------------------------------------------------------

    def _view(self, picture: Picture, crop: Crop, own: Crop) -> _View:
        pixels = picture.crop(crop, self.answers.size)
        features = self.answers.encode(pixels)
        maps = features if self.answers.encodes_once else None
        return _View(crop, own, features, Descriptors.of(maps, pixels))

    def _likely(self, view: _View, line: Logistic) -> Map:
        return line.probability(view.descriptors.rows).reshape(view.descriptors.size)

    def _candidates(
        self, view: _View, likely: Map, taken: Mask | None = None
    ) -> Iterator[tuple[Candidate, BoxedMask]]:
        """Go through the masks that the network makes of the seeds of a view."""
        assert self._sized is not None
        height, width = self.answers.size
        scale = height / view.crop.height * width / view.crop.width
        small = self._sized.small * scale**0.5
        margin = (
            STRIDE * scale**-0.5
        )  # neighbours see a peak at other places by so much
        seeds = [
            seed
            for seed in find_seeds(likely, small)
            if _holds(view.own, self._in_picture(seed.place, view.crop), margin)
            and not _is_taken(taken, self._in_picture(seed.place, view.crop))
        ][:MOST_SEEDS]
        if not seeds:
            return
        places = [seed.place for seed in seeds]
        first = self.answers.decode(view.features, places, [None] * len(places))
        made = self._plausible(map(Candidate.of, places, first), scale)
        if not made:
            return
        again = [candidate.middle() for candidate in made]
        second = self.answers.decode(
            view.features, again, [candidate.probability for candidate in made]
        )
        for candidate in self._plausible(map(Candidate.of, again, second), scale):
            mask = candidate.in_view(view.crop)
            if taken is None or not _overlaps(mask, taken):
                yield candidate, mask

    def _plausible(
        self, candidates: Iterator[Candidate | None], scale: float
    ) -> list[Candidate]:
        """Those of a size that examples have, without those that are nearly the same.

        Parameters
        ----------
        candidates : iterator of Candidate or None
            What seeds gave.
        scale : float
            Area of a square px of the picture in px of the network's input.
        """
        assert self._sized is not None
        low, high = self._sized.least_area * scale, self._sized.most_area * scale
        sized = [one for one in candidates if one and low <= one.area <= high]
        sized.sort(key=lambda one: -one.stability)
        masks = [one.boxed for one in sized]
        kept: list[int] = []
        for number, mask in enumerate(masks):
            if all(iou(mask, masks[other]) < SAME for other in kept):
                kept.append(number)
        return [sized[number] for number in kept]

    def _in_picture(
        self, place: tuple[float, float], crop: Crop
    ) -> tuple[float, float]:
        """Row and column in square px of a place in a view."""
        return (
            crop.row_min + place[0] * crop.height / self.answers.size[0],
            crop.column_min + place[1] * crop.width / self.answers.size[1],
        )

    def _resized(self, mask: Mask) -> Mask:
        size = self.answers.size[::-1]
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(large > 0)


SAME = 0.8
"""Masks of a higher IoU come from seeds on the same thing."""


def _sizes(masks: Sequence[Mask], size: tuple[int, int]) -> _Sized:
    areas = np.array([np.count_nonzero(mask) for mask in masks], float)
    return _Sized(
        Tiling.fitting(*usual_sides(masks), size),
        float(np.percentile(np.sqrt(areas), 10)),
        SMALLEST * float(areas.min()),
        LARGEST * float(areas.max()),
    )


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
