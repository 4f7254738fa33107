"""Files as a viewer shows them, for the commands that measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from napari_simpleclick.cli.common import warn
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.image_file import ImageFile
    from napari_simpleclick.measurement import Axes


class Placed(NamedTuple):
    """An array as a viewer shows it.

    Parameters
    ----------
    array : ndarray
        In the order of a viewer's axes.
    sizes : tuple of float or None
        Of a voxel along each axis, mm; None where it is not known.
    affine : ndarray or None
        (4, 4) from voxels to mm towards right, anterior and superior.
    names : tuple of str
        Of the axes; empty if they have none.
    """

    array: NDArray[Any]
    sizes: tuple[float | None, ...]
    affine: NDArray[Any] | None
    names: tuple[str, ...] = ()

    def axes(self, time: int | None = None) -> Axes:
        """Find out what the axes are; ``time`` is the one of time points, if given.

        Raises
        ------
        UserError
            If there are more than those of space and time.
        """
        from napari_simpleclick.measurement import find_axes

        shape = self.array.shape
        if time is None:
            return find_axes(shape, self.names, self.sizes)
        return find_axes(shape, self.names, self.sizes, time=time)


def read_placed(path: Path) -> Placed:
    """Read a gray image, and tell what is odd about it.

    Raises
    ------
    UserError
        If it is in colour, or cannot be read.
    """
    from napari_simpleclick.images.files import read_image

    file = read_image(path)
    warn(file.warnings)
    if file.rgb:
        raise UserError(f"'{path}' is in colour; give gray images for intensities.")
    return _placed(file, file.array[...])


def read_placed_labels(path: Path) -> Placed:
    """Read a mask, whatever its file stores, and tell what is odd about it.

    Raises
    ------
    UserError
        If it holds no labels, or cannot be read.
    """
    from napari_simpleclick.images.files import read_image
    from napari_simpleclick.images.label_maps import label_numbers, labels_of

    file = read_image(path)
    found, told = labels_of(file)
    warn((*file.warnings, *told))
    return _placed(file, label_numbers(found, path))


def check_same_place(mask: Placed, image: Placed, path: Path) -> None:
    """Refuse an image that does not lie where the mask does, voxel by voxel.

    Raises
    ------
    UserError
        If it has the shape of the mask, and is more than a voxel away from it.
    """
    from napari_simpleclick.images.affines import distance
    from napari_simpleclick.images.masks import ON_GRID

    shape = mask.array.shape[-3:]
    if mask.affine is None or image.affine is None or image.array.shape[-3:] != shape:
        return
    off = distance(mask.affine, image.affine, shape) if len(shape) == 3 else 0.0
    if off >= 1:
        raise UserError(
            f"The mask is {off:.3g} voxels away from '{path}'; give the image that it "
            "was drawn on."
        )
    if off > ON_GRID:
        told = f"The mask is {off:.2g} voxels away from '{path}'; "
        warn([f"{told}it is taken voxel by voxel."])


def _placed(file: ImageFile, values: Any) -> Placed:
    """Turn the values of a file as a viewer shows them."""
    import numpy as np

    from napari_simpleclick.images.source import Source
    from napari_simpleclick.images.units import MM

    source = Source.of_file(file)
    array = np.asarray(source.to_layer(values))
    units = source.units or ("mm",) * (file.affine is not None) * len(source.scale)
    known = [
        size * MM[unit] if unit in MM else None
        for size, unit in zip(source.scale, units, strict=bool(units))
    ]
    missing = [None] * (array.ndim - len(known))
    names = source.axis_labels if len(source.axis_labels) == array.ndim else ()
    return Placed(array, (*missing, *known), source.layer_affine(), names)
