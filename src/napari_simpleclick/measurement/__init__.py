"""What a mask says: volumes, diameters, surfaces, intensities, places."""

from napari_simpleclick.measurement.diameters import (
    Diameters,
    feret_diameter,
    slice_diameters,
)
from napari_simpleclick.measurement.mesh_files import MESHES, write_mesh
from napari_simpleclick.measurement.objects import (
    Intensities,
    ObjectMeasures,
    SliceMeasures,
    measure,
)
from napari_simpleclick.measurement.surface import Mesh, surface_area, surface_mesh
from napari_simpleclick.measurement.table import (
    object_rows,
    slice_rows,
    to_csv,
    to_json,
)

__all__ = [
    "MESHES",
    "Diameters",
    "Intensities",
    "Mesh",
    "ObjectMeasures",
    "SliceMeasures",
    "feret_diameter",
    "measure",
    "object_rows",
    "slice_diameters",
    "slice_rows",
    "surface_area",
    "surface_mesh",
    "to_csv",
    "to_json",
    "write_mesh",
]
