"""Progressive merge: a correction changes only what the click is about.

Source: Chen et al., "FocalClick", CVPR 2022, section 3.3, and its released code.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def progressive_merge(
    new: Mask, old: Mask, row: int, column: int, *, as_published: bool = False
) -> Mask:
    """Take over the changed part that holds the click, and leave the rest.

    Parameters
    ----------
    new, old : ndarray
        (H, W) bool: the answer to the click, and the mask before it.
    row, column : int
        The click, px.
    as_published : bool
        Where the click lies on no change, the released code removes or adds
        everything that did not change. By default nothing is merged then.

    Returns
    -------
    ndarray
        (H, W) bool, a new array.
    """
    changed = (new ^ old).astype(np.uint8)
    if not changed[row, column] and not as_published:
        return old.copy()
    _, parts = cv2.connectedComponents(changed, connectivity=8)
    part = parts == parts[row, column]
    return np.asarray(old & ~part if old[row, column] else old | part)


def merge_touched(
    new: Mask, old: Mask, about: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> Mask:
    """Take over the changed parts that a stroke, a box or a lasso touches.

    Parameters
    ----------
    new, old : ndarray
        (H, W) bool: the answer to the prompt, and the mask before it.
    about : tuple of ndarray
        Rows and columns of the pixels of the prompt.

    Returns
    -------
    ndarray
        (H, W) bool, a new array.
    """
    _, parts = cv2.connectedComponents((new ^ old).astype(np.uint8), connectivity=8)
    touched = np.isin(parts, np.unique(parts[about])) & (parts > 0)
    return np.asarray(np.where(touched, new, old))
