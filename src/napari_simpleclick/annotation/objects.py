"""The objects of an image: prompts, names, colours, sizes, and where masks are from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_simpleclick.annotation.history import Edit, EditState, ObjectStyle
from napari_simpleclick.annotation.object_slice import Mask, ObjectSlice, fingerprint
from napari_simpleclick.annotation.propagated import Propagated
from napari_simpleclick.annotation.proposals import Proposals
from napari_simpleclick.annotation.voxel_counts import VoxelCounts
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.annotation.placed_prompt import PlacedPrompts
    from napari_simpleclick.images.local_map import LocalMap


def plain_name(label: int) -> str:
    """Name an object that was given no name."""
    return f"Object {label}"


class Objects:
    """What is known of the objects at a moment; edits lead from one to the next.

    Attributes
    ----------
    prompts : dict
        Object on a slice to its prompts.
    styles : dict
        Label to the name and colour that the person gave it.
    propagated : Propagated
        What propagation wrote.
    proposals : Proposals
        What was found and may be an object.
    voxel_counts : VoxelCounts
        Voxels of each object.
    last_order : int
        The highest order that a prompt ever had.
    order : tuple of int
        Labels in the order that the person gave them; others follow by their number.
    """

    def __init__(self) -> None:
        self.prompts: dict[ObjectSlice, PlacedPrompts] = {}
        self.styles: dict[int, ObjectStyle] = {}
        self.propagated = Propagated()
        self.proposals = Proposals()
        self.voxel_counts = VoxelCounts()
        self.last_order = 0
        self.order: tuple[int, ...] = ()
        self._answered: dict[ObjectSlice, bytes] = {}

    # -- what there is -------------------------------------------------------------

    def labels(self) -> list[int]:
        """All objects: those with voxels, prompts, a name or a colour; ascending."""
        prompted = {where.label for where, placed in self.prompts.items() if placed}
        return sorted(self.voxel_counts.labels() | prompted | set(self.styles))

    def exists(self, label: int) -> bool:
        """Whether it is an object: with voxels, prompts, a name or a colour."""
        known = label in self.styles or self.voxel_counts.voxels(label) > 0
        return known or self.is_prompted(label)

    def is_prompted(self, label: int) -> bool:
        """Whether an object has prompts."""
        return any(
            where.label == label and bool(placed)
            for where, placed in self.prompts.items()
        )

    def listed(self) -> list[int]:
        """All objects in the order of the list."""
        places = {label: place for place, label in enumerate(self.order)}
        last = len(places)
        return sorted(self.labels(), key=lambda one: (places.get(one, last), one))

    def free_label(self) -> int:
        """Find the label after the highest one; numbers taken back come again."""
        return max(self.labels(), default=0) + 1

    def locked(self) -> frozenset[int]:
        """All objects whose pixels nothing may change."""
        return frozenset(k for k, style in self.styles.items() if style.locked)

    def check_unlocked(self, *labels: int) -> None:
        """Refuse to change an object that is locked.

        Raises
        ------
        UserError
            If one of them is.
        """
        for label in labels:
            if self.style(label).locked:
                raise UserError(
                    f"{self.name(label)} is locked; unlock it in the list of objects "
                    "to change it."
                )

    def check_shown(self, label: int) -> None:
        """Refuse to click on an object that is not drawn.

        Raises
        ------
        UserError
            If it is hidden.
        """
        if self.style(label).hidden:
            raise UserError(
                f"{self.name(label)} is hidden, so it is not clicked on; show it in "
                "the list of objects."
            )

    def style(self, label: int) -> ObjectStyle:
        """Tell how an object appears."""
        return self.styles.get(label, ObjectStyle())

    def name(self, label: int) -> str:
        """Name an object, also one that was given no name."""
        return self.style(label).name or plain_name(label)

    def placed(self, object_slice: ObjectSlice) -> PlacedPrompts:
        """Prompts of an object on a slice, oldest first."""
        return self.prompts.get(object_slice, ())

    def last_prompted(self) -> ObjectSlice | None:
        """Tell where the newest prompt is that is still there; None without any."""
        newest = {
            where: placed[-1].order for where, placed in self.prompts.items() if placed
        }
        return max(newest, key=newest.__getitem__) if newest else None

    def is_painted(self, object_slice: ObjectSlice, mask: Mask | LocalMap) -> bool:
        """Whether a present mask is not the one that was last answered."""
        return fingerprint(mask) != self._answered.get(object_slice, b"")

    def is_annotated(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether a present mask was clicked, painted or erased by hand."""
        if self.propagated.is_erased(object_slice, mask):
            return True
        return bool(mask.any()) and (
            bool(self.placed(object_slice))
            or not self.propagated.is_unchanged(object_slice, mask)
        )

    # -- edits ---------------------------------------------------------------------

    def do(self, edit: Edit) -> None:
        """Make an edit."""
        self.take(edit.after)
        if edit.change is not None:
            self.voxel_counts.follow(edit.change)

    def undo(self, edit: Edit) -> None:
        """Take an edit back."""
        self.take(edit.before)
        if edit.change is not None:
            self.voxel_counts.follow(edit.change, undo=True)

    def take(self, state: EditState) -> None:
        """Let a part of the state be this."""
        self.prompts |= state.prompts
        self._answered |= state.answered
        self.propagated.put(state.propagated)
        self.proposals.put(state.proposals)
        for label, style in state.styles.items():
            self.styles.pop(label, None)
            if style != ObjectStyle():
                self.styles[label] = style
        self.order = self.order if state.order is None else state.order
        orders = [one.order for placed in state.prompts.values() for one in placed]
        self.last_order = max(self.last_order, *orders, 0)

    def current(self, touched: EditState) -> EditState:
        """Give the present values of those parts that another state has."""
        return EditState(
            {where: self.placed(where) for where in touched.prompts},
            {where: self._answered.get(where, b"") for where in touched.answered},
            {where: self.propagated.find(where) for where in touched.propagated},
            {label: self.style(label) for label in touched.styles},
            {number: self.proposals.find(number) for number in touched.proposals},
            None if touched.order is None else self.order,
        )

    def without(self, *labels: int) -> EditState:
        """Give the state of objects that are deleted."""
        known = self.prompts.keys() | self._answered
        places = [where for where in known if where.label in labels]
        notes = [where for label in labels for where in self.propagated.of(label)]
        return EditState(
            dict.fromkeys(places, ()),
            dict.fromkeys(places, b""),
            dict.fromkeys(notes),
            dict.fromkeys(labels, ObjectStyle()),
        )

    def renumbered(self, label: int, new: int) -> EditState:
        """Give the state of an object that has got a free number."""
        gone = self.without(label)

        def moved(where: ObjectSlice) -> ObjectSlice:
            return replace(where, label=new)

        return EditState(
            gone.prompts | {moved(one): self.placed(one) for one in gone.prompts},
            gone.answered
            | {moved(one): self._answered.get(one, b"") for one in gone.answered},
            gone.propagated
            | {moved(one): self.propagated.find(one) for one in gone.propagated},
            gone.styles | {new: self.style(label)},
            order=tuple(new if one == label else one for one in self.order),
        )
