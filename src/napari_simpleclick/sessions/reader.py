"""Reading a session back, event by event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_simpleclick.annotation.mask_change import MaskChange
from napari_simpleclick.annotation.packing import unpack_mask
from napari_simpleclick.annotation.placed_prompt import PlacedPrompt
from napari_simpleclick.annotation.session import Session
from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts import prompt_from_json
from napari_simpleclick.sessions.encoding import (
    OPTIONS,
    VIEWPORT,
    decode_edit,
    decode_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from napari_simpleclick.annotation.history import Edit
    from napari_simpleclick.sessions.database import SessionDatabase


TAKEN_BACK = ("undone", "retracted")
"""Events whose edit is taken back in the mask."""


@dataclass
class SessionReader:
    """Reads a session back from its file.

    Parameters
    ----------
    store : SessionDatabase
        The file; one of an older version becomes one of the present version.

    Attributes
    ----------
    session : Session
        As far as it was read.
    ids : dict
        Prompts to their ids in the file.
    """

    store: SessionDatabase
    session: Session = field(default_factory=Session)
    ids: dict[PlacedPrompt, int] = field(default_factory=dict)

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
            self.store.upgrade()
            found = {id_: _read_prompt(*row) for id_, *row in self.store.prompts()}
            self.ids = {placed: id_ for id_, placed in found.items()}
            for kind, detail, packed in self.store.events():
                change = MaskChange(mask.shape, packed) if packed is not None else None
                edit = self._follow(kind, detail, change, found)
                if edit is not None and edit.change is not None:
                    edit.change.apply(mask, undo=kind in TAKEN_BACK)
                yield kind, edit
        except (KeyError, TypeError, IndexError, ValidationError) as error:
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
            session.use(OPTIONS.validate_python(detail))
        elif kind == "asked":
            session.requests.ask(decode_request(detail, found))
        elif kind == "answered":
            session.requests.forget(detail)
        elif kind == "dropped":
            session.requests.drop(detail)
        elif kind == "done":
            edit = decode_edit(detail, change, found)
            session.do(edit)
            return edit
        elif kind == "undone":
            return session.undo()
        elif kind == "retracted":
            return session.retract()
        elif kind == "redone":
            return session.redo()
        return None


def _read_prompt(
    order: int, prompt: Any, base: bytes | None, viewport: Any
) -> PlacedPrompt:
    mask = None if base is None else unpack_mask(base)
    seen = VIEWPORT.validate_python(viewport)
    return PlacedPrompt(order, prompt_from_json(prompt), mask, seen)
