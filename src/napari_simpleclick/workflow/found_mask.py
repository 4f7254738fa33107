"""A mask from elsewhere: where it lies, and what it becomes on an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation import ObjectStyle, plain_name
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.affines import distance
from napari_simpleclick.images.files import read_image
from napari_simpleclick.images.label_maps import labels_of, whole_numbers
from napari_simpleclick.images.label_names import PLAIN_COLOUR, read_label_names
from napari_simpleclick.images.masks import ON_GRID
from napari_simpleclick.images.resampling import is_turned, resampled
from napari_simpleclick.images.source import Source
from napari_simpleclick.workflow.mask_array import MOST_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.label_names import LabelName


@dataclass(frozen=True, eq=False)
class Grid:
    """The voxels of a mask, and where they are.

    Parameters
    ----------
    shape : tuple of int
        Of the mask.
    affine : ndarray or None
        (4, 4) from voxels of the last three axes to mm of the patient.
    world : ndarray
        (n + 1, n + 1) from voxels to the world of a viewer.
    """

    shape: tuple[int, ...]
    affine: NDArray[np.float64] | None
    world: NDArray[np.float64]

    def spatial(self) -> Grid:
        """Give the same grid without axes of length 1 before the last three."""
        if len(self.shape) <= 3 or set(self.shape[:-3]) != {1}:
            return self
        return Grid(self.shape[-3:], self.affine, self.world[-4:, -4:])

    def way_to(self, other: Grid) -> NDArray[np.float64] | None:
        """Find the way from these voxels to those of another grid.

        What their files say of the patient counts; else what stands in a viewer.

        Returns
        -------
        ndarray or None
            (n + 1, n + 1) matrix; None if nothing tells.
        """
        if self.affine is not None and other.affine is not None:
            flat = len(self.shape) == 3 == len(other.shape)
            if not flat:
                return None
            return np.asarray(np.linalg.solve(other.affine, self.affine))
        if len(self.shape) != len(other.shape):
            return None
        if all(np.allclose(one, np.eye(len(one))) for one in (self.world, other.world)):
            return None  # nobody has placed them
        return np.asarray(np.linalg.solve(other.world, self.world))

    def lies_on(self, other: Grid) -> bool:
        """Whether each voxel is the voxel of the same number of another grid."""
        if self.shape != other.shape:
            return False
        if self.affine is None or other.affine is None:
            return True
        return distance(self.affine, other.affine, self.shape[-3:]) <= ON_GRID


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask that can be gone on with.

    Parameters
    ----------
    name : str
        What it is called.
    labels : array_like
        Of any type.
    grid : Grid
        Where it lies.
    names : tuple of LabelName
        Names and colours of labels, as far as they are known.
    """

    name: str
    labels: Any
    grid: Grid
    names: tuple[LabelName, ...] = ()

    @classmethod
    def read(cls, path: Path) -> FoundMask:
        """Read a mask from a file, or a folder that is one image.

        Raises
        ------
        UserError, ImportError
            As for `napari_simpleclick.images.files.read_image`, or if its labels cannot
            be told.
        """
        file = read_image(path)
        labels, _ = labels_of(file)
        source = Source.of_file(file)
        array = np.asarray(source.to_layer(labels))
        world = np.diag([*source.scale, 1.0])
        world[:-1, -1] = source.translate
        grid = Grid(array.shape, source.layer_affine(), world)
        return cls(path.name, array, grid, read_label_names(file.path or path))

    def without_single_axes(self, shape: tuple[int, ...]) -> FoundMask:
        """Give the same mask with the axes of a shape, if it differs by single ones.

        Else it has no single axes before the last three.

        A mask has one entry for all channels, for which others have no axis.
        """
        own = self.grid.shape

        def longer(lengths: tuple[int, ...]) -> list[int]:
            return [side for side in lengths if side > 1]

        if own == shape or longer(own) != longer(shape):
            grid = self.grid.spatial()
        else:
            grid = Grid(shape, self.grid.affine, np.eye(len(shape) + 1))
        labels = np.reshape(self.labels, grid.shape)
        return FoundMask(self.name, labels, grid, self.names)

    def question(self, target: Grid) -> str:
        """Tell what has to be asked before the mask can lie on an image.

        Parameters
        ----------
        target : Grid
            The image's.

        Returns
        -------
        str
            Empty if nothing.

        Raises
        ------
        UserError
            If it has another shape, and nothing tells how it lies.
        """
        if self.grid.lies_on(target):
            return ""
        way = target.way_to(self.grid)
        if way is None:
            raise UserError(
                f"'{self.name}' has the shape {self.grid.shape}, the image "
                f"{target.shape}, and nothing tells how they lie on each other; choose "
                "a mask of this image."
            )
        told = (
            f"'{self.name}' lies on another grid than the image: "
            f"{_times(self.grid.shape)} voxels instead of {_times(target.shape)}. "
        )
        if is_turned(way, ON_GRID):
            return (
                f"{told}It is turned, moved or cropped by whole voxels, which keep "
                "their labels; what lies outside of the image is left out."
            )
        return (
            f"{told}Each voxel of the image gets the nearest label, so edges may move "
            "by half a voxel; what lies outside of the image is left out."
        )

    def on(self, target: Grid) -> NDArray[np.uint16]:
        """Put the mask onto the voxels of an image.

        Parameters
        ----------
        target : Grid
            The image's; :meth:`question` was asked about it.

        Raises
        ------
        UserError
            If its values are no labels, or nothing of it lies on the image.
        """
        labels = self._whole()
        if not self.grid.lies_on(target):
            way = target.way_to(self.grid)
            assert way is not None
            labels = resampled(labels, way, target.shape)
            if not labels.any():
                raise UserError(
                    f"No part of '{self.name}' lies on the image; choose a mask of it."
                )
        return labels

    def _whole(self) -> NDArray[np.uint16]:
        array = np.asarray(self.labels)
        whole = whole_numbers(array)
        if whole is None:
            raise UserError(
                f"'{self.name}' holds numbers that are no labels, as they are not "
                "whole; choose a mask in which each object has a number of its own."
            )
        low, high = int(whole.min(initial=0)), int(whole.max(initial=0))
        if low < 0 or high > MOST_LABEL:
            odd = f"{low:,}" if low < 0 else f"{high:,}"
            raise UserError(
                f"'{self.name}' has the label {odd}; labels from 1 to {MOST_LABEL:,} "
                "can be gone on with, so number its objects anew first."
            )
        if not high:
            raise UserError(
                f"'{self.name}' is empty; there is no object to go on with."
            )
        return whole.astype(np.uint16)

    def styles(self, labels: Iterable[int]) -> dict[int, ObjectStyle]:
        """Give name and colour of those of some labels that are known."""
        wanted, styles = set(labels), {}
        for one in self.names:
            name = "" if one.name == plain_name(one.label) else one.name
            colour = "" if one.colour == PLAIN_COLOUR else one.colour
            style = ObjectStyle(name, colour, one.category)
            if one.label in wanted and style != ObjectStyle():
                styles[one.label] = style
        return styles


def _times(shape: tuple[int, ...]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, shape))
