"""Zoom-in: the part of the image that the network looks at.

Source: the released evaluation code of RITM and SimpleClick; boxes are inclusive and
rounded half to even, as there.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.images.local_map import LocalMap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.networks import NetworkSpec
    from napari_simpleclick.prompts import Click

THRESHOLD = 0.49
"""Probability above which the published evaluation counts a pixel as object."""

LEAST_INPUT_PX, INPUT_STEP_PX = 320, 64
"""Least side of a crop that is enlarged less than to the network's usual input, and the
step in which such sides grow; a multiple of what any network needs that does so."""


class Crop(NamedTuple):
    """Rows and columns of a crop, both ends inclusive, px."""

    row_min: int
    row_max: int
    column_min: int
    column_max: int

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Crop:
        """Make a crop of all of an image of (height, width)."""
        return cls(0, shape[0] - 1, 0, shape[1] - 1)

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.row_max - self.row_min + 1

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.column_max - self.column_min + 1

    @property
    def slices(self) -> tuple[slice, slice]:
        """What to index an image with to get the crop."""
        return (
            slice(self.row_min, self.row_max + 1),
            slice(self.column_min, self.column_max + 1),
        )

    def holds(self, click: Click) -> bool:
        """Whether a click counts as inside; the last row and column do not."""
        return (
            self.row_min <= click.row < self.row_max
            and self.column_min <= click.column < self.column_max
        )


@dataclass(frozen=True)
class ZoomIn:
    """How crops are chosen.

    Parameters
    ----------
    size : tuple of int
        (height, width) in px that every crop is resized to; the aspect ratio is not
        kept.
    expansion : float
        Crop side over object side.
    min_side : int
        Shortest crop side, px.
    renew_below : float
        The crop moves when it overlaps the newly wanted one less than this.
    threshold : float
        Probability above which a pixel of the prior belongs to the object.
    skip : int
        With so many clicks, and later where there is no object, the network is shown
        the whole image, and no crop is remembered. Where the released code then places
        an answer for the whole image in an older crop, this does not.
    longest_side : int or None
        Side in px that the longer side of every crop is resized to instead of
        ``size``, keeping the aspect ratio; the whole image keeps its size.
    most_enlarged : float or None
        How many times a crop around an object is enlarged at most: a small one has no
        more to show, and a small input takes less time. What is looked at first, and
        the whole image, are always resized to ``size``, as is every crop for None.
    """

    size: tuple[int, int] = (448, 448)
    expansion: float = 1.4
    min_side: int = 200
    renew_below: float = 0.5
    threshold: float = 0.5
    skip: int = 0
    longest_side: int | None = None
    most_enlarged: float | None = None

    @classmethod
    def of(
        cls,
        spec: NetworkSpec,
        size: tuple[int, int] | None = None,
        fast: bool = False,
    ) -> ZoomIn:
        """Zoom in as suits a network.

        Parameters
        ----------
        spec : NetworkSpec
            What the network takes. One that refines looks again at what changed, so
            that its crops follow the object closely (FocalClick's target crop); one
            that does not zoom keeps its first look.
        size : tuple of int or None
            (height, width) that crops are resized to; None for that of training.
        fast : bool
            Enlarge crops around objects no more than is worth while.
        """
        size = size or spec.image_size
        if not spec.zooms:
            return cls(size, skip=sys.maxsize)
        if not spec.refines:
            return cls(size, most_enlarged=spec.most_enlarged if fast else None)
        return cls(size, min_side=10, renew_below=math.inf, threshold=THRESHOLD)

    @classmethod
    def keeping_aspect(cls, longest_side: int = 400) -> ZoomIn:
        """Zoom in as RITM's published evaluation does."""
        return cls(skip=1, longest_side=longest_side)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """All (height, width) in px that crops are resized to, the largest first."""
        if self.most_enlarged is None:
            return (self.size,)
        sides = range(LEAST_INPUT_PX, max(self.size), INPUT_STEP_PX)
        smaller = map(self._at_most, reversed(sides))
        return tuple(dict.fromkeys((self.size, *smaller)))

    def _at_most(self, side: float) -> tuple[int, int]:
        """Give the input for a side in px, rounded up, so that there are few sizes."""
        rounded = INPUT_STEP_PX * math.ceil(side / INPUT_STEP_PX)
        height, width = (min(most, max(LEAST_INPUT_PX, rounded)) for most in self.size)
        return height, width

    def network_size(
        self, crop: Crop | None, shape: tuple[int, int], around: bool = False
    ) -> tuple[int, int]:
        """Tell what (height, width) in px a crop is resized to.

        Parameters
        ----------
        crop : Crop or None
            As :meth:`choose` chose it.
        shape : tuple of int
            (H, W) of the image.
        around : bool
            Whether there is an object that it was chosen around.
        """
        if self.longest_side is None:
            first = not around or crop is None or crop == Crop.whole(shape)
            if first or crop is None or self.most_enlarged is None:
                return self.size
            return self._at_most(self.most_enlarged * max(crop.height, crop.width))
        if crop is None:
            return shape
        scale = self.longest_side / max(crop.height, crop.width)
        return max(1, round(crop.height * scale)), max(1, round(crop.width * scale))

    def choose(
        self,
        prior: NDArray[np.float32] | LocalMap | None,
        clicks: Sequence[Click],
        shape: tuple[int, int],
        current: Crop | None,
        first: Crop | None = None,
    ) -> Crop | None:
        """Choose the crop for the next prediction.

        Parameters
        ----------
        prior : ndarray, LocalMap or None
            (H, W) prior mask probability, or None for a new object.
        clicks : sequence of Click
            All clicks so far, the new one included.
        shape : tuple of int
            (H, W) of the image.
        current : Crop or None
            The crop of the last prediction.
        first : Crop or None
            What to look at while there is no object; None for the whole image, as
            published.

        Returns
        -------
        Crop or None
            The first look while there is no object; then the current crop, until a
            positive click falls outside it or the object has outgrown it. None for the
            whole image where crops are skipped.
        """
        found = None
        if prior is not None and len(clicks) > self.skip:
            known = prior if isinstance(prior, LocalMap) else LocalMap.whole(prior)
            found = self.around(known.above(self.threshold), clicks)
        if found is None and (self.skip or first is not None):
            return first
        wanted = found or Crop.whole(shape)
        if (
            current is None
            or any(click.positive and not current.holds(click) for click in clicks)
            or box_iou(wanted, current) < self.renew_below
        ):
            return wanted
        return current

    def around(
        self, mask: NDArray[np.bool_] | LocalMap, clicks: Sequence[Click]
    ) -> Crop | None:
        """Expand the box around a mask and the positive clicks; None if it is empty."""
        known = mask if isinstance(mask, LocalMap) else LocalMap.whole(mask)
        extent = known.box()
        if extent is None:
            return None
        sides: list[int] = []
        inside = [(int(c.row), int(c.column)) for c in clicks if c.positive]
        for axis, span in enumerate(extent):
            points = [place[axis] for place in inside]
            low, high = min([span[0], *points]), max([span[1], *points])
            side = max(self.expansion * float(high - low + 1), self.min_side)
            centre = 0.5 * float(low + high)
            sides.append(max(0, round(centre - side / 2)))
            sides.append(min(mask.shape[axis] - 1, round(centre + side / 2)))
        return Crop(*sides)


def box_iou(first: Crop, second: Crop) -> float:
    """Product of the overlaps of rows and of columns, with hulls as unions."""
    result = 1.0
    for low, high in ((0, 1), (2, 3)):
        inner = min(first[high], second[high]) - max(first[low], second[low]) + 1
        outer = max(first[high], second[high]) - min(first[low], second[low]) + 1
        result *= max(0, inner) / max(1e-6, outer)
    return result


def map_click(click: Click, box: Crop, size: tuple[int, int]) -> tuple[float, float]:
    """Row and column of a click in a crop that is resized to ``size``, unrounded."""
    return (
        size[0] * (click.row - box.row_min) / box.height,
        size[1] * (click.column - box.column_min) / box.width,
    )


def resize_crop(
    image: NDArray[Any],
    box: Crop,
    size: tuple[int, int],
    convert: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
) -> NDArray[np.float32]:
    """Resize a crop with bilinear interpolation and aligned corners.

    Only the pixels that the result depends on are read, so a crop of a very large
    image costs little more than one of a small image.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C), any number type.
    box : Crop
        The crop.
    size : tuple of int
        (height, width) of the result.
    convert : callable
        Maps pixel values to finite float32 before they are mixed; None for values
        that are finite as they are.

    Returns
    -------
    ndarray
        (height, width) or (height, width, C) float32.
    """
    crop = image[box.slices]
    convert = convert or _to_float
    top, bottom, down = _lattice(box.height, size[0])
    left, right, across = _lattice(box.width, size[1])
    tail = (1,) * (image.ndim - 2)
    down, across = down.reshape(-1, 1, *tail), across.reshape(1, -1, *tail)
    upper, lower = (
        (1 - across) * convert(line[:, left]) + across * convert(line[:, right])
        for line in (crop[top], crop[bottom])
    )
    return np.asarray((1 - down) * upper + down * lower, np.float32)


def resize_local(
    known: LocalMap, box: Crop, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Resize a crop of a local map, as :func:`resize_crop` does with all of the map.

    Parameters
    ----------
    known : LocalMap
        The map.
    box : Crop
        The crop, px of the image.
    size : tuple of int
        (height, width) of the result, px.
    """
    top, bottom, down = _lattice(box.height, size[0])
    left, right, across = _lattice(box.width, size[1])
    left, right, down = left + box.column_min, right + box.column_min, down[:, None]
    upper, lower = (
        (1 - across) * known.at(rows, left) + across * known.at(rows, right)
        for rows in (top + box.row_min, bottom + box.row_min)
    )
    return np.asarray((1 - down) * upper + down * lower, np.float32)


def _to_float(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32, copy=False)


def _lattice(
    length: int, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Lower and upper neighbour and weight of ``count`` samples along one axis."""
    scale = np.float32((length - 1) / (count - 1) if count > 1 else 0)
    place = np.arange(count, dtype=np.float32) * scale
    lower = np.minimum(place.astype(np.intp), length - 1)
    upper = np.minimum(lower + 1, length - 1)
    return lower, upper, place - lower.astype(np.float32)
