"""Pictures of a case, drawn without a window: slices with outlines, and surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from skimage.measure import find_contours

from napari_simpleclick.measurement.surface import surface_mesh

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes as Plot
    from numpy.typing import NDArray

    from napari_simpleclick.measurement.objects import ObjectMeasures

GREY = (0.5, 99.5)
"""Percentiles of a slice that become black and white."""

MOST_VOXELS = 72
"""Along an axis of an object, for its picture; of larger ones, every second or so."""

TURN, TILT = np.radians(-35), np.radians(20)
"""From where surfaces are seen: to the side of the front, and from above."""

LIGHT = np.array([-0.4, -0.75, 0.55])
"""Where the light comes from: left, in front, above."""


def draw_slice(
    plot: Plot,
    image: NDArray[np.generic] | None,
    labels: NDArray[np.integer],
    objects: Sequence[ObjectMeasures],
    colours: Mapping[int, str],
    spacing: tuple[float, float],
) -> None:
    """Draw the slice where objects are longest, with outlines and their diameters.

    Parameters
    ----------
    plot : matplotlib Axes
        Where to draw.
    image : ndarray or None
        (H, W), or (H, W, 3) colour; None draws on grey.
    labels : ndarray
        (H, W) of the same slice.
    objects : sequence of ObjectMeasures
        Those whose diameters are drawn.
    colours : mapping
        Label to colour.
    spacing : tuple of float
        Height and width of a pixel.
    """
    aspect = spacing[0] / spacing[1]
    if image is None:
        image = np.full(labels.shape, 0.5)
    look: dict[str, Any] = {"aspect": aspect, "interpolation": "nearest"}
    if image.ndim == 2:
        values = image[np.isfinite(image)] if image.dtype.kind == "f" else image
        low, high = np.percentile(values, GREY) if values.size else (0.0, 1.0)
        look |= {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1e-9)}
    plot.imshow(image, **look)
    for label in np.unique(labels[labels > 0]).tolist():
        for line in find_contours(np.pad(labels == label, 1).astype(float), 0.5):
            colour = colours.get(label, "white")
            plot.plot(line[:, 1] - 1, line[:, 0] - 1, color=colour, linewidth=1.2)
    for one in objects:
        diameters = one.longest.diameters
        for (a, b), (c, d) in (diameters.longest_line, diameters.across_line):
            plot.plot([b, d], [a, c], color="white", linewidth=0.8)
    plot.set_axis_off()


def draw_surfaces(
    plot: Plot,
    labels: NDArray[np.integer],
    colours: Mapping[int, str],
    affine: NDArray[np.float64],
) -> None:
    """Draw the surfaces of all objects, seen from the front, the left and above.

    Parameters
    ----------
    plot : matplotlib Axes
        Where to draw.
    labels : ndarray
        (D, H, W).
    colours : mapping
        Label to colour.
    affine : ndarray
        (4, 4) from voxels to right, anterior, superior.
    """
    shapes, shades, depths = [], [], []
    for label in np.unique(labels[labels > 0]).tolist():
        vertices, faces = _thinned(labels == label, affine)
        corners = _seen(vertices)[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        front = normals[:, 1] < 0
        light = LIGHT / np.linalg.norm(LIGHT)
        bright = 0.35 + 0.65 * np.clip(normals[front] @ light, 0, 1)
        shapes.append(corners[front][:, :, [0, 2]])
        shades.append(bright[:, None] * to_rgb(colours.get(label, "white")))
        depths.append(corners[front][:, :, 1].mean(axis=1))
    order = np.argsort(-np.concatenate(depths))
    colour = np.concatenate(shades)[order]
    triangles = PolyCollection(
        list(np.concatenate(shapes)[order]),
        facecolors=colour,
        edgecolors=colour,
        linewidths=0.3,
        rasterized=True,
    )
    plot.add_collection(triangles)
    plot.autoscale_view()
    plot.set_aspect("equal")
    plot.set_axis_off()


def _thinned(
    mask: NDArray[np.bool_], affine: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Make a surface, of a large object from every second voxel or fewer."""
    inside = np.argwhere(mask)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    steps = np.maximum(1, np.ceil((high - low) / MOST_VOXELS)).astype(int)
    part = mask[tuple(map(slice, low, high, steps))]
    frame = np.eye(4)
    frame[:3, :3] = np.diag(steps)
    frame[:3, 3] = low
    if not part.any():
        part, frame[:3, :3] = mask[tuple(map(slice, low, high))], np.eye(3)
    mesh = surface_mesh(part, affine @ frame)
    return mesh.vertices, mesh.faces


def _seen(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn places to right, away from the eye, and up."""
    around = np.array(
        [[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]]
    )
    over = np.array(
        [[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]]
    )
    facing = vertices * (-1, -1, 1)  # the person looks at the patient's front
    return np.asarray(facing @ around.T @ over.T)
