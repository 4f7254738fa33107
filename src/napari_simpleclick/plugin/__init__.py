"""The napari plugin: panel, controller, layers, keys, workers.

The commands of the manifest; each imports what it needs when it is used.
"""

from __future__ import annotations

from typing import Any

__all__ = ["brain_sample", "em_sample", "mri_sample", "open_panel"]


def open_panel() -> None:
    """Show the dock widget in the current viewer."""
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")


def em_sample() -> list[tuple[Any, dict[str, Any], str]]:
    """Provide five EM sections as layer data."""
    from napari_simpleclick.images.files import read_image
    from napari_simpleclick.samples import EM_SCALE_NM, sample_path

    array = read_image(sample_path("em.tif")).array
    place = {"scale": EM_SCALE_NM, "units": ("nm",) * 3, "axis_labels": tuple("zyx")}
    return [(array, {"name": "EM neurons", **place}, "image")]


def brain_sample() -> list[tuple[Any, dict[str, Any], str]]:
    """Provide five MRI slices of a head with a tumour as layer data."""
    return _volume_sample("brain.nii.gz", "Brain MRI")


def mri_sample() -> list[tuple[Any, dict[str, Any], str]]:
    """Provide a small T1 MRI volume as layer data, upright as every scan."""
    return _volume_sample("hippocampus.nii.gz", "Hippocampus MRI")


def _volume_sample(file: str, name: str) -> list[tuple[Any, dict[str, Any], str]]:
    import numpy as np

    from napari_simpleclick.plugin.files import read_layers
    from napari_simpleclick.samples import sample_path

    ((array, look, kind),) = read_layers(str(sample_path(file)))
    low, high = np.percentile(array, (0.5, 99.5))  # the brightest voxels are vessels
    shown = {"name": name, "contrast_limits": (float(low), float(high))}
    return [(array, {**look, **shown}, kind)]
