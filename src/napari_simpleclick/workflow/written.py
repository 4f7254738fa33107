"""What a propagation has reached, onto the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.annotation import (
    MaskChange,
    PropagatedSlice,
    PropagatedSlices,
    fingerprint,
)

if TYPE_CHECKING:
    from napari_simpleclick.workflow.carried_object import CarriedObject
    from napari_simpleclick.workflow.propagation_run import PropagationRun


class Written:
    """Writes the slices of a run, one after the other, all objects of one at a time.

    Parameters
    ----------
    run : PropagationRun
        The run.

    Attributes
    ----------
    notes : dict
        What counts as propagated now.
    changes : list of MaskChange
        Of the mask, in the order in which they were made.
    left : int
        Masks that were left because the person has made or changed them meanwhile.
    """

    def __init__(self, run: PropagationRun) -> None:
        self.run = run
        self.notes: PropagatedSlices = {}
        self.changes: list[MaskChange] = []
        self.left = 0

    def write_all(self) -> None:
        """Write; what was written before an error stands.

        Raises
        ------
        UserError
            If all objects were locked meanwhile; one of several is left out.
        """
        known, labels = self.run.canvas.session.objects, self.run.objects
        locked = known.locked()
        if locked.issuperset(labels):
            known.check_unlocked(*labels)
        objects = [
            one for label, one in labels.items() if label not in locked and one.stands()
        ]
        for index in sorted({index for one in objects for index in one.patches}):
            reached = [one for one in objects if index in one.patches]
            free = [one for one in reached if not _is_by_hand(one, index)]
            self.left += len(reached) - len(free)
            if len(free) > 1:  # what one object gives up, another may have
                for carried in free:
                    self._write(carried, index, only_less=True)
            for carried in free:
                self._write(carried, index)
            for carried in free:
                self._note(carried, index)
                carried.release()

    def _write(
        self, carried: CarriedObject, index: int, only_less: bool = False
    ) -> None:
        plane, label = carried.stack.object_slice(index).plane, carried.stack.label
        now = carried.mask(index)
        new = carried.patches[index].paste(now.shape)
        change = self.run.canvas.write(
            plane, label, new & now if only_less else new, show=False
        )
        if change is not None:
            self.changes.append(change)

    def _note(self, carried: CarriedObject, index: int) -> None:
        now = fingerprint(carried.mask(index))
        confidence = carried.patches[index].confidence
        self.notes[carried.stack.object_slice(index)] = (
            PropagatedSlice(now, confidence) if now else None
        )


def _is_by_hand(carried: CarriedObject, index: int) -> bool:
    """Whether the person has made or changed a mask since the run was there."""
    objects, where = carried.canvas.session.objects, carried.stack.object_slice(index)
    mask = carried.mask(index)
    changed = fingerprint(mask) != carried.before.get(index)
    return changed or objects.is_annotated(where, mask) or bool(objects.placed(where))
