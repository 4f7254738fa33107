"""Groups and arrays of OME-Zarr, written through zarr."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.exports.writing import write_json
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CHUNK = 512
"""Rows and columns of a chunk."""


def write_sizes(
    folder: Path,
    arrays: Sequence[NDArray[Any]],
    about: dict[str, Any],
    version: str,
) -> None:
    """Write an image, or labels, in several sizes.

    Parameters
    ----------
    folder : Path
        The group, which is made anew.
    arrays : sequence of ndarray
        The largest first.
    about : dict
        Names of axes, and paths of the arrays, as ``multiscales`` has them.
    version : str
        Of OME-Zarr.
    """
    zarr: Any = require("zarr", "zarr", "write OME-Zarr")
    kind = _zarr_format(version)
    zarr.open_group(str(folder), mode="w", zarr_format=kind)
    names = [one["name"] if isinstance(one, dict) else one for one in about["axes"]]
    more: dict[str, Any] = (
        {"dimension_names": names}
        if kind == 3
        else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    )
    for one, array in zip(about["datasets"], arrays, strict=True):
        last = (min(CHUNK, max(1, side)) for side in array.shape[-2:])
        written = zarr.create_array(
            str(folder / one["path"]),
            shape=array.shape,
            dtype=array.dtype,
            chunks=(*(1,) * (array.ndim - 2), *last),
            zarr_format=kind,
            **more,
        )
        sides = written.chunks
        begins = map(range, [0] * array.ndim, array.shape, sides)
        for corner in product(*begins):  # one by one: none is in work after an error
            chunk = tuple(map(slice, corner, np.add(corner, sides)))
            written[chunk] = array[chunk]


def describe(folder: Path, content: dict[str, Any], version: str) -> None:
    """Write what OME-Zarr says about a group, beside what others say there.

    Parameters
    ----------
    folder : Path
        The group; it is made if there is none.
    content : dict
        What is said of it, such as ``multiscales`` or ``labels``.
    version : str
        Of OME-Zarr.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if _zarr_format(version) == 3:
        path = folder / "zarr.json"
        known = _known(path)
        attributes = known.get("attributes", {})
        ome = {**attributes.get("ome", {}), "version": version, **content}
        group = {"zarr_format": 3, "node_type": "group", **known}
        write_json(path, {**group, "attributes": {**attributes, "ome": ome}})
        return
    if not (folder / ".zgroup").exists():
        write_json(folder / ".zgroup", {"zarr_format": 2})
    said = dict(content)
    if "multiscales" in said:
        said["multiscales"] = [
            {**one, "version": version} for one in said["multiscales"]
        ]
    if "image-label" in said:
        said["image-label"] = {**said["image-label"], "version": version}
    path = folder / ".zattrs"
    write_json(path, {**_known(path), **said})


def _zarr_format(version: str) -> int:
    return 3 if version.startswith("0.5") else 2


def _known(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
