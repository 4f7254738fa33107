"""A mask with its image, as every format of export takes it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import read_image, read_labels, stem_of
from napari_simpleclick.images.intensity import default_window, percentile_window
from napari_simpleclick.images.label_maps import as_classes
from napari_simpleclick.images.label_names import names_of, read_label_names
from napari_simpleclick.images.lazy_array import LazyArray
from napari_simpleclick.images.viewer_images import open_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.intensity import Window
    from napari_simpleclick.images.label_names import LabelName
    from napari_simpleclick.images.lazy_array import Array
    from napari_simpleclick.images.source import Source

NO_CLASS = "object"
"""Class of objects that were given neither a class nor a name."""

PROBED = 9
"""Slices that the contrast of a volume's pictures is chosen by."""

NAMELESS = re.compile(r"(object|label) \d+", re.IGNORECASE)
"""What objects are called that were given no name."""


class CaseSlice(NamedTuple):
    """A slice of a case on which there is an object.

    Parameters
    ----------
    name : str
        Of the case, with the number of the slice if there are several.
    place : tuple of int
        Its number along the axes in front of the last two.
    labels : ndarray
        (H, W) integers.
    """

    name: str
    place: tuple[int, ...]
    labels: NDArray[Any]


@dataclass(frozen=True, eq=False)
class ExportCase:
    """What is exported: labels, what they are called, and their image.

    Parameters
    ----------
    name : str
        What files are called.
    labels : ndarray
        Integers from 0, as a viewer shows them, without an axis of channels.
    source : Source
        Where the labels are.
    names : tuple of LabelName
        Names, colours and classes, at least of those that were given some.
    channels : dict of str to array_like
        By name; each of the shape of the labels, and with red, green and blue behind
        if ``rgb``. They are read when they are written.
    rgb : bool
        Whether the image is coloured.
    """

    name: str
    labels: NDArray[Any]
    source: Source
    names: tuple[LabelName, ...]
    channels: dict[str, Array]
    rgb: bool = False

    @classmethod
    def of_layers(
        cls,
        name: str,
        labels: NDArray[Any],
        source: Source,
        names: Sequence[LabelName],
        image: Array,
        *,
        rgb: bool = False,
        channel_axis: int | None = None,
        channels: Sequence[str] = (),
    ) -> ExportCase:
        """Make a case of what a viewer shows.

        Parameters
        ----------
        name : str
            What files are to be called; what does not belong in a file's name goes.
        labels : ndarray
            As the layer has them: one entry for all channels, or none at all.
        source : Source
            That of the layer of labels.
        names : sequence of LabelName
            Of the objects.
        image : array_like
            The layer of the image at full resolution.
        rgb : bool
            Whether its last axis is colour.
        channel_axis : int or None
            Axis of channels of the image.
        channels : sequence of str
            What these are called.

        Raises
        ------
        UserError
            If the labels do not fit the image.
        """
        labels, source = source.without_single_axes(np.asarray(labels))
        if labels.ndim > 3 and all(side == 1 for side in labels.shape[:-3]):
            labels = labels.reshape(labels.shape[-3:])
        count = 1 if channel_axis is None else image.shape[channel_axis]
        given = [*channels, *(f"channel {n}" for n in range(len(channels), count))]
        if channel_axis is None:
            given = ["image"]
        colours = (3,) if rgb else ()
        parts: dict[str, Array] = {}
        for number, title in enumerate(given[:count]):
            shape = (*labels.shape, *colours)
            parts[title] = _part(image, channel_axis, number, shape)
        return cls(file_name(name), labels, source, tuple(names), parts, rgb)

    def as_classes(self) -> ExportCase:
        """Give the case with one number for each class, in place of each object."""
        there = [int(one) for one in np.unique(self.labels) if one > 0]
        labels, names = as_classes(self.labels, names_of(there, self.names))
        classes = (replace(one, category=one.category or one.name) for one in names)
        return replace(self, labels=labels, names=tuple(classes))

    def classes(self) -> dict[int, str]:
        """Tell the class of each label that is there.

        It is the object's class, else its name, else that of all objects without one.
        """
        there = [int(one) for one in np.unique(self.labels) if one > 0]
        return {one.label: class_of(one) for one in names_of(there, self.names)}

    def slices(self) -> Iterator[CaseSlice]:
        """Go through the slices on which there is an object."""
        for index in np.ndindex(self.labels.shape[:-2]):
            labels = self.labels[index]
            if labels.any():
                number = "_".join(f"{place:04d}" for place in index)
                name = f"{self.name}_{number}" if index else self.name
                yield CaseSlice(name, tuple(map(int, index)), labels)

    def window(self) -> Window:
        """Choose what becomes black and white in pictures of the first channel."""
        first = next(iter(self.channels.values()))
        places = list(np.ndindex(self.labels.shape[:-2]))
        chosen = places[:: max(1, len(places) // PROBED)]
        probes = [np.asarray(first[place]) for place in chosen]
        middle = probes[len(probes) // 2]
        window = default_window(middle)
        if self.rgb or middle.dtype in (np.uint8, np.bool_):
            return window
        if middle.dtype.kind == "f" and window == default_window(np.zeros(1, bool)):
            return window
        return percentile_window(*probes)

    def picture(self, index: tuple[int, ...], window: Window) -> NDArray[np.uint8]:
        """Give a slice of the first channel as a picture of 8 bits, (H, W) or RGB."""
        first = next(iter(self.channels.values()))
        shown = window.apply(np.asarray(first[index]))
        return np.asarray(np.rint(shown * 255), np.uint8)

    def in_file(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn an array of the labels' shape as the image's file has its axes."""
        return self.source.with_affine().to_file(array)


def _part(
    image: Array, axis: int | None, number: int, shape: tuple[int, ...]
) -> LazyArray:
    """Give a channel of an image in the shape of the labels, without reading it.

    Raises
    ------
    UserError
        If they differ by more than axes of length 1.
    """
    own = [(a, side) for a, side in enumerate(image.shape) if a != axis and side > 1]
    if [side for _, side in own] != [side for side in shape if side > 1]:
        without = tuple(side for a, side in enumerate(image.shape) if a != axis)
        raise UserError(
            f"The mask has the shape {shape} and its image {without}; give the image "
            "that it was drawn on."
        )

    def read(pieces: tuple[slice, ...]) -> NDArray[Any]:
        where = [slice(0, 1)] * len(image.shape)
        if axis is not None:
            where[axis] = slice(number, number + 1)
        pairs = list(zip(pieces, shape, strict=True))
        long = (piece for piece, side in pairs if side > 1)
        for (place, _), piece in zip(own, long, strict=True):
            where[place] = piece
        sides = [len(range(*piece.indices(side))) for piece, side in pairs]
        return np.asarray(image[tuple(where)]).reshape(sides)

    return LazyArray(shape, np.dtype(image.dtype), read)


def long_sides(shape: Sequence[int]) -> list[int]:
    """List the sides that have more than one entry; arrays of the same can be one."""
    return [side for side in shape if side != 1]


def class_of(name: LabelName) -> str:
    """Tell the class of an object, see :meth:`ExportCase.classes`."""
    if name.category:
        return name.category
    return NO_CLASS if NAMELESS.fullmatch(name.name) else name.name


def file_name(name: str) -> str:
    """Make something that files can be called of a name."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "image"


def read_case(
    mask: Path, image: Path, report: Callable[[str], None], name: str = ""
) -> ExportCase:
    """Read a mask and its image.

    Parameters
    ----------
    mask : Path
        Labels, in any format.
    image : Path
        A file, or the folder of a series, of slices or of a BraTS case.
    report : callable
        Gets a sentence for everything that is not as it should be.
    name : str
        What files are to be called; by default as the image.

    Raises
    ------
    UserError
        If a file cannot be read, or the mask does not fit.
    ImportError
        If a format needs a package that is not installed.
    """
    opened = next((one for one in open_layers(image) if not one.labels), None)
    if opened is None or opened.source.path is None:
        raise UserError(f"'{image}' holds labels only; give the image they are of.")
    for sentence in opened.warnings:
        report(sentence)
    file = read_image(opened.source.path if opened.channels else image)
    labels = np.asarray(opened.source.to_layer(read_labels(mask, file, report)))
    if (labels < 0).any():
        raise UserError(
            f"'{mask}' has labels below 0 (down to {labels.min()}), for which these "
            "formats have no place; give objects numbers from 1."
        )
    axis = 0 if opened.channels else _channel_axis(opened.source)
    source = opened.source
    if axis is not None and not opened.channels:
        labels = _of_all_channels(labels, axis)
        source = source.of_mask(labels.ndim, axis)
    return ExportCase.of_layers(
        name or (stem_of(image) if image.is_file() else image.name),
        labels,
        source,
        read_label_names(mask) if mask.is_file() else (),
        opened.array,
        rgb=opened.rgb,
        channel_axis=axis,
        channels=opened.channels,
    )


def _channel_axis(source: Source) -> int | None:
    names = source.axis_labels
    return names.index("channel") if "channel" in names else None


def _of_all_channels(labels: NDArray[Any], axis: int) -> NDArray[Any]:
    """Give the labels that all channels have.

    Raises
    ------
    UserError
        If they differ between channels.
    """
    merged = np.asarray(labels.max(axis=axis, keepdims=True, initial=0))
    if ((labels != merged) & (labels != 0)).any():
        raise UserError(
            "The labels differ between the channels at some pixels; export the mask of "
            "one channel."
        )
    return merged
