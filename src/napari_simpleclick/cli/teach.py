"""The command that teaches a model on objects that were annotated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_simpleclick.cli.common import (
    example,
    one_sentence,
    progress_bar,
    saved,
    warn,
)

if TYPE_CHECKING:
    from napari_simpleclick.training.teaching import TeachProgress

app = typer.Typer()

PARTS = 100
"""Steps of the bar."""


@app.command(epilog=example("teach images masks -o mine.safetensors"))
@one_sentence
def teach(
    images: Annotated[
        Path, typer.Argument(help="Folder of images, or an image or volume.")
    ],
    masks: Annotated[
        Path, typer.Argument(help="Folder of label masks of equal names, or a mask.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Where to write what was learned.")
    ],
    model: Annotated[
        str,
        typer.Option("--weights", "-w", help="What is taught: a name, or a file."),
    ] = "bundled",
    seconds: Annotated[float, typer.Option(min=1, help="Most time it takes.")] = 180.0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    objects: Annotated[
        int, typer.Option(min=3, help="Most objects; of more, slices spread evenly.")
    ] = 60,
    axis: Annotated[
        int | None,
        typer.Option(help="Axis that slices of volumes follow; the thick one."),
    ] = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="Each connected part is an object.")
    ] = False,
) -> None:
    """Let a model learn from annotated objects, in minutes.

    The objects are split in halves that check each other: the robot annotator tells
    whether those that were not learned from need fewer clicks; if not, nothing is
    written. The file is small and works with the weights that were taught.
    """
    from napari_simpleclick.images.files import check_writable
    from napari_simpleclick.training.teaching import teach as learn
    from napari_simpleclick.training.teaching.reading import read_examples
    from napari_simpleclick.weights.store import base_of

    check_writable(out, (".safetensors",), [Path(base_of(model).file)])
    found = read_examples(images, masks, axis=axis, most=objects, parts=parts)
    warn(found.told)
    with progress_bar() as bar:
        task = bar.add_task("learning", total=PARTS)

        def show(now: TeachProgress) -> None:
            text = f"learning, {now.batches} batches"
            bar.update(task, description=text, completed=int(PARTS * now.share))

        taught = learn(
            found.examples, model, seconds=seconds, threads=threads, report=show
        )
    warn(taught.left_out)
    if not taught.adopted:
        typer.echo(f"Nothing was written. {taught.summary}")
        raise typer.Exit(1)
    taught.save(out)
    saved(out, taught.summary.rstrip("."))
