"""The row of buttons below the list of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_simpleclick.plugin.sections.object_menu import (
    Chosen,
    add_looks,
    add_shapes,
    add_splits,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.sections.objects import ObjectsSection


class ObjectTools(QWidget):  # type: ignore[misc]
    """Merge, split, shape and show what is selected in the list.

    Parameters
    ----------
    controller : Controller
        Whose objects they are.
    table : ObjectsSection
        The list.
    """

    def __init__(self, controller: Controller, table: ObjectsSection) -> None:
        super().__init__()
        self.controller, self.table = controller, table
        self.merge = QPushButton("Merge")
        self.merge.setMinimumWidth(1)  # four share a row of a narrow dock
        self.merge.setToolTip("Make the selected objects one; Ctrl+click selects more")
        self.merge.clicked.connect(self._on_merge)
        self.split = self._menu("Split", "Make two or more of an object", add_splits)
        self.shape = self._menu("Shape", "Holes, outline, parts", add_shapes)
        self.show_ = self._menu("Show", "Show and hide objects", add_looks)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.merge, self.split, self.shape, self.show_):
            row.addWidget(button)
        table.itemSelectionChanged.connect(self._follow)
        controller.workflow.changed.connect(self._follow)
        self._follow()

    def _menu(
        self, title: str, tip: str, fill: Callable[[QMenu, Chosen], None]
    ) -> QPushButton:
        button, menu = QPushButton(title), QMenu(self)
        button.setMinimumWidth(1)
        button.setToolTip(tip)
        button.setMenu(menu)

        def refill() -> None:
            menu.clear()
            chosen = self.table.chosen()
            if chosen is not None:
                fill(menu, chosen)

        menu.aboutToShow.connect(refill)
        return button

    def _on_merge(self) -> None:
        chosen = self.table.chosen()
        if chosen is not None:
            self.controller.workflow.object_actions.merge(chosen.labels)

    def _follow(self) -> None:
        chosen = self.table.chosen()
        self.merge.setEnabled(chosen is not None and len(chosen.labels) > 1)
