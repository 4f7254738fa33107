"""Session files of older versions.

A migration speaks of the format as it was and as it became, in plain SQL and JSON, and
not of classes that go on changing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_simpleclick.images.planes import Plane

if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Cursor

    Run = Callable[..., Cursor]

STATE_NAMES = {
    "steps": "prompts",
    "seen": "answered",
    "notes": "propagated",
    "styles": "styles",
}
"""Version 1 to 2."""


def migrate_1_to_2(run: Run) -> None:
    """Let prompts be of any kind, and keep with each answer what it depended on.

    Version 1 had only clicks, and told when options and the way to look at the image
    had changed, but not which of them an answer was given with. That is guessed here.

    Parameters
    ----------
    run : callable
        Executes a statement, with a tuple of values, in a transaction that has begun.
    """
    run(
        "CREATE TABLE prompt (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, "
        "prompt TEXT NOT NULL, base BLOB)"
    )
    for id_, number, row, column, positive, base in run(
        "SELECT * FROM step"
    ).fetchall():
        click = {"row": row, "column": column, "positive": bool(positive)}
        values = (id_, number, json.dumps({"kind": "click", **click}), base)
        run("INSERT INTO prompt VALUES (?, ?, ?, ?)", values)
    run("DROP TABLE step")
    sizes = run("SELECT value FROM about WHERE key = 'sizes'").fetchone()
    guess = _Guess(None if sizes is None else json.loads(sizes[0]))
    rows = run("SELECT id, kind, detail FROM event ORDER BY id").fetchall()
    events = [(id_, kind, json.loads(text)) for id_, kind, text in rows]
    following = [(kind, detail) for _, kind, detail in events[1:]] + [("", None)]
    for (id_, kind, detail), (after, number) in zip(events, following, strict=True):
        guess.follow(kind, detail)
        if kind == "asked":
            names = {"spot": "object_slice", "steps": "prompts"}
            detail = {names.get(name, name): one for name, one in detail.items()}
        elif kind == "done":
            for key in ("before", "after"):
                state = detail[key]
                detail[key] = {new: state[old] for old, new in STATE_NAMES.items()}
            detail["settings"] = guess.settings(number) if after == "answered" else None
        else:
            continue
        run("UPDATE event SET detail = ? WHERE id = ?", (json.dumps(detail), id_))
    run("DELETE FROM event WHERE kind IN ('look', 'model')")


def migrate_2_to_3(run: Run) -> None:
    """Keep with each prompt what was seen of its slice; before, all of it was.

    Parameters
    ----------
    run : callable
        As of :func:`migrate_1_to_2`.
    """
    run("ALTER TABLE prompt ADD COLUMN viewport TEXT")


class _Guess:
    """What the pending request's answer is likely to have depended on.

    Parameters
    ----------
    sizes : list or None
        Of a voxel along each axis.
    """

    def __init__(self, sizes: list[float | None] | None) -> None:
        self._sizes = sizes
        self._now: dict[str, Any] = {"options": {}, "look": None, "model": ""}
        self._waiting: dict[int, dict[str, Any]] = {}
        self._begun: dict[str, Any] = {}

    def follow(self, kind: str, detail: Any) -> None:
        """Follow an event of version 1."""
        if kind in self._now:
            self._now[kind] = detail
        elif kind == "asked":
            self._waiting[detail["number"]] = detail
            if len(self._waiting) == 1:
                self._begun = self._now["options"]
        elif kind in ("answered", "dropped"):
            self._waiting.pop(detail, None)
            self._begun = self._now["options"]

    def settings(self, number: int) -> dict[str, Any] | None:
        """Tell the settings of the answer to a request, which has just come.

        Options are those at the time when the request was the next to be answered,
        unless it had to wait for the person.
        """
        request = self._waiting.get(number)
        if request is None or self._now["look"] is None:
            return None
        _, axes, index = request["spot"]
        sizes = self._sizes or [None] * len(index)
        first = next(iter(self._waiting)) == number
        at_once = first and self._begun.get("auto", True) and not request["options"]
        return {
            "options": self._begun if at_once else self._now["options"],
            "display": self._now["look"],
            "spacing": Plane((axes[0], axes[1]), tuple(index)).spacing(sizes),
            "model": self._now["model"],
        }
