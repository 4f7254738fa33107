"""Propagation against copying, a random walker and shape interpolation.

Run it with the folder that holds ``knee_bones_volume``, ``brats2013`` and ``ssTEM``::

    python benchmarks/propagation.py DATA --write docs/propagation.md

The tables replace what is between the two marks in the document.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.io import imread
from skimage.segmentation import random_walker

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation import annotate, iou
from napari_simpleclick.evaluation.annotator import next_click
from napari_simpleclick.images import Window
from napari_simpleclick.inference import THRESHOLD, ObjectState
from napari_simpleclick.inference.modes import Mode, for_volumes
from napari_simpleclick.inference.shapes import signed_distance
from napari_simpleclick.propagation import (
    Propagation,
    Slices,
    beyond,
    interpolated,
    next_to_check,
)

DISTANCES = (1, 3, 5, 10, 15)
GAPS = {"knee bones": 20, "brain tumours": 20, "mitochondria": 4}
"""Slices between two annotated ones, per set."""

FEWEST_SECTIONS = 6
"""Mitochondria that are seen on fewer sections are left out."""

MARKS = ("<!-- table -->", "<!-- end -->")
Mask = NDArray[np.bool_]
Row = tuple[str, str, str, int, float]
"""Kind of table, set, method, distance in slices, value."""


@dataclass(frozen=True)
class Case:
    """An object of a volume, seen along one axis."""

    group: str
    name: str
    volume: NDArray
    truth: Mask
    axis: int

    @property
    def areas(self) -> NDArray[np.int64]:
        """Count the pixels of the object on every slice."""
        others = tuple(a for a in range(3) if a != self.axis)
        return self.truth.sum(axis=others)

    def mask(self, index: int) -> Mask:
        """Give the true mask of a slice."""
        return np.moveaxis(self.truth, self.axis, 0)[index]

    def slices(self) -> Slices:
        """Give the slices, in the window of the whole volume."""
        low, high = np.percentile(self.volume, [0.5, 99.5])
        stack = np.ascontiguousarray(np.moveaxis(self.volume, self.axis, 0))
        return Slices(stack.__getitem__, Window(float(low), float(high)))


def find_cases(root: Path) -> Iterator[Case]:
    folder = root / "knee_bones_volume"
    volume = _nifti(folder / "image.nii.gz").astype(np.float32)
    labels = _nifti(folder / "labels.nii.gz")
    for bone in (1, 2, 3):
        for axis in range(3):
            yield Case("knee bones", f"bone {bone}", volume, labels == bone, axis)
    for folder in sorted((root / "brats2013").iterdir()):
        files = sorted(folder.iterdir())
        flair = next(file for file in files if "flair" in file.name.lower())
        labels = next(file for file in files if "OTMultiClass" in file.name)
        for axis in range(3):
            volume, truth = _nifti(flair).astype(np.float32), _nifti(labels) > 0
            yield Case("brain tumours", folder.name, volume, truth, axis)
    sections, masks = (
        np.stack([imread(file) for file in sorted((root / "ssTEM" / part).iterdir())])
        for part in ("raw", "mitochondria")
    )
    objects, _ = ndimage.label(masks > 0)
    for label, box in enumerate(ndimage.find_objects(objects), start=1):
        if box[0].stop - box[0].start >= FEWEST_SECTIONS:
            name = f"mitochondrion {label}"
            yield Case("mitochondria", name, sections, objects == label, 0)


def measure(number: int, root: Path, weights: str, parts: Sequence[str]) -> list[Row]:
    case = list(find_cases(root))[number]
    clicked = Mode.named("fast").predictor(load_weights(weights)[0], threads=1)
    predictor = for_volumes(clicked)
    start = int(case.areas.argmax())
    axial = case.axis == (2 if case.group != "mitochondria" else 0)
    return [
        row
        for part in parts
        if part != "clicks" or axial
        for row in PARTS[part](case, predictor, start)
    ]


def by_distance(case: Case, predictor: Predictor, start: int) -> Iterator[Row]:
    """Dice of the slices around the one annotated slice, both ways."""
    annotation, slices = case.mask(start), case.slices()
    low, high = max(0, start - 15), min(len(case.areas) - 1, start + 15)
    walk = Propagation(predictor, slices, start, annotation, least_confidence=0.0)
    walked = {step.index: step for step in walk.run(low, high)}
    walker = dict(_random_walk(slices, start, annotation, low, high))
    for index in range(low, high + 1):
        truth, distance = case.mask(index), abs(index - start)
        if distance not in DISTANCES or not truth.any():
            continue
        step = walked.get(index)
        found = {
            "copying": annotation,
            "random walker": walker[index],
            "propagation": step.mask if step else np.zeros_like(truth),
        }
        for method, mask in found.items():
            yield "distance", case.group, method, distance, _dice(mask, truth)
        gain = _dice(found["propagation"], truth) - _dice(annotation, truth)
        yield "gain", case.group, "propagation", distance, gain
        if step is not None and step.confidence >= 0.5:
            dice = _dice(step.mask, truth)
            yield "distance", case.group, "where it goes on", distance, dice


def reach(case: Case, predictor: Predictor, start: int) -> Iterator[Row]:
    """How much of the object a walk from one slice gets to, and how far beyond."""
    walk = Propagation(predictor, case.slices(), start, case.mask(start))
    found = {start: case.mask(start)}
    found |= {step.index: step.mask for step in walk.run(0, len(case.areas) - 1)}
    there = {index for index, mask in found.items() if mask.any()}
    present = set(np.flatnonzero(case.areas).tolist())
    yield "reach", case.group, "reached", 0, len(there & present) / len(present)
    yield "reach", case.group, "slices beyond", 0, len(there - present)
    masks = np.stack(
        [found.get(i, np.zeros_like(found[start])) for i in range(len(case.areas))]
    )
    truth = np.moveaxis(case.truth, case.axis, 0)
    yield "reach", case.group, "Dice of the volume", 0, _dice(masks, truth)


def between(case: Case, predictor: Predictor, start: int) -> Iterator[Row]:
    """Dice of the slices between two annotated ones."""
    gap = GAPS[case.group]
    for other in (start - gap - 1, start + gap + 1):
        if not 0 <= other < len(case.areas) or not case.areas[other]:
            continue
        ends = {start: case.mask(start), other: case.mask(other)}
        low, high = min(ends), max(ends)
        both = Propagation(
            predictor, case.slices(), low, ends[low], ends.get, least_confidence=0.0
        )
        walked = {step.index: step.mask for step in both.run(low, high)}
        shapes = dict(interpolated(low, ends[low], high, ends[high]))
        for index, shape in shapes.items():
            truth = case.mask(index)
            walk = walked.get(index, np.zeros_like(truth))
            nearest = low if index - low < high - index else high
            copied = _dice(ends[nearest], truth)
            yield "between", case.group, "copying the nearer", gap, copied
            yield "between", case.group, "shapes alone", gap, _dice(shape, truth)
            yield "between", case.group, "propagation", gap, _dice(walk, truth)


def clicks(case: Case, predictor: Predictor, start: int) -> Iterator[Row]:
    """Robot's clicks to a volume Dice of 0.90: slice by slice, and in the review."""
    yield "clicks", case.group, "each slice alone", 0, slice_by_slice(case, predictor)
    yield "clicks", case.group, "in the review", 0, review(case, predictor, start)


def slice_by_slice(case: Case, predictor: Predictor) -> int:
    """Count the robot's clicks to a Dice of 0.90 on each slice, at most 20 on one."""
    made, slices = 0, case.slices()
    for index in np.flatnonzero(case.areas):
        predictor.set_image(slices.read(index), slices.window)
        turns = annotate(predictor, case.mask(index).astype(np.int32), 20, 0.9 / 1.1)
        made += len(turns)
    return made


def review(case: Case, predictor: Predictor, start: int) -> int:
    """Count the robot's clicks in the review to a volume Dice of 0.90.

    The robot begins on the slice of the largest area, clicks and propagates both ways.
    Then it visits slice after slice:

    1. the slice just before or after the object, if it has a mask, as a person sees
       when scrolling. It is cleared, for one click, and with it those `beyond` it;
    2. else the middle of the longest stretch that has the object and no mask, as a
       person sees as well;
    3. else the slice that `next_to_check` gives. If the object is not there, it is
       cleared like those at the ends.

    It looks at the slice. A mask with an IoU of 0.85 or more is accepted without a
    click: the slice counts as annotated. Any other is clicked on, as in the panel: the
    mask is the prior of the first click, and each answer replaces the mask. The next
    click goes to the deepest pixel of the larger mistake. The robot leaves the slice at
    an IoU of 0.85, after two clicks in a row without a gain of 0.01, or after 20
    clicks, and goes back to the best mask that it saw there (undo is no click). Then it
    propagates from there, up to the next annotated slices.

    Once all slices are annotated and the Dice is still below 0.90, it goes through them
    again from first to last, to an IoU of 0.90 and then of 0.95, with up to 20 clicks
    on each; after these two rounds it has failed, which costs as many clicks more as
    the slices alone do. It stops as soon as the Dice of the volume is 0.90, even
    between two clicks on a slice.
    """
    robot = Reviewer(case, predictor)
    index: int | None = start
    while index is not None and not robot.visit(index, 0.85, patience=2):
        index = robot.next_slice()
    for target in (0.90, 0.95):
        for again in np.flatnonzero(case.areas) if not robot.reached else ():
            if robot.visit(int(again), target, patience=20):
                break
    return robot.made + (0 if robot.reached else slice_by_slice(case, predictor))


class Reviewer:
    """The robot that `review` describes."""

    def __init__(self, case: Case, predictor: Predictor) -> None:
        self.case, self.predictor, self.slices = case, predictor, case.slices()
        self.truth = np.moveaxis(case.truth, case.axis, 0)
        self.masks = np.zeros(self.truth.shape, bool)
        self.confidence: dict[int, float] = {}
        self.annotated: set[int] = set()
        self.made = 0

    @property
    def reached(self) -> bool:
        """Whether the volume is good enough."""
        return _dice(self.masks, self.truth) >= 0.90

    def visit(self, index: int, target: float, patience: int) -> bool:
        """Look at a slice, mend it, and propagate; tell whether the goal is reached."""
        if not self.truth[index].any():
            self._clear(index)
        elif iou(self.masks[index], self.truth[index]) < target:
            self._click(index, target, patience)
        self.annotated.add(index)
        self.confidence.pop(index, None)
        if self.masks[index].any() and not self.reached:
            self._propagate(index)
        return self.reached

    def next_slice(self) -> int | None:
        """Choose the slice to visit, None if all are annotated."""
        filled, present = self.masks.any(axis=(1, 2)), self.case.areas > 0
        first, last = np.flatnonzero(present)[[0, -1]]
        for end in (int(first) - 1, int(last) + 1):
            if 0 <= end < len(filled) and filled[end]:
                return end
        missing = present & ~filled
        missing[list(self.annotated)] = False
        if missing.any():
            stretches, _ = ndimage.label(missing)
            longest = np.bincount(stretches)[1:].argmax() + 1
            return int(np.median(np.flatnonzero(stretches == longest)))
        areas = {k: np.count_nonzero(self.masks[k]) for k in self.confidence}
        return next_to_check(self.confidence, areas, self.annotated)

    def _clear(self, index: int) -> None:
        """Say that the object is not on a slice, nor beyond it."""
        self.made += 1
        self.masks[index] = False
        holding = {k for k in self.annotated if self.masks[k].any()}
        for other in beyond(index, holding, len(self.masks)):
            self.masks[other] = False
            self.confidence.pop(other, None)

    def _click(self, index: int, target: float, patience: int) -> None:
        """Click on a slice as long as it helps, and keep the best mask."""
        truth = self.truth[index]
        best = score = iou(self.masks[index], truth)
        kept, idle = self.masks[index].copy(), 0
        for mask in self._answers(index):
            self.made += 1
            self.masks[index] = mask
            now = iou(mask, truth)
            idle = 0 if now >= score + 0.01 else idle + 1
            score = max(score, now) if idle == 0 else score
            if now > best:
                best, kept = now, mask
            if self.reached:
                return
            if best >= target or idle == patience:
                break
        self.masks[index] = kept

    def _answers(self, index: int) -> Iterator[Mask]:
        """Click up to 20 times, as in the panel; give the mask after each click."""
        self.predictor.set_image(self.slices.read(index), self.slices.window)
        truth, mask = self.truth[index].astype(np.int32), self.masks[index]
        prior = mask.astype(np.float32) if mask.any() else None
        fresh, made, state = np.ones(truth.shape, bool), [], ObjectState()
        for _ in range(20):
            made.append(next_click(truth, mask, fresh))
            answer, state = self.predictor.predict(made, prior, state=state)
            prior, mask = answer, answer > THRESHOLD
            yield mask

    def _propagate(self, index: int) -> None:
        def annotation(other: int) -> Mask | None:
            return self.masks[other] if other in self.annotated else None

        run = Propagation(
            self.predictor, self.slices, index, self.masks[index], annotation
        )
        for step in run.run(0, len(self.masks) - 1):
            self.masks[step.index] = step.mask
            self.confidence[step.index] = step.confidence


def _random_walk(
    slices: Slices, start: int, annotation: Mask, low: int, high: int
) -> Iterator[tuple[int, Mask]]:
    """From slice to slice, seeded inside and well outside the mask before."""
    yield start, annotation
    for stop in (low, high):
        mask, onward = annotation, 1 if stop > start else -1
        for index in range(start + onward, stop + onward, onward):
            mask = _random_step(slices, index, mask)
            yield index, mask


def _random_step(slices: Slices, index: int, mask: Mask) -> Mask:
    if not mask.any():
        return mask
    inside = signed_distance(mask)
    room = max(3.0, 0.25 * float(inside.max()))
    seeds = np.where(inside > room, 1, np.where(inside < -room, 2, 0))
    if not (seeds == 1).any():
        seeds[inside == inside.max()] = 1
    rows, columns = (np.flatnonzero((seeds != 2).any(axis=axis)) for axis in (1, 0))
    box = (
        slice(max(0, rows[0] - 3), rows[-1] + 4),
        slice(max(0, columns[0] - 3), columns[-1] + 4),
    )
    unit = slices.window.apply(slices.read(index)[box])
    moved = np.zeros_like(mask)
    moved[box] = random_walker(unit, seeds[box], beta=130, mode="cg_j") == 1
    return moved


def _dice(mask: Mask, truth: Mask) -> float:
    return float(2 * (mask & truth).sum() / max(1, mask.sum() + truth.sum()))


def _nifti(path: Path) -> NDArray:
    return np.asanyarray(nibabel.load(path).dataobj)


PARTS: dict[str, Callable[[Case, Predictor, int], Iterator[Row]]] = {
    "distance": by_distance,
    "reach": reach,
    "between": between,
    "clicks": clicks,
}
"""What is measured of a case, by name."""

Found = dict[tuple[str, str, str, int], list[float]]


def tables(rows: list[Row], parts: Sequence[str]) -> str:
    found: Found = defaultdict(list)
    for kind, group, method, distance, value in rows:
        found[kind, group, method, distance].append(value)
        if kind in ("distance", "gain"):
            found[kind, "all", method, distance].append(value)
    shown = {
        "distance": _distance_table,
        "reach": _reach_table,
        "between": _between_table,
        "clicks": _clicks_table,
    }
    return "\n\n".join("\n".join(shown[part](found)) for part in parts)


def _distance_table(found: Found) -> Iterator[str]:
    yield "| set | method | " + " | ".join(f"{d}" for d in DISTANCES) + " |"
    yield "|---|---|" + "---|" * len(DISTANCES)
    for group in (*GAPS, "all"):
        for method in ("copying", "random walker", "propagation", "where it goes on"):
            cells = [found.get(("distance", group, method, d)) for d in DISTANCES]
            shown = [f"{np.mean(cell):.3f}" if cell else "" for cell in cells]
            yield f"| {group} | {method} | " + " | ".join(shown) + " |"
        cells = [found.get(("gain", group, "propagation", d)) for d in DISTANCES]
        shown = [f"{min(cell):+.3f}" if cell else "" for cell in cells]
        yield f"| {group} | worst object, over copying | {' | '.join(shown)} |"


def _reach_table(found: Found) -> Iterator[str]:
    yield "| set | slices reached | least | beyond, median | Dice of the volume |"
    yield "|---|---|---|---|---|"
    for group in GAPS:
        reached, over, dice = (
            found["reach", group, method, 0]
            for method in ("reached", "slices beyond", "Dice of the volume")
        )
        yield (
            f"| {group} | {np.mean(reached):.3f} | {min(reached):.3f} "
            f"| {np.median(over):.0f} | {np.mean(dice):.3f} |"
        )


def _between_table(found: Found) -> Iterator[str]:
    yield "| set | slices between | copying the nearer | shapes | propagation |"
    yield "|---|---|---|---|---|"
    for group, gap in GAPS.items():
        means = [
            f"{np.mean(found['between', group, method, gap]):.3f}"
            for method in ("copying the nearer", "shapes alone", "propagation")
        ]
        yield f"| {group} | {gap} | " + " | ".join(means) + " |"


def _clicks_table(found: Found) -> Iterator[str]:
    yield "| set | each slice alone | in the review | share |"
    yield "|---|---|---|---|"
    for group in GAPS:
        alone, made = (
            np.sum(found["clicks", group, method, 0])
            for method in ("each slice alone", "in the review")
        )
        yield f"| {group} | {alone:.0f} | {made:.0f} | {made / alone:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", type=Path, help="where to keep every figure")
    parser.add_argument("--write", type=Path, help="document to put the tables in")
    options = parser.parse_args()
    numbers = range(len(list(find_cases(options.root))))
    work = partial(
        measure, root=options.root, weights=options.weights, parts=options.parts
    )
    with ProcessPoolExecutor(options.jobs) as pool:
        rows = [row for found in pool.map(work, numbers) for row in found]
    if options.rows:
        options.rows.write_text(json.dumps(rows))
    print(text := tables(rows, options.parts))
    if options.write:
        old = options.write.read_text()
        before, _, rest = old.partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        new = f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}"
        options.write.write_text(new)


if __name__ == "__main__":
    main()
