"""Files as a viewer shows them, for the commands that measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from napari_simpleclick.cli.common import warn
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

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
    """Read a file, and tell what is odd about it.

    Raises
    ------
    UserError
        If it is in colour, or cannot be read.
    """
    import numpy as np

    from napari_simpleclick.images.files import read_image
    from napari_simpleclick.images.source import Source
    from napari_simpleclick.images.units import MM

    file = read_image(path)
    warn(file.warnings)
    if file.rgb:
        raise UserError(
            f"'{path}' is in colour; give labels, or gray images for intensities."
        )
    source = Source.of_file(file)
    array = np.asarray(source.to_layer(file.array[...]))
    units = source.units or ("mm",) * (file.affine is not None) * len(source.scale)
    known = [
        size * MM[unit] if unit in MM else None
        for size, unit in zip(source.scale, units, strict=bool(units))
    ]
    missing = [None] * (array.ndim - len(known))
    names = source.axis_labels if len(source.axis_labels) == array.ndim else ()
    return Placed(array, (*missing, *known), source.layer_affine(), names)
