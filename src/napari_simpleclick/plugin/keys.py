"""The keys, in one table."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

if TYPE_CHECKING:
    from collections.abc import Callable, Container


class Action(Enum):
    """What a key can do, in the words of the panel."""

    POSITIVE = "Left click adds to the object"
    NEGATIVE = "Left click removes from the object"
    UNDO = "Undo"
    REDO = "Redo"
    NEW_OBJECT = "New object"
    PROPAGATE = "Carry the mask through the slices, both ways"
    PREDICT = "Predict the clicks that wait"
    LEAST_SURE = "Go to the slice that propagation was least sure of"


KEYS = {
    "Q": Action.POSITIVE,
    "W": Action.NEGATIVE,
    "N": Action.NEW_OBJECT,
    "T": Action.PROPAGATE,
    "U": Action.LEAST_SURE,
    "Enter": Action.PREDICT,
    "Control-Z": Action.UNDO,
    "Control-Shift-Z": Action.REDO,
}
"""None of them is taken by napari on image or Points layers; undo and redo replace
those of the mask layer, so that clicks and mask go together."""

KEY_OF = {action: key.replace("Control-", "Ctrl+") for key, action in KEYS.items()}
"""Keys as the panel writes them."""

HISTORY = (Action.UNDO, Action.REDO)


def bind(
    layers: tuple[Any, ...],
    run: Callable[[Action], None],
    actions: Container[Action] = tuple(Action),
) -> None:
    """Bind the keys of some actions on layers; ``run`` is called with the action."""
    for layer in layers:
        for key, action in KEYS.items():
            own = key == "Enter" and isinstance(layer, Labels)  # ends a polygon there
            if action in actions and not own:
                layer.bind_key(key, lambda _, a=action: run(a), overwrite=True)


def unbind(layers: tuple[Any, ...]) -> None:
    """Give the keys back."""
    for layer in layers:
        for key in KEYS:
            layer.bind_key(key, None, overwrite=True)
