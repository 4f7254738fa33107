"""An image file as the window shows it when it has just been opened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_simpleclick.annotation import ObjectSlice, ObjectStack, Session
from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane
from napari_simpleclick.images.intensity import CT_WINDOWS
from napari_simpleclick.plugin.files import layer_data
from napari_simpleclick.plugin.layers.displayed_image import DisplayedImage
from napari_simpleclick.plugin.layers.placement import default_options, mask_shape
from napari_simpleclick.workflow.encode_volume import VolumeSlices

if TYPE_CHECKING:
    from napari_simpleclick.annotation.mask_options import Intensities
    from napari_simpleclick.images.viewer_images import Opened

INTENSITIES = ("displayed", "slice", "volume", *CT_WINDOWS)


def slices_as_opened(
    opened: Opened, axis: int | None = None, window: str = "displayed"
) -> VolumeSlices:
    """Find the slices of an image and how they are looked at, without a window.

    Parameters
    ----------
    opened : Opened
        The image.
    axis : int or None
        Axis of the file that the slices follow; None for the one that is shown first.
    window : str
        One of :data:`INTENSITIES`, or LOW:HIGH in the image's units.

    Raises
    ------
    UserError
        If there is no such axis, or the window is none.
    """
    viewer = ViewerModel()
    image = viewer.add_layer(Layer.create(*layer_data(opened)))
    options = default_options(image)
    limits = None if window in INTENSITIES else _limits(window)
    if limits is None:
        options = replace(options, intensities=cast("Intensities", window))
    else:
        image.contrast_limits_range = limits
        image.contrast_limits = limits
    shown = DisplayedImage(viewer, image, Session(options))
    shape = mask_shape(image, options.channel_axis)
    if axis is not None:
        shown.show_slices_along(_place_of(axis, opened, image.ndim))
    plane = shown.current_plane()
    planes = _parallel(plane, shape, options.channel_axis)
    return VolumeSlices(shown.view(), planes, shown.spacing(plane))


def _parallel(
    plane: Plane, shape: tuple[int, ...], channel_axis: int | None
) -> tuple[Plane, ...]:
    """All slices that are parallel to one, through all times too."""
    stack = ObjectStack.containing(ObjectSlice(1, plane), channel_axis)
    if stack is None:
        return (plane,)
    counts = [
        1 if axis in (*plane.axes, channel_axis) else side
        for axis, side in enumerate(shape)
    ]
    fixed = list(plane.index)
    found = []
    for place in np.ndindex(*counts):
        index = [
            here if axis == channel_axis else there
            for axis, (here, there) in enumerate(zip(fixed, place, strict=True))
        ]
        found.append(Plane(plane.axes, tuple(index)))
    return tuple(found)


def _place_of(axis: int, opened: Opened, ndim: int) -> int:
    """Which of the last three axes of the layer an axis of the file has become."""
    order = opened.source.order
    place = order.index(axis) + ndim - len(order) if axis in order else -1
    if ndim < 3 or not ndim - 3 <= place < ndim:
        raise UserError(
            f"No slices follow axis {axis} of an image of shape {opened.source.shape}; "
            "leave it out, or choose an axis of space."
        )
    return place - (ndim - 3)


def _limits(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        limits = float(low), float(high)
    except ValueError:
        limits = 0.0, 0.0
    if not np.isfinite(limits).all() or limits[0] >= limits[1]:
        raise UserError(
            f"'{text}' is no window; give one of {', '.join(INTENSITIES)}, or LOW:HIGH "
            "such as -100:300."
        )
    return limits
