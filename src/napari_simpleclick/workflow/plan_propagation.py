"""How long it takes to carry objects through many volumes, before it is begun."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import files
from napari_simpleclick.propagation.volume_files import (
    AnnotatedVolume,
    PropagationSettings,
    carry,
    read_annotated,
    worker_predictor,
)
from napari_simpleclick.propagation.walk import Ending
from napari_simpleclick.tasks.estimate import Measured, spread_out, time_tasks
from napari_simpleclick.workflow.propagate_volumes import (
    VolumeLeft,
    VolumeOutcome,
    in_full,
    in_full_settings,
    sorted_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.propagation import PropagatedLabels
    from napari_simpleclick.tasks.estimate import Span, Timing
    from napari_simpleclick.tasks.pool import TaskPool

TIMED_VOLUMES, TIMED_SLICES, FEWEST_TIMED_SLICES = 4, 12, 3
"""Volumes that are timed, and slices each way from an annotated one: so many for one
object, fewer for several."""


class PropagationPlan(NamedTuple):
    """What a dry run has found.

    Parameters
    ----------
    volumes, objects, slices : int
        How much there is; slices are those that objects may reach, counted for each.
    done : int
        Volumes that were finished before; not in ``objects`` and ``slices``.
    wrong : tuple of VolumeOutcome
        Those that cannot be done.
    timing : Timing or None
        Of a few of them; None if nothing is left to be done.
    span : Span or None
        How long the rest takes.
    """

    volumes: int
    done: int
    objects: int
    slices: int
    wrong: tuple[VolumeOutcome, ...]
    timing: Timing | None
    span: Span | None


def plan_propagation(
    work: Sequence[AnnotatedVolume],
    settings: PropagationSettings,
    folder: Path | None,
    pool: TaskPool,
    report: Callable[[int, int], object] = lambda done, total: None,
) -> PropagationPlan:
    """Count what there is to do, and time a little of it; nothing is written.

    Parameters
    ----------
    work, settings, pool
        As of :func:`propagate_volumes`.
    folder : Path or None
        Where labels would go; None if it does not matter what is finished.
    report : callable
        Called with the number of volumes that were looked at, and of all.
    """
    settings = in_full_settings(settings)
    left, known = (
        ([VolumeLeft(one, Path(), {}) for one in work], [])
        if folder is None
        else sorted_out(work, settings, folder)
    )
    wrong = [one for one in known if one.error is not None]
    ready: list[AnnotatedVolume] = []
    reaches: list[dict[int, int]] = []
    for number, (one, out, _) in enumerate(left, start=1):
        try:
            reaches.append(_reachable(one))
            ready.append(in_full(one))
        except (UserError, OSError) as error:
            wrong.append(VolumeOutcome(one.volume, out, error=error))
        report(number, len(left))
    done = len(known) - len([one for one in known if one.error is not None])
    sizes = [max(1, sum(reach.values())) for reach in reaches]
    objects, slices = sum(map(len, reaches)), sum(sum(r.values()) for r in reaches)
    timing = span = None
    if ready:
        chosen = spread_out(ready, TIMED_VOLUMES + pool.workers)
        timing = time_tasks(pool, [(time_volume, one, settings) for one in chosen])
        span = timing.estimate(sizes)
    return PropagationPlan(len(work), done, objects, slices, tuple(wrong), timing, span)


def time_volume(work: AnnotatedVolume, settings: PropagationSettings) -> Measured:
    """Go a few slices from an annotated slice, and tell what all of it would take."""
    predictor, _ = worker_predictor(settings)
    began = time.perf_counter()
    image = files.read_image(work.volume)
    read = read_annotated(image, work, lambda _: None)
    start, count = _busiest(read.annotation, work)
    each_way = max(FEWEST_TIMED_SLICES, TIMED_SLICES // count)
    last = image.as_volume().shape[work.axis] - 1
    low, high = work.low or 0, last if work.high is None else work.high
    near = replace(
        work,
        index=start,
        low=max(low, start - each_way),
        high=min(high, start + each_way),
    )
    loaded = time.perf_counter()
    moments: list[float] = []
    found = carry(
        predictor,
        read,
        near,
        settings.least_confidence,
        lambda _: moments.append(time.perf_counter()),
    )
    ended = time.perf_counter()
    walked, onwards, ends = _walked(found, low, high, near)
    steps = max(1, walked + ends)
    beginning = (moments[0] if moments else ended) - loaded
    later = max(1, steps - count)
    step_s = (ended - loaded - beginning) / later if moments else 0.0
    setup_s = max(0.0, beginning - count * step_s)
    all_slices = sum(_reachable(work).values())
    starts = sum(map(len, _starts(read.annotation, work).values()))
    here = max(1, sum(_reachable(replace(work, index=start)).values()))
    fixed = loaded - began + setup_s * starts / count

    def whole(reached: int) -> float:
        return fixed + step_s * all_slices * min(1.0, (reached + ends) / here)

    least, most = whole(walked), whole(walked + onwards)
    middle = (least + most) / 2
    return Measured(max(1, all_slices), middle, (least, most), ended - began)


def _walked(
    found: PropagatedLabels, low: int, high: int, near: AnnotatedVolume
) -> tuple[int, int, int]:
    """Count slices that were reached, those beyond, and walks that ended by then."""
    walked = onwards = ends = 0
    for label, reached in found.confidence.items():
        walked += len(reached)
        for index, ending in found.endings[label]:
            if ending is not Ending.RANGE:
                ends += ending is not Ending.MET
            elif index == near.low:
                onwards += index - low
            elif index == near.high:
                onwards += high - index
    return walked, onwards, ends


def _starts(
    annotation: NDArray[Any], work: AnnotatedVolume
) -> dict[int, tuple[int, ...]]:
    """Annotated slices of each object from which it is carried on."""
    if annotation.ndim == 2:
        labels = np.unique(annotation[annotation > 0])
        return {int(label): (work.index or 0,) for label in labels}
    slices = np.moveaxis(annotation, work.axis, 0)
    found: dict[int, tuple[int, ...]] = {}
    for number in np.flatnonzero(slices.any(axis=(1, 2))):
        for label in np.unique(slices[number]):
            if label > 0:
                found[int(label)] = (*found.get(int(label), ()), int(number))
    if work.index is not None:
        found = {label: own for label, own in found.items() if work.index in own}
    return found


def _busiest(annotation: NDArray[Any], work: AnnotatedVolume) -> tuple[int, int]:
    """Slice from which most objects start, and how many do."""
    starts = _starts(annotation, work)
    counts: dict[int, int] = {}
    for own in starts.values():
        for index in own if work.index is None else (work.index,):
            counts[index] = counts.get(index, 0) + 1
    return max(counts.items(), key=lambda pair: (pair[1], -pair[0]))


def _reachable(work: AnnotatedVolume) -> dict[int, int]:
    """Count the slices that each object may have to be carried to; reads no pixels.

    Those between two annotated slices are walked to from both sides.
    """
    image = files.read_image(work.volume)
    read = read_annotated(image, work, lambda _: None)
    last = image.as_volume().shape[work.axis] - 1 if 0 <= work.axis < 3 else 0
    low, high = work.low or 0, last if work.high is None else work.high
    found = {}
    for label, own in _starts(read.annotation, work).items():
        ends = [low - 1, *(one for one in own if low <= one <= high), high + 1]
        gaps = [after - before - 1 for before, after in pairwise(ends)]
        ways = [1, *([2] * (len(gaps) - 2)), 1]
        if work.index is not None and work.index in ends:
            place = ends.index(work.index)
            gaps, ways = gaps[place - 1 : place + 1], ways[place - 1 : place + 1]
        found[label] = sum(gap * way for gap, way in zip(gaps, ways, strict=True))
    if not found:
        raise UserError("The mask is empty; annotate the object there first.")
    return found
