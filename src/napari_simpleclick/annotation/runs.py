"""Voxels that follow one another, and what became of them, gathered into runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Voxels(NamedTuple):
    """The voxels of a change.

    Parameters
    ----------
    indices : ndarray
        (N,) int64, unique and ascending, into the mask in C order.
    before, after : ndarray
        (N,) labels.
    """

    indices: NDArray[np.int64]
    before: NDArray[Any]
    after: NDArray[Any]


class Runs(NamedTuple):
    """The voxels of a change; those of a run lie in order and changed alike.

    Parameters
    ----------
    starts, lengths : ndarray
        (N,) int64, where each run begins in the mask in C order, ascending, and how
        many voxels it has; none overlap.
    before, after : ndarray
        (N,) labels.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    before: NDArray[Any]
    after: NDArray[Any]

    @classmethod
    def of(cls, voxels: Voxels) -> Runs:
        """Gather voxels."""
        indices, before, after = voxels
        begins = np.ones(len(indices), bool)
        begins[1:] = np.diff(indices) != 1
        for labels in (before, after):
            begins[1:] |= labels[1:] != labels[:-1]
        first = np.flatnonzero(begins)
        lengths = np.diff(first, append=len(indices))
        return cls(indices[first], lengths, before[first], after[first])

    @classmethod
    def between(cls, before: NDArray[Any], after: NDArray[Any]) -> Runs:
        """Gather all that differs between two arrays of one shape, line by line.

        A run ends with its line, the last axis.
        """
        old, new = (one.reshape(-1, one.shape[-1]) for one in (before, after))
        differ = old != new
        begins, ends = differ.copy(), differ.copy()
        if differ.any():
            goes_on = differ[:, 1:] & differ[:, :-1]
            for labels in (old, new):
                goes_on &= labels[:, 1:] == labels[:, :-1]
            begins[:, 1:] &= ~goes_on
            ends[:, :-1] &= ~goes_on
        starts = np.flatnonzero(begins)
        lengths = np.flatnonzero(ends) + 1 - starts
        return cls(starts, lengths, old[begins], new[begins])

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs | None:
        """Put parts in order; None if they overlap."""
        starts, lengths, before, after = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(starts, kind="stable")
        runs = cls(starts[order], lengths[order], before[order], after[order])
        ends = runs.starts + runs.lengths
        return runs if (runs.starts[1:] >= ends[:-1]).all() else None

    def where(self, chosen: NDArray[np.bool_]) -> Runs:
        """Give some of the runs."""
        return Runs(*(part[chosen] for part in self))

    def voxels(self) -> Voxels:
        """Give the voxels one by one."""
        ends = np.cumsum(self.lengths)
        shifts = np.repeat(self.starts - ends + self.lengths, self.lengths)
        indices = np.arange(len(shifts)) + shifts
        before, after = (np.repeat(k, self.lengths) for k in (self.before, self.after))
        return Voxels(indices, before, after)

    def lines(self, side: int) -> Runs:
        """Cut them where lines of so many voxels end."""
        first, last = self.starts // side, (self.starts + self.lengths - 1) // side
        if (first == last).all():
            return self
        count = last - first + 1
        pieces = np.cumsum(count)
        row = np.arange(pieces[-1]) + np.repeat(first - pieces + count, count)
        ends = np.repeat(self.starts + self.lengths, count)
        starts = np.maximum(np.repeat(self.starts, count), row * side)
        lengths = np.minimum(ends, (row + 1) * side) - starts
        before, after = (np.repeat(k, count) for k in (self.before, self.after))
        return Runs(starts, lengths, before, after)
