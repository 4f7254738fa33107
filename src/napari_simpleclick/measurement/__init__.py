"""What a mask says: volumes, diameters, surfaces, intensities, places."""

from napari_simpleclick.measurement.axes import Axes, find_axes
from napari_simpleclick.measurement.diameters import (
    Diameters,
    feret_diameter,
    slice_diameters,
)
from napari_simpleclick.measurement.measuring import measure
from napari_simpleclick.measurement.mesh_files import (
    MESHES,
    mesh_paths,
    write_mesh,
    write_meshes,
)
from napari_simpleclick.measurement.objects import (
    Intensities,
    ObjectMeasures,
    SliceMeasures,
)
from napari_simpleclick.measurement.over_time import measure_over_time
from napari_simpleclick.measurement.shown import (
    PLUS_MINUS,
    digits,
    shown_table,
    unit_for,
)
from napari_simpleclick.measurement.surface import Mesh, surface_area, surface_mesh
from napari_simpleclick.measurement.table import (
    object_rows,
    slice_rows,
    to_csv,
    to_json,
    to_tsv,
)
from napari_simpleclick.measurement.volume_range import Sureness, volume_margin
from napari_simpleclick.measurement.write_file import write_file

__all__ = [
    "MESHES",
    "PLUS_MINUS",
    "Axes",
    "Diameters",
    "Intensities",
    "Mesh",
    "ObjectMeasures",
    "SliceMeasures",
    "Sureness",
    "digits",
    "feret_diameter",
    "find_axes",
    "measure",
    "measure_over_time",
    "mesh_paths",
    "object_rows",
    "shown_table",
    "slice_diameters",
    "slice_rows",
    "surface_area",
    "surface_mesh",
    "to_csv",
    "to_json",
    "to_tsv",
    "unit_for",
    "volume_margin",
    "write_file",
    "write_mesh",
    "write_meshes",
]
