"""Three small volumes to try the tool on; see ATTRIBUTION.md for their licences."""

from importlib.resources import files
from pathlib import Path

EM_SCALE_NM = (120.0, 8.0, 8.0)
"""Section distance and pixel size of the EM sample, nm."""


def sample_path(name: str) -> Path:
    """Path of ``em.tif``, ``brain.nii.gz`` or ``hippocampus.nii.gz``."""
    return Path(str(files("napari_simpleclick.samples").joinpath(name)))
