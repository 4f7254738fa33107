"""Commands that segment: from clicks to a mask, and the demo."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_simpleclick.cli.common import (
    ModeOption,
    WeightsOption,
    example,
    one_sentence,
    progress_bar,
    saved,
    warn,
)
from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts import Box, Click, Lasso, Scribble

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_simpleclick.prompts import Prompt

LEAST_SCORE = 0.4
"""That of ``annotation.proposals``, whose import takes longer than to show help."""

app = typer.Typer()

SIMILAR = "Find similar"


@app.command(
    epilog=example("segment scan.nii --click 20,25 --axis 2 --slice 22 -o m.nii")
)
@one_sentence
def segment(
    image: Annotated[Path, typer.Argument(help="Image file, or DICOM folder.")],
    click: Annotated[
        list[str] | None,
        typer.Option(help="ROW,COL in pixels; --click=-ROW,COL is a negative click."),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(help="ROW,COL,ROW,COL: two corners of a box around it."),
    ] = None,
    lasso: Annotated[
        str | None, typer.Option(help="ROW,COL;ROW,COL;...: a line around it.")
    ] = None,
    scribble: Annotated[
        list[str] | None,
        typer.Option(help="ROW,COL;ROW,COL;...: a stroke in it, - before beside it."),
    ] = None,
    axis: Annotated[
        int | None, typer.Option(help="Axis of a volume that the slices follow.")
    ] = None,
    slice_: Annotated[
        int | None, typer.Option("--slice", help="Slice of a volume, from 0.")
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(help="Mask to start from, of the slice or volume.")
    ] = None,
    weights: WeightsOption = "bundled",
    mode: ModeOption = "fast",
    first_look: Annotated[
        Literal["magnifications", "published"],
        typer.Option(
            help="Of an image over about 500 px: the best of several squares around "
            "the click, or all of it as published."
        ),
    ] = "magnifications",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write the mask.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print milliseconds per click and area.")
    ] = False,
    similar: Annotated[
        bool,
        typer.Option(
            "--find-similar",
            help="Find what looks like the objects of --examples, without clicks.",
            rich_help_panel=SIMILAR,
        ),
    ] = False,
    examples: Annotated[
        Path | None,
        typer.Option(
            help="Labels of the image's shape, three objects or more.",
            rich_help_panel=SIMILAR,
        ),
    ] = None,
    least_score: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Leave out what is less sure.", rich_help_panel=SIMILAR
        ),
    ] = LEAST_SCORE,
    whole_slices: Annotated[
        bool,
        typer.Option(
            "--whole-slices",
            help="Slices with examples hold no others: learn from all of them, and do "
            "not search them.",
            rich_help_panel=SIMILAR,
        ),
    ] = False,
) -> None:
    """Segment one object of an image, or of a slice of a volume, from clicks.

    A box, a lasso or scribbles come before the clicks, in this order. What lies on a
    scribble is in the mask, or out of it, whatever the model says. A volume gives a
    mask of the volume's size in which the other slices are empty; a PNG target gets the
    slice alone. With --find-similar it needs no clicks but labels of some objects, and
    numbers what looks like them, on --slice or on all slices.
    """
    if similar or examples is not None:
        prompted = click or scribble or any(x is not None for x in (box, lasso, prior))
        looked = mode != "fast" or first_look != "magnifications"
        if not similar or examples is None or prompted or looked:
            raise UserError(
                "Similar objects are found with --find-similar and --examples LABELS "
                "together, and without clicks or --prior, --box, --lasso, --scribble, "
                "--mode and --first-look."
            )
        searched = axis, slice_, weights, least_score, whole_slices
        _find_similar(image, examples, searched, out, as_json)
        return
    from napari_simpleclick.images import files
    from napari_simpleclick.images.source import Source
    from napari_simpleclick.workflow.segmentation import segment_slice

    prompts: list[Prompt] = [] if box is None else [Box.parse(box)]
    prompts += [] if lasso is None else [Lasso.parse(lasso)]
    prompts += [Scribble.parse(text) for text in scribble or []]
    prompts += [Click.parse(text) for text in click or []]
    adds = any(getattr(prompt, "positive", True) for prompt in prompts)
    if prompts and prior is None and not adds:
        raise UserError(
            "There are only negative clicks; add a positive one on the object, or give "
            "a mask to correct with --prior."
        )
    if out is None and not as_json:
        raise UserError("There is nothing to do; give -o FILE or --json.")
    if out is not None:
        files.check_writable(out, read=[one for one in (image, prior) if one])
    result = segment_slice(
        image, prompts, axis, slice_, prior, weights, first_look, mode
    )
    warn(result.file.warnings)
    if out is not None:
        if files.suffix_of(out) == ".png":
            files.write_labels(out, result.mask)
        else:
            source = Source.of_file(result.file)
            files.write_labels(out, source.to_layer(result.volume), source)
        saved(out, _described(result.mask, axis, slice_), aside=as_json)
    if as_json:
        report = {
            "milliseconds_per_click": [round(t, 1) for t in result.milliseconds],
            "area_px": int(result.mask.sum()),
            "weights": weights,
            "first_look": first_look,
            "output": None if out is None else str(out),
        }
        typer.echo(json.dumps(report))


def _find_similar(
    image: Path,
    examples: Path,
    searched: tuple[int | None, int | None, str, float, bool],
    out: Path | None,
    as_json: bool,
) -> None:
    """Find what looks like examples, and write all of them into one label file."""
    from napari_simpleclick.images import files
    from napari_simpleclick.images.source import Source
    from napari_simpleclick.workflow.similar_volume import find_similar

    if out is None and not as_json:
        raise UserError("There is nothing to do; give -o FILE or --json.")
    if out is not None:
        files.check_writable(out, read=[image, examples])
    started = time.perf_counter()
    with progress_bar() as bar:
        task = bar.add_task("Slices", total=None)
        result = find_similar(
            image,
            examples,
            *searched,
            report=lambda done, total: bar.update(task, completed=done, total=total),
        )
    warn(result.file.warnings)
    if out is not None:
        source = Source.of_file(result.file)
        files.write_labels(out, source.to_layer(result.labels), source)
        found, slices = len(result.found), result.searched
        told = f"{found} objects found on {slices} slice{'s' * (slices != 1)}"
        told += f", from {result.examples} examples"
        if not found and result.surest is not None:
            told += f"; the surest has {result.surest - 0.005:.2f}, see --least-score"
        saved(out, told, aside=as_json)
    if as_json:
        report = {
            "found": [one._asdict() for one in result.found],
            "examples": result.examples,
            "seconds": round(time.perf_counter() - started, 1),
            "weights": searched[2],
            "output": None if out is None else str(out),
        }
        typer.echo(json.dumps(report))


def _described(mask: NDArray[np.uint8], axis: int | None, index: int | None) -> str:
    """How large a mask is and where it lies."""
    place = "" if axis is None else f" on slice {index} of axis {axis}"
    if not mask.any():
        return f"no pixel{place}; the model found nothing there, add a positive click"
    return f"{int(mask.sum()):,} pixels{place}"


@app.command(epilog=example("demo --screenshot demo.png"))
@one_sentence
def demo(
    screenshot: Annotated[
        Path | None,
        typer.Option(help="Click three times by itself, save a picture, and close."),
    ] = None,
) -> None:
    """Open the EM sample in napari, ready to click."""
    from napari_simpleclick.images.optional_packages import require

    require("qtpy.QtWidgets", "all", "open a window")
    from napari_simpleclick.plugin.demo import run_demo

    saved = run_demo(screenshot)
    if saved:
        typer.echo(f"Saved {saved}")
