"""A map of an image that is 0 outside a window, which alone takes memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Window = tuple[slice, slice]
Span = tuple[int, int]

NOWHERE: Window = (slice(0, 0), slice(0, 0))
"""A window that holds nothing."""

ROUNDING = 1e-5
"""What a value between others may lie beyond them, as a share of the largest."""

CACHED_PX = 2**18
"""Pixels of labels that are searched at a time, so that they stay in the cache."""


@dataclass(frozen=True, eq=False)
class LocalMap:
    """A probability or mask of an image, as the part of it that may not be 0.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the image, px.
    where : tuple of slice
        Rows and columns of the window, with their ends.
    inside : ndarray
        (h, w), any type: what is there, or what is enlarged to be there.
    enlarged : bool
        Whether ``inside`` is coarser than the window, and what is there lies between
        its values: bilinear, corners aligned.
    """

    shape: tuple[int, int]
    where: Window
    inside: NDArray[Any]
    enlarged: bool = False

    @classmethod
    def whole(cls, full: NDArray[Any]) -> LocalMap:
        """Take a (H, W) map as it is."""
        height, width = full.shape
        return cls((height, width), (slice(0, height), slice(0, width)), full)

    @classmethod
    def of_label(
        cls, labels: NDArray[Any], label: int, within: Window | None = None
    ) -> LocalMap:
        """Find the pixels of a label, as a mask.

        Parameters
        ----------
        labels : ndarray
            (H, W) integer labels.
        label : int
            The label.
        within : tuple of slice or None
            The only window that is read; by default all is read, once, and the mask has
            the smallest window.
        """
        height, width = labels.shape
        if within is not None:
            return cls((height, width), within, labels[within] == label)
        pace = max(1, CACHED_PX // max(width, 1))
        lines, columns = np.zeros(height, bool), np.zeros(width, bool)
        for start in range(0, height, pace):
            found = labels[start : start + pace] == label
            if found.any():
                lines[start : start + pace] = found.any(axis=1)
                columns |= found.any(axis=0)
        spans = [np.flatnonzero(held) for held in (lines, columns)]
        if not spans[0].size:
            return cls((height, width), NOWHERE, np.zeros((0, 0), bool))
        rows, columns_ = (slice(int(s[0]), int(s[-1]) + 1) for s in spans)
        where = rows, columns_
        return cls((height, width), where, labels[where] == label)

    @staticmethod
    def common_window(*maps: LocalMap) -> Window | None:
        """Find the smallest window that holds all that is not 0; None for nothing."""
        boxes = [box for box in (one.box() for one in maps) if box is not None]
        if not boxes:
            return None
        rows, columns = (
            slice(min(span[0] for span in spans), max(span[1] for span in spans) + 1)
            for spans in zip(*boxes, strict=True)
        )
        return rows, columns

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the window, px."""
        rows, columns = self.where
        return rows.stop - rows.start, columns.stop - columns.start

    def values(self) -> NDArray[Any]:
        """Give what is in the window: (h, w)."""
        if not self.enlarged:
            return self.inside
        return self._enlarged(*(np.arange(side) for side in self.size))

    def full(self) -> NDArray[Any]:
        """Give the map of the whole image: (H, W)."""
        if self.size == self.shape and not self.enlarged:
            return self.inside
        result = np.zeros(self.shape, self.inside.dtype)
        result[self.where] = self.values()
        return result

    def above(self, threshold: float) -> LocalMap:
        """Give the mask of what is above a threshold, at full resolution."""
        if not self.enlarged:
            return LocalMap(self.shape, self.where, self.inside > threshold)
        return self._enlarged_above(threshold)

    def _enlarged_above(self, threshold: float) -> LocalMap:
        """Work out only what lies between values on both sides of the threshold."""
        tops, lefts = (
            _between(np.arange(side), side, coarse)[0]
            for side, coarse in zip(self.size, self.inside.shape, strict=True)
        )
        slack = ROUNDING * float(np.abs(self.inside).max(initial=0))
        over = np.asarray(self._pooled(np.minimum) > threshold + slack)
        some = ~np.asarray(self._pooled(np.maximum) <= threshold - slack)
        maybe = some & ~over
        rows, columns = (
            np.flatnonzero(np.asarray(some.any(axis=axis))[cells])
            for axis, cells in ((1, tops), (0, lefts))
        )
        if not (rows.size and columns.size):
            return LocalMap(self.shape, NOWHERE, np.zeros((0, 0), bool))
        rows, columns = (np.arange(at[0], at[-1] + 1) for at in (rows, columns))
        mask = np.empty((len(rows), len(columns)), bool)
        cells = lefts[columns]
        for band in np.split(rows, np.flatnonzero(np.diff(tops[rows])) + 1):
            part = mask[band[0] - rows[0] : band[-1] + 1 - rows[0]]
            part[:] = over[tops[band[0]], cells]
            near = np.flatnonzero(maybe[tops[band[0]], cells])
            if near.size:
                part[:, near] = self._enlarged(band, columns[near]) > threshold
        down, across = (
            slice(span.start + int(at[0]), span.start + int(at[-1]) + 1)
            for span, at in zip(self.where, (rows, columns), strict=True)
        )
        return LocalMap(self.shape, (down, across), mask)

    def _pooled(self, extreme: np.ufunc) -> NDArray[Any]:
        """Give the extreme of each coarse value and those after it."""
        cells = self.inside.copy()
        extreme(cells[:-1], cells[1:], out=cells[:-1])
        extreme(cells[:, :-1], cells[:, 1:], out=cells[:, :-1])
        return cells

    def astype(self, dtype: Any) -> LocalMap:
        """Give it with another number type."""
        return replace(self, inside=self.inside.astype(dtype))

    def cut(self, margin: int = 0) -> LocalMap:
        """Give it with the smallest window, copied; for one that is not enlarged.

        Parameters
        ----------
        margin : int
            Rows and columns more on each side, as far as the image has them; px.
        """
        start = self.where[0].start, self.where[1].start
        found = self.box()
        if found is None:
            rows, columns = (slice(at, at) for at in start)
        else:
            rows, columns = (
                slice(max(0, first - margin), min(side, last + 1 + margin))
                for (first, last), side in zip(found, self.shape, strict=True)
            )
        return LocalMap(self.shape, (rows, columns), self.within((rows, columns)))

    def within(self, where: Window) -> NDArray[Any]:
        """Give a copy of what is in another window; for one that is not enlarged."""
        sides = [span.stop - span.start for span in where]
        result = np.zeros(sides, self.inside.dtype)
        seen = [
            slice(max(one.start, other.start), min(one.stop, other.stop))
            for one, other in zip(where, self.where, strict=True)
        ]
        if all(span.start < span.stop for span in seen):
            there, here = (
                tuple(
                    slice(span.start - window.start, span.stop - window.start)
                    for span, window in zip(seen, windows, strict=True)
                )
                for windows in (where, self.where)
            )
            result[there] = self.inside[here]
        return result

    def any(self) -> bool:
        """Whether anything in it is not 0."""
        return bool(self.inside.any())

    def box(self) -> tuple[Span, Span] | None:
        """Give the first and last row and column of what is not 0; None for nothing."""
        spans = [np.flatnonzero(self.inside.any(axis=axis)) for axis in (1, 0)]
        if not spans[0].size:
            return None
        (top, bottom), (left, right) = (
            (int(span[0]) + window.start, int(span[-1]) + window.start)
            for span, window in zip(spans, self.where, strict=True)
        )
        return (top, bottom), (left, right)

    def at(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Any]:
        """Look up rows and columns of the image, px: (rows, columns)."""
        down, across = (
            at - span.start
            for at, span in zip((rows, columns), self.where, strict=True)
        )
        height, width = self.size
        here = (down >= 0) & (down < height), (across >= 0) & (across < width)
        result = np.zeros((len(rows), len(columns)), self.inside.dtype)
        seen = down[here[0]], across[here[1]]
        if seen[0].size and seen[1].size:
            exact = None if self.enlarged else self.inside[seen[0]][:, seen[1]]
            found = self._enlarged(*seen) if exact is None else exact
            if found.shape == result.shape:
                return found
            result[np.ix_(*here)] = found
        return result

    def _enlarged(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Work out rows and columns of the window from the coarse values."""
        top, bottom, down = _between(rows, self.size[0], self.inside.shape[0])
        left, right, across = _between(columns, self.size[1], self.inside.shape[1])
        first = int(top.min())
        coarse = self.inside[first : int(bottom.max()) + 1]
        top, bottom = top - first, bottom - first
        lines = coarse[:, left] * (1 - across) + coarse[:, right] * across
        down = down[:, None]
        return np.asarray(lines[top] * (1 - down) + lines[bottom] * down, np.float32)


def _between(
    places: NDArray[np.intp], fine: int, coarse: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Lower and upper neighbour and weight of places among fewer values."""
    at = places * ((coarse - 1) / (fine - 1) if fine > 1 else 0.0)
    lower = np.minimum(at.astype(np.intp), coarse - 1)
    upper = np.minimum(lower + 1, coarse - 1)
    return lower, upper, (at - lower).astype(np.float32)
