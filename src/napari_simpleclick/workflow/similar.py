"""Finding what looks like the objects that a person has accepted."""

from __future__ import annotations

from functools import partial
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

from psygnal import Signal

from napari_simpleclick.annotation import Edit, Proposal, ProposalStates, Verdict
from napari_simpleclick.annotation.proposals import FOUND, LEAST_SCORE
from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.nearest_slices import nearest_first
from napari_simpleclick.workflow.similar_examples import (
    example_planes,
    examples_of,
    wanted_kind,
)
from napari_simpleclick.workflow.verdicts import accept, proposal_under, reject

if TYPE_CHECKING:
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelLoader
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue
    from napari_simpleclick.workflow.similar_run import SimilarRun

UNDER_WAY = "A search is under way; wait for its end, or press Cancel."
NONE_LEFT = "There is no proposal to look at; press Find similar first."
LEARNING = "Looking at the examples."


class Waiting(NamedTuple):
    """What there is to show.

    Parameters
    ----------
    examples : int
        Objects to learn from, as far as that is known without looking at the mask.
    open : int
        Proposals that wait for a verdict.
    place : int or None
        Number of the one in view among them, from 1, the likeliest first.
    score : float
        Of the one in view.
    sentence : str
        How the last search ended, or what goes on.
    """

    examples: int
    open: int
    place: int | None
    score: float
    sentence: str


class Similar:
    """Searches, one at a time, and takes the verdicts on what was found.

    Proposals are part of the session: undo takes verdicts back, and a session that
    is opened again still has those that wait, and those that were rejected.

    Parameters
    ----------
    models : ModelLoader
        Gives the engine.
    queue : PredictionQueue
        Answers the clicks that were made before.
    executor : Executor
        Searches.

    Attributes
    ----------
    canvas : Canvas or None
        The image that is searched.
    run : SimilarRun or None
        What goes on.
    current : int or None
        Number of the proposal in view.
    least_score : float
        What is less sure is not proposed, 0 to 1.
    """

    changed = Signal()
    """A search has begun, gone on or ended, or proposals have changed."""

    began = Signal()
    """A search has begun."""

    status = Signal(str)
    """What was done."""

    failed = Signal(object)
    """What was asked for cannot be done; an exception."""

    def __init__(
        self, models: ModelLoader, queue: PredictionQueue, executor: Executor
    ) -> None:
        self.canvas: Canvas | None = None
        self.run: SimilarRun | None = None
        self.current: int | None = None
        self.least_score = LEAST_SCORE
        self._models, self._queue, self._executor = models, queue, executor
        self._told = ""
        models.loaded.connect(self._on_model)

    # -- searching -----------------------------------------------------------------

    def find(self, everywhere: bool = False) -> None:
        """Search the displayed slice, or all slices."""
        try:
            if self.run is not None:
                raise UserError(UNDER_WAY)
            if self._models.engine is None:
                raise UserError("The model is still being loaded.")
            canvas = self._there()
            here = canvas.current_plane()
        except UserError as error:
            self.failed.emit(error)
        else:  # when the clicks that were made before have their masks
            self._queue.when_answered(partial(self._begin, canvas, here, everywhere))

    def cancel(self) -> None:
        """Stop after the present prediction; what was found is kept."""
        if self.run is not None:
            self.run.stopped = True

    def _begin(self, canvas: Canvas, here: Plane, everywhere: bool) -> None:
        from napari_simpleclick.workflow.similar_run import SimilarRun, search

        engine = self._models.engine
        if engine is None or self.run is not None or canvas is not self.canvas:
            return  # the clicks before it took so long that all is different now
        session = canvas.session
        try:
            planes = nearest_first(canvas, here) if everywhere else [here]
            kind = wanted_kind(session)
            examples = example_planes(canvas, here)
            self.run = run = SimilarRun(canvas, engine, planes, examples, kind)
        except Exception as error:
            self.failed.emit(error)
            return
        self._told = ""
        self.began.emit()
        self.changed.emit()
        self._executor.go_through(
            search(run),
            partial(self._on_step, run),
            partial(self._on_end, run),
            partial(self._on_error, run),
            "Find similar",
            run.total,
        )

    def _on_step(self, run: SimilarRun) -> None:
        if run is self.run:
            self.status.emit(LEARNING if run.learning else searching(run))
            self.changed.emit()

    def _on_error(self, run: SimilarRun, error: Exception) -> None:
        if run is self.run:
            self.failed.emit(error)
            self._on_end(run)

    def _on_end(self, run: SimilarRun) -> None:
        if run is self.run:
            self.run = None
        if run.stands() and run.searched:
            propose = partial(self._propose, run)
            if run.canvas is self.canvas:  # when the last clicks have their masks
                self._queue.when_none_waits(propose)
            else:
                propose()
        elif run.stopped and run.canvas is self.canvas:
            self._told = "Cancelled; nothing was searched to the end."
        self.changed.emit()

    def _propose(self, run: SimilarRun) -> None:
        """Put what was found in the place of what waited before, as one undo step."""
        proposals = run.canvas.session.objects.proposals
        good = [one for one in run.left() if one.score >= self.least_score]
        good.sort(key=lambda one: -one.score)
        states: ProposalStates = dict.fromkeys(proposals.open())
        states |= dict(enumerate(good, proposals.free_number()))
        if states:
            run.canvas.session.propose(FOUND, states)
        if run.canvas is not self.canvas:  # another one is looked at meanwhile
            return
        slices = "1 slice" if run.searched == 1 else f"{run.searched} slices"
        count = f"{len(good)} found" if good else "Nothing like them was found"
        cut = " before it was cancelled" if run.stopped else ""
        self._told = f"{count} on {slices}{cut}, from {run.examples} examples."
        surest = floor(100 * max((one.score for one in run.found), default=0.0)) / 100
        if not good and surest > 0:
            self._told += f" The surest has {surest:.2f}: lower At least to see it."
        self.status.emit(self._told)
        self.current = None
        if good:
            self._show_next(0)
        else:
            self.changed.emit()

    # -- looking -------------------------------------------------------------------

    def waiting(self) -> Waiting:
        """Tell what there is to show."""
        if self.canvas is None:
            return Waiting(0, 0, None, 0.0, "")
        objects = self.canvas.session.objects
        numbers = objects.proposals.open()
        current = self._current(numbers)
        place = None if current is None else numbers.index(current) + 1
        one = None if current is None else objects.proposals.find(current)
        told = self._told
        if self.run is not None:
            told = LEARNING if self.run.learning else searching(self.run)
        return Waiting(
            examples_of(self.canvas),
            len(numbers),
            place,
            0.0 if one is None else one.score,
            told,
        )

    def shown(self, plane: Plane) -> list[tuple[Proposal, bool]]:
        """Proposals that wait on a slice, and whether each is the one in view."""
        if self.canvas is None:
            return []
        proposals = self.canvas.session.objects.proposals
        return [
            (one, number == self.current)
            for number, one in proposals
            if one.verdict is Verdict.OPEN and one.plane == plane
        ]

    def go_on(self, step: int = 1) -> None:
        """Show the next proposal, or the one before, the likeliest first."""
        try:
            numbers = self._there().session.objects.proposals.open()
            if not numbers:
                raise UserError(NONE_LEFT)
        except UserError as error:
            self.failed.emit(error)
            return
        current = self._current(numbers)
        at = -1 if current is None and step > 0 else 0
        at = at if current is None else numbers.index(current)
        self._show_next((at + step) % len(numbers))

    def _show_next(self, place: int) -> None:
        """Show the proposal at a place in the list, or the last one before it."""
        canvas = self._there()
        proposals = canvas.session.objects.proposals
        numbers = proposals.open()
        self.current = numbers[min(place, len(numbers) - 1)] if numbers else None
        one = None if self.current is None else proposals.find(self.current)
        if one is not None:
            canvas.show(one.plane)
        self.changed.emit()

    # -- verdicts ------------------------------------------------------------------

    def accept(self) -> None:
        """Make the proposal in view an object, and show the next one."""
        self._judge(accepted=True)

    def reject(self) -> None:
        """Refuse the proposal in view, which teaches the next search."""
        self._judge(accepted=False)

    def _judge(self, accepted: bool) -> None:
        try:
            canvas = self._there()
            numbers = canvas.session.objects.proposals.open()
            current = self._current(numbers)
            if current is None:
                raise UserError(NONE_LEFT)
            if accepted:
                label = accept(canvas, current)
                self._say_accepted(canvas, label)
            else:
                reject(canvas, current)
                self.status.emit("Rejected; the next search learns from it")
        except UserError as error:
            self.failed.emit(error)
            return
        self._show_next(numbers.index(current))

    def take_under(self, plane: Plane, row: float, column: float) -> None:
        """Accept the proposal that a click is about, so that the click corrects it.

        That is one that holds the click, or the one in view if the click is close
        to it; not where an object is already.
        """
        canvas = self.canvas
        if canvas is None:
            return
        number = proposal_under(canvas, plane, row, column, self.current)
        if number is None:
            return
        try:
            label = accept(canvas, number)
        except UserError as error:
            self.failed.emit(error)
            return
        self._say_accepted(canvas, label)
        self.current = None
        self.changed.emit()

    def _say_accepted(self, canvas: Canvas, label: int) -> None:
        self.status.emit(f"{canvas.session.objects.name(label)} accepted")

    # -- following -----------------------------------------------------------------

    def follow(self, canvas: Canvas | None) -> None:
        """Search another image from now on; what was found on this one is kept."""
        self._drop()
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self._on_event)
        if canvas is not None:
            canvas.session.happened.connect(self._on_event)
        self.canvas, self.current, self._told = canvas, None, ""
        self.changed.emit()

    def _on_event(self, kind: str, what: Any) -> None:
        """Show what has changed, and again the proposal whose verdict is undone."""
        if kind == "undone" and isinstance(what, Edit):
            again = [n for n, one in what.before.proposals.items() if one is not None]
            self.current = again[0] if len(again) == 1 else self.current
        if kind in ("done", "undone", "redone", "retracted", "answered"):
            self.changed.emit()

    def _on_model(self) -> None:
        """End the search of another model; what it found is kept."""
        if self.run is not None and self.run.engine is not self._models.engine:
            self._drop()
            self.changed.emit()

    def _drop(self) -> None:
        run, self.run = self.run, None
        if run is not None:
            run.stopped = True

    def _there(self) -> Canvas:
        if self.canvas is None:
            raise UserError("Choose an image first.")
        return self.canvas

    def _current(self, numbers: list[int]) -> int | None:
        """Find the proposal in view, or the likeliest one if that is gone."""
        if self.current not in numbers:
            self.current = numbers[0] if numbers else None
        return self.current


def searching(run: SimilarRun) -> str:
    """Tell how far a search is."""
    count = len(run.planes)
    return f"Searching: {run.searched} of {count} slice{'s' if count > 1 else ''}."
