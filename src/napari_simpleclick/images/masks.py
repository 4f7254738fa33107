"""Masks and images that were read from files of their own: one put onto the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.affines import distance
from napari_simpleclick.images.resampling import resampled
from napari_simpleclick.images.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.images.image_file import ImageFile

ON_GRID = 0.25
"""Voxels by which a mask may be off the voxels of its image, or a scan off another."""

PLAIN_NAMES = {"inferior": "z", "posterior": "y", "left": "x"}
"""Names of axes that stand upright, as other files call them."""


def put_onto(
    labels: NDArray[Any], file: ImageFile, image: ImageFile
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Turn labels to the axes of an image.

    Parameters
    ----------
    labels : ndarray
        Of ``file``, without a colour axis.
    file : ImageFile
        The file of the labels. Where both have an orientation, that says how the labels
        lie, also those of a part of the image; else the names of axes do, voxel by
        voxel if the image has none, and else both are taken to stand as in a viewer.
    image : ImageFile
        The image.

    Returns
    -------
    labels : ndarray
        Of the shape of the image, or (H, W) as they are for a single slice; labels
        without channels are those of every channel.
    warnings : tuple of str
        What is odd about their place.

    Raises
    ------
    UserError
        If their shape is none that fits the image.
    """
    volume, flat = image.as_volume(), file.as_volume()
    labels = labels.reshape(flat.shape)
    of_channels = labels.ndim == len(volume.shape) - volume.axis_labels.count("channel")
    if (labels.ndim < 3 and not of_channels) or len(volume.shape) < 3:
        single = labels.ndim == 3 and len(volume.shape) == 2 and labels.shape[2] == 1
        return (labels[:, :, 0] if single else labels), ()
    warnings: tuple[str, ...] = ()
    if _both_in_space(flat, volume):
        placed, warnings = _on_grid(labels, flat, volume)
        return placed.reshape(image.shape), warnings
    whole = _by_names(labels, flat, volume)
    return Source.of_file(volume).to_file(whole).reshape(image.shape), warnings


def _both_in_space(file: ImageFile, image: ImageFile) -> bool:
    three = len(file.shape) == 3 == len(image.shape)
    return three and file.affine is not None and image.affine is not None


def _on_grid(
    labels: NDArray[Any], file: ImageFile, image: ImageFile
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Put labels into the voxels of an image; those between them go to the nearest."""
    assert file.affine is not None and image.affine is not None
    way = np.linalg.solve(image.affine, file.affine)
    turn = np.rint(way[:3, :3]).astype(int)
    corner = np.rint(way[:3, 3]).astype(int)
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = turn, corner
    permutes = (np.abs(turn).sum(axis=0) == 1).all() and abs(np.linalg.det(turn)) == 1
    off = distance(file.affine, image.affine @ whole, labels.shape) if permutes else 9e9
    if off > ON_GRID:
        return _between(labels, file, image)
    axes = [int(np.flatnonzero(turn[axis])[0]) for axis in range(3)]
    signs = [int(turn[axis, axes[axis]]) for axis in range(3)]
    turned = labels.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    starts = [
        int(place) if sign > 0 else int(place) - side + 1
        for place, sign, side in zip(corner, signs, turned.shape, strict=True)
    ]
    out = np.zeros(image.shape, labels.dtype)
    there, here = [], []
    for start, side, length in zip(starts, turned.shape, image.shape, strict=True):
        low, high = max(start, 0), max(min(start + side, length), max(start, 0))
        there.append(slice(low, high))
        here.append(slice(low - start, high - start))
    out[tuple(there)] = turned[tuple(here)]
    if np.count_nonzero(out) == np.count_nonzero(labels):
        return out, ()
    told = (
        f"A part of the mask '{file.path}' lies outside of '{image.path}' and is left "
        "out."
    )
    return out, (told,)


def _between(
    labels: NDArray[Any], file: ImageFile, image: ImageFile
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Put labels that lie between the voxels of an image onto it."""
    assert file.affine is not None and image.affine is not None
    told = f"The mask '{file.path}' does not lie on the voxels of '{image.path}'; "
    off = distance(file.affine, image.affine, labels.shape)
    if labels.shape == image.shape and off < 1:
        return labels, (f"{told}it is taken voxel by voxel.",)
    way = np.linalg.solve(file.affine, image.affine)
    out = resampled(labels, way, image.shape)
    if labels.any() and not out.any():
        raise UserError(
            f"No part of the mask '{file.path}' lies on '{image.path}'; give a mask of "
            "that image."
        )
    return out, (f"{told}each voxel has got the nearest label.",)


def _by_names(labels: NDArray[Any], file: ImageFile, image: ImageFile) -> NDArray[Any]:
    """Give labels the axes of an image's layer, told apart by their names."""
    source, target = Source.of_file(file), Source.of_file(image)
    if image.affine is None:  # so where the mask points says nothing about the image
        source = replace(source, flipped=(False,) * len(source.order))
    layer = np.asarray(source.to_layer(labels))
    shape = tuple(target.shape[axis] for axis in target.order)
    names, wanted = (_names(one) for one in (source, target))
    if "time" in wanted and "channel" in names and "time" not in names:
        place = names.index("channel")  # NIfTI has one place for both
        if layer.shape[place] == shape[wanted.index("time")]:
            names[place] = "time"
    single = tuple(
        axis
        for axis, (name, side) in enumerate(zip(names, layer.shape, strict=True))
        if side == 1 and name not in wanted and layer.ndim > len(shape)
    )
    layer = layer.squeeze(single)
    names = [name for axis, name in enumerate(names) if axis not in single]
    channels = [axis for axis, name in enumerate(wanted) if name == "channel"]
    if set(names) <= set(wanted) and len(set(names)) == len(names) == layer.ndim:
        order = [names.index(name) for name in wanted if name in names]
        missing = [axis for axis, name in enumerate(wanted) if name not in names]
        layer = layer.transpose(order)
    else:
        missing = channels[: max(len(shape) - layer.ndim, 0)]
    if {*missing} <= {*channels} and len(missing) == len(shape) - layer.ndim:
        layer = np.expand_dims(layer, tuple(missing))
    if any(layer.ndim == len(shape) and layer.shape[a] == 1 for a in channels):
        repeats = [shape[a] if a in channels else n for a, n in enumerate(layer.shape)]
        layer = np.broadcast_to(layer, repeats)
    if layer.shape != shape:
        raise UserError(
            f"The labels have the shape {layer.shape}, but the image '{image.path}' "
            f"has {shape}; give a mask of that image."
        )
    return layer


def _names(source: Source) -> list[str]:
    return [PLAIN_NAMES.get(name, name) for name in source.axis_labels]
