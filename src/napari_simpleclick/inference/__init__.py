"""One image, its clicks and a prior mask to a probability map. NumPy in and out."""

from napari_simpleclick.inference.crops import THRESHOLD, Crop, ZoomIn
from napari_simpleclick.inference.merge import progressive_merge
from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.inference.predictor import Predictor

__all__ = [
    "THRESHOLD",
    "Crop",
    "ObjectState",
    "Predictor",
    "ZoomIn",
    "progressive_merge",
]
