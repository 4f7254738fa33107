"""How many objects a session has, without its masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation.packing import unpack
from napari_simpleclick.annotation.proposals import FOUND
from napari_simpleclick.annotation.session import TAKEN

if TYPE_CHECKING:
    from napari_simpleclick.sessions.database import Row, SessionDatabase

Labels = dict[int, set[Any]]
"""Label to what the object has: slices with prompts, propagated ones, a name, paint."""


MOVING = ("merge", "split parts", "cut", "split at clicks", "renumber", TAKEN)
"""Edits that give pixels to other objects."""

REMOVING, PAINTING = (
    ("delete object", *MOVING),
    ("painting", "accept proposal", *MOVING),
)


def count_objects(store: SessionDatabase) -> int | None:
    """Count the objects that are there after all events.

    Nothing is played: an object counts if it has prompts, propagated slices, a name, a
    colour, or was painted, also if all that was painted was erased again.

    Parameters
    ----------
    store : SessionDatabase
        The file.

    Returns
    -------
    int or None
        None for a file of the first version, and for one that is damaged.
    """
    if store.version == 1:
        return None
    try:
        done = _standing(store)
        found: Labels = {}
        for row in done:
            _take(found, row)
    except (KeyError, TypeError, IndexError, ValueError):
        return None
    return sum(bool(parts) for parts in found.values())


def _standing(store: SessionDatabase) -> list[Row]:
    """Give the edits that were not taken back, oldest first."""
    done: list[Row] = []
    undone: list[Row] = []
    for row in store.events():
        if row.kind == "done":
            done.append(row)
            if row.detail["name"] != FOUND:
                undone.clear()
        elif row.kind == "undone":
            undone.append(done.pop())
        elif row.kind == "retracted":
            done.pop()
        elif row.kind == "redone":
            done.append(undone.pop())
    return done


def _take(found: Labels, row: Row) -> None:
    name, after = row.detail["name"], row.detail["after"]
    if name in REMOVING:
        for label, style in after["styles"]:
            if not any(style.values()):
                found.pop(label, None)
    for part in ("prompts", "propagated"):
        for (label, *place), value in after[part]:
            _mark(found, label, (part, repr(place)), bool(value))
    for label, style in after["styles"]:
        _mark(found, label, "style", any(style.values()))
    if name in PAINTING and row.change is not None:
        for label in np.unique(unpack(row.change, 3)[2]):
            if label:
                _mark(found, int(label), "paint", True)


def _mark(found: Labels, label: int, part: Any, there: bool) -> None:
    parts = found.setdefault(label, set())
    if there:
        parts.add(part)
    else:
        parts.discard(part)
