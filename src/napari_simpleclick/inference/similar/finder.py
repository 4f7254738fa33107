"""Objects that look like those that were accepted: learning, seeding, choosing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.similar.candidates import boxed, iou, suppressed
from napari_simpleclick.inference.similar.descriptors import covered
from napari_simpleclick.inference.similar.judge import Lesson, describe, fit_judge
from napari_simpleclick.inference.similar.places import ViewPlaces, fit_places
from napari_simpleclick.inference.similar.views import Sizes, ViewSearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.inference.crops import Crop
    from napari_simpleclick.inference.similar.candidates import Answers, BoxedMask
    from napari_simpleclick.inference.similar.logistic import Logistic
    from napari_simpleclick.inference.similar.picture import Picture

Mask = NDArray[np.bool_]

FEWEST_EXAMPLES = 3
"""Objects without which nothing can be told about what they have in common."""


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
        self._search: ViewSearch | None = None
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
        sizes = Sizes.of(squared, self.answers.size)
        self._search = search = ViewSearch(self.answers, sizes)
        inside: list[list[ViewPlaces]] = []
        for one in slices:
            inside.append(list(_inside(one, search)))
            yield
        self._places = fit_places([place for part in inside for place in part])
        if self._places is None:
            raise UserError(
                "The examples fill their slices, or are too small to learn from."
            )
        lessons: list[Lesson] = []
        for number, one in enumerate(slices):
            lessons += _lessons(one, search, self._without(inside, number))
            yield
        self._judge = fit_judge(lessons)

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
        search = self._search
        if search is None or self._places is None or self._judge is None:
            raise ValueError("Nothing was learned yet; call learn first.")
        there = None if taken is None else picture.squared(taken)
        found: list[tuple[BoxedMask, float, tuple[float, float]]] = []
        for view in search.views(picture):
            likely = view.likely(self._places)
            for candidate, mask in search.candidates(view, likely, there):
                row = describe(candidate, view.descriptors, likely)
                looks = float(self._judge.probability(row[None])[0])
                seed = search.in_picture(candidate.seed, view.crop)
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


def _inside(one: ExampleSlice, search: ViewSearch) -> Iterator[ViewPlaces]:
    """Tell of places in each view of a slice whether they are in an example."""
    truth = np.zeros(one.picture.square, bool)
    for mask in one.objects:
        truth |= one.picture.squared(mask)
    for view in search.views(one.picture):
        seen = view.descriptors
        share = covered(
            _resized(truth[view.crop.slices], search.answers.size), seen.size
        )
        yield ViewPlaces.of(seen.rows, share, one.whole)


def _lessons(
    one: ExampleSlice, search: ViewSearch, lines: list[Logistic]
) -> Iterator[Lesson]:
    """Go through what the network makes of seeds on a slice, and what it is."""
    examples = [boxed(one.picture.squared(mask)) for mask in one.objects]
    others = [boxed(one.picture.squared(mask)) for mask in one.others]
    for view, line in zip(search.views(one.picture), lines, strict=True):
        likely = view.likely(line)
        for candidate, mask in search.candidates(view, likely):
            right = max((iou(mask, other) for other in examples), default=0.0)
            wrong = max((iou(mask, other) for other in others), default=0.0)
            row = describe(candidate, view.descriptors, likely)
            yield Lesson(row, right, wrong, one.whole)


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    large = cv2.resize(
        mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(large > 0)
