"""Shape and place of an image layer, and of the layers that belong to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation import MaskOptions
from napari_simpleclick.images.channels import (
    CHANNEL_NAMES_KEY,
    find_axis,
    preferred,
)
from napari_simpleclick.images.label_names import NAMES_KEY
from napari_simpleclick.images.source import SOURCE_KEY, Source
from napari_simpleclick.workflow.found_mask import FoundMask, Grid
from napari_simpleclick.workflow.session_file import SessionImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image, Labels

MOVES = ("scale", "translate", "rotate", "shear", "affine", "units")
"""What places a layer in the world."""

NOT_RECORDED = "napari-simpleclick unkept"
"""Key in an image's metadata: its session is not to be written."""

OURS = "napari-simpleclick probability"
"""Key in the metadata of layers that are no image to click on."""

FIT_KEY = "napari-simpleclick fit"
"""Key in the metadata of a mask that was fitted to an image: how its axes changed."""

NOTHING: Mapping[int, float] = {}


def data_shape(image: Image) -> tuple[int, ...]:
    """Shape of an image layer at full resolution, without its colour axis."""
    data = image.data[0] if image.multiscale else image.data
    return tuple(data.shape[: image.ndim])


def mask_shape(image: Image, channel_axis: int | None) -> tuple[int, ...]:
    """Shape of the mask of an image: one entry for all channels."""
    return tuple(
        1 if axis == channel_axis else length
        for axis, length in enumerate(data_shape(image))
    )


def pixel_sizes(image: Image) -> tuple[float | None, ...]:
    """Size of a voxel along each axis, in the unit of the last one.

    None where the units cannot be compared.
    """
    last = image.units[-1]
    return tuple(
        abs(float(size)) * float((1 * unit).to(last).magnitude)
        if unit.is_compatible_with(last)
        else None
        for size, unit in zip(image.scale, image.units, strict=True)
    )


def sizes_mm(image: Image) -> tuple[float | None, ...]:
    """Size of a voxel along each axis in mm; None where the unit is none of length.

    A file with an orientation and without units is in mm, as its format has it.
    """
    source = image.metadata.get(SOURCE_KEY)
    space = isinstance(source, Source) and source.affine is not None
    plain = range(image.ndim - 3, image.ndim) if space and not source.units else ()
    return tuple(
        abs(float(size))
        if axis in plain
        else abs(float(size)) * float((1 * unit).to("mm").magnitude)
        if unit.is_compatible_with("mm")
        else None
        for axis, (size, unit) in enumerate(zip(image.scale, image.units, strict=True))
    )


def session_image(image: Image, channel_axis: int | None) -> SessionImage:
    """Tell what a session file says of an image layer."""
    source = image.metadata.get(SOURCE_KEY)
    path = getattr(source, "path", None) or image.source.path
    return SessionImage(
        name=image.name,
        path=str(path) if path else None,
        source=image.data[0] if image.multiscale else image.data,
        shape=data_shape(image),
        mask_shape=mask_shape(image, channel_axis),
        pixel_sizes=pixel_sizes(image),
        rgb=bool(image.rgb),
    )


def default_options(image: Image) -> MaskOptions:
    """Choose the channels of an image by what they and their axis are called.

    Masks keep what was clicked on alone; islands are what people complain of most.
    """
    shape = data_shape(image)
    axis = find_axis(shape, image.axis_labels, bool(image.rgb))
    source = image.metadata.get(SOURCE_KEY)
    if axis is None and isinstance(source, Source) and not image.rgb:
        axis = 0 if len(source.order) == image.ndim - 1 else None
    names = channel_names(image, axis)
    return MaskOptions(only_clicked=True, channel_axis=axis, channels=preferred(names))


def channel_names(image: Image, axis: int | None) -> tuple[str, ...]:
    """Names of an image's channels; their numbers if they have none."""
    if axis is None:
        return ()
    count = data_shape(image)[axis]
    names = image.metadata.get(CHANNEL_NAMES_KEY, ())
    if len(names) == count:
        return tuple(str(name) for name in names)
    return tuple(f"channel {number}" for number in range(count))


def mask_source(image: Image, channel_axis: int | None) -> Source | None:
    """Give what a mask has to be saved onto."""
    source = image.metadata.get(SOURCE_KEY)
    if not isinstance(source, Source):
        return None
    return source.of_mask(image.ndim, channel_axis)


def layer_grid(layer: Labels) -> Grid:
    """Tell where the voxels of a Labels layer are."""
    data = layer.data[0] if layer.multiscale else layer.data
    source = layer.metadata.get(SOURCE_KEY)
    known = isinstance(source, Source) and FIT_KEY not in layer.metadata
    affine = source.layer_affine() if known else None
    count = layer.ndim
    origin = np.array(layer.data_to_world(np.zeros(count)))
    world = np.eye(count + 1)
    for axis, unit in enumerate(np.eye(count)):
        world[:-1, axis] = np.array(layer.data_to_world(unit)) - origin
    world[:-1, -1] = origin
    return Grid(tuple(data.shape), affine, world)


def found_mask(layer: Labels) -> FoundMask:
    """Give a Labels layer as a mask that can be gone on with."""
    data = layer.data[0] if layer.multiscale else layer.data
    names = tuple(layer.metadata.get(NAMES_KEY, tuple)())
    return FoundMask(layer.name, data, layer_grid(layer), names)


def transform(image: Image, channel_axis: int | None) -> dict[str, Any]:
    """Place of a mask or of clicks in the world.

    On the axis of channels they have one entry, as large as all channels together, so
    that they are seen and drawn whichever channel is displayed.
    """
    if channel_axis is None:
        return {name: getattr(image, name) for name in (*MOVES, "axis_labels")}
    count = data_shape(image)[channel_axis]
    return moved(image, {channel_axis: (count - 1) / 2}, {channel_axis: count})


def moved(
    image: Image,
    start: Mapping[int, float] = NOTHING,
    stretch: Mapping[int, float] = NOTHING,
) -> dict[str, Any]:
    """Place in the world of something that covers a part of an image.

    Parameters
    ----------
    image : napari.layers.Image
        The image.
    start : dict
        Axis to the image coordinate where the part's coordinate is 0; else it is 0.
    stretch : dict
        Axis to the number of image pixels that one of the part's covers; else it is 1.
    """
    look = {name: getattr(image, name) for name in (*MOVES, "axis_labels")}
    corner = np.zeros(image.ndim)
    corner[list(start)] = list(start.values())
    matrix = np.asarray(image.affine.affine_matrix)
    world = np.append(image.data_to_world(corner), 1.0)
    look["translate"] = np.linalg.solve(matrix, world)[:-1]
    scale = np.array(image.scale, float)
    for axis, factor in stretch.items():
        scale[axis] *= factor
    look["scale"] = scale
    return look
