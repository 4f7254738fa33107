"""The slice that was prompted last, small: what a session is recognised by.

A session file holds its mask only; the image is read when the picture is wanted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation.packing import pack, unpack
from napari_simpleclick.images import Plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.images.view import View
    from napari_simpleclick.sessions.folder import SavedSession
    from napari_simpleclick.workflow.canvas import Canvas

SIDE = 96
"""Longest side of a small picture, px, at most."""

KEY = "last_slice"
"""Of what a session file says about itself."""


@dataclass(frozen=True, eq=False)
class ListedSession:
    """A session of an image in a list to choose from.

    Parameters
    ----------
    saved : SavedSession
        The session.
    picture : ndarray or None
        (H, W, 3) uint8, the slice that was prompted last, every n-th pixel of it; None
        where the file does not tell.
    labels : ndarray or None
        (H, W) labels on it.
    """

    saved: SavedSession
    picture: NDArray[np.uint8] | None = None
    labels: NDArray[Any] | None = None


def about_last_slice(canvas: Canvas) -> dict[str, Any]:
    """Give what a session file is to say about the slice that was prompted last.

    Returns
    -------
    dict
        Empty if nothing was prompted, or the labels have another shape by now.
    """
    where = canvas.session.objects.last_prompted()
    if where is None or canvas.labels.shape != canvas.about_image().mask_shape:
        return {}
    labels = where.plane.read(canvas.labels)
    step = _step(labels.shape)
    small = np.ascontiguousarray(labels[::step, ::step])
    axes, index = where.plane.axes, where.plane.index
    return {KEY: {"axes": axes, "index": index, "labels": pack(small).hex()}}


def listed(saved: SavedSession, view: View) -> ListedSession:
    """Add the picture of its last slice to a session, where there can be one.

    Parameters
    ----------
    saved : SavedSession
        The session.
    view : View
        How its image is looked at; one slice is read.
    """
    with suppress(KeyError, TypeError, IndexError, ValueError, OSError):
        last = saved.about[KEY]
        first, second = last["axes"]
        plane = Plane((first, second), tuple(last["index"]))
        (labels,) = unpack(bytes.fromhex(last["labels"]), 1)
        picture = view.read(plane)
        step = _step(picture.shape)
        small, window = picture[::step, ::step], view.window()
        if window is not None:
            small = window.apply(small)
        elif small.dtype == np.uint8:
            small = small / 255
        if small.ndim == 2:
            small = np.repeat(small[..., None], 3, axis=-1)
        if small.shape[:2] == labels.shape:
            shown = (np.clip(small, 0, 1) * 255).astype(np.uint8)
            return ListedSession(saved, shown, labels)
    return ListedSession(saved)


def _step(shape: tuple[int, ...]) -> int:
    return max(1, -(-max(shape[:2]) // SIDE))
