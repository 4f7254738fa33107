"""From accepted objects to taught weights, adopted only if they save clicks."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.crops import ZoomIn
from napari_simpleclick.inference.devices import limited_threads
from napari_simpleclick.training.teaching.check import (
    TOLERATED,
    Score,
    other_kinds,
    score,
    split_in_halves,
)
from napari_simpleclick.training.teaching.examples import sort_out
from napari_simpleclick.training.teaching.pupil import Pupil, mix, put
from napari_simpleclick.training.teaching.taught_model import TaughtModel
from napari_simpleclick.weights import load_weights
from napari_simpleclick.weights.store import base_of, read_base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_simpleclick.training.teaching.examples import Example
    from napari_simpleclick.training.teaching.pupil import Weights

LEAST_OBJECTS = 3
"""Fewer are too few to learn from some and to check with others."""

ROUNDS = 0.6, 0.85
"""Shares of the time after which what was learned from the halves is judged, the
second time only if it was not worth having at the first."""

CHECKING = 0.08
"""Share of the time that the first look of the robot may take."""

MOST_CHECKED = 8
"""Objects of each half that the robot clicks on, at most."""

SHARES = (1.0, 0.5)
"""What is tried: the taught weights, and the mean of those and the weights before."""

FORGOTTEN = 0.5
"""A point of overlap lost on other kinds outweighs so much of a point gained."""


class TeachProgress(NamedTuple):
    """How far teaching is.

    Parameters
    ----------
    share : float
        0 to 1.
    batches : int
        Learned from so far.
    """

    share: float
    batches: int


def teach(
    examples: Iterable[Example],
    weights: str | Path = "bundled",
    *,
    seconds: float = 180.0,
    threads: int = 1,
    batches: int | None = None,
    seed: int = 0,
    report: Callable[[TeachProgress], None] = lambda _: None,
) -> TaughtModel:
    """Let a network learn from accepted objects.

    The objects are split in halves, by slices where possible. Two pupils learn from
    one half each for some of the time; the robot annotator then tells whether the
    objects of the other half need fewer clicks with what each has learned, or with the
    mean of that and the weights before, and how much is lost on other kinds of objects.
    If so, the mean of both pupils goes on with all objects for the rest of the time; if
    not, both go on as they are and are judged again at the end.

    Parameters
    ----------
    examples : iterable of Example
        Accepted objects, see :func:`examples_of`.
    weights : str or Path
        What is taught: a name in the catalogue, or a file.
    seconds : float
        Most time that it takes, if the checks of what was learned, which are always
        made to their end, take a tenth of it or less.
    threads : int
        CPU threads.
    batches : int or None
        Most batches to learn from, besides the time.
    seed : int
        Of every draw.
    report : callable
        Called after every batch, and after every object that the robot clicked on. An
        exception that it raises ends teaching and is passed on.

    Returns
    -------
    TaughtModel
        Says whether it is worth having, and can be saved.

    Raises
    ------
    UserError
        If there are too few objects that can be learned from, or the weights cannot be
        used.
    """
    found = sort_out(examples)
    if len(found.examples) < LEAST_OBJECTS:
        count = len(found.examples)
        why = f" {found.left_out[0]}" if found.left_out else ""
        raise UserError(
            f"There {'is 1 object' if count == 1 else f'are {count} objects'} to learn "
            f"from; accept at least {LEAST_OBJECTS}, so that some can check what was "
            f"learned from others.{why}"
        )
    with limited_threads(threads):
        clock = _Clock(seconds, batches)
        return _Teaching(found.examples, weights, clock, threads, seed, report).run(
            found.left_out
        )


class _Clock:
    """How much of the time, or of the batches, is over."""

    def __init__(self, seconds: float, batches: int | None) -> None:
        self.begun, self.seconds, self.most = time.monotonic(), seconds, batches

    @property
    def spent(self) -> float:
        return time.monotonic() - self.begun

    def share(self, batches: int) -> float:
        """0 to 1 and beyond."""
        counted = batches / self.most if self.most else 0.0
        return max(self.spent / self.seconds, counted)


class _Teaching:
    """One run of :func:`teach`."""

    def __init__(
        self,
        examples: tuple[Example, ...],
        weights: str | Path,
        clock: _Clock,
        threads: int,
        seed: int,
        report: Callable[[TeachProgress], None],
    ) -> None:
        self.examples, self.clock, self.threads = examples, clock, threads
        self.report, self.seed, self.batches = report, seed, 0
        self.base = base_of(weights)
        self.network, self.card = load_weights(weights)
        self.halves = split_in_halves(examples, np.random.default_rng(seed))
        self.pupils: tuple[Pupil, ...] = tuple(
            self._pupil(half) for half in self.halves
        )
        self.begin = self.pupils[0].begin
        self.root = read_base(self.base, Path(str(weights)))[0]

    def run(self, left_out: tuple[str, ...]) -> TaughtModel:
        others = other_kinds()
        checked = tuple(half[:MOST_CHECKED] for half in self.halves)
        limit = self.clock.seconds * CHECKING / 2
        first = (
            Score.over([self._score(half) for half in checked]),
            self._score(others, limit),
        )
        others = others[: first[1].count]  # the same ones are compared afterwards
        best = _Judged(0.0, first)
        for until in ROUNDS:
            self._learn_in_halves(until)
            best = self._judge(first, checked, others)
            if best.share:
                break
        weights = self.begin
        if best.share:
            weights = mix(self.begin, self._learn_from_all(), best.share)
        put(self.network, weights)
        self.network.requires_grad_(False)
        return TaughtModel(
            network=self.network,
            adopted=best.share > 0,
            base=self.base,
            card=self.card,
            before=first[0],
            after=best.scores[0],
            elsewhere=(first[1], best.scores[1]),
            objects=tuple(str(one.origin) for one in self.examples),
            left_out=left_out,
            seconds=self.clock.spent,
            batches=self.batches,
            share=best.share,
            _root=self.root,
        )

    def _pupil(self, examples: Sequence[Example]) -> Pupil:
        self.seed += 1
        zoom = ZoomIn.of(self.network.spec)
        return Pupil(self.network, examples, zoom, self.seed)

    def _learn_in_halves(self, until: float) -> None:
        """Have both pupils learn, one after the other, until a share of the time."""
        begun = self._share
        for number, pupil in enumerate(self.pupils, start=1):
            pupil.enter()
            end = begun + (until - begun) * number / len(self.pupils)
            while self._share < end:
                self._learn(pupil)
            pupil.leave()

    def _learn_from_all(self) -> Weights:
        """Go on from the mean of both, with all examples, for the rest of the time."""
        put(self.network, self._mean())
        self.pupils = ()  # they need memory
        pupil, begun = self._pupil(self.examples), self._share
        while (now := self._share) < 1:
            falls = (now - begun) / (1 - begun)
            self._learn(pupil, 0.5 + 0.5 * math.cos(math.pi * falls))
        return pupil.weights()

    def _learn(self, pupil: Pupil, decline: float = 1.0) -> None:
        pupil.learn(decline)
        self.batches += 1
        self._tell()

    def _score(self, examples: Sequence[Example], seconds: float = math.inf) -> Score:
        """Check the network as it is now."""
        return score(self.network, examples, self.threads, seconds, self._tell)

    def _tell(self) -> None:
        self.report(TeachProgress(min(1.0, self._share), self.batches))

    @property
    def _share(self) -> float:
        return self.clock.share(self.batches)

    def _mean(self) -> Weights:
        """Mean of what both pupils have learned."""
        first, second = self.pupils
        return mix(first.weights(), second.weights(), 0.5)

    def _judge(
        self,
        first: tuple[Score, Score],
        checked: tuple[Sequence[Example], ...],
        others: list[Example],
    ) -> _Judged:
        """Choose between what was learned, the mean, and the weights before.

        What was learned from each half is checked on the other half, so every object
        tells of weights that have not seen it; their mean is checked on other kinds.
        """
        refused = []
        for share in SHARES:
            scores = []
            for pupil, half in zip(self.pupils, reversed(checked), strict=True):
                put(self.network, mix(self.begin, pupil.weights(), share))
                scores.append(self._score(half))
            put(self.network, mix(self.begin, self._mean(), share))
            elsewhere = self._score(others)
            judged = _Judged(share, (Score.over(scores), elsewhere))
            if judged.scores[0].beats(first[0]) and judged.gain(first) > 0:
                return judged
            refused.append(judged)
        return refused[0]._replace(share=0.0)


class _Judged(NamedTuple):
    """One way of using what was learned; a share of 0 is not to use it."""

    share: float
    scores: tuple[Score, Score]

    def gain(self, first: tuple[Score, Score]) -> float:
        """Clicks and overlap gained, less what is lost on other kinds."""
        lost = max(0.0, first[1].overlap - self.scores[1].overlap - TOLERATED)
        saved = (first[0].clicks - self.scores[0].clicks) / 10
        return saved + self.scores[0].overlap - first[0].overlap - FORGOTTEN * lost
