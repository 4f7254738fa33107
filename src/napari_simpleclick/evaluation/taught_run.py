"""The robot over a data set, before and after it was taught on some of its objects."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.evaluation.result import (
    CurvePoint,
    Measured,
    Result,
    TaughtResult,
)
from napari_simpleclick.evaluation.run import choose_cases, robot
from napari_simpleclick.evaluation.worker import predictor_of
from napari_simpleclick.training.teaching import Example, Origin, TaughtModel, teach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.evaluation.worker import RobotSettings

ACCEPTED_IOU = 0.90
"""IoU at which the robot is content with an object that is then learned from."""


@dataclass(frozen=True)
class TeachSettings:
    """How the robot's weights are taught.

    Parameters
    ----------
    objects : tuple of int
        Numbers of objects, ascending: each is a point of the curve, and the last one
        is what the result is about.
    seconds : float
        Most time that teaching takes, each time.
    threads : int
        CPU threads.
    batches : int or None
        Most batches to learn from, besides the time.
    """

    objects: tuple[int, ...]
    seconds: float = 180.0
    threads: int = 1
    batches: int | None = None

    @classmethod
    def parse(
        cls, text: str, seconds: float = 180.0, threads: int = 1
    ) -> TeachSettings:
        """Read numbers of objects, such as ``12`` or ``5,12,24``.

        Raises
        ------
        UserError
            If they are no ascending numbers.
        """
        try:
            numbers = tuple(int(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if not numbers or list(numbers) != sorted({*numbers}) or numbers[0] < 1:
            raise UserError(
                f"'{text}' is no number of objects; write 12, or 5,12,24 for a curve."
            )
        return cls(numbers, seconds, threads)


def split_cases(
    cases: Sequence[Case], count: int, seed: int
) -> tuple[list[Case], list[Case]]:
    """Split objects in those to learn from and those to measure.

    Where there are several images, those to learn from are drawn from the first half
    of the images, and all objects of the second half can be measured; the same with
    the slices of a single volume. Of a single slice, the first objects are learned
    from and the others measured.

    Parameters
    ----------
    cases : sequence of Case
        All objects.
    count : int
        How many to learn from.
    seed : int
        Of the draw.

    Raises
    ------
    UserError
        If there are too few.
    """
    keys: list[Any] = [case.source for case in cases]
    if len(set(keys)) == 1:
        keys = [case.name for case in cases]
    names = list(dict.fromkeys(keys))
    if len(names) == 1:
        pool, rest = list(cases[:count]), list(cases[count:])
    else:
        first = set(names[: len(names) // 2])
        pool = [c for c, key in zip(cases, keys, strict=True) if key in first]
        rest = [c for c, key in zip(cases, keys, strict=True) if key not in first]
    if len(pool) < count or not rest:
        raise UserError(
            f"There are {len(pool)} objects to learn from and {len(rest)} to measure; "
            f"{count} are too many to be taught."
        )
    order = np.random.default_rng(seed).permutation(len(pool))[:count]
    return [pool[index] for index in order], rest


def robot_taught(
    dataset: str,
    cases: Sequence[Case],
    settings: RobotSettings,
    teaching: TeachSettings,
    *,
    limit: int | None = None,
    jobs: int = 1,
    scheduler: str = "",
    out: Path | None = None,
    about: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Result, list[Case]]:
    """Measure objects before and after the weights were taught on others.

    The robot annotates the objects to learn from to an IoU of 0.90; one that it never
    brings there is learned from with its true mask, as a person would paint the rest.

    Parameters
    ----------
    dataset, cases, settings, jobs, scheduler, out, about, progress
        As of :func:`.run.robot`; the cases are split by :func:`split_cases`.
    teaching : TeachSettings
        How the weights are taught.
    limit : int or None
        Measure at most this many.

    Returns
    -------
    Result
        That of the weights before on the measured objects, and ``taught``.
    list of Case
        The measured objects.

    Raises
    ------
    UserError
        As :func:`.run.robot`, or if there are too few objects, or nothing to teach.
    """
    if settings.baseline:
        raise UserError("A baseline cannot be taught; leave --baseline or --teach out.")
    learn, rest = split_cases(cases, teaching.objects[-1], settings.seed)
    measured = choose_cases(rest, limit, settings.seed)
    work: dict[str, Any] = {
        "jobs": jobs,
        "scheduler": scheduler,
        "progress": progress,
    }
    plain = {**asdict(teaching), "objects": list(teaching.objects)}  # as JSON has it
    told = {**(about or {}), "teach": plain}
    before = robot(dataset, measured, settings, out=out, about=told, **work)
    if before.taught is not None:
        return before, measured  # finished before
    images: dict[str, NDArray[Any]] = {}
    resolved = settings.resolved(dataset)
    examples = [_accepted(case, resolved, images) for case in learn]
    points = [CurvePoint(objects=0, noc=before.noc, miou=before.miou)]
    with tempfile.TemporaryDirectory() as folder:
        for count in teaching.objects:
            taught = teach(
                examples[:count],
                settings.weights,
                seconds=teaching.seconds,
                threads=teaching.threads,
                batches=teaching.batches,
                seed=settings.seed,
            )
            after = before
            if taught.adopted:
                path = _target(out, Path(folder), count)
                taught.save(path)
                changed = settings.model_copy(update={"weights": str(path)})
                after = robot(dataset, measured, changed, **work)
            points.append(CurvePoint(objects=count, noc=after.noc, miou=after.miou))
    summed = _summed(taught, points)
    result = before.model_copy(update={"taught": summed})
    if out is not None:
        result.save(out)
    return result, measured


def _accepted(
    case: Case, settings: RobotSettings, images: dict[str, NDArray[Any]]
) -> Example:
    """Give an object as the robot has annotated it; images are shared by name."""
    predictor = predictor_of(settings)
    image, truth = case.load()
    image = images.setdefault(case.name, image)
    predictor.set_image(image)
    turns = annotate(
        predictor, truth, settings.clicks, ACCEPTED_IOU, settings.threshold
    )
    good = turns[-1].iou >= ACCEPTED_IOU
    mask = turns[-1].mask if good else np.asarray(truth == 1)
    return Example(image, mask, origin=Origin(case.name, case.instance))


def _target(out: Path | None, folder: Path, count: int) -> Path:
    """Where the taught weights go: beside the JSON, if there is one."""
    if out is None:
        return folder / f"taught-{count}.safetensors"
    return out.with_name(f"{out.stem}.taught-{count}.safetensors")


def _summed(taught: TaughtModel, points: list[CurvePoint]) -> TaughtResult:
    before, after = (
        Measured(noc=point.noc, miou=point.miou) for point in (points[0], points[-1])
    )
    return TaughtResult(
        objects=points[-1].objects,
        seconds=round(taught.seconds, 1),
        batches=taught.batches,
        adopted=taught.adopted,
        before=before,
        after=after,
        curve=tuple(points),
        names=taught.objects,
    )
