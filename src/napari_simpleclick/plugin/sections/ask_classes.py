"""The question what objects with a class become in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


def ask_classes(parent: QWidget, title: str, text: str) -> bool | None:
    """Ask whether each class becomes one object; None if nothing is to be written."""
    box = QMessageBox(
        QMessageBox.Icon.Question,
        title,
        f"Some objects have a class. {text}",
        QMessageBox.StandardButton.Cancel,
        parent,
    )
    role = QMessageBox.ButtonRole.AcceptRole
    objects = box.addButton("Objects", role)
    classes = box.addButton("Classes", role)
    box.exec()
    chosen = box.clickedButton()
    return None if chosen not in (objects, classes) else chosen is classes
