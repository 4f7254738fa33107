"""How well *Find similar* finds the objects of a data set that nobody clicked on."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.annotation.proposals import LEAST_SCORE
from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.metrics import clicks_needed
from napari_simpleclick.evaluation.readers import IGNORED
from napari_simpleclick.evaluation.result import FindResult
from napari_simpleclick.evaluation.worker import predictor_of
from napari_simpleclick.inference.similar import (
    FEWEST_EXAMPLES,
    Answers,
    ExampleSlice,
    Picture,
    SimilarFinder,
)
from napari_simpleclick.inference.similar.candidates import BoxedMask, boxed, iou

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.evaluation.result import CaseResult, Result
    from napari_simpleclick.evaluation.worker import RobotSettings

RIGHT = 0.5
"""IoU above which a proposal is an object, and share above which it is ignored."""


def measure_finding(
    result: Result,
    cases: Sequence[Case],
    settings: RobotSettings,
    examples: int,
    *,
    least_score: float = LEAST_SCORE,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Result:
    """Find the objects of the later images with those of the first as examples.

    Images are taken as examples, whole, until they hold so many objects; the true masks
    of all their objects stand for what a person has accepted. All other images are
    searched. There, an object that is not among the cases is neither right nor wrong
    to propose, nor is what is mostly ignored.

    Parameters
    ----------
    result : Result
        Of :func:`napari_simpleclick.evaluation.run.robot` on the same cases; says how
        many clicks each object takes.
    cases : sequence of Case
        Objects, those of an image together.
    settings : RobotSettings
        The model; the mirrored image is left out, as in the window.
    examples : int
        Objects to learn from, at least.
    least_score : float
        What is less sure is not proposed, 0 to 1.
    out : Path or None
        JSON file of the result, which is written again.
    progress : callable
        Called with the number of images that were searched, and of all.

    Returns
    -------
    Result
        The result with :class:`FindResult`.

    Raises
    ------
    UserError
        If there are too few objects, or no images are left to search.
    """
    images, taken = divided(cases, examples)
    shown = [_Image.of(group) for group in images[:taken]]
    finder = SimilarFinder(
        Answers(
            predictor_of(
                settings.resolved(result.dataset).model_copy(update={"flip": False})
            )
        )
    )
    started = time.perf_counter()
    for _ in finder.learn([one.example for one in shown]):
        pass
    learned = time.perf_counter() - started
    by_case = {(one.name, one.instance): one for one in result.cases}
    scores = _Scores()
    started = time.perf_counter()
    for number, group in enumerate(images[taken:], start=1):
        robots = [by_case[case.name, case.instance] for case in group]
        _search(finder, _Image.of(group), robots, least_score, scores)
        progress(number, len(images) - taken)
    seconds = time.perf_counter() - started
    found = scores.result(
        examples=sum(len(one.example.objects) for one in shown),
        images=len(images) - taken,
        seconds=seconds / (len(images) - taken),
        seconds_learning=learned,
        decoded=finder.answers.decoded,
    )
    whole = result.model_copy(update={"find": found})
    if out is not None:
        whole.save(out)
    return whole


def divided(cases: Sequence[Case], examples: int) -> tuple[list[list[Case]], int]:
    """Divide cases by image, and tell how many images are examples.

    Parameters
    ----------
    cases : sequence of Case
        Objects, those of an image together.
    examples : int
        Objects to learn from, at least.

    Returns
    -------
    list of list of Case
        Those of each image.
    int
        So many of them, the first, hold enough objects.

    Raises
    ------
    UserError
        If there are too few objects, or no images are left to search.
    """
    images = [list(group) for _, group in groupby(cases, key=lambda case: case.name)]
    known, taken = 0, 0
    while taken < len(images) and known < max(examples, FEWEST_EXAMPLES):
        known += len(images[taken][0].labels_there())
        taken += 1
    if known < FEWEST_EXAMPLES or taken == len(images):
        raise UserError(
            f"--find {examples} leaves no image to search; there are {len(cases)} "
            f"objects in {len(images)} images."
        )
    return images, taken


class _Image(NamedTuple):
    """An image with the true masks of its objects.

    Parameters
    ----------
    picture : Picture
        The image.
    wanted : list of ndarray
        (H, W) bool masks of the cases, in their order.
    others : list of ndarray
        (H, W) bool masks of its other objects.
    ignored : ndarray
        (H, W) bool, pixels that are neither object nor background.
    """

    picture: Picture
    wanted: list[NDArray[np.bool_]]
    others: list[NDArray[np.bool_]]
    ignored: NDArray[np.bool_]

    @classmethod
    def of(cls, group: Sequence[Case]) -> _Image:
        """Read the image of some cases."""
        image, labels = group[0].load_labels()
        wanted = [case.instance for case in group]
        rest = sorted({*np.unique(labels[labels > 0]).tolist()} - {*wanted})
        masks, others = (
            [np.asarray(labels == one) for one in part] for part in (wanted, rest)
        )
        return cls(Picture(image), masks, others, np.asarray(labels == IGNORED))

    @property
    def example(self) -> ExampleSlice:
        """All of its objects as examples."""
        return ExampleSlice(self.picture, [*self.wanted, *self.others], whole=True)


class _Scores:
    """Counts over several images."""

    def __init__(self) -> None:
        self.objects = self.proposed = self.right = self.clicks = 0
        self.overlaps: list[float] = []

    def result(self, **rest: Any) -> FindResult:
        """Sum up."""
        return FindResult(
            objects=self.objects,
            proposed=self.proposed,
            right=self.right,
            precision=self.right / self.proposed if self.proposed else None,
            recall=self.right / self.objects,
            miou=float(np.mean(self.overlaps)) if self.overlaps else None,
            clicks_saved=self.clicks,
            **rest,
        )


def _search(
    finder: SimilarFinder,
    image: _Image,
    robots: Sequence[CaseResult],
    least_score: float,
    scores: _Scores,
) -> None:
    """Search an image; each object counts for the first proposal that is right."""
    truths, others = (
        [boxed(mask) for mask in masks] for masks in (image.wanted, image.others)
    )
    left = set(range(len(truths)))
    scores.objects += len(truths)
    for one in finder.find(image.picture):
        if one.score < least_score:
            break
        mask = BoxedMask(one.box, one.mask)
        best = max(left, key=lambda n: (iou(mask, truths[n]), -n), default=None)
        overlap = 0.0 if best is None else iou(mask, truths[best])
        if best is not None and overlap > RIGHT:
            left.remove(best)
            scores.proposed += 1
            scores.right += 1
            scores.overlaps.append(overlap)
            ious = robots[best].ious
            scores.clicks += clicks_needed(ious, overlap, len(ious))
            continue
        ignored = np.count_nonzero(image.ignored[one.box.slices] & one.mask)
        another = any(iou(mask, truth) > RIGHT for truth in others)
        if not another and ignored <= RIGHT * mask.area:
            scores.proposed += 1
