"""OME-Zarr labels: in the ``labels`` of their image, or with it in a new store."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.exports.case import long_sides
from napari_simpleclick.exports.writing import AlreadyThereError
from napari_simpleclick.exports.zarr_image import write_image
from napari_simpleclick.exports.zarr_store import describe, write_sizes
from napari_simpleclick.images.formats.ngff import (
    Multiscale,
    about_group,
    is_image,
)
from napari_simpleclick.images.label_names import names_of
from napari_simpleclick.images.optional_packages import require
from napari_simpleclick.images.whole_files import END

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.exports.case import ExportCase

USUAL_NAME = "mask"
"""Of labels that are given no name."""


def write(case: ExportCase, target: Path, replace: bool) -> None:
    """Write labels as OME-Zarr.

    Parameters
    ----------
    case : ExportCase
        The case.
    target : Path
        An OME-Zarr image, to whose labels ``mask`` is added; ``IMAGE/labels/NAME`` for
        another name; or a store that is not there yet, which gets image and labels.
    replace : bool
        Whether labels of this name may be there.

    Raises
    ------
    UserError
        If they are, if there is something else, or the image has another shape.
    ImportError
        If zarr is not installed.
    """
    require("zarr", "zarr", "write OME-Zarr")
    if is_image(target):
        owner, name = target, USUAL_NAME
    elif target.parent.name == "labels" and is_image(target.parent.parent):
        owner, name = target.parent.parent, target.name
    else:
        _new_store(case, target)
        return
    place = owner / "labels" / name
    if place.exists() and not replace:
        raise AlreadyThereError(
            f"'{place}' is there already; have it replaced, or give another name: "
            f"'{place.with_name('NAME')}'."
        )
    _add(case, owner, name)


def _add(case: ExportCase, owner: Path, name: str) -> None:
    """Add labels to an image, in as many sizes as it has."""
    zarr: Any = require("zarr", "zarr", "write OME-Zarr")
    image = Multiscale.of(about_group(owner), owner)
    kept = [axis for axis, one in enumerate(image.axis_labels) if one != "channel"]
    arrays = [zarr.open_array(str(owner / path), mode="r") for path in image.paths]
    shapes = [tuple(array.shape[axis] for axis in kept) for array in arrays]
    labels = case.labels
    if long_sides(labels.shape) == long_sides(shapes[0]):
        labels = labels.reshape(shapes[0])
    if labels.shape != shapes[0]:
        raise UserError(
            f"The mask of '{case.name}' has the shape {labels.shape} and '{owner}' "
            f"{shapes[0]}; give the image that it was drawn on."
        )
    about = about_group(owner)["multiscales"][0]
    axes = [image.axes[axis] for axis in kept]
    given = about.get("axes", axes)
    described = [given[axis] for axis in kept]
    datasets = [
        {"path": one["path"], **_steps_of(one, kept)} for one in about["datasets"]
    ]
    written = {"name": name, "axes": described, "datasets": datasets}
    written |= _steps_of(about, kept)
    _write_labels(case, owner, name, labels, shapes, written, image.version)


def _steps_of(about: dict[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """Give transformations for some of the axes."""
    if "coordinateTransformations" not in about:
        return {}
    steps = [
        {
            key: [value[axis] for axis in kept] if isinstance(value, list) else value
            for key, value in step.items()
        }
        for step in about["coordinateTransformations"]
    ]
    return {"coordinateTransformations": steps}


def _write_labels(
    case: ExportCase,
    owner: Path,
    name: str,
    labels: NDArray[Any],
    shapes: Sequence[tuple[int, ...]],
    about: dict[str, Any],
    version: str,
) -> None:
    """Write a group of labels under another name first, then add it to the list."""
    group = owner / "labels"
    end = name[-END:]
    new, old = (group / f".{os.getpid()}-{part}-{end}" for part in ("new", "old"))
    place = group / name
    group.mkdir(exist_ok=True)
    try:
        write_sizes(new, [_sized(labels, shape) for shape in shapes], about, version)
        described = {"multiscales": [about], "image-label": _about_labels(case)}
        describe(new, described, version)
        if place.exists():
            place.rename(old)
        try:
            new.rename(place)
        except OSError:
            if old.exists():
                old.rename(place)
            raise
    finally:
        for folder in (new, old):
            shutil.rmtree(folder, ignore_errors=True)
    names = about_group(group).get("labels", [])
    describe(group, {"labels": [*names, *[name] * (name not in names)]}, version)


def _about_labels(case: ExportCase) -> dict[str, Any]:
    there = [int(one) for one in np.unique(case.labels) if one > 0]
    names = names_of(there, case.names)
    return {
        "colors": [
            {"label-value": one.label, "rgba": [*one.rgb, 255]} for one in names
        ],
        "properties": [
            {"label-value": one.label, "name": one.name}
            | ({"class": one.category} if one.category else {})
            for one in names
        ],
        "source": {"image": "../../"},
    }


def _sized(labels: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Give labels another size, each pixel the label in its middle."""
    for axis, (before, after) in enumerate(zip(labels.shape, shape, strict=True)):
        if before != after:
            middles = ((np.arange(after) + 0.5) * before / after).astype(int)
            labels = labels.take(middles, axis=axis)
    return labels


def _new_store(case: ExportCase, target: Path) -> None:
    """Write image and labels to a store of their own."""
    if target.exists():
        raise UserError(
            f"'{target}' is there already and no OME-Zarr image; give another name."
        )
    partial = target.with_name(f".{os.getpid()}-{target.name[-END:]}")
    try:
        labels = write_image(case, partial)
        _add(replaced(case, labels=labels), partial, USUAL_NAME)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
