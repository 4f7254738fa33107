"""One image, its clicks and a prior mask to a probability map. NumPy in and out."""

from napari_simpleclick.predict.crops import Box, ZoomIn
from napari_simpleclick.predict.merge import progressive_merge
from napari_simpleclick.predict.predictor import THRESHOLD, Predictor

__all__ = ["THRESHOLD", "Box", "Predictor", "ZoomIn", "progressive_merge"]
