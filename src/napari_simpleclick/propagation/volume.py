"""A whole array at once: for scripts and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.propagation.propagation import Propagation
from napari_simpleclick.propagation.walk import LEAST_CONFIDENCE, Ending, Slices

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.images.intensity import Window
    from napari_simpleclick.inference import Predictor

Mask = NDArray[np.bool_]


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
        If shapes do not fit, a number is out of range, or nothing is annotated.

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
    shape = tuple(int(side) for side in volume.shape[:3])
    planes = _planes(shape, axis)
    full, annotated = _annotations(mask, shape, axis, index, planes)
    low, high = _range(low, high, index, len(planes))
    rows, columns = planes[0].axes
    slices = Slices(
        lambda number: planes[number].read(volume),
        window,
        (spacing[rows], spacing[columns]),
    )
    confidence: dict[int, float] = {}
    endings: list[tuple[int, Ending]] = []
    result = full.copy()
    starts = annotated if index is None else (index,)
    starts = tuple(start for start in starts if low <= start <= high)
    for start in starts:
        run = Propagation(
            predictor,
            slices,
            start,
            planes[start].read(full),
            lambda k: planes[k].read(full) if k in annotated else None,
            least_confidence,
        )
        downwards = index is not None or start == starts[0]
        for step in run.run(low if downwards else start, high):
            result[planes[step.index].indexer] = step.mask
            confidence[step.index] = step.confidence
            report(step.index)
        endings += run.endings
    return PropagatedMask(result, annotated, dict(sorted(confidence.items())), endings)


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
    mask: NDArray[Any],
    shape: tuple[int, ...],
    axis: int,
    index: int | None,
    planes: list[Plane],
) -> tuple[Mask, tuple[int, ...]]:
    """Annotations as a volume, and their slices."""
    if index is not None and not 0 <= index < len(planes):
        raise UserError(
            f"Slice {index} is out of range: axis {axis} has slices 0 to "
            f"{len(planes) - 1}."
        )
    full = np.zeros(shape, bool)
    if mask.shape == shape:
        full = np.asarray(mask) > 0
    elif mask.shape != planes[0].size(shape):
        raise UserError(
            f"The mask has shape {mask.shape}, but a slice of this volume has "
            f"{planes[0].size(shape)} and the volume {shape}; give one of the two."
        )
    elif index is None:
        raise UserError(
            "A mask of one slice needs the number of that slice; give it (--slice)."
        )
    else:
        full[planes[index].indexer] = np.asarray(mask) > 0
    others = tuple(a for a in range(3) if a != axis)
    annotated = tuple(int(k) for k in np.flatnonzero(full.any(axis=others)))
    if not annotated or (index is not None and index not in annotated):
        where = "" if index is None else f" on slice {index}"
        raise UserError(f"The mask is empty{where}; annotate the object there first.")
    return full, annotated


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
