"""How long many tasks are going to take, from a few of them."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_simpleclick.tasks.pool import Task, TaskPool

T = TypeVar("T")

TIMED = 6
"""Tasks that are timed, besides a first one of each worker."""

UNSURE = 0.5
"""Share of an estimate by which it may be off where a single task was timed."""

CAVEAT = (
    "Such an estimate is easily off by a third, more where the rest is unlike what was "
    "timed, and several times where other programs want the processors later on. "
    "Nothing was written."
)


class Measured(NamedTuple):
    """What a task took that was timed.

    Parameters
    ----------
    units : float
        How much of the work it was; the time is in proportion to it.
    seconds : float
        Time that it takes, without loading the program and its weights.
    ends : tuple of float or None
        At least and at most, where the task was not done to its end; None where
        ``seconds`` are what it took.
    took_s : float or None
        Seconds that timing it took, where that is a part of it; None for ``seconds``.
    size_bytes : int
        Of its result, where it is to be kept.
    """

    units: float
    seconds: float
    ends: tuple[float, float] | None = None
    took_s: float | None = None
    size_bytes: int = 0


class Span(NamedTuple):
    """Seconds, and between what they are likely to be."""

    seconds: float
    low: float
    high: float

    def __str__(self) -> str:
        """Give it in words."""
        return (
            f"about {in_words(self.seconds)} ({in_words(self.low)} to "
            f"{in_words(self.high)})"
        )


@dataclass(frozen=True)
class Timing:
    """What came of timing a few tasks.

    Parameters
    ----------
    workers : int
        Processes that worked.
    start_s : float
        Until they had loaded everything, seconds.
    measured : tuple of Measured
        The tasks.
    """

    workers: int
    start_s: float
    measured: tuple[Measured, ...]

    @property
    def each_s(self) -> float:
        """Seconds for a unit."""
        return self._rate([one.seconds for one in self.measured])

    @property
    def each_bytes(self) -> float:
        """Size of a result."""
        return fmean(one.size_bytes for one in self.measured)

    def estimate(self, sizes: Sequence[float], serial_s: float = 0.0) -> Span:
        """Estimate how long tasks take, one after the other as workers get free.

        Parameters
        ----------
        sizes : sequence of float
            Units of each task.
        serial_s : float
            Seconds for all of them that only one process can do meanwhile.
        """
        ends = [one.ends or (one.seconds, one.seconds) for one in self.measured]
        least, most = (self._rate(list(seconds)) for seconds in zip(*ends, strict=True))
        off = self._spread()

        def whole(rate: float) -> float:
            work = makespan([rate * size for size in sizes], self.workers)
            return self.start_s + max(work, serial_s)

        low, high = least * (1 - off), most * (1 + off)
        return Span(whole(self.each_s), whole(low), whole(high))

    def _rate(self, seconds: list[float]) -> float:
        return sum(seconds) / sum(one.units for one in self.measured)

    def _spread(self) -> float:
        """Share by which the mean may be off: two standard errors."""
        if len(self.measured) < 2:
            return UNSURE
        rates = [one.seconds / one.units for one in self.measured]
        error: float = 2 * stdev(rates) / len(rates) ** 0.5 / fmean(rates)
        return min(error, UNSURE)


def time_tasks(pool: TaskPool, tasks: Iterable[Task]) -> Timing:
    """Do a few tasks as all of them would be done, and time them.

    The first one of each worker tells how long loading takes, and counts no further
    where there are others.

    Parameters
    ----------
    pool : TaskPool
        Who does them.
    tasks : iterable of tuple
        Whose functions give :class:`Measured`.

    Raises
    ------
    UserError
        If none of them can be done; that of the first one.
    """
    workers, began = pool.workers, time.perf_counter()
    found: list[Measured] = []
    wrong: list[Exception] = []
    start_s = 0.0
    for outcome in pool.finished(tasks, at_a_time=workers):
        if outcome.error is not None:
            wrong.append(outcome.error)
            continue
        one: Measured = outcome.value
        found.append(one)
        if len(found) <= workers:
            took_s = one.seconds if one.took_s is None else one.took_s
            start_s = time.perf_counter() - began - took_s
    if not found:
        raise wrong[0] if wrong else UserError("There is nothing left to be done.")
    timed = tuple(found[workers:] or found)
    return Timing(workers, max(0.0, start_s), timed)


def spread_out(items: Sequence[T], count: int) -> list[T]:
    """Choose at most so many items, evenly from first to last."""
    if count >= len(items):
        return list(items)
    step = len(items) / count
    return [items[int(step * (number + 0.5))] for number in range(count)]


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Time until all tasks are done that are begun in order by whoever is free."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heappush(free, heapq.heappop(free) + one)
    return max(free)


def in_words(seconds: float) -> str:
    """Tell a time, as ``2 h 10 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds / 10) * 10, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 600) * 10, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds / 86400:.1f} days"
