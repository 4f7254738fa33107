"""Data sets to evaluate on: published ones, folders of images, and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.case_options import CaseOptions
from napari_simpleclick.evaluation.layouts import LAYOUTS, Pair
from napari_simpleclick.evaluation.readers import (
    IGNORED,
    Labels,
    bright,
    volume,
    volume_labels,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

DATASETS = tuple(LAYOUTS)
"""Names of the data sets and layouts; case, ``_`` and ``-`` do not matter."""

INITIAL_KINDS = ("sp", "stm")
"""Masks to be corrected: damaged by superpixels, or of a network for videos."""

DEFAULTS = CaseOptions()
"""Every label is an object, and every slice is used."""


@dataclass(frozen=True)
class Case:
    """One object of one image; small, so that it can be sent to other processes.

    Parameters
    ----------
    name : str
        Stem of the image, after its folder where stems are not unique; for a slice
        followed by its place, as in ``knee axis 2 slice 35``.
    instance : int
        Label of the object in its mask.
    image, mask : Path
        The files.
    layout : str
        Key of ``LAYOUTS``.
    axis, index : int or None
        The slice of a volume.
    options : CaseOptions
        Those that the case was found with.
    """

    name: str
    instance: int
    image: Path
    mask: Path
    layout: str
    axis: int | None = None
    index: int | None = None
    options: CaseOptions = DEFAULTS

    def load(self) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Read the image and the object.

        Returns
        -------
        image : ndarray
            (H, W), or (H, W, 3) RGB; values and dtype of the file, but uint8 RGB for
            published data sets, as released.
        truth : ndarray
            (H, W) int32: 1 object, 0 background and other objects, -1 ignored.

        Raises
        ------
        UserError
            If a file cannot be read, the two differ in size, or the slice is none.
        """
        image, labels = self.load_labels()
        truth = np.asarray(labels == self.instance, np.int32)
        truth[labels == IGNORED] = IGNORED
        return image, truth

    def labels_there(self) -> list[int]:
        """Labels of all objects in the image or slice, ascending.

        Raises
        ------
        UserError
            As :meth:`load` does.
        """
        labels = self.load_labels()[1]
        return [int(label) for label in np.unique(labels[labels > 0])]

    @property
    def source(self) -> str:
        """Name of the image, without the slice."""
        return self.name.partition(" axis ")[0] if self.axis is not None else self.name

    def load_labels(self) -> tuple[NDArray[Any], Labels]:
        """Read the image, as :meth:`load` does, and all of its objects.

        Returns
        -------
        image : ndarray
            (H, W) or (H, W, 3).
        labels : ndarray
            (H, W) integer: 0 background, -1 ignored.

        Raises
        ------
        UserError
            As :meth:`load` does.
        """
        layout = LAYOUTS[self.layout]
        image = layout.image(self.image)
        labels = layout.read_labels(self.mask, self.image)
        if image.shape[: labels.ndim] != labels.shape:
            raise UserError(
                f"'{self.image}' and its mask '{self.mask}' differ in size: "
                f"{image.shape[: labels.ndim]} and {labels.shape}; give one that fits."
            )
        if self.axis is not None and self.index is not None:
            if self.index >= labels.shape[self.axis]:
                raise UserError(
                    f"'{self.mask}' has no slice {self.index} on axis {self.axis}, "
                    f"only {labels.shape[self.axis]}; choose another one."
                )
            image = image.take(self.index, self.axis)
            labels = np.asarray(labels.take(self.index, self.axis))
        return image, self.options.apply(labels)

    def initial(self, kind: str) -> NDArray[np.bool_]:
        """Read the mask of DAVIS-585 that is to be corrected.

        Parameters
        ----------
        kind : str
            ``sp`` or ``stm``.

        Returns
        -------
        ndarray
            (H, W) bool.

        Raises
        ------
        UserError
            If the data set or the kind is another one, or there is no such file.
        """
        if self.layout != "davis585" or kind not in INITIAL_KINDS:
            raise UserError(
                f"There are no initial masks '{kind}' of '{self.layout}'; "
                f"davis585 has {' and '.join(INITIAL_KINDS)}."
            )
        path = self.mask.with_name(f"init_{kind}_{self.mask.name}")
        return np.asarray(bright(path), bool)


def find_cases(dataset: str, root: Path, options: CaseOptions = DEFAULTS) -> list[Case]:
    """Find every object of a data set.

    Parameters
    ----------
    dataset : str
        One of ``DATASETS``.
    root : Path
        Folder of the data set.
    options : CaseOptions
        For ``folder`` and ``volume``.

    Returns
    -------
    list of Case
        At least one; by image, slice and label.

    Raises
    ------
    UserError
        If the name is unknown, the folder has another layout, a mask is missing or
        cannot be read, or there is no object.
    """
    key, root = _key(dataset), root.resolve()
    if not LAYOUTS[key].general and options != DEFAULTS:
        raise UserError(
            f"'{key}' has rules of its own; choices of axis, slices, labels and areas "
            "are for 'folder' and 'volume'."
        )
    volume.cache_clear()  # files may have changed since
    volume_labels.cache_clear()
    pairs = LAYOUTS[key].pairs(root, options)
    cases = [case for pair in pairs for case in _cases(key, pair, options)]
    if not cases:
        raise UserError(
            f"The masks in '{root}' hold no object of {options.min_area} px or more; "
            "check their labels, or ask for smaller ones."
        )
    return cases


def _key(dataset: str) -> str:
    plain = {key.replace("_", ""): key for key in LAYOUTS}
    name = dataset.lower().replace("_", "").replace("-", "")
    if name not in plain:
        raise UserError(
            f"There is no data set '{dataset}'; choose one of {', '.join(DATASETS)}."
        )
    return plain[name]


def _cases(key: str, pair: Pair, options: CaseOptions) -> Iterator[Case]:
    whole = LAYOUTS[key].read_labels(pair.mask, pair.image)
    for axis, index, labels in _planes(whole, options):
        labels = options.apply(labels)
        if labels.min() < IGNORED:
            raise UserError(
                f"'{pair.mask}' has the label {labels.min()}; give it as the one to "
                "ignore, or use labels from 0."
            )
        name = pair.name if index is None else f"{pair.name} axis {axis} slice {index}"
        instances, areas = np.unique(labels[labels > 0], return_counts=True)
        for instance in instances[areas >= options.min_area].tolist():
            found = name, instance, pair.image, pair.mask, key
            yield Case(*found, axis, index, options)


def _planes(
    labels: Labels, options: CaseOptions
) -> Iterator[tuple[int | None, int | None, Labels]]:
    """Axis, index and labels of each slice; an image is a slice of nothing."""
    if labels.ndim == 2:
        yield None, None, labels
        return
    for index in range(0, labels.shape[options.axis], options.every):
        yield options.axis, index, _slice(labels, options.axis, index)


def _slice(volume: NDArray[Any], axis: int, index: int) -> NDArray[Any]:
    return np.asarray(volume.take(index, axis))
