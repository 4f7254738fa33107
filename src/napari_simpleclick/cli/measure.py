"""The command that measures masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_simpleclick.cli.common import console, example, one_sentence
from napari_simpleclick.cli.placed import (
    Placed,
    check_same_place,
    read_placed,
    read_placed_labels,
)
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.measurement import Axes, ObjectMeasures

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
    time_axis: Annotated[
        int | None,
        typer.Option(
            help="Axis of time points, from 0; by default the one that is called so, "
            "or else the first of four."
        ),
    ] = None,
) -> None:
    """Measure the objects of a mask: volumes, diameters, surfaces, intensities.

    Lengths are in mm where the file has a size of its pixels, else in px. Slices are
    those that a viewer shows: axial ones of a scan, the pages of a stack. Surfaces are
    in mm of the scanner (right, anterior, superior). A series has a row for every time
    point.
    """
    from napari_simpleclick import measurement
    from napari_simpleclick.images.files import check_writable

    for path, kind in ((csv, ".csv"), (json, ".json")):
        if path is not None:
            check_writable(path, (kind,))
    if surface is not None:
        check_writable(surface, measurement.MESHES)
    read = read_placed_labels(mask)
    axes = read.axes(time_axis)
    objects = _objects(mask, read, axes, image or [])
    rows = (measurement.slice_rows if slices else measurement.object_rows)(objects)
    if csv is not None:
        measurement.write_file(csv, measurement.to_csv(rows))
        typer.echo(f"Wrote {len(rows)} rows to {csv}")
    if json is not None:
        measurement.write_file(json, measurement.to_json(rows) + "\n")
        typer.echo(f"Wrote {len(rows)} rows to {json}")
    for path in _write_surfaces(surface, read, axes) if surface is not None else ():
        typer.echo(f"Wrote {path}")
    if csv is None and json is None and surface is None:
        _show(rows)


def _objects(
    path: Path, mask: Placed, axes: Axes, images: list[Path]
) -> list[ObjectMeasures]:
    """Measure; slices are those of a viewer."""
    from napari_simpleclick.images.label_names import read_label_names
    from napari_simpleclick.measurement import measure_over_time

    pictures: dict[str, Any] = {}
    for image in images:
        name = image.name.split(".")[0]
        if name in pictures:
            raise UserError(
                f"Two images are called '{name}', as their columns would be; rename "
                "one, or measure them one after the other."
            )
        placed = read_placed(image)
        check_same_place(mask, placed, image)
        pictures[name] = placed.array
    names = {one.label: one.name for one in read_label_names(path)}
    return measure_over_time(
        mask.array, axes, pictures, affine=mask.affine, names=names
    )


def _write_surfaces(target: Path, mask: Placed, axes: Axes) -> list[Path]:
    """Write a mesh for every object, with its number behind the name if several."""
    import numpy as np

    from napari_simpleclick.measurement import surface_mesh, write_meshes
    from napari_simpleclick.measurement.surface import plain_frame

    if len(axes.space) != 3 or axes.time is not None:
        raise UserError("Surfaces are of one volume; give the mask of a volume.")
    affine, array = mask.affine, axes.read(mask.array)
    if affine is None:
        affine = plain_frame(axes.spacing or (1.0,) * 3)
    labels = [int(label) for label in np.unique(array) if label]
    if not labels:
        raise UserError("The mask is empty, so it has no surface.")
    meshes = {label: surface_mesh(array == label, affine) for label in labels}
    return write_meshes(target, meshes)


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
