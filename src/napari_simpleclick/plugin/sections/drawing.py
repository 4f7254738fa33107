"""Buttons that let drags draw boxes, scribbles and lassos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.plugin.key_button import KeyButton
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.workflow import Tool

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller

TOOLS = {
    Tool.BOX: ("Box", "Drag around the object", Action.BOX),
    Tool.SCRIBBLE: (
        "Scribble",
        "Drag along the object; with the right button on what does not belong to it",
        Action.SCRIBBLE,
    ),
    Tool.LASSO: ("Lasso", "Drag once around the object", Action.LASSO),
}
"""Text, tip and action of the button of each tool."""


class DrawingButtons:
    """One button a tool; none is down while a drag moves the view.

    Parameters
    ----------
    controller : Controller
        Whose tool it is.

    Attributes
    ----------
    buttons : tuple of KeyButton
        To be put into a row.
    """

    def __init__(self, controller: Controller) -> None:
        self._workflow = controller.workflow
        self._of: dict[Tool, KeyButton] = {}
        for tool, (text, tip, action) in TOOLS.items():
            self._of[tool] = button = KeyButton(text, tip, action)
            button.setMinimumWidth(1)  # three share a row of a narrow dock
            button.setCheckable(True)
            button.clicked.connect(lambda _, a=action: controller.act(a))
        self.buttons = tuple(self._of.values())
        self._workflow.changed.connect(self.show)

    def show(self) -> None:
        """Show which tool is chosen, and whether there is an image."""
        for tool, button in self._of.items():
            button.setEnabled(self._workflow.canvas is not None)
            button.setChecked(self._workflow.tool is tool)
