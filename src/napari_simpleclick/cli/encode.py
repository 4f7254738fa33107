"""The command that encodes a volume before anyone clicks on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from napari_simpleclick.cli.common import (
    WeightsOption,
    example,
    one_sentence,
    progress_bar,
    saved,
    usual_jobs,
    warn,
)
from napari_simpleclick.errors import UserError

app = typer.Typer()

WORKERS = "Workers"


@app.command(epilog=example("encode scan.nii --weights encode-once"))
@one_sentence
def encode(
    volume: Annotated[Path, typer.Argument(help="Volume file, or DICOM folder.")],
    weights: WeightsOption = "bundled",
    axis: Annotated[
        int | None,
        typer.Option(help="Axis that the slices follow; default the one shown first."),
    ] = None,
    window: Annotated[
        str,
        typer.Option(
            help="As displayed when opened, 'slice', 'volume', a CT window, LOW:HIGH."
        ),
    ] = "displayed",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder of the store; default the cache."),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(min=0.001, help="Most that the store may hold, GB; default 4."),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, mps.", rich_help_panel=WORKERS)
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32 or bfloat16.", rich_help_panel=WORKERS)
    ] = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; one per core.", rich_help_panel=WORKERS),
    ] = None,
    scheduler: Annotated[
        str,
        typer.Option(
            "--dask", help="Address of a Dask scheduler.", rich_help_panel=WORKERS
        ),
    ] = "",
) -> None:
    """Encode every slice of a volume, so that first clicks on it cost a decode.

    The window finds what lies in the store by itself, as long as model and intensities
    are the same. A run that was stopped goes on with the same command.
    """
    from napari_simpleclick.images.viewer_images import open_layers
    from napari_simpleclick.inference.devices import Precision, choose_device
    from napari_simpleclick.inference.encoding import EncoderSettings
    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.plugin.as_opened import slices_as_opened
    from napari_simpleclick.workflow.encode_volume import encode_volume

    store = FeatureStore(out, None if limit is None else int(limit * 1e9))
    settings = EncoderSettings(weights, device, cast("Precision", precision))
    jobs = jobs or usual_jobs(str(choose_device(device)))
    images = [opened for opened in open_layers(volume) if not opened.labels]
    if not images:
        raise UserError(f"'{volume}' holds no image but masks; give the scan.")
    for opened in images:
        warn(opened.warnings)
        slices = slices_as_opened(opened, axis, window)
        with progress_bar() as bar:
            task = bar.add_task("Slices", total=len(slices.planes))
            found = encode_volume(
                slices,
                settings,
                store,
                jobs=jobs,
                scheduler=scheduler,
                report=lambda done, _: bar.update(task, completed=done),  # noqa: B023
            )
        told = f"{found.slices} slices of '{opened.name}', {found.encoded} of them new"
        saved(store.folder, f"{told} ({found.encoded_bytes / 1e6:.0f} MB)")
