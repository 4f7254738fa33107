"""Scans of different directions in one viewer: which stands along its own axes.

A viewer shows the slices of a volume as they are, so the first oblique scan stands
along its own axes. A scan of another direction is turned against it, so that both lie
on each other.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel

from napari_simpleclick.images.masks import ON_GRID
from napari_simpleclick.images.oblique import own_directions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.images.viewer_images import Opened

FRAME_KEY = "napari-simpleclick frame"
"""Key under which a layer's metadata hold the directions of its viewer's axes."""


def place_in_viewer(
    image: Opened,
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None, tuple[str, ...]]:
    """Find how a scan is turned against those that are open.

    Parameters
    ----------
    image : Opened
        The scan, or a label map.

    Returns
    -------
    frame : ndarray or None
        (3, 3) directions of the viewer's axes, to be kept in the layer's metadata; None
        for images without an orientation.
    turn : ndarray or None
        (N, N) affine of the layer; None if it stands as the others do.
    warnings : tuple of str
        What a slice of a turned scan shows.
    """
    affine = image.source.affine
    count = image.array.ndim - image.rgb
    if affine is None or image.source.layer_affine() is None or count < 3:
        return None, None, ()
    own = own_directions(affine)
    frame = _frame(own)
    turn = np.asarray(np.linalg.solve(frame, own), np.float64)[::-1, ::-1]  # z, y, x
    if _is_still(turn, image):
        return frame, None, ()
    matrix = np.eye(count + 1)
    matrix[-4:-1, -4:-1] = turn
    angle = np.rad2deg(np.arccos(min(np.abs(np.diag(turn)).min(), 1.0)))
    told = (
        f"'{image.name}' is tilted by {angle:.0f} degrees against the scan that is "
        "open already. They lie on each other in 3-D and in files; its slices are "
        "shown without the tilt, so in 2-D they fit only near the middle. Open it "
        "alone, or resample one of the two, to see both slice by slice."
    )
    return frame, matrix, (told,)


def _is_still(turn: NDArray[np.float64], image: Opened) -> bool:
    """Whether turning moves no corner of a volume by more than a part of a voxel."""
    scale = np.array(image.source.scale[-3:])
    start = np.array(image.source.translate[-3:])
    shape = np.array(image.array.shape)
    sides = scale * (shape[-4:-1] if image.rgb else shape[-3:])
    corners = start + np.stack(np.meshgrid(*[(0, 1)] * 3), -1).reshape(-1, 3) * sides
    off = np.abs(corners @ (turn - np.eye(3)).T).max()
    return bool(off <= ON_GRID * scale.min())


def _frame(own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions in which the layers of the viewer stand; its own for the first one."""
    viewer = asking_viewer()
    layers = [] if viewer is None else viewer.layers
    known = [layer.metadata.get(FRAME_KEY) for layer in layers]
    return next((one for one in known if one is not None), own)


def asking_viewer() -> ViewerModel | None:
    """Find the viewer that is opening a file; napari does not tell its readers."""
    call = inspect.currentframe()
    while call is not None:
        asker = call.f_locals.get("self")
        if isinstance(asker, ViewerModel):
            return asker
        call = call.f_back
    return None
