"""How an image file stands in a viewer, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.layer_axes import layer_axes, space_axes, space_first
from napari_simpleclick.images.lazy_array import turn
from napari_simpleclick.images.units import MM

if TYPE_CHECKING:
    from pathlib import Path

    import nibabel
    from numpy.typing import NDArray

    from napari_simpleclick.images.image_file import ImageFile
    from napari_simpleclick.images.lazy_array import Array

SOURCE_KEY = "napari-simpleclick source"
"""Key under which a layer's metadata hold its `Source`."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Source:
    """What a mask needs to know of the image it was drawn on.

    Parameters
    ----------
    path : Path or None
        The image's file or folder; None if the image was in no file.
    shape : tuple of int
        Shape of the file, without a colour axis.
    order : tuple of int
        Axis of the file for each axis of the layer; axes of length 1 may be missing.
    flipped : tuple of bool
        Whether the layer's axis runs against the file's.
    scale, translate : tuple of float
        Per axis of the layer; in ``units``.
    units : tuple of str
        Per axis of the layer; empty if the file has none.
    axis_labels : tuple of str
        Per axis of the layer; empty if they have no names.
    affine : ndarray or None
        (4, 4) matrix from the file's voxels to mm (right, anterior, superior).
    files : tuple of Path
        The slices of a DICOM series, in the order of the file's last axis; of an
        enhanced image its file.
    header : nibabel header or None
        Of a NIfTI file.
    of_labels : bool
        Whether the file is not of an image but of labels, which may be replaced.
    """

    path: Path | None
    shape: tuple[int, ...]
    order: tuple[int, ...]
    flipped: tuple[bool, ...]
    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str, ...] = ()
    axis_labels: tuple[str, ...] = ()
    affine: NDArray[np.float64] | None = None
    files: tuple[Path, ...] = ()
    header: nibabel.Nifti1Header | None = None
    of_labels: bool = False

    @property
    def image_files(self) -> tuple[Path, ...]:
        """Files of the image, which nothing is to be written over."""
        if self.of_labels or self.path is None:
            return ()
        return self.path, *self.files

    def __eq__(self, other: object) -> bool:
        """Whether two sources are of the same file, placed in the same way."""
        if not isinstance(other, Source):
            return NotImplemented
        return self._plain() == other._plain()

    def __hash__(self) -> int:
        """Hash of what makes two sources equal."""
        return hash(self._plain())

    def _plain(self) -> tuple[Any, ...]:
        """Give the fields with numbers in place of the matrix and the header."""
        affine, header = self.affine, self.header
        return (
            *(self.path, self.shape, self.order, self.flipped, self.scale),
            *(self.translate, self.units, self.axis_labels, self.files),
            None if affine is None else tuple(map(float, np.ravel(affine))),
            None if header is None else bytes(header.binaryblock),
        )

    @classmethod
    def of_file(cls, file: ImageFile) -> Source:
        """Find how a file is to stand in a viewer.

        Files with an affine are turned, by whole axes only, so that the last three axes
        point towards inferior, posterior and left; axes beyond them come first. Oblique
        ones stand along their own axes (see `along_own_axes`). Others stay as they are.
        """
        axes = layer_axes(file)
        return cls(
            file.path,
            file.shape,
            tuple(axis.number for axis in axes),
            tuple(axis.flipped for axis in axes),
            tuple(axis.scale for axis in axes),
            tuple(axis.translate for axis in axes),
            tuple(axis.unit for axis in axes) if file.units else (),
            tuple(axis.name for axis in axes) if file.axis_labels else (),
            file.affine,
            file.files,
            file.header,
        )

    @classmethod
    def of_layer(
        cls,
        shape: tuple[int, ...],
        scale: tuple[float, ...],
        translate: tuple[float, ...],
        units: tuple[str, ...] = (),
        axis_labels: tuple[str, ...] = (),
    ) -> Source:
        """Describe a layer that comes from no file.

        Parameters
        ----------
        shape, scale, translate : tuple
            Of the layer.
        units : tuple of str
            Per axis.
        axis_labels : tuple of str
            Per axis; where they are names of space, time or channels, files that have
            a place for each of these use it.
        """
        count = len(shape)
        order, flipped = tuple(range(count)), (False,) * count
        return cls(None, shape, order, flipped, scale, translate, units, axis_labels)

    def to_layer(self, array: Array) -> Array:
        """Turn a file's array, with its colour axis if it has one, for the viewer."""
        if array.ndim == len(self.shape):
            return turn(array, self.order, self.flipped)
        order, flipped = (*self.order, len(self.shape)), (*self.flipped, False)
        return turn(array, order, flipped)

    def to_file(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Turn a layer's labels back, voxel by voxel, to where the file has them.

        Parameters
        ----------
        labels : ndarray
            Integers in the layer's order of axes. One more axis in front (modalities of
            one case) is merged; axes beyond space may be missing.

        Returns
        -------
        ndarray
            Labels in the file's order of axes, of its shape.

        Raises
        ------
        UserError
            If the shape is another one, or merged labels differ.
        """
        labels = self.merged(labels)
        order, flipped, shape = self.order, self.flipped, self.shape
        extra = len(order) - labels.ndim
        if extra > 0 and labels.ndim == 3:
            order, flipped, shape = order[extra:], flipped[extra:], shape[:3]
        if labels.shape != tuple(shape[axis] for axis in order):
            expected = tuple(self.shape[axis] for axis in self.order)
            raise UserError(
                f"The labels have the shape {labels.shape}, but the image "
                f"'{self.path}' has {expected}; draw them on a layer of that image."
            )
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in flipped)
        return np.transpose(labels[steps], np.argsort(order)).reshape(shape)

    def of_mask(self, ndim: int, channel_axis: int | None) -> Source:
        """Give the source of a mask that has a single entry for all channels.

        Parameters
        ----------
        ndim : int
            Number of the layer's axes; one in front may be missing in the file.
        channel_axis : int or None
            Of the layer.
        """
        axis = -1 if channel_axis is None else channel_axis - ndim + len(self.order)
        if axis < 0:
            return self
        place = self.order[axis]
        shape = (*self.shape[:place], 1, *self.shape[place + 1 :])
        return replace(self, shape=shape)

    def merged(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Merge labels that have one more axis in front than the source.

        Raises
        ------
        UserError
            If they differ along it.
        """
        if labels.ndim != len(self.order) + 1:
            return labels
        merged = np.asarray(labels.max(axis=0, initial=0))
        if ((labels != merged) & (labels != 0)).any():
            raise UserError(
                "The labels differ between the modalities at some voxels; a file holds "
                "one label a voxel. Erase one of the two, then save again."
            )
        return merged

    def layer_affine(self) -> NDArray[np.float64] | None:
        """Matrix (4, 4) from voxels of the layer's last three axes to mm (R, A, S).

        None where the file has no orientation, or the layer fewer axes.
        """
        if self.affine is None or len(self.order) < 3:
            return None
        axes, flips = self.order[-3:], self.flipped[-3:]
        matrix, corner = np.eye(4), np.array([0.0, 0.0, 0.0, 1.0])
        for place, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
            matrix[:, place] = self.affine[:, axis] * (-1 if flip else 1)
            corner[axis] = self.shape[axis] - 1 if flip else 0
        matrix[:, 3] = self.affine @ corner
        return matrix

    def without_single_axes(self, labels: NDArray[Any]) -> tuple[NDArray[Any], Source]:
        """Leave out the entry that labels have for all channels, or for one time.

        Parameters
        ----------
        labels : ndarray
            In the layer's order of axes; the axis of channels may be missing.

        Returns
        -------
        labels : ndarray
            Without axes of length 1 that are not of space.
        source : Source
            That of the labels; a source with an orientation stays as it is.

        Raises
        ------
        UserError
            If labels differ along one more axis in front.
        """
        labels = self.merged(labels)
        missing = len(self.order) - labels.ndim
        if self.affine is not None or missing < 0:
            return labels, self
        axes = list(range(len(self.order)))
        channels = [axis for axis in axes if self._name(axis) == "channel"]
        axes = [axis for axis in axes if axis not in channels[:missing]]
        axes = axes[len(axes) - labels.ndim :]
        space = space_axes(self.axis_labels, len(self.order))
        lengths = dict(zip(axes, labels.shape, strict=True))
        kept = [axis for axis in axes if lengths[axis] > 1 or axis in space]
        labels = labels.reshape([lengths[axis] for axis in kept])
        return labels, self._with_axes(kept)

    def _with_axes(self, axes: list[int]) -> Source:
        """Give a source without orientation that has some of the axes only."""

        def chosen(values: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(values[axis] for axis in axes) if values else ()

        return replace(
            self,
            shape=tuple(self.shape[axis] for axis in chosen(self.order)),
            order=tuple(range(len(axes))),
            flipped=chosen(self.flipped),
            scale=chosen(self.scale),
            translate=chosen(self.translate),
            units=chosen(self.units),
            axis_labels=chosen(self.axis_labels),
        )

    def _name(self, axis: int) -> str:
        return self.axis_labels[axis] if self.axis_labels else ""

    def with_affine(self) -> Source:
        """Give this source an orientation if it has none.

        The file then has the axes x, y, z, and then time and channels, and stands as
        the layer does once it is opened again. Sizes become mm. If the axes have no
        unit, their numbers are kept; an axis without a unit beside others is taken to
        have pixels as long as those of the others. A film without slices has one
        slice at every time, as thick as pixels are wide.
        """
        if self.affine is not None:
            return self
        count = len(self.order)
        axes = space_first(self.axis_labels, count)
        film = count > 2 and self._name(axes[2]) == "time"
        space = axes[:2] if film else axes[:3]
        affine = np.diag([-1.0, -1.0, -1.0, 1.0])
        for place, axis in enumerate(space):
            size = self._millimetres(axis, space)
            affine[place, place] = -self.scale[axis] * size
            affine[place, 3] = -self.translate[axis] * size
        shape = [self.shape[self.order[axis]] for axis in axes]
        places = [axes.index(axis) for axis in range(count)]
        if film:
            affine[2, 2] = affine[0, 0]
            shape.insert(2, 1)
            places = [place + (place > 1) for place in places]
        return replace(self, shape=tuple(shape), order=tuple(places), affine=affine)

    def _millimetres(self, axis: int, space: list[int]) -> float:
        """Length in mm of a unit of an axis's scale."""
        if not self.units:
            return 1.0
        known = [a for a in space if self.units[a] in MM]
        if not known:
            return 1.0
        if axis in known:
            return MM[self.units[axis]]
        return self.scale[known[0]] * MM[self.units[known[0]]]
