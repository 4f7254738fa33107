"""Files to arrays, intensities to RGB, n-D layers to 2-D slices, and back."""

from napari_simpleclick.images.intensity import Window, check_image, default_window
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.images.viewport import Viewport

__all__ = ["Plane", "Viewport", "Window", "check_image", "default_window"]
