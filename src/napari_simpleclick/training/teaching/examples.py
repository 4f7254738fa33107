"""Accepted objects as examples, and which of them cannot be learned from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.training.images import MIN_OBJECT_PX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.images import Viewport
    from napari_simpleclick.images.intensity import Window

SAME_OBJECT = 0.5
"""Two masks of a slice that overlap more than this (IoU) are of one object."""

SAME_MASK = 0.9
"""Two masks of a slice that overlap more than this (IoU) say the same."""


@dataclass(frozen=True)
class Origin:
    """Where an example is from.

    Parameters
    ----------
    image : str
        What tells the image from others: a name, or a path.
    label : int
        Number of the object.
    plane : str
        What tells the slice from others of the image; empty for an image of one.
    """

    image: str = "image"
    label: int = 1
    plane: str = ""

    def __str__(self) -> str:
        """Name the object as a person would."""
        where = f" on {self.plane}" if self.plane else ""
        return f"object {self.label} of '{self.image}'{where}"


@dataclass(frozen=True, eq=False)
class Example:
    """An object that a person has accepted, on one slice.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3), any number type. Examples of one slice share it.
    mask : ndarray
        (H, W) bool.
    others : ndarray or None
        (H, W) bool, all other objects of the slice; None where nothing is known.
    window : Window or None
        Intensities that become black and white; None chooses them.
    spacing : tuple of float
        Height and width of a pixel, in any unit.
    origin : Origin
        Where it is from.
    viewport : Viewport or None
        What was in sight when it was first clicked on, and is shown to the network
        then; None for all of the image.
    """

    image: NDArray[Any]
    mask: NDArray[np.bool_]
    others: NDArray[np.bool_] | None = None
    window: Window | None = None
    spacing: tuple[float, float] = (1.0, 1.0)
    origin: Origin = field(default_factory=Origin)
    viewport: Viewport | None = None


class Sorted(NamedTuple):
    """Examples to learn from, and what is to be said about the others.

    Parameters
    ----------
    examples : tuple of Example
        In the order that they came in.
    left_out : tuple of str
        A sentence for each that cannot be learned from.
    """

    examples: tuple[Example, ...]
    left_out: tuple[str, ...]


def examples_of(
    image: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    *,
    name: str = "image",
    plane: str = "",
    window: Window | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> list[Example]:
    """Make an example of every label of a slice.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3).
    labels : ndarray
        (H, W) integer; 0 and below is no object.
    name, plane : str
        As of :class:`Origin`.
    window, spacing
        As of :class:`Example`.

    Returns
    -------
    list of Example
        By label.

    Raises
    ------
    UserError
        If image and labels differ in size.
    """
    if image.shape[:2] != labels.shape:
        raise UserError(
            f"'{name}' is {image.shape[:2]} px large and its labels {labels.shape}; "
            "give labels of the same size."
        )
    found = []
    for label in np.unique(labels[labels > 0]).tolist():
        mask = np.asarray(labels == label)
        others = np.asarray((labels > 0) & ~mask)
        origin = Origin(name, label, plane)
        found.append(Example(image, mask, others, window, spacing, origin))
    return found


def sort_out(examples: Iterable[Example]) -> Sorted:
    """Leave out what cannot be learned from, and say why.

    Of several examples of an object with nearly the same mask the last one stays; where
    the masks differ nobody knows which is right, and none does.

    Parameters
    ----------
    examples : iterable of Example
        As a person has accepted them.
    """
    usable: dict[int, Example] = {}
    told: list[str] = []
    for example in examples:
        reason = _unusable(example)
        if reason:
            told.append(f"{_capital(str(example.origin))} {reason}.")
        else:
            usable.pop(id(example), None)  # given twice, it is one all the same
            usable[id(example)] = example
    gone: set[int] = set()
    for group in by_slice(usable.values()):
        told += _contradictions(group, gone)
    kept = tuple(one for key, one in usable.items() if key not in gone)
    return Sorted(kept, tuple(told))


def by_slice(examples: Iterable[Example]) -> list[list[Example]]:
    """Put examples of one slice together.

    They have one origin; images that nobody has named are told apart by their pixels.
    """
    found: dict[tuple[str, str], list[list[Example]]] = defaultdict(list)
    for example in examples:
        groups = found[example.origin.image, example.origin.plane]
        for group in groups:
            if _same_image(group[0], example):
                group.append(example)
                break
        else:
            groups.append([example])
    return [group for groups in found.values() for group in groups]


def _same_image(first: Example, second: Example) -> bool:
    one, other = first.image, second.image
    if one is other or one.shape != other.shape:
        return one is other
    if first.origin.image != Origin.image:
        return True
    floats = one.dtype.kind == other.dtype.kind == "f"
    return np.array_equal(one, other, equal_nan=floats)


def bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First and last row, first and last column of a mask that is not empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def _unusable(example: Example) -> str:
    """Say why an example cannot be learned from; empty if it can."""
    if example.mask.shape != example.image.shape[:2]:
        return "has a mask of another size than its image and is left out"
    area = int(example.mask.sum())
    if area == 0:
        return "has no pixels and is left out"
    if area < MIN_OBJECT_PX:
        return f"has only {area} pixels and is left out"
    if area == example.mask.size:
        return "fills its image and is left out"
    return ""


def _contradictions(group: Sequence[Example], gone: set[int]) -> list[str]:
    """Note what has to go of the examples of a slice, and say why."""
    told: list[str] = []
    repeated: set[int] = set()
    boxes = [bounds(example.mask) for example in group]
    for (first, box), (second, other) in combinations(
        zip(group, boxes, strict=True), 2
    ):
        if id(first) in repeated or not _meet(box, other):
            continue
        shared = int((first.mask & second.mask).sum())
        overlap = shared / int((first.mask | second.mask).sum())
        if overlap > SAME_MASK:
            repeated.add(id(first))
        elif overlap > SAME_OBJECT:
            gone |= {id(first), id(second)}
            told.append(
                f"{_capital(str(first.origin))} and {second.origin} lie on the same "
                "place with different masks, so neither is learned from; delete the "
                "wrong one."
            )
    gone |= repeated
    return told


def _meet(box: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    rows = box[0] <= other[1] and other[0] <= box[1]
    return rows and box[2] <= other[3] and other[2] <= box[3]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
