"""What is outlined of the proposals, which are no objects yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.outline_layer import Outline

if TYPE_CHECKING:
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.workflow.similar import Similar

COLOURS = {True: (1.0, 0.9, 0.1, 1.0), False: (0.5, 0.85, 1.0, 0.55)}
"""Yellow for the proposal in view, faint blue for the others."""

NAME = "proposals"
WIDTH_PX = 4.0


def proposal_outlines(canvas: LayerCanvas, similar: Similar) -> list[Outline]:
    """List those of the proposals that wait on the displayed slice."""
    try:
        plane = canvas.current_plane()
    except UserError:
        return []
    return [
        Outline(one.inside, one.plane, COLOURS[in_view], one.corner)
        for one, in_view in similar.shown(plane)
    ]
