"""Links in the text of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QPalette

if TYPE_CHECKING:
    from qtpy.QtWidgets import QLabel


def link(label: QLabel, address: str, text: str) -> str:
    """Write a link in the colour of a label's text; Qt's blue is lost in a dark theme.

    Parameters
    ----------
    label : QLabel
        Where the link is to be shown.
    address, text : str
        Where it leads, and its words.
    """
    label.ensurePolished()
    colour = label.palette().color(QPalette.ColorRole.WindowText).name()
    return f'<a href="{address}" style="color: {colour}">{text}</a>'
