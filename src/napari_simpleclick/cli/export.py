"""The command that writes masks in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_simpleclick.cli.common import example, one_sentence, saved, warn
from napari_simpleclick.errors import UserError

app = typer.Typer()


@app.command(
    epilog=example("export mask.nii.gz --image flair.nii.gz -f coco -o tumours")
)
@one_sentence
def export(
    mask: Annotated[Path, typer.Argument(help="Label file, or DICOM segmentation.")],
    image: Annotated[
        Path, typer.Option(help="Image that it lies on: a file, or a folder.")
    ],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="coco, coco-rle, yolo, nnunet: a folder that cases are added to; "
            "rtstruct, dicom-seg, ome-zarr, imagej, nifti, slicer, tiff: a file.",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="File, or folder.")],
    as_: Annotated[
        Literal["objects", "classes"],
        typer.Option(
            "--as",
            help="Each object by itself, or all of a class as one; nnU-Net has "
            "classes only.",
        ),
    ] = "objects",
    name: Annotated[
        str, typer.Option(help="Of the case in a data set; default the image's.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what is there of this case.")
    ] = False,
) -> None:
    """Write a mask for other tools: to train on, to plan with, to look at.

    Names and classes are those in the mask's file, or in the one beside it. Data sets
    grow: a case of another image is added, and classes are told by their names.
    Pictures are 8-bit slices of the first channel on which there is an object.
    """
    from napari_simpleclick import exports
    from napari_simpleclick.images.whole_files import check_not_read

    kind = exports.kind_of(format_)
    if not kind.is_data_set and not out.name.lower().endswith(_endings(kind.name)):
        raise UserError(f"'{out}' is to end in {' or '.join(_endings(kind.name))}.")
    if out.is_file():
        check_not_read(out, [image, mask])
    case = exports.read_case(mask, image, lambda sentence: warn([sentence]), name)
    exports.export(case, kind, out, as_classes=as_ == "classes", replace=replace)
    count = len(case.classes())
    saved(out, f"{kind.title}, {count} object{'s' * (count != 1)} of '{case.name}'")


def _endings(name: str) -> tuple[str, ...]:
    """Give the endings that the file of a format may have; labels may be a group."""
    from napari_simpleclick import exports

    more = {"nifti": (".nii",), "tiff": (".tiff",), "ome-zarr": (".zarr", "")}
    return (exports.kind_of(name).suffix, *more.get(name, ()))
