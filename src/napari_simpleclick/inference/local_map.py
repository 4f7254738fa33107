"""A map of an image that is 0 outside a window, which alone takes memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.prompts import Prompt

Window = tuple[slice, slice]
Span = tuple[int, int]

STRIPE_PX = 2**20
"""Pixels of an enlarged map that are worked out at a time."""


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
        height, width = self.size
        mask, columns = np.empty(self.size, bool), np.arange(width)
        pace = max(1, STRIPE_PX // width)
        for start in range(0, height, pace):
            rows = np.arange(start, min(height, start + pace))
            mask[rows[0] : rows[-1] + 1] = self._enlarged(rows, columns) > threshold
        return LocalMap(self.shape, self.where, mask)

    def astype(self, dtype: Any) -> LocalMap:
        """Give it with another number type."""
        return replace(self, inside=self.inside.astype(dtype))

    def cut(self) -> LocalMap:
        """Give it with the smallest window, copied; for one that is not enlarged."""
        start = self.where[0].start, self.where[1].start
        (top, bottom), (left, right) = self.box() or [(at, at - 1) for at in start]
        part = self.inside[
            top - start[0] : bottom + 1 - start[0],
            left - start[1] : right + 1 - start[1],
        ]
        where = slice(top, bottom + 1), slice(left, right + 1)
        return LocalMap(self.shape, where, part.copy())

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
        coarse = self.inside
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


def predict_local(
    predictor: Any, prompts: Sequence[Prompt], prior: LocalMap | None, state: Any
) -> tuple[LocalMap, Any]:
    """Have a predictor answer with a local map, also one that only has whole ones.

    Parameters
    ----------
    predictor : Predictor
        The predictor, or what stands in for one.
    prompts, prior, state
        See :meth:`napari_simpleclick.Predictor.predict_local`.
    """
    if hasattr(predictor, "predict_local"):
        found: tuple[LocalMap, Any] = predictor.predict_local(prompts, prior, state)
        return found
    full = None if prior is None else prior.full()
    answer, state = predictor.predict(prompts, full, state=state)
    return LocalMap.whole(answer).cut(), state
