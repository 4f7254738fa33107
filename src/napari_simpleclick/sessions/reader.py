"""Reading a session back, event by event."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from napari_simpleclick.annotation.history import (
    Edit,
    EditState,
    ObjectStyle,
    OptionsChange,
    PlacedPrompt,
    Request,
)
from napari_simpleclick.annotation.mask_change import MaskChange
from napari_simpleclick.annotation.mask_options import MaskOptions
from napari_simpleclick.annotation.object_slice import ObjectSlice
from napari_simpleclick.annotation.packing import unpack_mask
from napari_simpleclick.annotation.propagated import PropagatedSlice
from napari_simpleclick.annotation.session import Session
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.prompts import Click

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from napari_simpleclick.sessions.database import SessionDatabase


TAKEN_BACK = ("undone", "retracted")


@dataclass
class SessionReader:
    """Reads a session back from its file.

    Parameters
    ----------
    store : SessionDatabase
        The file.

    Attributes
    ----------
    session : Session
        As far as it was read.
    extra : dict
        Kind to the last value of the events that are not the session's own, such as
        the settings and the model.
    steps : dict
        Clicks to their ids in the file.
    """

    store: SessionDatabase
    session: Session = field(default_factory=Session)
    extra: dict[str, Any] = field(default_factory=dict)
    steps: dict[PlacedPrompt, int] = field(default_factory=dict)

    def play(self, mask: np.ndarray[Any, Any]) -> Iterator[tuple[str, Edit | None]]:
        """Go through all events.

        Parameters
        ----------
        mask : ndarray
            Empty label array of the session's shape, which is filled.

        Yields
        ------
        tuple
            After each event: its kind, and the edit, if it was about one.

        Raises
        ------
        UserError
            If the file is damaged.
        """
        try:
            found = {id_: _read_step(row) for id_, row in self.store.steps().items()}
            self.steps = {step: id_ for id_, step in found.items()}
            for kind, detail, packed in self.store.events():
                change = MaskChange(mask.shape, packed) if packed is not None else None
                edit = self._follow(kind, detail, change, found)
                if edit is not None and edit.change is not None:
                    edit.change.apply(mask, undo=kind in TAKEN_BACK)
                yield kind, edit
        except (KeyError, TypeError, IndexError) as error:
            raise UserError(
                f"'{self.store.path.name}' is damaged: {type(error).__name__} {error}."
            ) from error

    def _follow(
        self,
        kind: str,
        detail: Any,
        change: MaskChange | None,
        found: dict[int, PlacedPrompt],
    ) -> Edit | None:
        session = self.session
        if kind == "chosen":
            session.choose(detail)
        elif kind == "options":
            session.use(_read_options(detail))
        elif kind == "asked":
            session.ask(_read_request(detail, found))
        elif kind == "answered":
            session.forget(detail)
        elif kind == "dropped":
            session.drop(detail)
        elif kind == "done":
            before, after = (
                _read_state(detail[key], found) for key in ("before", "after")
            )
            turn = _read_turn(detail["options"])
            edit = Edit(detail["name"], before, after, change, turn)
            session.do(edit)
            return edit
        elif kind == "undone":
            return session.undo()
        elif kind == "retracted":
            return session.retract()
        elif kind == "redone":
            return session.redo()
        else:
            self.extra[kind] = detail
        return None


def _read_spot(value: list[Any]) -> ObjectSlice:
    label, (first, second), index = value
    return ObjectSlice(label, Plane((first, second), tuple(index)))


def _read_step(row: tuple[int, float, float, bool, bytes | None]) -> PlacedPrompt:
    order, y, x, positive, base = row
    mask = None if base is None else unpack_mask(base)
    return PlacedPrompt(order, Click(y, x, bool(positive)), mask)


def _read_request(detail: dict[str, Any], found: dict[int, PlacedPrompt]) -> Request:
    before, steps = (
        tuple(found[id_] for id_ in detail[key]) for key in ("before", "steps")
    )
    rest = (
        None if detail["rest"] is None else unpack_mask(bytes.fromhex(detail["rest"]))
    )
    object_slice, turn = _read_spot(detail["spot"]), _read_turn(detail["options"])
    return Request(detail["number"], object_slice, before, steps, rest, turn)


def _read_turn(value: list[dict[str, Any]] | None) -> OptionsChange | None:
    if value is None:
        return None
    before, after = value
    return _read_options(before), _read_options(after)


def _read_options(value: dict[str, Any]) -> MaskOptions:
    """Read options; those that this version does not know are left out."""
    known = {field.name for field in fields(MaskOptions)}
    kept = {name: one for name, one in value.items() if name in known}
    return MaskOptions(**{**kept, "channels": tuple(kept.get("channels", ()))})


def _read_state(detail: dict[str, Any], found: dict[int, PlacedPrompt]) -> EditState:
    notes = {
        _read_spot(object_slice): PropagatedSlice(bytes.fromhex(note[0]), note[1])
        if note
        else None
        for object_slice, note in detail["notes"]
    }
    return EditState(
        {
            _read_spot(object_slice): tuple(found[id_] for id_ in ids)
            for object_slice, ids in detail["steps"]
        },
        {
            _read_spot(object_slice): bytes.fromhex(seen)
            for object_slice, seen in detail["seen"]
        },
        notes,
        {label: ObjectStyle(**style) for label, style in detail["styles"]},
    )
