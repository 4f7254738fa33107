"""What the network is shown of an image: a slice, its intensities and its channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.images.intensity import (
    CT_WINDOWS,
    UNIT,
    Window,
    percentile_window,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.images.planes import Plane

SLICES = 9
"""Slices that the percentiles of a volume are taken from, at most."""


class VolumeWindows:
    """Percentile windows of a volume's channels, from a few slices, computed once.

    It can be asked from any thread; to read slices takes time, so not from the main
    one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[int | None, int], Window] = {}
        self._source: Any = None

    def forget(self) -> None:
        """Compute anew next time, because the data have changed."""
        with self._lock:
            self._source = None

    def find(self, source: Any, ndim: int, axis: int | None, channel: int) -> Window:
        """Give the window of a channel, or of an image without any."""
        with self._lock:
            if source is not self._source:
                self._known.clear()
                self._source = source
            known = self._known.get((axis, channel))
            if known is None:
                slices = _few_slices(source, ndim, axis, channel)
                known = self._known[axis, channel] = percentile_window(*slices)
            return known


def _few_slices(
    source: Any, ndim: int, axis: int | None, channel: int
) -> list[NDArray[Any]]:
    """Read slices along the last two axes, spread evenly over the others."""
    shape = tuple(int(side) for side in source.shape[:ndim])
    flat = [a for a in range(ndim) if a != axis]
    hidden = flat[:-2]
    counts = [shape[a] for a in hidden]
    total = int(np.prod(counts, dtype=np.int64))
    chosen = np.unique(np.linspace(0, total - 1, min(SLICES, total)).round())
    slices = []
    for number in chosen.astype(np.int64):
        index: list[Any] = [slice(None)] * ndim
        for a, place in zip(
            hidden, np.unravel_index(number, counts or 1), strict=False
        ):
            index[a] = int(place)
        if axis is not None:
            index[axis] = channel
        slices.append(np.asarray(source[tuple(index)]))
    return slices


@dataclass(frozen=True)
class DisplaySettings:
    """What tells two views of the same slice apart.

    Parameters
    ----------
    rgb : bool
        Whether the last axis of the data is colour, which is shown as it is.
    intensities : str
        As in :class:`napari_simpleclick.annotation.Options`.
    shown : Window or None
        The layer's contrast limits and gamma, where intensities are as displayed.
    axis : int or None
        The axis of channels.
    channels : tuple of int
        One channel, or three for red, green and blue, -1 for none.
    """

    rgb: bool = False
    intensities: str = "displayed"
    shown: Window | None = None
    axis: int | None = None
    channels: tuple[int, ...] = ()

    @property
    def combined(self) -> bool:
        """Whether several channels become one picture."""
        return len(self.channels) > 1

    @property
    def by_slice(self) -> bool:
        """Whether each slice has a window of its own.

        The contrast limits of a layer are those of one channel; several of them are
        each stretched by themselves.
        """
        one_for_all = self.intensities == "displayed" and self.combined
        return self.intensities == "slice" or one_for_all


@dataclass(frozen=True, eq=False)
class View:
    """A snapshot of how an image is looked at, for use off the main thread.

    Parameters
    ----------
    source : array_like
        The data at full resolution; only slices are read.
    look : DisplaySettings
        Intensities and channels.
    windows : VolumeWindows
        Where the percentiles of the volume are remembered.
    overview : array_like
        The same data, or a smaller level of them, for what concerns the whole volume.
    ndim : int
        Number of axes without colour.
    """

    source: Any
    look: DisplaySettings
    windows: VolumeWindows
    overview: Any
    ndim: int

    def read(self, plane: Plane) -> NDArray[Any]:
        """Read a slice, to be mapped by :meth:`window`.

        Returns
        -------
        ndarray
            (H, W), or (H, W, 3) for colour and combined channels.
        """
        look = self.look
        if look.rgb:
            return plane.read(self.source)[..., :3]
        if look.combined:
            channels = [self._unit(plane, channel) for channel in look.channels]
            shape = next(one.shape for one in channels if one is not None)
            empty = np.zeros(shape, np.float32)
            return np.stack([empty if c is None else c for c in channels], axis=-1)
        picture = self.gray(plane)
        return percentile_window(picture).apply(picture) if look.by_slice else picture

    def gray(self, plane: Plane) -> NDArray[Any]:
        """Read a slice of an image without colour or of its only channel, as it is."""
        return self._channel(plane, self._only)

    def window(self) -> Window | None:
        """Intensities that become black and white; None chooses them for colour."""
        look = self.look
        if look.rgb:
            return None
        if look.combined or look.by_slice:
            return UNIT
        return self._fixed(self._only)

    @property
    def _only(self) -> int:
        return self.look.channels[0] if self.look.channels else 0

    def _channel(self, plane: Plane, channel: int) -> NDArray[Any]:
        axis = self.look.axis
        if axis is not None:
            index = (*plane.index[:axis], channel, *plane.index[axis + 1 :])
            plane = replace(plane, index=index)
        return plane.read(self.source)

    def _unit(self, plane: Plane, channel: int) -> NDArray[np.float32] | None:
        """Give a channel of a slice in [0, 1]; None where there is none."""
        if channel < 0:
            return None
        picture = self._channel(plane, channel)
        by_slice = self.look.by_slice
        window = percentile_window(picture) if by_slice else self._fixed(channel)
        return window.apply(picture)

    def _fixed(self, channel: int) -> Window:
        """Give the window that a channel has on all slices."""
        look = self.look
        if look.intensities == "volume":
            return self.windows.find(self.overview, self.ndim, look.axis, channel)
        if look.intensities in CT_WINDOWS:
            return CT_WINDOWS[look.intensities]
        assert look.shown is not None
        return look.shown
