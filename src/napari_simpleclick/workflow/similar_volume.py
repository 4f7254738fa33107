"""A label file's objects to those like them: what the command line does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.annotation.proposals import LEAST_SCORE
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import ImageFile, read_image, read_labels
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.inference import Predictor
from napari_simpleclick.inference.shown_image import has_numbers
from napari_simpleclick.inference.similar import (
    Answers,
    ExampleSlice,
    Picture,
    SimilarFinder,
)
from napari_simpleclick.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

MOST_EXAMPLE_SLICES = 12
"""Slices that are learned from, those with the most examples."""


class FoundObject(NamedTuple):
    """An object that was found.

    Parameters
    ----------
    label : int
        Its number in the mask.
    slice_index : int
        Its slice.
    score : float
        How sure it is, 0 to 1.
    area_px : int
        Pixels of it.
    """

    label: int
    slice_index: int
    score: float
    area_px: int


@dataclass(frozen=True, eq=False)
class SimilarMask:
    """The examples of a volume, and what is like them.

    Parameters
    ----------
    labels : ndarray
        int64 or uint64 of the file's shape: the examples as they were, and what was
        found with the numbers that follow.
    file : ImageFile
        The image that they overlay, with warnings of the examples too.
    found : list of FoundObject
        Slice by slice, the surest first.
    examples : int
        Objects on slices that were learned from.
    searched : int
        Slices that were searched.
    surest : float or None
        Highest score, also of what is less sure than was asked for.
    """

    labels: NDArray[np.integer]
    file: ImageFile
    found: list[FoundObject]
    examples: int
    searched: int
    surest: float | None


def find_similar(
    image: Path,
    examples: Path,
    axis: int | None = None,
    index: int | None = None,
    weights: str = "bundled",
    least_score: float = LEAST_SCORE,
    whole: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> SimilarMask:
    """Find what looks like the objects of a label file.

    Parameters
    ----------
    image : Path
        An image file, or a folder that is one image.
    examples : Path
        Labels of the image's shape; each label on each slice is an example.
    axis : int or None
        For volumes: the axis that slices follow.
    index : int or None
        The slice to search; None searches all.
    weights : str
        Name in the catalogue, or a file.
    least_score : float
        What is less sure is left out, 0 to 1.
    whole : bool
        Whether nothing is left to find on the slices with examples: they are not
        searched, and all the rest of them counts as something else.
    report : callable
        Called with the number of slices that are done, and of all.

    Raises
    ------
    UserError
        If anything about the input cannot be used, or there are fewer than three
        examples.
    """
    file = read_image(image)
    flat = file.as_volume()
    told: list[str] = []
    marked = read_labels(examples, flat, told.append)
    if marked.shape != flat.shape:
        raise UserError(
            f"'{examples}' has shape {marked.shape}, its image {flat.shape}; give "
            "labels of the same size."
        )
    planes = _planes(flat, axis)
    if not any(has_numbers(plane.read(flat.array)) for plane in planes.values()):
        raise UserError(
            f"'{image}' holds no numbers, so there is nothing to be seen on it; choose "
            "another."
        )
    holding = {
        n: plane for n, plane in planes.items() if (plane.read(marked) > 0).any()
    }
    searched = planes if index is None else {index: _one(planes, index)}
    searched = {n: p for n, p in searched.items() if not (whole and n in holding)}
    rows, columns = next(iter(planes.values())).axes
    spacing = file.pixel_size(rows, columns)
    lessons = [
        ExampleSlice(
            Picture(plane.read(flat.array), None, spacing),
            [labels == label for label in np.unique(labels[labels > 0])],
            whole=whole,
        )
        for plane, labels in _richest(holding, marked)
    ]
    finder = SimilarFinder(Answers(Predictor(load_weights(weights)[0])))
    total, done = 2 * len(lessons) + len(searched), 0
    for done, _ in enumerate(finder.learn(lessons), start=1):
        report(done, total)
    result = marked.astype(np.uint64 if marked.min() >= 0 else np.int64)
    has_zeros = bool((marked == 0).any())  # or else what is negative is free
    found: list[FoundObject] = []
    scores: list[float] = []
    for number, plane in searched.items():
        here = result[plane.indexer]
        picture = Picture(plane.read(flat.array), None, spacing)
        for one in finder.find(picture, _taken(here, has_zeros)):
            scores.append(one.score)
            if one.score < least_score:
                break
            label = int(result.max()) + 1 if not found else found[-1].label + 1
            part = here[one.box.slices]
            free = one.mask & ~_taken(part, has_zeros)
            if free.any():
                part[free] = label
                area = int(np.count_nonzero(free))
                found.append(FoundObject(label, number, one.score, area))
        done += 1
        report(done, total)
    count = sum(len(one.objects) for one in lessons)
    file = replace(file, warnings=(*file.warnings, *told))
    surest = max(scores, default=None)
    result = result.reshape(file.shape)
    return SimilarMask(result, file, found, count, len(searched), surest)


def _taken(labels: NDArray[Any], has_zeros: bool) -> NDArray[np.bool_]:
    """Tell where something is marked that has to stay."""
    return np.asarray(labels != 0 if has_zeros else labels > 0)


def _planes(file: ImageFile, axis: int | None) -> dict[int, Plane]:
    """All slices of an image by their number; a 2-D image is its own slice 0."""
    shape = file.shape
    if len(shape) == 2:
        if axis is not None:
            raise UserError("A 2-D image has no slices; leave --axis and --slice out.")
        return {0: Plane((0, 1), (0, 0))}
    if len(shape) != 3 or axis is None or not 0 <= axis < 3:
        raise UserError(
            f"An image of shape {shape} is searched slice by slice; give a volume, and "
            "with --axis (0, 1 or 2) the axis that the slices follow."
        )
    across = tuple({0, 1, 2} - {axis})
    return {
        index: Plane.at(shape, across, tuple(index * (a == axis) for a in range(3)))
        for index in range(shape[axis])
    }


def _one(planes: dict[int, Plane], index: int) -> Plane:
    if index not in planes:
        raise UserError(
            f"Slice {index} is out of range: there are slices 0 to {len(planes) - 1}."
        )
    return planes[index]


def _richest(
    holding: dict[int, Plane], marked: NDArray[Any]
) -> list[tuple[Plane, NDArray[Any]]]:
    """Give the slices with the most examples, in their order, and their labels."""
    labels = {number: plane.read(marked) for number, plane in holding.items()}
    count = {number: np.unique(one[one > 0]).size for number, one in labels.items()}
    best = sorted(holding, key=lambda number: (-count[number], number))
    chosen = sorted(best[:MOST_EXAMPLE_SLICES])
    return [(holding[number], labels[number]) for number in chosen]
