"""How wide a range must be to hold the true volume nine times out of ten.

Run it with the folder that holds ``knee_bones_volume``, ``brats2013``, ``ssTEM``,
``knee_bones`` and ``lgg_mri``::

    python benchmarks/volume_range.py DATA rows.jsonl

The robot's masks are made once and kept in ``rows.jsonl``, an object a line; then the
constants of :mod:`napari_simpleclick.measurement.volume_range` are fitted to them and
printed, with how often the range holds on objects that were left out of the fit.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.io import imread

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation import annotate
from napari_simpleclick.evaluation.annotator import view_of
from napari_simpleclick.images import Window
from napari_simpleclick.propagation import Propagation, Slices

ANNOTATED = {0: 1, 2: 5}
"""Slices that the robot annotates of an object in a scan, by the axis they follow."""

SECTIONS = 1, 3
"""The same of every other mitochondrion."""

CLICKS, TARGET = 10, 0.85
"""The robot leaves a slice after so many clicks, or at this IoU."""

FEWEST_SECTIONS = 3
"""Mitochondria that are seen on fewer sections are left out."""

SHARE = 0.95
"""Of the objects that it is fitted to; nine of ten of others are to be left."""

RATIOS = (0.0, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Weights of doubt against the border that are tried."""

SPLITS = 100
"""Into halves, to see how often the range holds where it was not fitted."""


@dataclass(frozen=True)
class Case:
    """An object of a volume, or of an image with one slice."""

    group: str
    name: str
    volume: NDArray
    truth: NDArray[np.bool_]
    annotated: int
    window: Window | None = None


def find_cases(root: Path) -> Iterator[Case]:
    yield from _images(root)
    yield from _mitochondria(root / "ssTEM")
    for group, name, volume, truths in _scans(root):
        window = Window(*map(float, np.percentile(volume, [0.5, 99.5])))
        for part, truth in truths.items():
            for axis, count in ANNOTATED.items():
                stacks = (np.moveaxis(one, axis, 0) for one in (volume, truth))
                image, mask = map(np.ascontiguousarray, stacks)
                yield Case(group, f"{name} {part} {axis}", image, mask, count, window)


def _images(root: Path) -> Iterator[Case]:
    for group in ("knee_bones", "lgg_mri"):
        for file in sorted((root / group / "masks").iterdir()):
            (image,) = (root / group / "images").glob(f"{file.stem}.*")
            mask, picture = imread(file), imread(image)
            if mask.ndim == 3:
                mask = mask[..., 0]
            labels = np.unique(mask[mask > 0]) if group == "knee_bones" else (None,)
            for label in labels:
                truth = mask > 127 if label is None else mask == label
                if label is None and not truth.any():
                    truth = mask > 0
                if truth.sum() >= 50:
                    name = f"{file.stem} {label}"
                    yield Case(group, name, picture[None], truth[None], 1)


def _mitochondria(folder: Path) -> Iterator[Case]:
    sections, masks = (
        np.stack([imread(file) for file in sorted((folder / part).iterdir())])
        for part in ("raw", "mitochondria")
    )
    objects, _ = ndimage.label(masks > 0)
    for label, box in enumerate(ndimage.find_objects(objects), start=1):
        if box[0].stop - box[0].start >= FEWEST_SECTIONS:
            truth, count = objects == label, SECTIONS[label % 2]
            yield Case("ssTEM", f"mitochondrion {label}", sections, truth, count)


def _scans(root: Path) -> Iterator[tuple[str, str, NDArray, dict[str, NDArray]]]:
    for folder in sorted((root / "brats2013").iterdir()):
        files = sorted(folder.iterdir())
        labels = _nifti(next(f for f in files if "OTMultiClass" in f.name))
        core = np.isin(labels, (1, 3, 4))
        parts = {"flair": {"whole": labels > 0}, "t1c": {"core": core}}
        for sequence, truths in parts.items():
            found = [f for f in files if sequence in f.name.lower()]
            if found:
                volume = _nifti(found[0]).astype(np.float32)
                yield "brats2013", f"{folder.name} {sequence}", volume, truths

    folder = root / "knee_bones_volume"
    labels = _nifti(folder / "labels.nii.gz")
    bones = {f"bone {bone}": labels == bone for bone in (1, 2, 3)}
    volume = _nifti(folder / "image.nii.gz").astype(np.float32)
    yield "knee_bones_volume", "knee", volume, bones


def _nifti(path: Path) -> NDArray:
    return np.asanyarray(nibabel.load(path).dataobj)


# -- masks of the robot ------------------------------------------------------------


def segment(predictor: Predictor, case: Case) -> dict[str, Any]:
    """Annotate some slices, propagate, and note what is known of every slice."""
    areas = case.truth.sum(axis=(1, 2))
    slices = Slices(case.volume.__getitem__, case.window)
    starts = _starts(areas, case.annotated)
    masks, rows = {}, {}
    for index in starts:
        predictor.set_image(case.volume[index], case.window)
        truth = case.truth[index].astype(np.int32)
        view = view_of(truth)
        turns = annotate(predictor, truth, CLICKS, TARGET, viewport=view)
        best = max(turns, key=lambda turn: turn.iou)
        masks[index] = best.mask
        rows[index] = _row(index, best.mask, best.probability, truth, None)
        rows[index]["iou"] = best.iou
    for start in starts if len(areas) > 1 else ():
        walk = Propagation(predictor, slices, start, masks[start], masks.get)
        last = len(areas) - 1
        later = [k for k in starts if k > start]
        for step in walk.run(0 if start == starts[0] else start, min([*later, last])):
            if step.index not in masks:
                chance = np.zeros(step.shape)
                chance[step.box.slices] = 1 / (1 + np.exp(-step.odds))
                truth = case.truth[step.index]
                row = _row(step.index, step.mask, chance, truth, step.confidence)
                rows[step.index] = row
    return {
        "group": case.group,
        "name": case.name,
        "true": int(areas.sum()),
        "slices": [rows[index] for index in sorted(rows)],
    }


def _starts(areas: NDArray[np.int64], count: int) -> list[int]:
    """Choose the largest slice, or several that are spread over the object."""
    present = np.flatnonzero(areas)
    if count == 1 or len(present) < 2 * count:
        return [int(areas.argmax())]
    shares = (np.arange(count) + 0.5) / count * len(present)
    return sorted({int(present[int(share)]) for share in shares})


def _row(
    index: int, mask: Any, chance: Any, truth: Any, confidence: float | None
) -> dict[str, Any]:
    edges = sum(np.count_nonzero(np.diff(np.pad(mask, 1), axis=a)) for a in (0, 1))
    return {
        "index": index,
        "confidence": confidence,
        "area": int(mask.sum()),
        "edges": int(edges),
        "between": [int((chance > at).sum()) for at in (0.25, 0.75)],
        "true": int((truth > 0).sum()),
    }


# -- the fit -----------------------------------------------------------------------


@dataclass(frozen=True)
class Errors:
    """What the range of each object is made of, and how wrong its volume is, voxels.

    On every slice, the border counts by the root of its length times the area. Slices
    beyond the end of the object are left out, as if a person had said where it ends.
    """

    group: NDArray[np.str_]
    volume: NDArray[np.float64]
    wrong: NDArray[np.float64]
    border: NDArray[np.float64]
    doubt: NDArray[np.float64]

    @classmethod
    def of(cls, rows: list[dict[str, Any]]) -> Errors:
        """Sum up what the robot's masks were like."""
        table = []
        for row in rows:
            made = [s for s in row["slices"] if s["true"] or s["confidence"] is None]
            area = np.array([one["area"] for one in made], float)
            length = np.array([one["edges"] for one in made]) * np.pi / 4
            sure = [one["confidence"] for one in made]
            lacking = np.array([0 if one is None else 1 - one for one in sure])
            wrong = abs(row["true"] - area.sum())
            border = np.sqrt(length * area).sum()
            table.append((area.sum(), wrong, border, (area * lacking).sum()))
        groups = np.array([row["group"] for row in rows])
        return cls(groups, *np.array(table).T)

    def part(self, chosen: NDArray[np.bool_]) -> Errors:
        """Give those of some objects."""
        return Errors(*(getattr(self, one.name)[chosen] for one in fields(self)))

    def margin(self, constants: tuple[float, float]) -> NDArray[np.float64]:
        """Give half of each range."""
        return constants[0] * self.border + constants[1] * self.doubt

    def holds(self, constants: tuple[float, float]) -> NDArray[np.bool_]:
        """Tell which ranges hold the true volume."""
        return self.wrong <= self.margin(constants)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Let every set weigh the same, however many objects it has."""
        return np.array([1 / np.sum(self.group == one) for one in self.group])


def fit(errors: Errors) -> tuple[float, float]:
    """Find the narrowest ranges that hold for ``SHARE`` of the objects."""
    weights, found = errors.weights, []
    for ratio in RATIOS:
        unit = errors.margin((1.0, ratio))
        needed = errors.wrong / unit
        order = np.argsort(needed)
        share = np.cumsum(weights[order]) / weights.sum()
        scale = needed[order][min(np.searchsorted(share, SHARE), len(order) - 1)]
        width = np.average(scale * unit / errors.volume, weights=weights)
        found.append((width, scale, ratio * scale))
    return min(found)[1:]


def report(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Tell the constants, and how often ranges hold where they were not fitted."""
    errors = Errors.of(rows)
    border, doubt = fit(errors)
    yield f"BORDER = {border:.2f}, DOUBT = {doubt:.2f}"
    groups = sorted(set(errors.group))
    for group in groups:
        own = errors.group == group
        here, left_out = errors.part(own), fit(errors.part(~own))
        width = np.median(here.margin((border, doubt)) / here.volume)
        yield (
            f"{group}: {own.sum()} objects, plus or minus {width:.0%} (median), holds "
            f"for {here.holds((border, doubt)).sum()}, fitted to the other sets for "
            f"{here.holds(left_out).sum()}"
        )
    rates = []
    for seed in range(SPLITS):
        rng = np.random.default_rng(seed)
        half = np.zeros(len(errors.group), bool)
        for group in groups:
            own = rng.permutation(np.flatnonzero(errors.group == group))
            half[own[: (len(own) + 1) // 2]] = True
        rest = errors.part(~half)
        held = rest.holds(fit(errors.part(half)))
        rates.append((held.mean(), np.average(held, weights=rest.weights)))
    every, each = np.mean(rates, axis=0)
    yield (
        f"Fitted to one half, it holds for {every:.1%} of the other ({each:.1%} with "
        f"all sets weighing the same; mean of {SPLITS} splits)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("rows", type=Path, help="where the robot's masks are kept")
    options = parser.parse_args()
    known = set()
    if options.rows.exists():
        lines = options.rows.read_text().splitlines()
        known = {(row["group"], row["name"]) for row in map(json.loads, lines)}
    predictor = Predictor(load_weights("bundled")[0], threads=1)
    with options.rows.open("a") as rows:
        for case in find_cases(options.root):
            if (case.group, case.name) not in known:
                began = time.perf_counter()
                rows.write(json.dumps(segment(predictor, case)) + "\n")
                rows.flush()
                print(f"{time.perf_counter() - began:6.1f} s", case.group, case.name)
    lines = options.rows.read_text().splitlines()
    print(*report([json.loads(line) for line in lines]), sep="\n")


if __name__ == "__main__":
    main()
