"""From accepted objects to taught weights, adopted only if they save clicks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.crops import ZoomIn
from napari_simpleclick.inference.devices import limited_threads
from napari_simpleclick.training.teaching.check import (
    TOLERATED,
    Score,
    hold_out,
    other_kinds,
    score,
)
from napari_simpleclick.training.teaching.examples import (
    Example,
    sort_out,
)
from napari_simpleclick.training.teaching.pupil import Pupil, Weights, put
from napari_simpleclick.weights import Card, load_weights
from napari_simpleclick.weights.store import base_of, read_base
from napari_simpleclick.weights.taught import Base, Lesson, save_taught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_simpleclick.networks import Network

LEAST_OBJECTS = 3
"""Fewer are too few to learn from some and to check with others."""

FIRST_PART = 0.6
"""Share of the time after which the check decides; then all objects are learned."""

CHECKING = 0.08
"""Share of the time that one look of the robot may take."""

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


@dataclass(frozen=True, eq=False)
class TaughtModel:
    """What came of teaching.

    Parameters
    ----------
    network : Network
        In evaluation mode; with the weights before, if it was not adopted.
    adopted : bool
        Whether objects that were held out need fewer clicks with it.
    base : Base
        The weights before.
    card : Card
        Those of the weights before.
    before, after : Score
        On the objects held out.
    elsewhere : tuple of Score
        On other kinds of objects, before and after.
    objects : tuple of str
        What was learned from.
    left_out : tuple of str
        A sentence for each object that could not be learned from.
    seconds : float
        How long it took.
    batches : int
        How many batches that were.
    share : float
        1 for the taught weights, 0.5 for the mean of those and the weights before.
    """

    network: Network
    adopted: bool
    base: Base
    card: Card
    before: Score
    after: Score
    elsewhere: tuple[Score, Score]
    objects: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float
    batches: int
    share: float
    _root: Weights = field(repr=False)

    @property
    def summary(self) -> str:
        """What was learned, in a sentence."""
        count, before, after = len(self.objects), self.before, self.after
        if not self.adopted:
            need, needed = f"{after.clicks:.1f} clicks", f"{before.clicks:.1f}"
            compared = (
                f"{need}, as before"
                if needed in need
                else f"{need} instead of {needed}"
            )
            if after.beats(before):
                compared += ", but other kinds lose too much"
            elif after.clicks < before.clicks:
                compared += ", but first masks are worse"
            return (
                f"{count} objects did not help: others like them need {compared}; "
                "accept more, and teach again."
            )
        if before.clicks - after.clicks >= 0.05:
            better = (
                f"{after.clicks:.1f} clicks an object instead of {before.clicks:.1f}"
            )
        else:
            better = (
                f"first mask {100 * after.overlaps[0]:.0f} % right instead of "
                f"{100 * before.overlaps[0]:.0f} %"
            )
        lost = 100 * (self.elsewhere[0].overlap - self.elsewhere[1].overlap)
        price = ""
        if lost > 100 * TOLERATED:
            price = (
                " Other kinds of objects are found less well, by "
                f"{lost:.0f} points of overlap."
            )
        return f"Learned from {count} objects: {better}.{price}"

    def lesson(self) -> Lesson:
        """Give what the file says about itself."""
        from napari_simpleclick import __version__

        before, after = self.elsewhere
        return Lesson(
            self.base,
            self.objects,
            round(self.seconds, 1),
            self.batches,
            self.before.as_dict(),
            self.after.as_dict(),
            {"before": round(before.overlap, 4), "after": round(after.overlap, 4)},
            time.strftime("%Y-%m-%d"),
            f"napari-simpleclick {__version__}",
        )

    def save(self, path: str | Path, name: str = "") -> Card:
        """Write what has changed to a file that ``load_weights`` takes.

        Parameters
        ----------
        path : str or Path
            Target, ``.safetensors``.
        name : str
            How the weights are called; by default as the file.

        Returns
        -------
        Card
            As it is in the file.

        Raises
        ------
        UserError
            If nothing was adopted, or the file has another ending.
        OSError
            If it cannot be written; nothing is left of it then.
        """
        path = Path(path)
        if not self.adopted:
            raise UserError(self.summary)
        if path.suffix != ".safetensors":
            raise UserError(
                f"'{path}' does not end in .safetensors; give it that ending."
            )
        count = len(self.objects)
        card = replace(
            self.card,
            name=name or path.stem,
            file=path.name,
            origin=f"taught on {count} accepted objects; before: {self.card.origin}",
            training_data=f"{self.card.training_data}; {count} accepted objects",
            bytes=0,
            sha256="",
            md5="",
            url="",
            page="",
        )
        save_taught(self.network, self._root, path, card, self.lesson())
        return card


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

    Some objects are held out first. The network learns from the others for some of the
    time; the robot annotator then tells whether those held out need fewer clicks with
    the taught weights, or with the mean of those and the weights before, and how much
    is lost on other kinds of objects. If so, all objects are learned from for the rest
    of the time; if not, it goes on without those held out and is judged at the end.

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
        Called after every batch. An exception that it raises ends teaching and is
        passed on.

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
            f"from; accept at least {LEAST_OBJECTS}, so that some can be held out to "
            f"check what was learned.{why}"
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
        self.report, self.base = report, base_of(weights)
        self.network, self.card = load_weights(weights)
        self.kept, self.held = hold_out(examples, np.random.default_rng(seed))
        self.pupil = Pupil(self.network, ZoomIn.of(self.network.spec), seed)
        self.root = read_base(self.base, Path(str(weights)))[0]

    def run(self, left_out: tuple[str, ...]) -> TaughtModel:
        others = other_kinds()
        limit = self.clock.seconds * CHECKING / 2
        first = (
            score(self.network, self.held, self.threads),
            score(self.network, others, self.threads, limit),
        )
        others = others[: first[1].count]  # the same ones are compared afterwards
        self.pupil.show(self.kept)
        self._learn(0.0, FIRST_PART)
        best = self._judge(first, others)
        adopted = best.share > 0
        if adopted:
            self.pupil.show(self.examples)
        self._learn(FIRST_PART, 1 - 2 * CHECKING)
        if adopted:
            weights = self.pupil.mixed(self.pupil.weights(), best.share)
        else:
            best = self._judge(first, others)
            adopted, weights = best.share > 0, best.weights
        put(self.network, weights if adopted else self.pupil.begin)
        self.network.requires_grad_(False)
        told = self.examples if adopted else self.kept
        return TaughtModel(
            network=self.network,
            adopted=adopted,
            base=self.base,
            card=self.card,
            before=first[0],
            after=best.scores[0],
            elsewhere=(first[1], best.scores[1]),
            objects=tuple(str(one.origin) for one in told),
            left_out=left_out,
            seconds=self.clock.spent,
            batches=self.pupil.batches,
            share=best.share,
            _root=self.root,
        )

    def _learn(self, first: float, last: float) -> None:
        """Learn from batches until a share of the time is over."""
        while (now := self.clock.share(self.pupil.batches)) < last:
            falls = (now - FIRST_PART) / (1 - 2 * CHECKING - FIRST_PART)
            decline = 1.0 if first == 0 else 0.5 + 0.5 * math.cos(math.pi * falls)
            self.pupil.learn(decline)
            self.report(TeachProgress(min(1.0, now), self.pupil.batches))

    def _scores(self, others: list[Example]) -> tuple[Score, Score]:
        """Scores of the network as it is, on the objects held out and elsewhere."""
        return (
            score(self.network, self.held, self.threads),
            score(self.network, others, self.threads),
        )

    def _judge(self, first: tuple[Score, Score], others: list[Example]) -> _Judged:
        """Choose between what was learned, the mean, and the weights before."""
        learned, live = self.pupil.weights(), self._now()
        best, gain = _Judged(0.0, first, self.pupil.begin), 0.0
        nearest: _Judged | None = None
        for share in SHARES:
            weights = self.pupil.mixed(learned, share)
            put(self.network, weights)
            found = self._scores(others)
            judged = _Judged(share, found, weights)
            lost = max(0.0, first[1].overlap - found[1].overlap - TOLERATED)
            saved = (first[0].clicks - found[0].clicks) / 10
            gained = saved + found[0].overlap - first[0].overlap - FORGOTTEN * lost
            if found[0].beats(first[0]) and gained > gain:
                best, gain = judged, gained
            nearest = nearest or judged
        put(self.network, live)
        if best.share == 0 and nearest is not None:
            return nearest._replace(share=0.0)
        return best

    def _now(self) -> Weights:
        """Copy the weights that learn, as they are between two batches."""
        taught = self.network.named_parameters()
        return {k: p.detach().clone() for k, p in taught if p.requires_grad}


class _Judged(NamedTuple):
    """One way of using what was learned; a share of 0 is not to use it."""

    share: float
    scores: tuple[Score, Score]
    weights: Weights
