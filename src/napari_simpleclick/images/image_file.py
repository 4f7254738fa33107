"""An image as it is in its file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from nibabel.affines import voxel_sizes

from napari_simpleclick.images.lazy_array import turn
from napari_simpleclick.images.units import MM

if TYPE_CHECKING:
    from pathlib import Path

    import nibabel
    from numpy.typing import NDArray

T = TypeVar("T")

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Between the world of DICOM and ITK (left, posterior, superior) and NIfTI's."""

LABEL_NAME = re.compile(
    r"(^|[^a-z])(seg|segmentation|labels?|mask)(\.nii|\.ome)?\.\w+$"
)
"""End of a file's name that makes it a label map."""


def is_label_name(path: Path) -> bool:
    """Whether a file is called like a label map."""
    return bool(LABEL_NAME.search(path.name.lower()))


@dataclass(frozen=True)
class ImageFile:
    """An image as it is in its file.

    Parameters
    ----------
    array : array_like
        (H, W), (H, W, 3) if ``rgb``, or a volume with its axes in file order: x, y, z
        for NIfTI, NRRD, MHA and DICOM, and then time or channels; slices first for
        TIFF and for folders of slices.
    rgb : bool
        Whether the last axis is colour.
    spacing : tuple of float
        Pixel size per axis, without the colour axis; 1 where the file has none.
    affine : ndarray or None
        (4, 4) matrix from voxels to mm towards right, anterior and superior, whatever
        the unit of the axes is; None for files without an orientation.
    units : tuple of str
        Per axis, such as ``"mm"`` or ``"pixel"``; empty if the file has none.
    axis_labels : tuple of str
        Per axis, such as ``"z"`` or ``"time"``; empty if they have no names.
    labels : bool
        Whether its name or its header calls it a label map.
    path : Path or None
        The file or folder.
    name : str
        What the file calls its image; empty if it has no name for it.
    files : tuple of Path
        The slices of a DICOM series, in the order of the last axis; of an
        enhanced image its file.
    header : nibabel header or None
        Of a NIfTI file.
    warnings : tuple of str
        A sentence for everything about the file that is not as it should be.
    indices : array_like or None
        Of a file with a palette: the numbers that it stores, without a colour axis.
    lossy : bool
        Whether its compression has changed the values.
    origin : tuple of float
        Place of the first pixel per axis, in units, of files without an orientation
        that tell it; empty for 0.
    levels : tuple of array_like
        The same image in smaller sizes, each smaller than the one before; empty if the
        file has none.
    """

    array: Any
    rgb: bool = False
    spacing: tuple[float, ...] = ()
    affine: NDArray[np.float64] | None = None
    units: tuple[str, ...] = ()
    axis_labels: tuple[str, ...] = ()
    labels: bool = False
    path: Path | None = None
    name: str = ""
    files: tuple[Path, ...] = ()
    header: nibabel.Nifti1Header | None = None
    warnings: tuple[str, ...] = ()
    indices: Any = None
    lossy: bool = False
    origin: tuple[float, ...] = ()
    levels: tuple[Any, ...] = ()

    def pixel_size(self, rows: int, columns: int) -> tuple[float, float]:
        """Height and width of the pixels of a slice.

        Parameters
        ----------
        rows, columns : int
            The axes of the slice.

        Returns
        -------
        tuple of float
            In mm where the file has an orientation or units of length; (1, 1) where the
            two cannot be compared.
        """
        if self.affine is not None and max(rows, columns) < 3:
            sizes = voxel_sizes(self.affine)
            return float(sizes[rows]), float(sizes[columns])
        axes = (rows, columns)
        units = [MM.get(self.units[axis]) if self.units else 1.0 for axis in axes]
        if None in units:
            return 1.0, 1.0
        height, width = (
            self.spacing[axis] * (unit or 1.0)
            for axis, unit in zip(axes, units, strict=True)
        )
        return height, width

    def as_volume(self) -> ImageFile:
        """Give the same image without axes of length 1 after the third."""
        shape = self.shape
        kept = tuple(a for a, length in enumerate(shape) if a < 3 or length > 1)
        if len(kept) == len(shape):
            return self
        order = (*kept, len(shape)) if self.rgb else kept
        flipped = (False,) * len(order)
        indices = self.indices

        def chosen(values: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(values[axis] for axis in kept) if values else ()

        return replace(
            self,
            array=turn(self.array, order, flipped),
            spacing=chosen(self.spacing),
            units=chosen(self.units),
            axis_labels=chosen(self.axis_labels),
            origin=chosen(self.origin),
            levels=(),
            indices=None
            if indices is None
            else turn(indices, kept, flipped[: len(kept)]),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the colour axis."""
        shape: tuple[int, ...] = tuple(self.array.shape)
        return shape[:-1] if self.rgb else shape
