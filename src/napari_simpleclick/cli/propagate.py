"""The command that goes through volumes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_simpleclick.cli.common import (
    DryRunOption,
    Failures,
    JobsOption,
    ModeOption,
    SchedulerOption,
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
    from napari_simpleclick.propagation.volume_files import (
        AnnotatedVolume,
        PropagationSettings,
    )
    from napari_simpleclick.tasks.pool import TaskPool

app = typer.Typer()


@app.command(epilog=example("propagate scan.nii --mask m.nii --axis 2 -o object.nii"))
@one_sentence
def propagate(
    volumes: Annotated[
        list[Path],
        typer.Argument(
            help="Volume file, or DICOM folder; or several, a folder of them, or a CSV "
            "list with the columns image, and at will mask, axis, slice, label, range."
        ),
    ],
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Annotation: one slice, or a volume with annotated slices. Of several "
            "labels each is an object, and all are carried at once. Of several volumes "
            "the folder of their masks, of the same names."
        ),
    ] = None,
    axis: Annotated[
        int | None, typer.Option(help="Axis that the slices follow, 0 to 2.")
    ] = None,
    slice_: Annotated[
        int | None,
        typer.Option("--slice", help="Annotated slice to start from; default all."),
    ] = None,
    label: Annotated[
        int | None, typer.Option(min=1, help="The only label of the mask to carry.")
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option("--range", help="LO:HI, first and last slice to fill in."),
    ] = None,
    least_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Stop where it is less sure.")
    ] = 0.5,
    weights: WeightsOption = "bundled",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Where to write the mask; of several volumes a folder, for a mask and "
            "a report of each.",
        ),
    ] = None,
    mode: ModeOption = "fast",
    report: Annotated[
        Path | None, typer.Option("--json", help="Confidence of every slice; - prints.")
    ] = None,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = "",
    dry_run: DryRunOption = False,
) -> None:
    """Carry the mask of an annotated slice through a volume, or through many.

    Every slice gets a confidence; it stops where the object ends or the confidence is
    low. Between two annotated slices it goes from both. The mask overlays the volume.
    Of several volumes, one that fails does not stop the others, and those that are
    finished are not done again by the same command.
    """
    from napari_simpleclick.propagation.volume_files import (
        AnnotatedVolume,
        PropagationSettings,
    )
    from napari_simpleclick.tasks.pool import open_pool
    from napari_simpleclick.workflow.propagate_volumes import each_once
    from napari_simpleclick.workflow.volume_list import (
        find_annotated,
        is_list,
        parse_range,
    )

    low, high = parse_range(range_)
    settings = PropagationSettings(weights, mode, least_confidence)
    usual = {"axis": axis, "index": slice_, "label": label, "low": low, "high": high}
    several = len(volumes) > 1 or any(map(is_list, (*volumes, *filter(None, [mask]))))
    if several:
        work = each_once(find_annotated(volumes, mask, usual))
    else:
        _check_one(mask, axis, jobs, scheduler)
        work = [AnnotatedVolume(volumes[0], mask, **usual)]  # type: ignore[arg-type]
    if dry_run:
        folder = out if several else None
        with open_pool(_jobs(jobs, len(work)), scheduler) as pool:
            _plan(work, settings, folder, pool)
    elif several:
        if out is None or report is not None:
            raise UserError(
                "Several volumes need -o FOLDER, where each gets a mask and a report; "
                "leave --json out."
            )
        kept = f"Finished masks are kept in '{out}', and the same command goes on."
        with open_pool(_jobs(jobs, len(work)), scheduler, kept) as pool:
            _propagate_all(work, settings, out, pool)
    else:
        _propagate_one(work[0], settings, out, report)


def _check_one(
    mask: Path | None, axis: int | None, jobs: int | None, scheduler: str
) -> None:
    """Refuse what a single volume cannot do with or without."""
    if mask is None:
        raise UserError("There is nothing to carry; give an annotation with --mask.")
    if axis is None:
        raise UserError("Slices follow an axis; give it with --axis 0, 1 or 2.")
    if scheduler or (jobs or 1) > 1:
        raise UserError(
            "A single volume is gone through by one process, right here; leave --jobs "
            "and --scheduler out, or give several volumes."
        )


def _jobs(jobs: int | None, count: int) -> int:
    from napari_simpleclick.inference.devices import choose_device

    return min(jobs or usual_jobs(str(choose_device("auto"))), count)


def _propagate_one(
    work: AnnotatedVolume,
    settings: PropagationSettings,
    out: Path | None,
    report: Path | None,
) -> None:
    """Go through one volume, as fast as this computer can."""
    from napari_simpleclick.images import files
    from napari_simpleclick.images.source import Source
    from napari_simpleclick.inference.modes import Mode, for_volumes
    from napari_simpleclick.propagation import volume_files
    from napari_simpleclick.weights import load_weights

    if out is None and report is None:
        raise UserError("There is nothing to do; give -o FILE or --json FILE.")
    image = files.read_image(work.volume)
    if out is not None:
        series = (".dcm",) if image.files else ()
        kept = *Source.of_file(image).image_files, work.mask
        files.check_writable(out, (*files.VOLUMES, *series), kept)
    if report is not None and str(report) != "-":
        files.check_writable(report, (".json",))
    warn(image.warnings)
    read = volume_files.read_annotated(image, work, lambda told: warn([told]))
    chosen = Mode.named(settings.mode)
    predictor = for_volumes(chosen.predictor(load_weights(settings.weights)[0]))
    warn(filter(None, [predictor.accelerate() if chosen.accelerated else ""]))
    started = time.perf_counter()
    with progress_bar() as bar:
        task = bar.add_task("Slices", total=None)
        result = volume_files.carry(
            predictor,
            read,
            work,
            settings.least_confidence,
            report=lambda _: bar.advance(task),
        )
    seconds = time.perf_counter() - started
    try:
        if out is not None:
            volume_files.write_carried(out, image, result)
    finally:  # a full disk may still hold the small one of the two
        if report is not None:
            summary = volume_files.summarised(result, seconds, settings.weights)
            if str(report) == "-":
                typer.echo(json.dumps(summary, indent=2))
            else:
                volume_files.write_report(report, summary)
    told = volume_files.described(result)
    if out is not None:
        saved(out, told, aside=str(report) == "-")
    elif str(report) != "-":
        assert report is not None
        saved(report, told)


def _propagate_all(
    work: list[AnnotatedVolume],
    settings: PropagationSettings,
    folder: Path,
    pool: TaskPool,
) -> None:
    """Go through many volumes, whatever becomes of each."""
    from napari_simpleclick.images.files import check_writable
    from napari_simpleclick.workflow.propagate_volumes import propagate_volumes

    folder.mkdir(parents=True, exist_ok=True)
    check_writable(folder / "labels.nii.gz")
    failures, new, there = Failures("volumes"), 0, 0
    with progress_bar() as bar:
        task = bar.add_task("Volumes", total=len(work))
        for one in propagate_volumes(work, settings, folder, pool):
            bar.advance(task)
            if one.error is not None:
                failures.add(one.volume, one.error)
                continue
            there += 1
            if one.report is not None:
                new += 1
                warn(f"{one.volume}: {told}" for told in one.report.warnings)
                typer.echo(f"Saved {one.out}: {one.report.told}.")
    saved(folder, f"{there} of {len(work)} volumes, {new} of them new")
    failures.end(len(work))


def _plan(
    work: list[AnnotatedVolume],
    settings: PropagationSettings,
    folder: Path | None,
    pool: TaskPool,
) -> None:
    """Say how much there is to do, and how long it takes."""
    from napari_simpleclick.workflow.plan_propagation import plan_propagation

    failures = Failures("volumes")
    with progress_bar() as bar:
        task = bar.add_task("Volumes", total=len(work))
        plan = plan_propagation(
            work,
            settings,
            folder,
            pool,
            lambda done, _: bar.update(task, completed=done),
        )
    for one in plan.wrong:
        failures.add(one.volume, one.error)
    typer.echo(
        f"{plan.volumes} volumes, {plan.done} of them finished. The others have "
        f"{plan.objects} objects that {plan.slices:,} slices may be filled in for."
    )
    tell_timing(plan.timing, plan.span, "the first slices of {} volumes", "volume")
    failures.end(len(work))
