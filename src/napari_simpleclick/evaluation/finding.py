"""How well *Find similar* finds the objects of a data set that nobody clicked on."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation.proposals import LEAST_SCORE
from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.metrics import clicks_needed
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

    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.evaluation.result import CaseResult, Result
    from napari_simpleclick.evaluation.worker import RobotSettings

RIGHT = 0.5
"""IoU above which a proposal is an object."""


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

    Images are taken as examples, whole, until they hold so many objects; their true
    masks stand for what a person has accepted. All other images are searched.

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
    images = [list(group) for _, group in groupby(cases, key=lambda case: case.name)]
    known, taken = 0, 0
    while taken < len(images) and known < max(examples, FEWEST_EXAMPLES):
        known += len(images[taken])
        taken += 1
    if known < FEWEST_EXAMPLES or taken == len(images):
        raise UserError(
            f"--find {examples} leaves no image to search; there are {len(cases)} "
            f"objects in {len(images)} images."
        )
    finder = SimilarFinder(
        Answers(
            predictor_of(
                settings.resolved(result.dataset).model_copy(update={"flip": False})
            )
        )
    )
    started = time.perf_counter()
    for _ in finder.learn([_example(group) for group in images[:taken]]):
        pass
    learned = time.perf_counter() - started
    by_case = {(one.name, one.instance): one for one in result.cases}
    scores = _Scores()
    started = time.perf_counter()
    for number, group in enumerate(images[taken:], start=1):
        _search(finder, group, by_case, least_score, scores)
        progress(number, len(images) - taken)
    seconds = time.perf_counter() - started
    found = scores.result(
        examples=known,
        images=len(images) - taken,
        seconds=seconds / (len(images) - taken),
        seconds_learning=learned,
        decoded=finder.answers.decoded,
    )
    whole = result.model_copy(update={"find": found})
    if out is not None:
        whole.save(out)
    return whole


def _example(group: Sequence[Case]) -> ExampleSlice:
    loaded = [case.load() for case in group]
    masks = [truth == 1 for _, truth in loaded]
    return ExampleSlice(Picture(loaded[0][0]), masks, whole=True)


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
    group: Sequence[Case],
    by_case: dict[tuple[str, int], CaseResult],
    least_score: float,
    scores: _Scores,
) -> None:
    """Search an image; each object counts for the first proposal that is right."""
    loaded = [case.load() for case in group]
    truths = [boxed(truth == 1) for _, truth in loaded]
    left = set(range(len(group)))
    scores.objects += len(group)
    for one in finder.find(Picture(loaded[0][0])):
        if one.score < least_score:
            break
        scores.proposed += 1
        mask = BoxedMask(one.box, one.mask)
        best = max(left, key=lambda n: (iou(mask, truths[n]), -n), default=None)
        overlap = 0.0 if best is None else iou(mask, truths[best])
        if best is None or overlap <= RIGHT:
            continue
        left.remove(best)
        scores.right += 1
        scores.overlaps.append(overlap)
        robot = by_case[group[best].name, group[best].instance]
        scores.clicks += clicks_needed(robot.ious, overlap, len(robot.ious))
