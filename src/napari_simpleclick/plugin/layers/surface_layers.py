"""Surfaces of objects as layers of the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap

from napari_simpleclick.plugin.layers.colours import object_colour
from napari_simpleclick.plugin.layers.placement import MOVES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.measurement import Mesh
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.workflow.surfaces import Surfaces

LABEL_KEY = "napari-simpleclick surface"
"""Key in the metadata of a surface layer: its mask layer and the label."""


def show_surfaces(canvas: LayerCanvas, surfaces: Surfaces) -> None:
    """Show surfaces in place of those of the same objects, and turn to 3-D.

    Layers of objects that have no surface any more are removed; what the person has
    set of the others, as their opacity, stays.
    """
    viewer = canvas.viewer
    there = {
        layer.metadata[LABEL_KEY][1]: layer
        for layer in viewer.layers
        if layer.metadata.get(LABEL_KEY, (None,))[0] is canvas.mask
    }
    for label in there.keys() - surfaces.meshes.keys():
        viewer.layers.remove(there[label])
    active = viewer.layers.selection.active
    for label, mesh in surfaces.meshes.items():
        layer = there.get(label) or _added(canvas, label, mesh, surfaces)
        layer.data = _data(mesh, surfaces)
        _place(layer, canvas, label)
    viewer.layers.selection.active = active
    _show_in_3d(canvas, surfaces)


def _show_in_3d(canvas: LayerCanvas, surfaces: Surfaces) -> None:
    """Turn to 3-D with the axes of space in their own order.

    napari turns images as the order of axes says, but not surfaces.
    """
    dims = canvas.viewer.dims
    space = sorted(axis + dims.ndim - canvas.image.ndim for axis in surfaces.space)
    dims.order = (*(axis for axis in range(dims.ndim) if axis not in space), *space)
    dims.ndisplay = 3


def _added(canvas: LayerCanvas, label: int, mesh: Mesh, surfaces: Surfaces) -> Any:
    return canvas.viewer.add_surface(
        _data(mesh, surfaces),
        shading="smooth",
        metadata={LABEL_KEY: (canvas.mask, label)},
        **{name: getattr(canvas.mask, name) for name in (*MOVES, "axis_labels")},
    )


def _data(
    mesh: Mesh, surfaces: Surfaces
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices on all axes of the image, and faces."""
    vertices = np.tile(np.array(surfaces.place, float), (len(mesh.vertices), 1))
    vertices[:, surfaces.space] = mesh.vertices
    return vertices, mesh.faces


def _place(layer: Any, canvas: LayerCanvas, label: int) -> None:
    """Let it lie where its mask is, with the object's name and colour."""
    for name in MOVES:
        setattr(layer, name, getattr(canvas.mask, name))
    colour = object_colour(canvas.session, label)
    layer.colormap = Colormap([colour, colour], name=colour)
    layer.name = f"{canvas.session.objects.name(label)} surface"
