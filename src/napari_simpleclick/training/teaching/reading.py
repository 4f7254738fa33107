"""Examples from files: folders of images and masks, or an image and its mask."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import ndimage

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import READABLE, read_image, stem_of, suffix_of
from napari_simpleclick.images.label_maps import labels_of
from napari_simpleclick.images.masks import put_onto
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.training.images import MIN_OBJECT_PX
from napari_simpleclick.training.teaching.examples import Example, examples_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.image_file import ImageFile

MOST_OBJECTS = 60
"""Examples taken of larger sets, unless told otherwise."""


class ReadExamples(NamedTuple):
    """Examples from files.

    Parameters
    ----------
    examples : list of Example
        By image, slice and label.
    told : list of str
        A sentence for whatever is odd or was left out.
    """

    examples: list[Example]
    told: list[str]


def read_examples(
    images: Path,
    masks: Path,
    *,
    axis: int | None = None,
    most: int = MOST_OBJECTS,
    parts: bool = False,
) -> ReadExamples:
    """Read images with the masks of accepted objects.

    Parameters
    ----------
    images, masks : Path
        Two folders with files of equal names but for the ending; or an image (a DICOM
        folder too) and its mask.
    axis : int or None
        Axis that the slices of volumes follow; None for that of the thickest voxels,
        and the shortest one of these.
    most : int
        Most examples; of more, slices are taken evenly.
    parts : bool
        Take each connected part of a label on a slice for an object.

    Raises
    ------
    UserError
        If a file cannot be read or a mask does not fit, or there is no object.
    """
    told: list[str] = []
    found: list[Example] = []
    split = False
    for image, mask in _pairs(images, masks, told):
        for example, is_split in _examples(image, mask, axis, parts, told):
            found.append(example)
            split |= is_split
    if not found:
        raise UserError(
            f"'{masks}' holds no object of {MIN_OBJECT_PX} px or more; check its "
            "labels."
        )
    if split and not parts:
        told.append(
            "Some labels lie in several parts, which are taken for one object; use "
            "--parts if each of them is an object."
        )
    return ReadExamples(_evenly(found, most), told)


def _pairs(images: Path, masks: Path, told: list[str]) -> list[tuple[Path, Path]]:
    for path in (images, masks):
        if not path.exists():
            raise UserError(f"There is no file or folder '{path}'; check the name.")
    if not masks.is_dir():
        return [(images, masks)]
    if not images.is_dir():
        raise UserError(
            f"'{masks}' is a folder and '{images}' is not; give two folders or two "
            "files."
        )
    stems = {stem_of(path): path for path in images.iterdir() if _readable(path)}
    pairs = []
    for mask in sorted(path for path in masks.iterdir() if _readable(path)):
        image = stems.get(stem_of(mask))
        if image is None:
            told.append(f"There is no image for '{mask.name}'; it is left out.")
        else:
            pairs.append((image, mask))
    if not pairs:
        raise UserError(
            f"No file in '{masks}' has the name of an image in '{images}'; name masks "
            "as their images."
        )
    return pairs


def _readable(path: Path) -> bool:
    return path.is_file() and suffix_of(path) in READABLE


def _examples(
    image: Path, mask: Path, axis: int | None, parts: bool, told: list[str]
) -> Iterator[tuple[Example, bool]]:
    """Examples of an image, and whether the label of each lies in several parts."""
    file = read_image(image).as_volume()
    drawn = read_image(mask)
    labels, odd = labels_of(drawn)
    labels, more = put_onto(labels, drawn, file)
    told += [*file.warnings, *odd, *more]
    if labels.shape != file.shape:
        raise UserError(
            f"'{mask}' has the shape {labels.shape}, its image {file.shape}; give a "
            "mask of the same size."
        )
    for plane in _planes(file, axis):
        numbers = plane.read(labels)
        if not (numbers > 0).any():
            continue
        place = "" if len(file.shape) == 2 else _place(plane)
        spacing = file.pixel_size(*plane.axes)
        if parts:
            numbers, _ = ndimage.label(numbers > 0, np.ones((3, 3)))
        picture = plane.read(file.array)
        for example in examples_of(
            picture, numbers, name=image.name, plane=place, spacing=spacing
        ):
            if example.mask.sum() >= MIN_OBJECT_PX:
                count = ndimage.label(example.mask, np.ones((3, 3)))[1]
                yield example, count > 1


def _planes(file: ImageFile, axis: int | None) -> list[Plane]:
    shape = file.shape
    if len(shape) == 2:
        return [Plane((0, 1), (0, 0))]
    if len(shape) != 3:
        raise UserError(
            f"An image of shape {shape} cannot be learned from; give pictures or "
            "volumes with three axes."
        )
    along = _thickest(file) if axis is None else axis
    if not 0 <= along < 3:
        raise UserError(f"Axis {along} is out of range: a volume has axes 0, 1 and 2.")
    rows, columns = sorted({0, 1, 2} - {along})
    place = [0, 0, 0]
    found = []
    for index in range(shape[along]):
        place[along] = index
        found.append(Plane((rows, columns), tuple(place)))
    return found


def _thickest(file: ImageFile) -> int:
    """Axis of the thickest voxels; of several the one with the fewest slices."""
    sizes = [file.pixel_size(axis, axis)[0] for axis in range(3)]
    return min(range(3), key=lambda axis: (-round(sizes[axis], 3), file.shape[axis]))


def _place(plane: Plane) -> str:
    (axis,) = {0, 1, 2} - set(plane.axes)
    return f"slice {plane.index[axis]} of axis {axis}"


def _evenly(found: list[Example], most: int) -> list[Example]:
    """At most so many: each object of each image in turn, its slices spread evenly."""
    if len(found) <= most:
        return found
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, example in enumerate(found):
        groups[example.origin.image, example.origin.label].append(number)
    each = max(1, most // len(groups))
    chosen: list[int] = []
    for numbers in groups.values():
        places: NDArray[Any] = np.linspace(0, len(numbers) - 1, min(each, len(numbers)))
        chosen += [numbers[round(place)] for place in places]
    picked = np.linspace(0, len(chosen) - 1, min(most, len(chosen))).round()
    return [found[number] for number in sorted({chosen[int(at)] for at in picked})]
