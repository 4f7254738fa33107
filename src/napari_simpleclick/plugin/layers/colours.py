"""The colours of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Session

OBJECT_COLOURS = (
    *("#ff9f1c", "#2ec4ff", "#047156", "#8143c0"),
    *("#d9fab9", "#6a7c0e", "#5c9d71", "#ad678f"),
    *("#ab61f6", "#f4f800", "#a9bc7c", "#c790c4"),
    *("#9dffe9", "#964682", "#b3334d", "#8a9643"),
    *("#6e7ab6", "#0cb69b", "#f2dc71", "#f8a6c8"),
    *("#93d7a8", "#5442f7", "#ff5f8b", "#9390e0"),
    *("#c64676", "#0c836f", "#516c1d", "#ffbded"),
    *("#68864d", "#6866a0", "#d9d491", "#bb7ba9"),
)
"""Objects in turn. Each is the sRGB colour, light and strong enough for gray images, that
is farthest (CIEDE2000) from all before it and from those of clicks, to the usual eye and
to three kinds of colour blindness (G. Machado et al., "A Physiologically-based Model for
Simulation of Color Vision Deficiency", 2009); the first two were set."""

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
