"""Measures at every time point of a mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_simpleclick.measurement.measuring import measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.measurement.axes import Axes
    from napari_simpleclick.measurement.objects import ObjectMeasures


def measure_over_time(
    labels: NDArray[np.integer],
    axes: Axes,
    images: Mapping[str, NDArray[np.generic]] | None = None,
    *,
    affine: ArrayLike | None = None,
    names: Mapping[int, str] | None = None,
) -> list[ObjectMeasures]:
    """Measure every object of a mask at every time point that it is there.

    Parameters
    ----------
    labels : ndarray
        Integer, with the axes that ``axes`` tells.
    axes : Axes
        See :func:`napari_simpleclick.measurement.find_axes`.
    images, affine, names
        As for :func:`napari_simpleclick.measurement.measure`; images of the mask's
        shape, or of one time point for all.

    Returns
    -------
    list of ObjectMeasures
        Ascending by label, then by time point.

    Raises
    ------
    UserError
        As for :func:`napari_simpleclick.measurement.measure`.
    """
    found = []
    for time in axes.times(labels.shape):
        pictures = {
            name: axes.read(image, time) if image.ndim == axes.count else image
            for name, image in (images or {}).items()
        }
        here = measure(
            axes.read(labels, time), axes.spacing, pictures, affine=affine, names=names
        )
        found += [replace(one, time=time) for one in here]
    return sorted(found, key=lambda one: one.label)
