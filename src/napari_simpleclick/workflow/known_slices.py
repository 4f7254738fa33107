"""What is known of the slices that the view goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from napari_simpleclick.annotation import ObjectSlice, ObjectStack
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.propagation_run import PropagationRun


class Profile(NamedTuple):
    """What is known of the slices that the view goes through.

    Parameters
    ----------
    length : int
        Number of slices.
    here : int
        The displayed one.
    confidence : dict
        Confidence of propagated slices, None where the image was not looked at.
    annotated : set of int
        Slices that were clicked or painted on, as far as they were looked at.
    sentence : str
        How the last propagation ended, if it was here.
    """

    length: int
    here: int
    confidence: dict[int, float | None]
    annotated: set[int]
    sentence: str


class KnownSlices:
    """Remembers which slices were looked at, and how the last propagation ended."""

    def __init__(self) -> None:
        self._states: dict[ObjectSlice, bool] = {}
        self._outdated = False
        self._told: tuple[tuple[ObjectStack, ...], str] | None = None

    def profile(
        self,
        canvas: Canvas,
        stack: ObjectStack,
        here: int,
        run: PropagationRun | None,
    ) -> Profile:
        """Tell what is known of a stack's slices, with what a run has reached."""
        again = list(self._states) if self._outdated else []
        self._outdated = False
        for object_slice in (*again, stack.object_slice(here)):
            self._look(canvas, object_slice)
        notes = canvas.session.objects.propagated.along(stack)
        confidence = {index: note.confidence for index, note in notes.items()}
        states = {
            stack.index(object_slice): state
            for object_slice, state in self._states.items()
        }
        carried = None if run is None else run.of(stack)
        if carried is not None:
            patches = carried.patches.copy()
            confidence |= {index: patch.confidence for index, patch in patches.items()}
            states = {i: state for i, state in states.items() if i not in patches}
            states |= dict.fromkeys(carried.anchors.copy(), True)
        clicked = [
            object_slice
            for object_slice, steps in canvas.session.objects.prompts.items()
            if steps
        ]
        states |= {stack.index(object_slice): True for object_slice in clicked}
        told = self._told is not None and stack in self._told[0]
        return Profile(
            length=canvas.labels.shape[stack.axis],
            here=here,
            confidence={i: c for i, c in confidence.items() if i not in states},
            annotated={i for i, state in states.items() if i is not None and state},
            sentence=self._told[1] if self._told is not None and told else "",
        )

    def forget(self) -> None:
        """Know nothing any more."""
        self._told = None
        self._states.clear()

    def forget_sentence(self) -> None:
        """Do not tell any more how the last propagation ended."""
        self._told = None

    def look_again(self) -> None:
        """Look at all slices again before the next profile."""
        self._outdated = True

    def take(self, run: PropagationRun, sentence: str) -> None:
        """Remember what a run went out from, and how it ended."""
        for carried in run.objects.values():
            self._states |= {
                carried.stack.object_slice(index): True
                for index in carried.anchors | {run.start}
            }
        self._outdated = True
        self._told = run.stacks, sentence

    def _look(self, canvas: Canvas, object_slice: ObjectSlice) -> None:
        """Remember a slice that is not as propagation left it, and if it has a mask."""
        mask = canvas.object_mask(object_slice.plane, object_slice.label)
        state = canvas.session.objects.is_annotated(object_slice, mask)
        self._states.pop(object_slice, None)
        if state or not canvas.session.objects.propagated.is_unchanged(
            object_slice, mask
        ):
            self._states[object_slice] = state
