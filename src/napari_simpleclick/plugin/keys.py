"""The keys, in one table that the person can change."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari.layers import Image, Labels, Points
from napari.utils.key_bindings import coerce_keybinding
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QKeySequence

from napari_simpleclick.plugin import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from qtpy.QtWidgets import QMainWindow, QWidget


class Action(Enum):
    """What a key can do, in the words of the panel."""

    POSITIVE = "Left click adds to the object"
    NEGATIVE = "Left click removes from the object"
    UNDO = "Undo"
    REDO = "Redo"
    NEW_OBJECT = "New object"
    NEXT_OBJECT = "Next object"
    PREVIOUS_OBJECT = "Previous object"
    ISOLATE = "Show this object alone, or all again"
    PROPAGATE = "Carry the mask through the slices, both ways"
    PREDICT = "Predict the clicks that wait"
    CHECK = "Go to the slice that is worth a look most"
    ACCEPT = "Take this slice for annotated as it is"
    FIND = "Find what looks like the objects, on this slice"
    NEXT = "Show the next proposal"
    PREVIOUS = "Show the proposal before"
    ACCEPT_PROPOSAL = "Make this proposal an object"
    REJECT_PROPOSAL = "Reject this proposal"
    BOX = "Draw boxes, or no more"
    SCRIBBLE = "Draw scribbles, or no more"
    LASSO = "Draw lassos, or no more"
    CANCEL = "Forget what is being drawn; click again"
    NEXT_CASE = "Next case of the folder"
    PREVIOUS_CASE = "The case before"
    CASE_DONE = "This case is done: export it, and go on"
    HELP = "Show this table"


KEYS = {
    "Q": Action.POSITIVE,
    "W": Action.NEGATIVE,
    "N": Action.NEW_OBJECT,
    ".": Action.NEXT_OBJECT,
    ",": Action.PREVIOUS_OBJECT,
    "I": Action.ISOLATE,
    "T": Action.PROPAGATE,
    "U": Action.CHECK,
    "K": Action.ACCEPT,
    "Shift+F": Action.FIND,
    "H": Action.NEXT,
    "Shift+H": Action.PREVIOUS,
    "Shift+K": Action.ACCEPT_PROPOSAL,
    "Shift+J": Action.REJECT_PROPOSAL,
    "R": Action.BOX,
    "D": Action.SCRIBBLE,
    "G": Action.LASSO,
    "Escape": Action.CANCEL,
    "Enter": Action.PREDICT,
    "Ctrl+Z": Action.UNDO,
    "Ctrl+Shift+Z": Action.REDO,
    "Shift+N": Action.NEXT_CASE,
    "Shift+B": Action.PREVIOUS_CASE,
    "Shift+D": Action.CASE_DONE,
    "?": Action.HELP,
}
"""The usual keys. None of them is taken by napari on image or Points layers; undo and
redo replace those of the mask layer, so that clicks and mask go together. On the mask
layer, a key that one of napari's tools needs is napari's while that tool is on."""

HISTORY = (Action.UNDO, Action.REDO)

MODIFIERS = ("Ctrl", "Shift", "Alt", "Meta")

SAME = {
    "Return": "Enter",
    "PgUp": "PageUp",
    "PgDown": "PageDown",
    "Del": "Delete",
    "Ins": "Insert",
    "Esc": "Escape",
}
"""Qt's names of keys, and those of napari."""

_bound: WeakSet[Any] = WeakSet()
"""Layers that have keys of ours."""


def spelled(text: str) -> str:
    """Write a key as the table does, from Qt's or napari's way."""
    text = text.replace("Control", "Ctrl").split(", ")[0]
    found = re.fullmatch(r"((?:(?:Ctrl|Shift|Alt|Meta)[+-])*)(.*)", text)
    assert found is not None
    held = re.split("[+-]", found[1])
    name = SAME.get(found[2], found[2])
    key = name.upper() if len(name) == 1 else name
    return "+".join([*(one for one in MODIFIERS if one in held), key])


def for_napari(key: str, mac: bool = sys.platform == "darwin") -> str:
    """Write a key as napari does, or back again; on a Mac, our Ctrl is Command there.

    That is as in Qt. napari calls the same key Meta.
    """
    if mac:
        swap = {"Ctrl": "Meta", "Meta": "Ctrl"}
        *held, last = key.split("+") if not key.endswith("+") else [key]
        key = spelled("+".join([*(swap.get(one, one) for one in held), last]))
    return key


def reaches_layers(key: str) -> bool:
    """Whether napari tells layers of a key, and can tell it from others."""
    *held, name = key.split("+")
    known = str(coerce_keybinding(for_napari(key))).split("+")[-1]
    shifted = "Shift" in held and len(name) == 1 and not name.isalpha()
    return bool(known) and not shifted


def keys_of_napari(window: QMainWindow | None) -> dict[str, str]:
    """Find the keys that napari and its menus have now, and whose they are."""
    found: dict[str, str] = {}
    owners = [(kind, f"on {kind.__name__} layers") for kind in (Labels, Points, Image)]
    owners.append((Viewer, "in the viewer"))
    for kind, name in owners:
        for base in kind.__mro__:
            for key in getattr(base, "class_keymap", {}):
                if key is not Ellipsis:
                    found[for_napari(spelled(str(key)))] = name
    if window is not None:
        found.update(dict.fromkeys(_keys_of_menu(window.menuBar()), "in the menus"))
    return found


def _keys_of_menu(menu: QWidget) -> Iterator[str]:
    for action in menu.actions():
        for shortcut in action.shortcuts():
            yield spelled(shortcut.toString())
        if action.menu() is not None:
            yield from _keys_of_menu(action.menu())


class Keys(QObject):  # type: ignore[misc]
    """The key of each action; one table for all panels.

    What differs from :data:`KEYS` is saved as ``ACTION=key`` pairs with blanks between.
    """

    changed = Signal()
    """Some keys are others now."""

    def __init__(self) -> None:
        super().__init__()
        self._usual = {action: spelled(key) for key, action in KEYS.items()}
        self._key_of = dict(self._usual)

    def load(self) -> None:
        """Take the keys that were saved; what makes no sense is left out."""
        saved = dict(self._usual)
        for pair in settings.load().keys.split():
            name, _, text = pair.partition("=")
            key = spelled(text)
            action = Action.__members__.get(name)
            if action in saved and text and not self.problem(action, key, {}, saved):
                saved[action] = key
        self._take(saved)

    def key(self, action: Action) -> str:
        """Key of an action, as in :data:`KEYS`."""
        return self._key_of[action]

    def text(self, action: Action) -> str:
        """Key of an action as this computer's programs write it."""
        key = self._key_of[action]
        native = QKeySequence.SequenceFormat.NativeText
        return str(QKeySequence(key).toString(native)) or key

    def problem(
        self,
        action: Action,
        key: str,
        taken: dict[str, str],
        table: dict[Action, str] | None = None,
    ) -> str:
        """Say why an action cannot have a key; empty if it can.

        Parameters
        ----------
        action : Action
            The action.
        key : str
            The key.
        taken : dict
            The keys of napari, see :func:`keys_of_napari`.
        table : dict or None
            The keys of the other actions; None for those of now.
        """
        shown = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
        for other, used in (table or self._key_of).items():
            if other is not action and used == key:
                return f"{shown} is the key of '{other.value}'; choose another."
        if key in taken and key != self._usual[action]:
            return f"{shown} is a key of napari {taken[key]}; choose another."
        if action is not Action.HELP and not reaches_layers(key):
            return f"{shown} cannot be told apart here; choose a letter or F1 to F12."
        return ""

    def rebind(self, action: Action, key: str) -> None:
        """Give an action another key, for good."""
        self._take({**self._key_of, action: key})
        self._save()

    def reset(self) -> None:
        """Go back to the usual keys, for good."""
        self._take(dict(self._usual))
        self._save()

    def _save(self) -> None:
        settings.save(
            keys=" ".join(
                f"{action.name}={key}"
                for action, key in self._key_of.items()
                if key != self._usual[action]
            )
        )

    def _take(self, table: dict[Action, str]) -> None:
        if table == self._key_of:
            return
        self._key_of = table
        for layer in list(_bound):
            strokes = _strokes(layer)
            unbind((layer,))
            for stroke in strokes:
                bind((layer,), stroke.run, (stroke.action,))
        self.changed.emit()


@dataclass(frozen=True)
class Stroke:
    """What a key of ours does on a layer."""

    run: Callable[[Action], None]
    action: Action
    key: str

    @property
    def __name__(self) -> str:
        """What napari calls it."""
        return self.action.name.lower()

    def __call__(self, layer: Any) -> Any:
        """Act; but leave the key to napari's tool if one is on that needs it."""
        tool = str(getattr(layer, "mode", "pan_zoom")) != "pan_zoom"
        if tool and self.action not in HISTORY:
            layer = inspect.unwrap(layer)  # napari hands plugins a proxy
            for base in type(layer).__mro__:
                keymap = getattr(base, "class_keymap", {})
                own = keymap.get(coerce_keybinding(self.key))
                if own is not None:
                    return own(layer)
        return self.run(self.action)


TABLE = Keys()
"""The keys of now."""


def bind(
    layers: tuple[Any, ...],
    run: Callable[[Action], None],
    actions: Container[Action] = tuple(Action),
) -> None:
    """Bind the keys of some actions on layers; ``run`` is called with the action."""
    for layer in layers:
        _bound.add(layer)
        for action in Action:
            if action in actions and action is not Action.HELP:
                key = for_napari(TABLE.key(action))
                layer.bind_key(key, Stroke(run, action, key), overwrite=True)


def unbind(layers: tuple[Any, ...]) -> None:
    """Give the keys back."""
    for layer in layers:
        _bound.discard(layer)
        for stroke in _strokes(layer):
            layer.bind_key(stroke.key, None, overwrite=True)


def _strokes(layer: Any) -> list[Stroke]:
    return [stroke for stroke in layer.keymap.values() if isinstance(stroke, Stroke)]
