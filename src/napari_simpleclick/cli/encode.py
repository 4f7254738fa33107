"""The command that encodes volumes before anyone clicks on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from napari_simpleclick.cli.common import (
    WORKERS,
    DryRunOption,
    Failures,
    JobsOption,
    WeightsOption,
    example,
    one_sentence,
    progress_bar,
    saved,
    tell_timing,
    usual_jobs,
    warn,
)
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.inference.encoding import EncoderSettings
    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.tasks.pool import TaskPool
    from napari_simpleclick.workflow.encode_volume import VolumeSlices

app = typer.Typer()


@app.command(epilog=example("encode scan.nii --weights encode-once"))
@one_sentence
def encode(
    volumes: Annotated[
        list[Path],
        typer.Argument(
            help="Volume file, or DICOM folder; or several, a folder of them, or a CSV "
            "list with a column image."
        ),
    ],
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
        typer.Option(help="Most that the store may hold, GB; default 4."),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, mps.", rich_help_panel=WORKERS)
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32 or bfloat16.", rich_help_panel=WORKERS)
    ] = "auto",
    jobs: JobsOption = None,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler",
            "--dask",
            help="Address of a Dask scheduler.",
            rich_help_panel=WORKERS,
        ),
    ] = "",
    dry_run: DryRunOption = False,
) -> None:
    """Encode every slice of volumes, so that first clicks on them cost a decode.

    The window finds what lies in the store by itself, as long as model and intensities
    are the same. A run that was stopped goes on with the same command. Of several
    volumes, one that fails does not stop the others.
    """
    from napari_simpleclick.inference.devices import Precision, choose_device
    from napari_simpleclick.inference.encoding import EncoderSettings
    from napari_simpleclick.inference.feature_store import FeatureStore, limit_of
    from napari_simpleclick.tasks.pool import open_pool
    from napari_simpleclick.workflow.volume_list import find_volumes

    store = FeatureStore(out, None if limit is None else limit_of(limit, "--limit"))
    settings = EncoderSettings(weights, device, cast("Precision", precision))
    jobs = jobs or usual_jobs(str(choose_device(device)))
    paths = find_volumes(volumes)
    kept = (
        f"What is in '{store.folder}' stays, and the same command goes on from there."
    )
    with open_pool(jobs, scheduler, kept) as pool:
        if dry_run:
            _plan(paths, (axis, window), settings, store, pool)
        elif len(paths) == 1:
            for name, slices in _slices_of(paths[0], axis, window):
                _encode(name, slices, None, settings, store, pool)
        else:
            _encode_all(paths, (axis, window), settings, store, pool)


def _slices_of(
    path: Path, axis: int | None, window: str, in_memory: bool = True
) -> Iterator[tuple[str, VolumeSlices]]:
    """Find the slices of all images in a file, with their names."""
    from napari_simpleclick.images.viewer_images import open_layers
    from napari_simpleclick.plugin.as_opened import slices_as_opened

    images = [one for one in open_layers(path, in_memory) if not one.labels]
    if not images:
        raise UserError(f"'{path}' holds no image but masks; give the scan.")
    for opened in images:
        if in_memory:
            warn(opened.warnings)
        yield opened.name, slices_as_opened(opened, axis, window)


def _encode(
    name: str,
    slices: VolumeSlices,
    wanted: int | None,
    settings: EncoderSettings,
    store: FeatureStore,
    pool: TaskPool,
) -> None:
    from napari_simpleclick.workflow.encode_volume import encode_volume

    with progress_bar() as bar:
        task = bar.add_task("Slices", total=len(slices.planes))
        found = encode_volume(
            slices,
            settings,
            store,
            pool,
            wanted=wanted,
            report=lambda done, _: bar.update(task, completed=done),
        )
    told = f"{found.slices} slices of '{name}', {found.encoded} of them new"
    saved(store.folder, f"{told} ({found.encoded_bytes / 1e6:.0f} MB)")


def _looked_through(
    paths: list[Path], look: tuple[int | None, str], failures: Failures
) -> dict[Path, list[VolumeSlices]]:
    """Find the slices of all volumes, without reading more than their headers."""
    found: dict[Path, list[VolumeSlices]] = {}
    with progress_bar() as bar:
        for path in bar.track(paths, description="Looking"):
            try:
                found[path] = [one for _, one in _slices_of(path, *look, False)]
            except (UserError, OSError) as error:
                failures.add(path, error)
    return found


def _encode_all(
    paths: list[Path],
    look: tuple[int | None, str],
    settings: EncoderSettings,
    store: FeatureStore,
    pool: TaskPool,
) -> None:
    """Encode many volumes, whatever becomes of each."""
    from napari_simpleclick.tasks.pool import LostWorkersError

    failures = Failures("volumes")
    found = _looked_through(paths, look, failures)
    wanted = sum(len(one.planes) for images in found.values() for one in images)
    for path in found:
        try:
            for name, slices in _slices_of(path, *look):
                _encode(name, slices, wanted, settings, store, pool)
        except LostWorkersError:
            raise
        except Exception as error:
            failures.add(path, error)
    failures.end(len(paths))


def _plan(
    paths: list[Path],
    look: tuple[int | None, str],
    settings: EncoderSettings,
    store: FeatureStore,
    pool: TaskPool,
) -> None:
    """Say how much there is to do, how long it takes, and how much room."""
    from napari_simpleclick.workflow.encode_volume import plan_encoding

    failures = Failures("volumes")
    found = _looked_through(paths, look, failures)
    images = [one for several in found.values() for one in several]
    if images:
        plan = plan_encoding(images, settings, pool)
        size, limit = plan.size_bytes, store.limit_bytes
        typer.echo(
            f"{len(found)} volumes with {plan.slices:,} slices, whose features take "
            f"{size / 1e9:.2g} GB in '{store.folder}'."
        )
        if size > limit:
            warn(
                [
                    f"The store is limited to {limit / 1e9:.2g} GB; allow more with "
                    f"--limit {size / 1e9 * 1.05:.2g}."
                ]
            )
        tell_timing(plan.timing, plan.span, "{} slices", "slice")
    failures.end(len(paths))
