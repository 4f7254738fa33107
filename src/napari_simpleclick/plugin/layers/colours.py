"""The colours of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Session

OBJECT_COLOURS = (
    "#ff9f1c",
    "#2ec4ff",
    "#e056fd",
    "#ffe119",
    "#00d1b2",
    "#ff6f91",
    "#9bff4d",
    "#7c83ff",
)
"""Masks in turn; bright on gray images, and none is that of a click."""

AT_LEAST = 255
"""Labels that have a colour in any case."""

PLAIN_COLOURS = CyclicLabelColormap(colors=["transparent", *OBJECT_COLOURS])


def object_colour(session: Session, label: int) -> str:
    """Tell the colour of an object, as ``#rrggbb``."""
    plain = OBJECT_COLOURS[(label - 1) % len(OBJECT_COLOURS)]
    return session.style(label).colour or plain


def colormap_of(session: Session) -> CyclicLabelColormap | DirectLabelColormap:
    """Make the colormap of a mask layer.

    Colours come in turn, until the person chooses one.
    """
    if not any(style.colour for style in session.styles.values()):
        return PLAIN_COLOURS
    highest = max(session.label, *session.styles, *session.labels(), AT_LEAST)
    colours: dict[int | None, Any] = {None: OBJECT_COLOURS[0], 0: "transparent"}
    colours |= {k: object_colour(session, k) for k in range(1, highest + 1)}
    return DirectLabelColormap(color_dict=colours)
