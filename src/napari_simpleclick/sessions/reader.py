"""Reading a session back, event by event."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from napari_simpleclick.annotate.change import Change
from napari_simpleclick.annotate.edits import Edit, Request, State, Step, Style, Turn
from napari_simpleclick.annotate.options import Options
from napari_simpleclick.annotate.packing import unpack_mask
from napari_simpleclick.annotate.propagated import Note
from napari_simpleclick.annotate.session import Session
from napari_simpleclick.annotate.spot import Spot
from napari_simpleclick.clicks import Click
from napari_simpleclick.volumes.planes import Plane

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from napari_simpleclick.annotate.store import Store


TAKEN_BACK = ("undone", "retracted")


@dataclass
class Reading:
    """Reads a session back from its file.

    Parameters
    ----------
    store : Store
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

    store: Store
    session: Session = field(default_factory=Session)
    extra: dict[str, Any] = field(default_factory=dict)
    steps: dict[Step, int] = field(default_factory=dict)

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
        ValueError
            If the file is damaged.
        """
        try:
            found = {id_: _read_step(row) for id_, row in self.store.steps().items()}
            self.steps = {step: id_ for id_, step in found.items()}
            for kind, detail, packed in self.store.events():
                change = Change(mask.shape, packed) if packed is not None else None
                edit = self._follow(kind, detail, change, found)
                if edit is not None and edit.change is not None:
                    edit.change.apply(mask, undo=kind in TAKEN_BACK)
                yield kind, edit
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(
                f"'{self.store.path.name}' is damaged: {type(error).__name__} {error}."
            ) from error

    def _follow(
        self, kind: str, detail: Any, change: Change | None, found: dict[int, Step]
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


def _read_spot(value: list[Any]) -> Spot:
    label, (first, second), index = value
    return Spot(label, Plane((first, second), tuple(index)))


def _read_step(row: tuple[int, float, float, bool, bytes | None]) -> Step:
    order, y, x, positive, base = row
    mask = None if base is None else unpack_mask(base)
    return Step(order, Click(y, x, bool(positive)), mask)


def _read_request(detail: dict[str, Any], found: dict[int, Step]) -> Request:
    before, steps = (
        tuple(found[id_] for id_ in detail[key]) for key in ("before", "steps")
    )
    rest = (
        None if detail["rest"] is None else unpack_mask(bytes.fromhex(detail["rest"]))
    )
    spot, turn = _read_spot(detail["spot"]), _read_turn(detail["options"])
    return Request(detail["number"], spot, before, steps, rest, turn)


def _read_turn(value: list[dict[str, Any]] | None) -> Turn | None:
    if value is None:
        return None
    before, after = value
    return _read_options(before), _read_options(after)


def _read_options(value: dict[str, Any]) -> Options:
    """Read options; those that this version does not know are left out."""
    known = {field.name for field in fields(Options)}
    kept = {name: one for name, one in value.items() if name in known}
    return Options(**{**kept, "channels": tuple(kept.get("channels", ()))})


def _read_state(detail: dict[str, Any], found: dict[int, Step]) -> State:
    notes = {
        _read_spot(spot): Note(bytes.fromhex(note[0]), note[1]) if note else None
        for spot, note in detail["notes"]
    }
    return State(
        {
            _read_spot(spot): tuple(found[id_] for id_ in ids)
            for spot, ids in detail["steps"]
        },
        {_read_spot(spot): bytes.fromhex(seen) for spot, seen in detail["seen"]},
        notes,
        {label: Style(**style) for label, style in detail["styles"]},
    )
