"""From an annotated slice through its neighbours."""

from napari_simpleclick.propagation.propagation import Propagation, interpolated
from napari_simpleclick.propagation.review import beyond, next_to_check
from napari_simpleclick.propagation.side_by_side import Leg, SideBySide
from napari_simpleclick.propagation.volume import (
    PropagatedLabels,
    PropagatedMask,
    propagate_labels,
    propagate_mask,
)
from napari_simpleclick.propagation.walk import (
    LEAST_CONFIDENCE,
    Ending,
    ReachedSlice,
    Slices,
)

__all__ = [
    "LEAST_CONFIDENCE",
    "Ending",
    "Leg",
    "PropagatedLabels",
    "PropagatedMask",
    "Propagation",
    "ReachedSlice",
    "SideBySide",
    "Slices",
    "beyond",
    "interpolated",
    "next_to_check",
    "propagate_labels",
    "propagate_mask",
]
