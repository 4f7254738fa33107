"""The colours of objects, and their names for files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

from napari_simpleclick.images.label_names import LabelName

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Session

OBJECT_COLOURS = (
    *("#ff9f1c", "#2ec4ff", "#d9fab9", "#6fa573"),
    *("#be86ba", "#f4f800", "#a1cb7b", "#ffb0d2"),
    *("#80f8fb", "#5a98f9", "#0cb69b", "#93d7a8"),
    *("#4b6d00", "#904d74", "#5c46e8", "#34825f"),
    *("#96871c", "#8768a1", "#d6024e", "#5879d7"),
    *("#b16687", "#fce67a", "#91ab59", "#de009e"),
    *("#b0ffd7", "#2e6f47", "#009975", "#fa76a4"),
    *("#bf9eda", "#bf4028", "#a97e4c", "#ca7788"),
)
"""Objects in turn. Each is the sRGB colour, strong enough for gray images and light in
the first dozen, that is farthest (CIEDE2000) from all before it and from those of
clicks, to the usual eye and to three kinds of colour blindness (G. Machado et al., "A
Physiologically-based Model for Simulation of Color Vision Deficiency", 2009); the first
two were set."""

AT_LEAST = 255
"""Labels that have a colour in any case."""

PLAIN_COLOURS = CyclicLabelColormap(colors=["transparent", *OBJECT_COLOURS])


def object_colour(session: Session, label: int) -> str:
    """Tell the colour of an object, as ``#rrggbb``."""
    plain = OBJECT_COLOURS[(label - 1) % len(OBJECT_COLOURS)]
    return session.objects.style(label).colour or plain


def _drawn_colour(session: Session, label: int) -> tuple[float, ...] | str:
    """Tell how an object is drawn: its colour with its opacity."""
    style = session.objects.style(label)
    if style.hidden:
        return "transparent"
    colour = bytes.fromhex(object_colour(session, label).removeprefix("#")[:6])
    return (*(part / 255 for part in colour), style.opacity)


def label_names(session: Session) -> tuple[LabelName, ...]:
    """Tell names and colours of all objects."""
    return tuple(
        LabelName(
            label,
            session.objects.name(label),
            object_colour(session, label),
            session.objects.style(label).category,
        )
        for label in session.objects.listed()
    )


def colormap_of(session: Session) -> CyclicLabelColormap | DirectLabelColormap:
    """Make the colormap of a mask layer.

    Colours come in turn, until the person chooses one.
    """
    styles = session.objects.styles.values()
    if not any(one.colour or one.hidden or one.opacity < 1 for one in styles):
        return PLAIN_COLOURS
    highest = max(
        session.label, *session.objects.styles, *session.objects.labels(), AT_LEAST
    )
    colours: dict[int | None, Any] = {None: OBJECT_COLOURS[0], 0: "transparent"}
    colours |= {k: _drawn_colour(session, k) for k in range(1, highest + 1)}
    return DirectLabelColormap(color_dict=colours)
