"""The command that measures masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from napari_simpleclick.cli.common import console, example, one_sentence, warn
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_simpleclick.measurement import ObjectMeasures

app = typer.Typer()


@app.command(
    epilog=example("measure mask.nii.gz --image flair.nii.gz --csv tumour.csv")
)
@one_sentence
def measure(
    mask: Annotated[Path, typer.Argument(help="Label file, or DICOM segmentation.")],
    image: Annotated[
        list[Path] | None,
        typer.Option(help="Image that the mask lies on, for intensities; repeatable."),
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="One row a slice, not one an object.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a table for a spreadsheet.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the same as JSON.")] = None,
    surface: Annotated[
        Path | None,
        typer.Option(help="Write smooth surfaces (STL, PLY, OBJ), one an object."),
    ] = None,
) -> None:
    """Measure the objects of a mask: volumes, diameters, surfaces, intensities.

    Lengths are in mm where the file has a size of its pixels, else in px. Slices are
    those that a viewer shows: axial ones of a scan, the pages of a stack. Surfaces are
    in mm of the scanner (right, anterior, superior).
    """
    from napari_simpleclick import measurement
    from napari_simpleclick.images.files import check_writable

    for path, kind in ((csv, ".csv"), (json, ".json")):
        if path is not None:
            check_writable(path, (kind,))
    if surface is not None:
        check_writable(surface, measurement.MESHES)
    read = _read(mask)
    objects = _objects(read, image or [])
    rows = (measurement.slice_rows if slices else measurement.object_rows)(objects)
    if csv is not None:
        measurement.write_whole(csv, measurement.to_csv(rows))
        typer.echo(f"Wrote {len(rows)} rows to {csv}")
    if json is not None:
        measurement.write_whole(json, measurement.to_json(rows) + "\n")
        typer.echo(f"Wrote {len(rows)} rows to {json}")
    for path in _write_surfaces(surface, read) if surface is not None else ():
        typer.echo(f"Wrote {path}")
    if csv is None and json is None and surface is None:
        _show(rows)


class _Placed(NamedTuple):
    """Array as a viewer shows it, mm per voxel, and where its voxels are."""

    array: NDArray[Any]
    spacing: tuple[float, ...] | None
    affine: NDArray[Any] | None


def _read(path: Path) -> _Placed:
    """Read a file, and tell what is odd about it."""
    import numpy as np

    from napari_simpleclick.images.files import read_image
    from napari_simpleclick.images.source import Source
    from napari_simpleclick.images.units import MM

    file = read_image(path)
    warn(file.warnings)
    if file.rgb:
        raise UserError(
            f"'{path}' is in colour; give labels, or gray images for intensities."
        )
    source = Source.of_file(file)
    array = np.asarray(source.to_layer(file.array[...]))
    if array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    count = min(array.ndim, len(source.scale))
    units = source.units[-count:] or ("mm",) * (file.affine is not None) * count
    if not units or any(unit not in MM for unit in units):
        return _Placed(array, None, None)
    scale = zip(source.scale[-count:], units, strict=True)
    spacing = tuple(size * MM[unit] for size, unit in scale)
    return _Placed(array, spacing, source.layer_affine())


def _objects(mask: _Placed, images: list[Path]) -> list[ObjectMeasures]:
    """Measure; slices are those of a viewer."""
    from napari_simpleclick.measurement import measure

    pictures = {path.name.split(".")[0]: _read(path).array for path in images}
    return measure(mask.array, mask.spacing, pictures, affine=mask.affine)


def _write_surfaces(target: Path, mask: _Placed) -> Iterator[Path]:
    """Write a mesh for every object, with its number behind the name if several."""
    import numpy as np

    from napari_simpleclick.measurement import surface_mesh, write_mesh

    if mask.array.ndim != 3:
        raise UserError("A slice has no surface; give the mask of a volume.")
    affine = mask.affine
    if affine is None:
        affine = np.diag([*(mask.spacing or (1.0,) * 3), 1.0])
    labels = [int(label) for label in np.unique(mask.array) if label]
    if not labels:
        raise UserError("The mask is empty, so it has no surface.")
    for label in labels:
        path = target
        if len(labels) > 1:
            path = target.with_stem(f"{target.stem}-{label}")
        write_mesh(path, surface_mesh(mask.array == label, affine))
        yield path


def _show(rows: list[dict[str, Any]]) -> None:
    """Show rows as a table; one object a column, so that it fits a terminal."""
    from rich.table import Table

    if not rows:
        console.print("The mask is empty.")
        return
    table = Table()
    table.add_column("")
    for row in rows:
        table.add_column(str(row["object"]), justify="right")
    for name in list(rows[0])[1:]:
        values = [row.get(name, "") for row in rows]
        shown = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
        table.add_row(name, *shown)
    console.print(table)
