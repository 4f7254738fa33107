"""From an annotated slice through its neighbours."""

from napari_simpleclick.propagate.propagation import Propagation, interpolated
from napari_simpleclick.propagate.review import beyond, next_to_check
from napari_simpleclick.propagate.volume import PropagatedMask, propagate_mask
from napari_simpleclick.propagate.walk import LEAST_CONFIDENCE, Ending, Slices, Step

__all__ = [
    "LEAST_CONFIDENCE",
    "Ending",
    "PropagatedMask",
    "Propagation",
    "Slices",
    "Step",
    "beyond",
    "interpolated",
    "next_to_check",
    "propagate_mask",
]
