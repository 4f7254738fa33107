"""Examples from files: folders of images and masks, or an image and its mask."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from skimage.measure import label as label_parts

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import READABLE, read_image, stem_of, suffix_of
from napari_simpleclick.images.label_maps import label_numbers, labels_of
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
    found = [
        entry
        for image, mask in _pairs(images, masks, told)
        for entry in _entries(_Pair(image, mask, axis, parts), told)
    ]
    if not found:
        raise UserError(
            f"'{masks}' holds no object of {MIN_OBJECT_PX} px or more; check its "
            "labels."
        )
    if any(entry.parts > 1 for entry in found):
        told.append(
            "Some labels lie in several parts, which are taken for one object; use "
            "--parts if each of them is an object."
        )
    return ReadExamples(list(_examples(_evenly(found, most))), told)


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
    of_images, of_masks = _by_stem(images), _by_stem(masks)
    pairs = []
    for stem, (mask, *more) in of_masks.items():
        candidates = of_images.get(stem, [])
        alike = [one for one in candidates if suffix_of(one) == suffix_of(mask)]
        candidates = alike or candidates
        several = [mask, *more] if more else candidates
        if len(several) > 1:
            raise UserError(
                f"'{several[0].parent}' has several files of one name "
                f"({', '.join(one.name for one in several)}); leave one of them."
            )
        if candidates:
            pairs.append((candidates[0], mask))
        else:
            told.append(f"There is no image for '{mask.name}'; it is left out.")
    unmarked = [one[0].name for stem, one in of_images.items() if stem not in of_masks]
    if pairs and unmarked:
        told.append(
            f"{len(unmarked)} of {len(of_images)} images have no mask and are left "
            f"out, such as '{unmarked[0]}'."
        )
    if not pairs:
        raise UserError(
            f"No file in '{masks}' has the name of an image in '{images}'; name masks "
            "as their images."
        )
    return pairs


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    """Find readable files by their names without endings, hidden ones left out."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".")
        if not hidden and path.is_file() and suffix_of(path) in READABLE:
            found.setdefault(stem_of(path), []).append(path)
    return found


class _Pair(NamedTuple):
    """An image and its mask, and how objects are made of it."""

    image: Path
    mask: Path
    axis: int | None
    parts: bool

    def read(self, told: list[str]) -> tuple[ImageFile, NDArray[Any]]:
        """Read both, the labels as they lie on the image."""
        file = read_image(self.image).as_volume()
        drawn = read_image(self.mask)
        labels, odd = labels_of(drawn)
        labels, more = put_onto(labels, drawn, file)
        told += [*file.warnings, *odd, *more]
        if labels.shape != file.shape:
            raise UserError(
                f"'{self.mask}' has the shape {labels.shape}, its image {file.shape}; "
                "give a mask of the same size."
            )
        return file, label_numbers(labels, self.mask)

    def numbers(self, labels: NDArray[Any], plane: Plane) -> NDArray[Any]:
        """Labels of a slice; of each connected part another, if that is wanted."""
        numbers = np.maximum(plane.read(labels), 0)
        parted = label_parts(numbers, connectivity=2) if self.parts else numbers
        return np.asarray(parted)


class _Entry(NamedTuple):
    """Where an object is; what it looks like is read when it is wanted."""

    pair: _Pair
    plane: Plane
    label: int
    parts: int


def _entries(pair: _Pair, told: list[str]) -> Iterator[_Entry]:
    """Objects of an image that are large enough, slice by slice."""
    file, labels = pair.read(told)
    small = 0
    for plane in _planes(file, pair.axis):
        numbers = pair.numbers(labels, plane)
        _, first = np.unique(label_parts(numbers, connectivity=2), return_index=True)
        pieces = Counter(numbers.ravel()[first].tolist())
        for label, count in zip(*np.unique(numbers, return_counts=True), strict=True):
            if label and count >= MIN_OBJECT_PX:
                yield _Entry(pair, plane, int(label), pieces[int(label)])
            small += bool(label) and count < MIN_OBJECT_PX
    if small:
        told.append(
            f"{small} object{'s have' if small > 1 else ' has'} fewer than "
            f"{MIN_OBJECT_PX} pixels on a slice of '{pair.mask.name}', and "
            f"{'are' if small > 1 else 'is'} left out there."
        )


def _examples(entries: list[_Entry]) -> Iterator[Example]:
    """Read what was chosen; each image once, and of it the slices that are wanted."""
    for pair, of_image in groupby(entries, key=lambda entry: entry.pair):
        file, labels = pair.read([])
        for plane, of_slice in groupby(of_image, key=lambda entry: entry.plane):
            wanted = [entry.label for entry in of_slice]
            found = examples_of(
                plane.read(file.array),
                pair.numbers(labels, plane),
                name=pair.image.name,
                plane="" if len(file.shape) == 2 else _place(plane),
                spacing=file.pixel_size(*plane.axes),
            )
            yield from (one for one in found if one.origin.label in wanted)


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


def _evenly(found: list[_Entry], most: int) -> list[_Entry]:
    """At most so many: each object of each image in turn, its slices spread evenly."""
    if len(found) <= most:
        return found
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, entry in enumerate(found):
        groups[entry.pair.image, entry.label].append(number)
    each = max(1, most // len(groups))
    chosen: list[int] = []
    for numbers in groups.values():
        places: NDArray[Any] = np.linspace(0, len(numbers) - 1, min(each, len(numbers)))
        chosen += [numbers[round(place)] for place in places]
    picked = np.linspace(0, len(chosen) - 1, min(most, len(chosen))).round()
    return [found[number] for number in sorted({chosen[int(at)] for at in picked})]
