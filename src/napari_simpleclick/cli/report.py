"""The command that writes a page about a case."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from napari_simpleclick.cli.common import example, one_sentence, saved
from napari_simpleclick.errors import UserError

app = typer.Typer()


@app.command(
    epilog=example("report mask.nii.gz --image flair.nii.gz --output case.html")
)
@one_sentence
def report(
    mask: Annotated[Path, typer.Argument(help="Label file, or DICOM segmentation.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="HTML or PDF file to write.")
    ],
    image: Annotated[
        Path | None, typer.Option(help="Image that the mask lies on.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", "-w", help="Weights that made it, to be named."),
    ] = None,
    session: Annotated[
        Path | None, typer.Option(help="Session that made it, to be named.")
    ] = None,
    time: Annotated[
        int | None, typer.Option(help="Time point of a series, from 0.")
    ] = None,
) -> None:
    """Write one page about a case: slices, surfaces, measures, and provenance.

    Objects are drawn where their diameter is longest. The page says which software,
    weights and session made the mask, as far as they are given, with SHA-256 of all
    files.
    """
    from napari_simpleclick.cli.placed import (
        check_same_place,
        read_placed,
        read_placed_labels,
    )
    from napari_simpleclick.images.files import check_writable
    from napari_simpleclick.images.label_names import read_label_names
    from napari_simpleclick.measurement import measure
    from napari_simpleclick.measurement.case_report import (
        KINDS,
        Case,
        size_of,
        write_case_report,
    )

    check_writable(output, KINDS)
    _check_named(weights, session)
    read = read_placed_labels(mask)
    axes = read.axes()
    if axes.time is not None and time is None:
        raise UserError(
            f"'{mask}' has several time points; give the one that the report is about "
            "(--time)."
        )
    if time is not None and time not in axes.times(read.array.shape):
        raise UserError(f"'{mask}' has no time point {time}; give another (--time).")
    labels = axes.read(read.array, time)
    shown = None
    if image is not None:
        placed = read_placed(image)
        check_same_place(read, placed, image)
        shown = axes.read(placed.array, time)
    names = {one.label: one for one in read_label_names(mask)}
    objects = measure(
        labels,
        axes.spacing,
        {} if shown is None or image is None else {_stem(image): shown},
        affine=read.affine,
        names={label: one.name for label, one in names.items()},
    )
    case = Case(
        _stem(image or mask),
        labels,
        objects,
        shown,
        axes.spacing,
        read.affine,
        {label: one.colour for label, one in names.items()},
        _facts(size_of(labels.shape, axes.spacing), mask, image, weights, session),
    )
    write_case_report(output, case)
    saved(output, f"{len(objects)} object{'s' * (len(objects) != 1)}")


def _check_named(weights: str | None, session: Path | None) -> None:
    """Refuse to name files that are something else."""
    from napari_simpleclick.sessions.database import SessionDatabase, import_copy
    from napari_simpleclick.weights import spec_of

    if weights is not None:
        spec_of(weights)
    if session is not None:
        with TemporaryDirectory() as place:
            copy = Path(place) / session.name
            import_copy(session, copy)
            with SessionDatabase(copy):
                pass


def _facts(
    size: str,
    mask: Path,
    image: Path | None,
    weights: str | None,
    session: Path | None,
) -> dict[str, str]:
    """Tell where all comes from."""
    from napari_simpleclick.measurement.provenance import file_hash, software
    from napari_simpleclick.weights import locate_weights

    files = {"Image": image, "Mask": mask, "Session": session}
    if weights is not None:
        files["Weights"] = locate_weights(weights)
    facts = {"Software": software(), "Size": size}
    for what, path in files.items():
        if path is not None:
            facts[what] = f"{path.name}, SHA-256 {file_hash(path)}"
    return facts


def _stem(path: Path) -> str:
    return path.name.split(".")[0]
