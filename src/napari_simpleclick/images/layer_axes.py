"""Which axes of a file a layer has, in which order and direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import nibabel
import numpy as np

from napari_simpleclick.images.oblique import along_own_axes
from napari_simpleclick.images.units import MM

if TYPE_CHECKING:
    from napari_simpleclick.images.image_file import ImageFile

DIRECTIONS = {2: "inferior", 1: "posterior", 0: "left"}
"""World axis (R, A, S) of the last three layer axes, and where they point."""

SPACE = (("x", "left"), ("y", "posterior"), ("z", "inferior"))
"""Names of the axes of space, in the order that files with an orientation have."""


class LayerAxis(NamedTuple):
    """An axis of a file as an axis of a layer.

    Parameters
    ----------
    number : int
        The file's axis.
    flipped : bool
        Whether the layer's axis runs against the file's.
    scale, translate : float
        Size of a voxel and place of the layer's first one, in ``unit``.
    unit : str
        Empty if the file has none.
    name : str
        Empty if the file has none.
    """

    number: int
    flipped: bool
    scale: float
    translate: float
    unit: str
    name: str


def layer_axes(file: ImageFile) -> list[LayerAxis]:
    """Find the axes of the layer that shows a file.

    Those of a file with an orientation are turned, by whole axes only, so that the last
    three point towards inferior, posterior and left; others stay as they are.
    """
    return _as_they_are(file) if file.affine is None else _upright(file)


def space_axes(names: tuple[str, ...], count: int) -> list[int]:
    """Find which axes of a layer are x, y and z; the last three if names do not tell.

    Parameters
    ----------
    names : tuple of str
        Of all its axes, or empty.
    count : int
        Of its axes.
    """
    found = [
        next((axis for axis, name in enumerate(names) if name in known), None)
        for known in SPACE
    ]
    if None in found[:2]:
        return list(range(count))[::-1][:3]
    return [axis for axis in found if axis is not None]


def space_first(names: tuple[str, ...], count: int) -> list[int]:
    """Sort axes as x, y, z, time, channel; others behind space and time.

    Without z, the first of the others takes its place.

    Parameters
    ----------
    names : tuple of str
        Of all axes of a layer, or empty.
    count : int
        Of its axes.
    """
    space = space_axes(names, count)
    rest = [axis for axis in range(count)[::-1] if axis not in space]
    order = ("time", "", "channel") if len(space) == 3 else ("", "time", "channel")
    ranks = {name: rank for rank, name in enumerate(order)}
    rest.sort(key=lambda a: ranks.get(names[a] if names else "", ranks[""]))
    return [*space, *rest]


def _as_they_are(file: ImageFile) -> list[LayerAxis]:
    """Axes of a file without orientation, in its own order and direction.

    Lengths without a unit are counted in pixels, so beside others with one they become
    as long as the others: a viewer cannot compare pixels with lengths.
    """
    own, names = _own(file), file.axis_labels
    others = [axis for axis, name in enumerate(names) if name in ("time", "channel")]
    space = [own[a] for a in space_first(names, len(own))[:3] if a not in others]
    known = next((axis for axis in space if axis.unit in MM), None)
    if known is not None:
        for axis in space:
            if axis.unit not in MM:
                scale = axis.scale * known.scale
                own[axis.number] = axis._replace(scale=scale, unit=known.unit)
    return own


def _own(file: ImageFile) -> list[LayerAxis]:
    """Axes of a file, all of them and in its own order and direction."""
    return [
        LayerAxis(
            axis,
            False,
            file.spacing[axis],
            file.origin[axis] if file.origin else 0.0,
            file.units[axis] if file.units else "",
            file.axis_labels[axis] if file.axis_labels else "",
        )
        for axis in range(len(file.shape))
    ]


def _upright(file: ImageFile) -> list[LayerAxis]:
    """Axes of a file with an orientation, in the order that is fit to be seen."""
    own, count = _own(file), len(file.shape)
    axes = [own[axis] for axis in range(count - 1, 2, -1) if file.shape[axis] > 1]
    turns = nibabel.io_orientation(file.affine)
    number = {int(world): axis for axis, (world, _) in enumerate(turns)}
    space = {world: number[world] for world in DIRECTIONS if number[world] < count}
    flipped = {axis: bool(turns[axis, 1] > 0) for axis in space.values()}
    corner = np.array([0.0, 0.0, 0.0, 1.0])  # the layer's first voxel, in the file
    for axis, flip in flipped.items():
        corner[axis] = file.shape[axis] - 1 if flip else 0
    assert file.affine is not None
    origin, sizes = along_own_axes(file.affine, corner)
    for world, axis in space.items():
        unit = MM.get(own[axis].unit, 1.0)
        axes.append(
            own[axis]._replace(
                flipped=flipped[axis],
                scale=float(sizes[axis] / unit),
                translate=float(-origin[world] / unit),
                name=DIRECTIONS[world],
            )
        )
    return axes
