"""One search for similar objects: what it depends on, and what it has found."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.annotation import ObjectSlice, Proposal
from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.modes import for_volumes
from napari_simpleclick.inference.similar import (
    FEWEST_EXAMPLES,
    Answers,
    ExampleSlice,
    Picture,
    SimilarFinder,
)
from napari_simpleclick.inference.similar.views import TAKEN
from napari_simpleclick.workflow.mask_array import release
from napari_simpleclick.workflow.shared_predictor import Stopped
from napari_simpleclick.workflow.similar_examples import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.annotation import Mask
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import PredictionEngine

MOST_EXAMPLE_SLICES = 6
"""Slices that are learned from; each costs as much as one that is searched."""

TOO_FEW = (
    "Find similar needs three objects to learn from, and has {}; click on more, or "
    "accept propagated slices."
)

TOO_FEW_OF_A_KIND = (
    "Find similar needs three objects of one kind to learn from, and has {} {}; "
    "choose an object of another kind in the list, or click on more of these."
)


@dataclass(eq=False)
class SimilarRun:
    """A search of some slices.

    It is made on the main thread and then worked on by another, in which
    :func:`search` looks at the mask slice by slice.

    Parameters
    ----------
    canvas : Canvas
        The image and its mask.
    engine : PredictionEngine
        The model.
    planes : sequence of Plane
        The slices to search, in this order.
    example_planes : sequence of Plane
        Slices that may hold objects, the best to learn from first.
    kind : str
        What the names of the objects to learn from begin with, see :func:`kind_of`.

    Attributes
    ----------
    found : list of Proposal
        What was found so far.
    total : int
        Steps in all: one a slice, and two for each that is learned from.
    examples : int
        Objects that were learned from.
    stopped : bool
        Set it to end; what was found is kept.
    searched : int
        Slices that were searched to the end.
    learning : bool
        Whether it still looks at the examples.
    """

    canvas: Canvas
    engine: PredictionEngine
    planes: Sequence[Plane]
    example_planes: Sequence[Plane]
    kind: str = ""
    found: list[Proposal] = field(default_factory=list)
    examples: int = 0
    searched: int = 0
    stopped: bool = False
    learning: bool = True

    def __post_init__(self) -> None:
        """Take a snapshot of the canvas, which only the main thread may touch."""
        self.source, self.view = self.canvas.source(), self.canvas.view()
        self.labels = self.canvas.labels
        self.spacing = self.canvas.spacing(self.planes[0])
        objects = self.canvas.session.objects
        self._objects = objects
        self.kinds = {
            label: kind_of(objects.style(label).name) for label in objects.labels()
        }
        self.rejected = self._rejected()
        self.total = len(self.planes) + 2 * min(
            MOST_EXAMPLE_SLICES, len(self.example_planes)
        )

    def _rejected(self) -> list[Proposal]:
        """Give what a person has rejected as one of this kind, or of none."""
        rejected = self._objects.proposals.rejected()
        return [one for one in rejected if not one.kind or one.kind == self.kind]

    def left(self) -> list[Proposal]:
        """Give what was found that no verdict and no new object has taken since."""
        shape = self.planes[0].size(self.labels.shape)
        refused: dict[Plane, list[Mask]] = {}
        for one in self._rejected():
            if one not in self.rejected:  # these were left out by the search
                refused.setdefault(one.plane, []).append(one.mask(shape))

        def is_taken(one: Proposal) -> bool:
            there = (one.plane.read(self.labels), *refused.get(one.plane, ()))
            return any(one.share_on(taken) > TAKEN for taken in there)

        return [one for one in self.found if not is_taken(one)]

    def stands(self) -> bool:
        """Whether the image that it is about is still there."""
        return self.canvas.source() is self.source

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the network for one use; clicks are answered in between."""
        time.sleep(0.001)  # a lock is not fair: let a click that waits go first
        with self.engine.lock:
            if self.stopped:
                raise Stopped
            yield

    def picture(self, plane: Plane) -> Picture:
        """Read a slice of the image."""
        return Picture(self.view.read(plane), self.view.window(), self.spacing)

    def example_slices(self) -> list[ExampleSlice]:
        """Read the slices to learn from, with what a person made there."""
        found = []
        for plane in self.example_planes:
            labels = plane.read(self.labels)
            own: list[Mask] = []
            others: list[Mask] = []
            for label in np.unique(labels[labels > 0]).tolist():
                mask = np.asarray(labels == label)
                if self.kinds.get(label, "") != self.kind:
                    others.append(mask)
                elif self._objects.is_annotated(ObjectSlice(label, plane), mask):
                    own.append(mask)
            release(self.labels)
            refused = [
                one.mask(labels.shape) for one in self.rejected if one.plane == plane
            ]
            if own or refused:
                picture = self.picture(plane)
                found.append(ExampleSlice(picture, own, [*others, *refused]))
                self.examples += len(own)
            if len(found) == MOST_EXAMPLE_SLICES:
                break
        if self.examples < FEWEST_EXAMPLES:
            raise UserError(self._too_few())
        return found

    def _too_few(self) -> str:
        if set(self.kinds.values()) <= {self.kind}:
            return TOO_FEW.format(self.examples)
        named = f"named like '{self.kind}'" if self.kind else "without a name"
        return TOO_FEW_OF_A_KIND.format(self.examples, named)


def search(run: SimilarRun) -> Iterator[None]:
    """Learn and search; yields after each slice."""
    try:
        examples = run.example_slices()
        finder = SimilarFinder(Answers(for_volumes(run.engine.predictor), run.turn))
        for _ in finder.learn(examples):
            yield
        run.learning = False
        for plane in run.planes:
            labels = plane.read(run.labels)
            refused = [one for one in run.rejected if one.plane == plane]
            taken = labels > 0
            for one in refused:
                taken |= one.mask(taken.shape)
            for like in finder.find(run.picture(plane), taken):
                corner = like.box.row_min, like.box.column_min
                run.found.append(
                    Proposal.of(
                        plane, corner, like.mask, like.score, like.seed, run.kind
                    )
                )
            release(run.labels)
            run.searched += 1
            yield
    except Stopped:
        return


def name_like(kind: str, names: Sequence[str]) -> str:
    """Make the next name of a kind; empty for the plain number.

    Parameters
    ----------
    kind : str
        See :func:`kind_of`.
    names : sequence of str
        Of the objects that there are.
    """
    own = [name for name in names if kind and kind_of(name) == kind]
    if not own:
        return ""
    stem = own[0].rstrip("0123456789")
    ends = [name[len(stem) :] for name in own if name.startswith(stem)]
    number = max((int(end) for end in ends if end.isdecimal()), default=1) + 1
    gap = "" if stem != own[0] or stem.endswith((" ", "_", "-", "#")) else " "
    return f"{stem}{gap}{number}"
