"""A whole array at once: for scripts and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.propagation.propagation import Propagation
from napari_simpleclick.propagation.side_by_side import Leg, SideBySide
from napari_simpleclick.propagation.walk import LEAST_CONFIDENCE, Ending, Slices

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.images.intensity import Window
    from napari_simpleclick.inference import Predictor

Mask = NDArray[np.bool_]

SLICES_AT_HAND = 4
"""Slices of the image that are kept while several objects go through them."""


@dataclass(frozen=True)
class PropagatedMask:
    """An object in a volume.

    Parameters
    ----------
    mask : ndarray
        bool, of the volume's shape: the annotated slices and those that were reached.
    annotated : tuple of int
        The annotated slices.
    confidence : dict
        Slice number to confidence, 0 to 1, of every slice that was reached.
    endings : list of tuple
        Last slices that were reached, and why it went no further.
    """

    mask: Mask
    annotated: tuple[int, ...]
    confidence: dict[int, float]
    endings: list[tuple[int, Ending]]


@dataclass(frozen=True)
class PropagatedLabels:
    """Objects in a volume.

    Parameters
    ----------
    labels : ndarray
        Of the volume's shape and the type of the annotation, 0 for none.
    annotated, confidence, endings : dict
        Label to what :class:`PropagatedMask` says of one object.
    """

    labels: NDArray[Any]
    annotated: dict[int, tuple[int, ...]]
    confidence: dict[int, dict[int, float]]
    endings: dict[int, list[tuple[int, Ending]]]


def propagate_mask(
    predictor: Predictor,
    volume: Any,
    mask: NDArray[Any],
    axis: int,
    index: int | None = None,
    *,
    low: int | None = None,
    high: int | None = None,
    window: Window | None = None,
    spacing: tuple[float, ...] = (1.0, 1.0, 1.0),
    least_confidence: float = LEAST_CONFIDENCE,
    report: Callable[[int], None] = lambda _: None,
) -> PropagatedMask:
    """Carry the mask of annotated slices through a volume.

    Parameters
    ----------
    predictor : Predictor
        The model.
    volume : array_like
        (A, B, C), or (A, B, C, 3) colour; indexed slice by slice, so that a lazy array
        is never read as a whole.
    mask : ndarray
        The object: a slice (H, W), which needs ``index``, or a volume (A, B, C) in
        which every slice that holds a pixel is annotated. Above 0 is object.
    axis : int
        The axis that slices follow, 0 to 2.
    index : int or None
        The annotated slice to start from, up to the next annotated slices. None
        starts from each of them.
    low, high : int or None
        First and last slice to fill in; None is the end of the axis.
    window : Window or None
        Intensities that become black and white; None takes the default window of the
        annotated slice.
    spacing : tuple of float
        Size of a voxel along each axis.
    least_confidence : float
        Where it is less sure, it stops; 0 to 1.
    report : callable
        Called after every prediction with the number of its slice.

    Returns
    -------
    PropagatedMask
        The object.

    Raises
    ------
    UserError
        If shapes do not fit, a number is out of range, nothing is annotated in the
        range, or an annotated slice has no contrast.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_simpleclick import Predictor, load_weights, propagate_mask
    >>> volume = np.zeros((3, 64, 64))
    >>> volume[:, 20:44, 20:44] = 1
    >>> predictor = Predictor(load_weights("bundled")[0])
    >>> found = propagate_mask(predictor, volume, volume[0], axis=0, index=0)
    >>> found.annotated, found.mask.shape
    ((0,), (3, 64, 64))
    """
    found = propagate_labels(
        predictor,
        volume,
        (np.asarray(mask) > 0).astype(np.uint8),
        axis,
        index,
        low=low,
        high=high,
        window=window,
        spacing=spacing,
        least_confidence=least_confidence,
        report=report,
    )
    return PropagatedMask(
        found.labels > 0, found.annotated[1], found.confidence[1], found.endings[1]
    )


def propagate_labels(
    predictor: Predictor,
    volume: Any,
    labels: NDArray[Any],
    axis: int,
    index: int | None = None,
    *,
    low: int | None = None,
    high: int | None = None,
    window: Window | None = None,
    spacing: tuple[float, ...] = (1.0, 1.0, 1.0),
    least_confidence: float = LEAST_CONFIDENCE,
    report: Callable[[int], None] = lambda _: None,
) -> PropagatedLabels:
    """Carry several objects through a volume at once, kept apart where they touch.

    A pixel that two of them claim goes to the surer one, by its log-odds. On its
    annotated slices an object keeps its pixels.

    Parameters
    ----------
    predictor, volume, axis, low, high, window, spacing, least_confidence, report
        As for :func:`propagate_mask`.
    labels : ndarray
        The objects, of any integer type and 0 for none: a slice (H, W), which needs
        ``index``, or a volume (A, B, C). An object is annotated on every slice that
        holds a pixel of it.
    index : int or None
        The annotated slice to start from, of all objects on it; others stay as they
        are. None starts from all annotated slices of every object.

    Returns
    -------
    PropagatedLabels
        The objects.

    Raises
    ------
    UserError
        If shapes do not fit, a number is out of range, nothing is annotated in the
        range, or an annotated slice has no contrast.
    """
    if not 0 <= least_confidence <= 1:
        raise UserError(
            f"The least confidence cannot be {least_confidence}; give 0 to 1."
        )
    volume = volume if hasattr(volume, "shape") else np.asarray(volume)
    labels = np.asarray(labels)
    shape = tuple(int(side) for side in volume.shape[:3])
    planes = _planes(shape, axis)
    full, annotated = _annotations(labels, shape, axis, index, planes)
    low, high = _range(low, high, index, len(planes))
    rows, columns = planes[0].axes
    slices = Slices(
        lru_cache(SLICES_AT_HAND)(lambda number: planes[number].read(volume)),
        window,
        (spacing[rows], spacing[columns]),
    )
    legs: list[Leg] = []
    for label, own in annotated.items():
        starts = [one for one in own if low <= one <= high and index in (None, one)]
        for start in starts:
            propagation = Propagation(
                predictor,
                slices,
                start,
                planes[start].read(full) == label,
                partial(_annotated_mask, full, planes, label),
                least_confidence,
            )
            first = start == starts[0]
            legs.append(Leg(label, propagation, low if first else start, high))
    if not legs:
        raise UserError(
            f"No annotated slice lies within the range {low} to {high}; give a range "
            f"with one of {_listed(annotated)}."
        )
    view_px = predictor.input_side if predictor.encodes_once else None
    result = full.copy()
    confidence: dict[int, dict[int, float]] = {label: {} for label in annotated}
    taken = partial(_taken, full, planes)
    for label, step in SideBySide(legs, taken, view_px).run():
        there = result[planes[step.index].indexer]
        there[there == label] = 0
        there[step.mask] = label
        confidence[label][step.index] = step.confidence
        report(step.index)
    endings: dict[int, list[tuple[int, Ending]]] = {label: [] for label in annotated}
    for leg in legs:
        endings[leg.label] += leg.propagation.endings
    confidence = {label: dict(sorted(one.items())) for label, one in confidence.items()}
    return PropagatedLabels(result, annotated, confidence, endings)


def _listed(annotated: dict[int, tuple[int, ...]]) -> str:
    """First and last annotated slice of any object."""
    numbers = sorted({one for own in annotated.values() for one in own})
    if len(numbers) < 5:
        return ", ".join(map(str, numbers))
    return f"the {len(numbers)} from {numbers[0]} to {numbers[-1]}"


def _annotated_mask(
    full: NDArray[Any], planes: list[Plane], label: int, index: int
) -> Mask | None:
    mask = planes[index].read(full) == label
    return mask if mask.any() else None


def _taken(full: NDArray[Any], planes: list[Plane], index: int) -> Mask:
    """Tell which pixels of a slice are annotated."""
    return planes[index].read(full) > 0


def _planes(shape: tuple[int, ...], axis: int) -> list[Plane]:
    if len(shape) != 3:
        raise UserError(
            f"An image of shape {shape} has no slices to go through; give a volume."
        )
    if not 0 <= axis < 3:
        raise UserError(f"Axis {axis} is out of range: a volume has axes 0, 1 and 2.")
    rows, columns = sorted({0, 1, 2} - {axis})
    return [
        Plane((rows, columns), tuple(k if a == axis else 0 for a in range(3)))
        for k in range(shape[axis])
    ]


def _annotations(
    labels: NDArray[Any],
    shape: tuple[int, ...],
    axis: int,
    index: int | None,
    planes: list[Plane],
) -> tuple[NDArray[Any], dict[int, tuple[int, ...]]]:
    """Annotations as a volume, and the annotated slices of each object to carry."""
    if index is not None and not 0 <= index < len(planes):
        raise UserError(
            f"Slice {index} is out of range: axis {axis} has slices 0 to "
            f"{len(planes) - 1}."
        )
    if labels.shape == shape:
        full = np.array(labels)
    elif labels.shape != planes[0].size(shape):
        raise UserError(
            f"The mask has shape {labels.shape}, but a slice of this volume has "
            f"{planes[0].size(shape)} and the volume {shape}; give one of the two."
        )
    elif index is None:
        raise UserError(
            "A mask of one slice needs the number of that slice; give it (--slice)."
        )
    else:
        full = np.zeros(shape, labels.dtype)
        full[planes[index].indexer] = labels
    annotated: dict[int, tuple[int, ...]] = {}
    for number, plane in enumerate(planes):
        for label in np.unique(plane.read(full)):
            if label > 0:
                annotated[int(label)] = (*annotated.get(int(label), ()), number)
    if index is not None:
        annotated = {label: own for label, own in annotated.items() if index in own}
    if not annotated:
        where = "" if index is None else f" on slice {index}"
        raise UserError(f"The mask is empty{where}; annotate the object there first.")
    return full, dict(sorted(annotated.items()))


def _range(
    low: int | None, high: int | None, index: int | None, count: int
) -> tuple[int, int]:
    """First and last slice to fill in."""
    low, high = low if low is not None else 0, high if high is not None else count - 1
    if not 0 <= low <= high < count or not (index is None or low <= index <= high):
        start = "" if index is None else f" and hold slice {index}"
        raise UserError(
            f"The range {low} to {high} must lie within 0 to {count - 1}{start}."
        )
    return low, high
