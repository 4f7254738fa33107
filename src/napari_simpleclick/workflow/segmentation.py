"""One slice of an image file, from clicks to a mask of the file's shape."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import ImageFile, read_image, read_mask
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.inference.crops import THRESHOLD
from napari_simpleclick.inference.modes import Mode
from napari_simpleclick.prompts import check_prompts
from napari_simpleclick.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.inference.first_look import FirstLook
    from napari_simpleclick.inference.modes import ModeName
    from napari_simpleclick.prompts import Prompt


@dataclass(frozen=True)
class SliceMask:
    """A segmented slice.

    Parameters
    ----------
    mask : ndarray
        (H, W) uint8, 0 or 1.
    volume : ndarray
        uint8 of the file's shape with the mask in its slice; the mask for a 2-D file.
    file : ImageFile
        The image that they overlay, with warnings of the prior too.
    milliseconds : list of float
        Time of each prompt.
    """

    mask: NDArray[np.uint8]
    volume: NDArray[np.uint8]
    file: ImageFile
    milliseconds: list[float]


def segment_slice(
    image: Path,
    prompts: Sequence[Prompt],
    axis: int | None = None,
    index: int | None = None,
    prior: Path | None = None,
    weights: str = "bundled",
    first_look: FirstLook = "magnifications",
    mode: ModeName = "fast",
) -> SliceMask:
    """Segment one slice of an image file from prompts, one after the other.

    Parameters
    ----------
    image : Path
        An image file, or a folder that is one image; see
        :func:`napari_simpleclick.images.files.read_image`.
    prompts : sequence of Prompt
        On the slice: its rows and columns are the other two axes, in file order.
    axis, index : int or None
        For volumes: the axis that slices follow, and the slice.
    prior : Path or None
        Mask to start from, of the slice's or the volume's shape.
    weights : str
        Name in the catalogue, or a file.
    first_look : {"magnifications", "published"}
        As of :class:`napari_simpleclick.Predictor`.
    mode : {"fast", "exact"}
        See :class:`napari_simpleclick.inference.modes.Mode`.

    Returns
    -------
    SliceMask
        The mask, alone and in place.

    Raises
    ------
    UserError
        If anything about the input cannot be used; nothing has been written then.
    """
    file = read_image(image)
    flat = file.as_volume()
    plane = _find_plane(flat, axis, index)
    picture = plane.read(flat.array)
    check_prompts(prompts, picture.shape[:2])
    told: list[str] = []
    start = None if prior is None else _read_prior(prior, plane, flat, told)
    network = load_weights(weights)[0]
    predictor = Mode.named(mode).predictor(network, first_look=first_look)
    rows, columns = plane.axes
    predictor.set_image(picture, None, file.pixel_size(rows, columns))
    times = [time.perf_counter()]
    for probability in predictor.replay(prompts, start):
        times.append(time.perf_counter())
        mask = (probability > THRESHOLD).astype(np.uint8)
    volume = np.zeros(flat.shape, np.uint8)
    volume[plane.indexer] = mask
    milliseconds = [1000 * (end - begin) for begin, end in pairwise(times)]
    file = replace(file, warnings=(*file.warnings, *told))
    return SliceMask(mask, volume.reshape(file.shape), file, milliseconds)


def _find_plane(file: ImageFile, axis: int | None, index: int | None) -> Plane:
    shape = file.shape
    if len(shape) == 2:
        if axis is not None or index is not None:
            raise UserError("A 2-D image has no slices; leave --axis and --slice out.")
        return Plane((0, 1), (0, 0))
    if len(shape) != 3:
        raise UserError(
            f"An image of shape {tuple(file.array.shape)} cannot be segmented; give a "
            "2-D image or a 3-D volume with one or three channels."
        )
    if axis is None or index is None:
        raise UserError(
            f"A file of shape {shape} is taken for a volume and needs --axis (0, 1 or "
            "2) and --slice; images have one or three channels."
        )
    if not 0 <= axis < 3:
        raise UserError(f"Axis {axis} is out of range: a volume has axes 0, 1 and 2.")
    position = tuple(index if number == axis else 0 for number in range(3))
    return Plane.at(shape, tuple({0, 1, 2} - {axis}), position)


def _read_prior(
    path: Path, plane: Plane, file: ImageFile, told: list[str]
) -> NDArray[Any]:
    mask = read_mask(path, file, told.append)
    return plane.read(mask) if mask.shape == file.shape else mask
