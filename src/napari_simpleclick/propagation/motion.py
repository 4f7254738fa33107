"""How an object's outline moves from one slice to the next."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.shapes import signed_distance

Mask = NDArray[np.bool_]

SMOOTHING_PX = 3.0
"""Standard deviation of the Gaussian that the motion field is smoothed with."""

SMALLEST_PX = 32
"""Shorter sides are padded; the coarsest level of the search needs some pixels."""


def follow(
    previous: NDArray[np.uint8], current: NDArray[np.uint8], mask: Mask
) -> NDArray[np.float32]:
    """Move a mask along with the image, from one slice to the next.

    Parameters
    ----------
    previous, current : ndarray
        (H, W) uint8, the same part of the two slices.
    mask : ndarray
        (H, W) bool, the object on the previous slice.

    Returns
    -------
    ndarray
        (H, W) float32, signed distance to the moved outline in px, positive inside.

    Notes
    -----
    Dense inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse
    Search", ECCV 2016), as in OpenCV.
    """
    height, width = mask.shape
    rooms = [max(0, SMALLEST_PX - side) for side in (height, width)]
    pads = [(room // 2, room - room // 2) for room in rooms]
    images = [np.pad(image, pads, mode="edge") for image in (current, previous)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    start = np.zeros((*images[0].shape, 2), np.float32)
    flow = search.calc(images[0], images[1], start)
    flow = cv2.GaussianBlur(flow, (0, 0), SMOOTHING_PX)
    (top, _), (left, _) = pads
    flow = flow[top : top + height, left : left + width]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    moved = cv2.remap(
        signed_distance(mask),
        columns + flow[..., 0],
        rows + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.float32)
