"""What can be done with objects, as menus: by the right button and below the list."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QInputDialog

from napari_simpleclick.plugin.layers.colours import object_colour
from napari_simpleclick.workflow.mask_array import MOST_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtGui import QAction
    from qtpy.QtWidgets import QMenu, QWidget

    from napari_simpleclick.annotation.object_action import Kind
    from napari_simpleclick.plugin.controller import Controller

OPACITIES = (1.0, 0.75, 0.5, 0.25)
SHAPES: tuple[tuple[str, Kind], ...] = (
    ("Fill holes", "fill holes"),
    ("Smooth outline", "smooth"),
    ("Grow by one pixel", "grow"),
    ("Shrink by one pixel", "shrink"),
    ("Keep the largest part", "largest part"),
)
"""Word and action."""


class Reach:
    """Whether splits and outlines are about all slices, or the one in view."""

    def __init__(self) -> None:
        self.all_slices = False

    def use(self, all_slices: bool) -> None:
        """Let them be about all slices, or about one."""
        self.all_slices = all_slices


class Chosen(NamedTuple):
    """Which objects a menu is about.

    Parameters
    ----------
    controller : Controller
        Whose objects they are.
    labels : tuple of int
        The objects, the current one first if it is among them.
    reach : Reach
        Whether splits and outlines are about all slices.
    parent : QWidget
        Over which is asked.
    """

    controller: Controller
    labels: tuple[int, ...]
    reach: Reach
    parent: QWidget

    @property
    def first(self) -> int:
        """The one that actions on a single object are about."""
        return self.labels[0]


def add_splits(menu: QMenu, chosen: Chosen) -> None:
    """Add the ways to split an object."""
    actions = chosen.controller.workflow.object_actions
    first, many = chosen.first, chosen.reach.all_slices
    _add_reach(menu, chosen)
    cut = partial(chosen.controller.begin_cut, first, many)
    _add(menu, "Along a stroke…", cut)
    _add(menu, "Into its separate parts", partial(actions.split_parts, first, many))
    _add(menu, "At its clicks", partial(actions.split_at_clicks, first, many))


def add_shapes(menu: QMenu, chosen: Chosen) -> None:
    """Add the ways to change the outline of objects."""
    actions = chosen.controller.workflow.object_actions
    _add_reach(menu, chosen)

    def reshape(kind: Kind) -> None:
        for label in chosen.labels:
            actions.reshape(kind, label, chosen.reach.all_slices)

    for title, kind in SHAPES:
        _add(menu, title, partial(reshape, kind))


def add_looks(menu: QMenu, chosen: Chosen) -> None:
    """Add what shows and hides objects."""
    listing = chosen.controller.workflow.object_list
    canvas = chosen.controller.canvas
    _add(menu, "Show alone", partial(listing.isolate, chosen.labels))
    _add(menu, "Hide", partial(listing.show, chosen.labels, False))
    _add(menu, "Show all", listing.show_all)
    opacity = menu.addMenu("Opacity")
    for value in OPACITIES:
        give = partial(listing.set_opacity, chosen.labels, value)
        _add(opacity, f"{value:.0%}", give)
    if canvas is not None:
        menu.addSeparator()
        outline = menu.addAction("Outlines only")
        outline.setCheckable(True)
        outline.setChecked(canvas.is_outlined)
        outline.toggled.connect(canvas.outline)


def add_all(menu: QMenu, chosen: Chosen, rename: Callable[[], None]) -> None:
    """Add all that can be done with objects.

    Parameters
    ----------
    menu : QMenu
        The menu.
    chosen : Chosen
        The objects.
    rename : callable
        Lets the person type a name.
    """
    flow, labels, first = chosen.controller.workflow, chosen.labels, chosen.first
    listing = flow.object_list
    _add(menu, "Show its largest slice", partial(flow.show_object, first))
    _add(menu, "Rename", rename)
    _add(menu, "Colour…", partial(_ask_colour, chosen))
    _add(menu, "Number…", partial(_ask_number, chosen))
    _add(menu, "Class…", partial(_ask_class, chosen))
    menu.addSeparator()
    merge = _add(menu, "Merge", partial(flow.object_actions.merge, labels))
    merge.setEnabled(len(labels) > 1)
    add_splits(menu.addMenu("Split"), chosen)
    add_shapes(menu.addMenu("Shape"), chosen)
    menu.addSeparator()
    add_looks(menu.addMenu("Show"), chosen)
    _add(menu, "Move up", partial(listing.move, labels, False))
    _add(menu, "Move down", partial(listing.move, labels, True))
    canvas = chosen.controller.canvas
    locked = canvas is not None and canvas.session.objects.style(first).locked
    lock = partial(listing.lock, labels, not locked)
    _add(menu, "Unlock" if locked else "Lock", lock)
    menu.addSeparator()
    title = "Delete object" if len(labels) == 1 else f"Delete {len(labels)} objects"
    _add(menu, title, partial(flow.object_actions.delete, labels))


def _add_reach(menu: QMenu, chosen: Chosen) -> None:
    """Add the choice between the slice in view and all slices, where there are more."""
    canvas = chosen.controller.canvas
    if canvas is None or canvas.mask.ndim < 3:
        return
    reach = menu.addAction("In all slices")
    reach.setCheckable(True)
    reach.setChecked(chosen.reach.all_slices)
    reach.toggled.connect(chosen.reach.use)
    menu.addSeparator()


def _add(menu: QMenu, title: str, act: Callable[[], None]) -> QAction:
    action: QAction = menu.addAction(title)
    action.triggered.connect(lambda: act())
    return action


def _ask_colour(chosen: Chosen) -> None:
    canvas = chosen.controller.canvas
    if canvas is None:
        return
    now = QColor(object_colour(canvas.session, chosen.first))
    colour = QColorDialog.getColor(now, chosen.parent)
    if colour.isValid():
        listing = chosen.controller.workflow.object_list
        listing.colour(chosen.labels, colour.name())


def _ask_number(chosen: Chosen) -> None:
    new, given = QInputDialog.getInt(
        chosen.parent, "Number", "Number in the mask:", chosen.first, 1, MOST_LABEL
    )
    if given:
        chosen.controller.workflow.object_actions.renumber(chosen.first, new)


def _ask_class(chosen: Chosen) -> None:
    canvas = chosen.controller.canvas
    if canvas is None:
        return
    styles = canvas.session.objects.styles
    known = sorted({one.category for one in styles.values() if one.category})
    now = canvas.session.objects.style(chosen.first).category
    choices: Sequence[str] = known if now or not known else ["", *known]
    place = choices.index(now) if now in choices else 0
    name, given = QInputDialog.getItem(
        chosen.parent,
        "Class",
        "What kind of thing it is, which objects can share (empty for none):",
        choices,
        place,
    )
    if given:
        chosen.controller.workflow.object_list.classify(chosen.labels, name)
