"""ImageJ regions of interest: one for each object and slice, in a ZIP file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.exports.outlines import Outline, outlines
from napari_simpleclick.exports.writing import write_whole
from napari_simpleclick.images.label_names import names_of
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.exports.case import CaseSlice, ExportCase

MOVE, LINE, CLOSE = 0, 1, 4
"""Steps along a path, as Java has them."""


def write(case: ExportCase, path: Path, replace: bool) -> None:
    """Write regions that ImageJ shows on the stack they were drawn on.

    Parameters
    ----------
    case : ExportCase
        The case. An object in one part becomes a traced region, one of several parts or
        with holes a composite one.
    path : Path
        A .zip file; :func:`napari_simpleclick.exports.export` sees to an old one.
    replace : bool
        Not looked at.

    Raises
    ------
    ImportError
        If roifile is not installed.
    """
    roifile: Any = require("roifile", "imagej", "write regions of ImageJ")
    there = [int(one) for one in np.unique(case.labels) if one > 0]
    names = {one.label: one for one in names_of(there, case.names)}
    regions, used = [], set[str]()
    for one in case.slices():
        for label in np.unique(one.labels[one.labels > 0]).tolist():
            region = _region(roifile, outlines(one.labels == label))
            numbers = (f"{place + 1:04d}" for place in one.place)
            region.name = "-".join([*numbers, names[label].name])
            if region.name in used:  # a ZIP file has no second entry of a name
                region.name = f"{region.name}-{label}"
            used.add(region.name)
            region.stroke_color = bytes([255, *names[label].rgb])
            _place(region, case, one)
            regions.append(region)
    write_whole(path, lambda place: roifile.roiwrite(place, regions, mode="w"))


def _region(roifile: Any, found: list[Outline]) -> Any:
    """Make a region of the parts of an object on a slice."""
    if len(found) == 1 and not found[0].holes:
        region = roifile.ImagejRoi.frompoints(found[0].exterior[:, ::-1])
        region.roitype = roifile.ROI_TYPE.TRACED
        return region
    rings = [ring[:, ::-1] for one in found for ring in (one.exterior, *one.holes)]
    corners = np.concatenate(rings)
    region = roifile.ImagejRoi()
    region.roitype = roifile.ROI_TYPE.RECT
    region.left, region.top = map(int, corners.min(axis=0))
    region.right, region.bottom = map(int, corners.max(axis=0))
    region.multi_coordinates = np.concatenate([_path(ring) for ring in rings])
    region.shape_roi_size = len(region.multi_coordinates)
    return region


def _path(ring: NDArray[Any]) -> NDArray[np.float32]:
    steps = np.insert(ring.astype(np.float32), 0, LINE, axis=1)
    steps[0, 0] = MOVE
    return np.append(steps.ravel(), np.float32(CLOSE))


def _place(region: Any, case: ExportCase, one: CaseSlice) -> None:
    """Say which slice of the stack, and which time, a region is on."""
    names = case.source.axis_labels[: len(one.place)]
    if len(one.place) == 1:
        region.position = one.place[0] + 1
    for name, place in zip(names, one.place, strict=False):
        if len(one.place) > 1 and name == "time":
            region.t_position = place + 1
        elif len(one.place) > 1:
            region.z_position = place + 1
