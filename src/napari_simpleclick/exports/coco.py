"""COCO: a folder of pictures and a JSON file of instances.

The format is that of https://cocodataset.org/#format-data, and its corners are those of
pixels: 0 is the left edge of the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.exports.outlines import keyhole, outlines
from napari_simpleclick.exports.writing import (
    add_picture,
    check_new,
    read_json,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.exports.case import ExportCase

INDEX, PICTURES = "annotations.json", "images"
PARTS = ("images", "annotations", "categories")


def write_polygons(case: ExportCase, folder: Path, replace: bool) -> None:
    """Add a case whose objects are polygons; holes are cut in from the edge."""
    _write(case, folder, replace, polygons)


def write_rle(case: ExportCase, folder: Path, replace: bool) -> None:
    """Add a case whose objects are run lengths."""
    _write(case, folder, replace, run_lengths)


def polygons(mask: NDArray[np.bool_]) -> list[list[int]]:
    """Give a mask as polygons, x and y in turn."""
    return [keyhole(one)[:, ::-1].ravel().tolist() for one in outlines(mask)]


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Give a mask as run lengths, column by column; the first is of the background."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(ends, prepend=0)
    return {"size": list(mask.shape), "counts": counts.tolist()}


def _write(case: ExportCase, folder: Path, replace: bool, encode: Any) -> None:
    old = read_json(folder / INDEX, _is_ours, "a COCO data set")
    old = old or {part: [] for part in PARTS}
    known = [one for one in old["images"] if one.get("case") == case.name]
    check_new(known, replace, case.name, folder)
    gone, ours = {one["id"] for one in known}, {one["file_name"] for one in known}
    images = [one for one in old["images"] if one["id"] not in gone]
    annotations = [one for one in old["annotations"] if one["image_id"] not in gone]
    numbers = {one["name"]: one["id"] for one in old["categories"]}
    classes, window = case.classes(), case.window()
    for name in classes.values():
        numbers.setdefault(name, max(numbers.values(), default=0) + 1)
    image_id = max((one["id"] for one in old["images"]), default=0)
    first = max((one["id"] for one in old["annotations"]), default=0) + 1
    titles = {one.label: one.name for one in case.names}
    added: list[dict[str, Any]] = []
    for one in case.slices():
        image_id += 1
        height, width = one.labels.shape
        name = f"{one.name}.png"
        picture = case.picture(one.place, window)
        add_picture(folder / PICTURES / name, picture, name in ours)
        about = {"file_name": name, "height": height, "width": width}
        images.append({"id": image_id, **about, "case": case.name})
        for label in np.unique(one.labels[one.labels > 0]).tolist():
            mask = one.labels == label
            found = {
                "id": first + len(added),
                "image_id": image_id,
                "category_id": numbers[classes[label]],
                "segmentation": encode(mask),
                "area": int(mask.sum()),
                "bbox": _box(mask),
                "iscrowd": 0,
                "object": titles.get(label, f"label {label}"),
            }
            added.append(found)
    write_json(
        folder / INDEX,
        {
            **old,
            "images": images,
            "annotations": annotations + added,
            "categories": [{"id": i, "name": name} for name, i in numbers.items()],
        },
    )


def _box(mask: NDArray[np.bool_]) -> list[int]:
    """Left, top, width and height."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def _is_ours(content: dict[str, Any]) -> bool:
    return all(isinstance(content.get(part), list) for part in PARTS)
