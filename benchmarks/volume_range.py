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
from dataclasses import dataclass
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

BETWEEN = 0.25, 0.75
"""Thresholds between which the border is."""


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
        "expected": float(chance.sum()),
        "variance": float((chance * (1 - chance)).sum()),
        "between": [int((chance > at).sum()) for at in BETWEEN],
        "true": int((truth > 0).sum()),
    }


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


if __name__ == "__main__":
    main()
