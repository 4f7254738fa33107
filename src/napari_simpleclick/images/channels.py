"""Which axis of an image holds channels of one picture, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANNEL_NAMES_KEY = "napari-simpleclick channels"
"""Key of a layer's metadata under which the names of its channels are."""

AXIS_NAMES = ("channel", "channels", "c", "modality")
"""What an axis of channels is called."""

MOST = 16
"""Channels that an axis can have; longer ones are slices or times."""

PREFERRED = ("FLAIR", "T1c", "T2")
"""MR modalities that show most of a glioma, as red, green and blue."""


def possible_axes(shape: Sequence[int], rgb: bool = False) -> tuple[int, ...]:
    """Axes that can hold channels: 2 to 16 entries, and two others to be shown."""
    if rgb or len(shape) < 3:
        return ()
    return tuple(axis for axis, length in enumerate(shape) if 2 <= length <= MOST)


def find_axis(
    shape: Sequence[int], labels: Sequence[str], rgb: bool = False
) -> int | None:
    """Find the axis that is called one of channels; None if there is none."""
    for axis in possible_axes(shape, rgb):
        if labels[axis].lower() in AXIS_NAMES:
            return axis
    return None


def preferred(names: Sequence[str]) -> tuple[int, ...]:
    """Channels to combine where names tell which; else none."""
    if not all(name in names for name in PREFERRED):
        return ()
    return tuple(list(names).index(name) for name in PREFERRED)
