"""What napari's own tools have painted on the mask, or others have put in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_simpleclick.annotation import MaskChange

if TYPE_CHECKING:
    from napari.layers import Labels


def is_painting(mask: Labels) -> bool:
    """Whether a brush stroke is under way; nothing is to be written meanwhile."""
    brush = str(mask.mode) != "pan_zoom"
    return brush and QApplication.mouseButtons() != Qt.MouseButton.NoButton


def painted(atoms: list[Any], shape: tuple[int, ...]) -> MaskChange:
    """Read what napari's tools have painted.

    Parameters
    ----------
    atoms : list
        Value of the paint event of a Labels layer: tuples of indices, labels before
        and after; or, since napari 0.9, of a box, a mask in it (None for all), labels
        before and the label after.
    shape : tuple of int
        Of the mask.
    """
    changes = []
    for atom in atoms:
        if len(atom) == 3:
            indices, before, after = atom
        else:
            box, mask, before, after = atom
            corner = [part.start or 0 for part in box]
            inside = np.nonzero(np.ones_like(before, bool) if mask is None else mask)
            indices = tuple(i + start for i, start in zip(inside, corner, strict=True))
            before = np.ravel(before)
        changes.append(MaskChange.of(shape, indices, before, after))
    change = MaskChange.joined(changes)
    assert change is not None
    return change
