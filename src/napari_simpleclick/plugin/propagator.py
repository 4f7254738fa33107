"""Carrying the current object's mask through the slices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.annotate import (
    Change,
    Note,
    Notes,
    Spot,
    Stack,
    fingerprint,
)
from napari_simpleclick.plugin.background import go_through
from napari_simpleclick.plugin.confidence import Profile
from napari_simpleclick.plugin.mouse import STROKE_MS, is_painting

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers import Bench
    from napari_simpleclick.plugin.run import Run

ONE_SLICE = "There is only one slice, so there is nothing to go through."


class Propagator:
    """Starts propagations, one at a time, and writes what they have reached.

    Parameters
    ----------
    controller : Controller
        Whose image, object and model are used.
    """

    changed = Signal()
    """A run has begun, gone on or ended, or masks have changed."""

    began = Signal()
    """A run has begun."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.run: Run | None = None
        self._bench: Bench | None = None
        self._seen: dict[Spot, bool] = {}
        self._outdated = False
        self._told: tuple[Stack, str] | None = None
        controller.changed.connect(self._on_controller)
        controller.answers.answered.connect(self._on_mask)

    # -- what the panel and the keys ask for -------------------------------------

    def propagate(self, down: bool, up: bool, reach: int, least: float) -> None:
        """Go from the displayed slice to its neighbours.

        Parameters
        ----------
        down, up : bool
            Towards slice 0, and away from it.
        reach : int
            Number of slices each way; 0 goes to the end of the axis.
        least : float
            Stop where the confidence is lower, 0 to 1.
        """
        self._ask(partial(self._propagate, down, up, reach, least))

    def interpolate(self) -> None:
        """Fill in between the annotated slices around the displayed one."""
        self._ask(self._interpolate)

    def cancel(self) -> None:
        """Stop after the present prediction; what was reached is kept."""
        if self.run is not None:
            self.run.loan.stopped = True

    def go_to(self, index: int) -> None:
        """Show a slice."""
        bench, stack, _ = self.where()
        bench.go_to(stack.spot(index).plane, stack.axis)

    def profile(self) -> Profile:
        """Tell what is known of the slices.

        Raises
        ------
        ValueError
            If there is nothing to go through.
        """
        bench, stack, here = self.where()
        again = list(self._seen) if self._outdated else []
        self._outdated = False
        for spot in (*again, stack.spot(here)):
            self._look(bench, spot)
        notes = bench.session.propagated.along(stack)
        confidence = {index: note.confidence for index, note in notes.items()}
        states = {stack.index(spot): state for spot, state in self._seen.items()}
        if self.run is not None and self.run.stack == stack:
            patches = self.run.patches.copy()
            confidence |= {index: patch.confidence for index, patch in patches.items()}
            states = {i: state for i, state in states.items() if i not in patches}
            states |= dict.fromkeys(self.run.anchors.copy(), True)
        clicked = [spot for spot, steps in bench.session.steps.items() if steps]
        states |= {stack.index(spot): True for spot in clicked}
        told = self._told is not None and self._told[0] == stack
        return Profile(
            length=bench.mask.data.shape[stack.axis],
            here=here,
            confidence={i: c for i, c in confidence.items() if i not in states},
            annotated={i for i, state in states.items() if i is not None and state},
            sentence=self._told[1] if self._told is not None and told else "",
        )

    def where(self) -> tuple[Bench, Stack, int]:
        """Find the bench, the current object's stack in view, and the slice's number.

        Raises
        ------
        ValueError
            If there is nothing to go through.
        """
        bench = self.controller.bench
        if bench is None:
            raise ValueError("Choose an image first.")
        return bench, *displayed(bench)

    # -- runs ----------------------------------------------------------------------

    def _ask(self, begin: Callable[[Bench, Stack, int], None]) -> None:
        """Begin a run on what is displayed now."""
        if self.run is not None:
            return
        try:
            if self.controller.engine is None:
                raise ValueError("The model is still being loaded.")
            place = self.where()
        except ValueError as error:
            self.controller.complain(str(error))
        else:
            self._when_answered(place[0], partial(begin, *place))

    def _when_answered(self, bench: Bench, begin: Callable[[], None]) -> None:
        """Begin when the clicks that were made before have their masks."""
        if self.run is not None or bench is not self.controller.bench:
            return
        if bench.session.pending is None:
            begin()
        else:
            self.controller.answers.predict()
            wait = partial(self._when_answered, bench, begin)
            QTimer.singleShot(STROKE_MS, wait)

    def _propagate(
        self,
        down: bool,
        up: bool,
        reach: int,
        least: float,
        bench: Bench,
        stack: Stack,
        start: int,
    ) -> None:
        spot = stack.spot(start)
        if not bench.object_mask(spot.plane, spot.label).any():
            self.controller.complain(
                f"There is no mask of object {spot.label} on this slice; click on it "
                "first."
            )
            return
        from napari_simpleclick.plugin.run import walk

        last = bench.mask.data.shape[stack.axis] - 1
        low = max(0, start - (reach or last)) if down else start
        high = min(last, start + (reach or last)) if up else start
        self._begin(bench, stack, start, walk, low, high, least)

    def _interpolate(self, bench: Bench, stack: Stack, start: int) -> None:
        from napari_simpleclick.plugin.run import fill

        self._begin(bench, stack, start, fill)

    def _begin(
        self, bench: Bench, stack: Stack, start: int, work: Any, *arguments: Any
    ) -> None:
        from napari_simpleclick.plugin.run import Run

        engine = self.controller.engine
        assert engine is not None
        self.run = run = Run(bench, engine, stack, start)
        go_through(
            work(run, *arguments),
            self.changed.emit,
            partial(self._on_end, run),
            partial(self._on_error, run),
            "Through the volume",
            run.length,
        )
        self._told = None
        self.began.emit()
        self.changed.emit()

    def _on_error(self, run: Run, error: Exception) -> None:
        if run is self.run:
            self.controller.complain(str(error) or type(error).__name__, error)
            self._on_end(run)

    def _on_end(self, run: Run) -> None:
        """Write what was reached, unless the run was dropped meanwhile."""
        if run is not self.run:
            return
        if is_painting(run.bench.mask):
            QTimer.singleShot(STROKE_MS, partial(self._on_end, run))
            return
        self.run = None
        if run.trouble:
            self.controller.complain(run.trouble)
        elif run.stands():
            self._write(run)
        self.changed.emit()

    def _write(self, run: Run) -> None:
        """Write all slices as one undo step, but none that the person changed."""
        bench, stack, notes = run.bench, run.stack, Notes()
        left, changes = 0, list[Change]()
        try:
            for index, patch in sorted(run.patches.items()):
                spot = stack.spot(index)
                mask = bench.object_mask(spot.plane, spot.label)
                changed = fingerprint(mask) != run.before.get(index)
                by_hand = bench.session.is_annotated(spot, mask)
                if changed or by_hand or bench.session.clicks(spot):
                    left += 1
                    continue
                new = patch.paste(mask.shape)
                changes += filter(
                    None, [bench.write(spot.plane, spot.label, new, False)]
                )
                now = fingerprint(bench.object_mask(spot.plane, spot.label))
                notes[spot] = Note(now, patch.confidence) if now else None
                run.release()
        except Exception as error:
            self.controller.complain(f"A mask was not written: {error}.", error)
        if notes:
            bench.session.propagate(notes, Change.joined(changes))
        bench.mask.refresh()
        self._seen |= {stack.spot(index): True for index in run.anchors | {run.start}}
        self._outdated = True
        more = f" {left} of them left as made by hand." if left else ""
        self._told = stack, run.sentence + more

    # -- following -----------------------------------------------------------------

    def _on_controller(self) -> None:
        """Drop the run of another image or model, and follow to the present one."""
        bench, run = self.controller.bench, self.run
        if run is not None and (
            run.bench is not bench or run.engine is not self.controller.engine
        ):
            run.loan.stopped, self.run = True, None
        if bench is not self._bench:
            if self._bench is not None:
                self._bench.session.changed.disconnect(self._on_masks)
                self._bench.mask.events.paint.disconnect(self._on_mask)
            if bench is not None:
                bench.session.changed.connect(self._on_masks)
                bench.mask.events.paint.connect(self._on_mask)
            self._bench, self._told = bench, None
            self._seen.clear()
        self.changed.emit()

    def look_again(self) -> None:
        """Look again at what is known of the slices."""
        self._outdated = True
        self.changed.emit()

    def _on_mask(self) -> None:
        """Look again at the displayed slice."""
        self.changed.emit()

    def _on_masks(self) -> None:
        """Look again, at all that is known."""
        self._told, self._outdated = None, True
        self.changed.emit()

    def _look(self, bench: Bench, spot: Spot) -> None:
        """Remember a slice that is not as propagation left it, and if it has a mask."""
        mask = bench.object_mask(spot.plane, spot.label)
        state = bench.session.is_annotated(spot, mask)
        self._seen.pop(spot, None)
        if state or not bench.session.propagated.made(spot, mask):
            self._seen[spot] = state


def displayed(bench: Bench) -> tuple[Stack, int]:
    """Find the current object's stack in view, and the displayed slice's number.

    Raises
    ------
    ValueError
        If no slice is in view, or if there are no others.
    """
    spot = bench.session.spot(bench.current_plane())
    stack = Stack.through(spot, bench.options.channel_axis)
    if stack is None or bench.mask.data.shape[stack.axis] < 2:
        raise ValueError(ONE_SLICE)
    return stack, spot.plane.index[stack.axis]
