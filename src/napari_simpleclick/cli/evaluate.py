"""Commands that measure: the published protocol, and comparisons of its results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from napari_simpleclick.cli.common import (
    WORKERS,
    DryRunOption,
    JobsOption,
    SchedulerOption,
    WeightsOption,
    console,
    example,
    one_sentence,
    option_error,
    progress_bar,
    tell_timing,
    usual_jobs,
)
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.evaluation import Result, TaughtResult
    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.evaluation.worker import RobotSettings

app = typer.Typer()

DATA = "Data sets 'folder' and 'volume'"
PROTOCOL = "Protocol"
TEACHING = "Teaching"


@app.command(epilog=example("evaluate --dataset sstem --root stack1 --report out"))
@one_sentence
def evaluate(
    dataset: Annotated[str, typer.Option(help="Name of the data set, see above.")],
    root: Annotated[Path, typer.Option(help="Folder of the data set.")],
    weights: WeightsOption = "bundled",
    limit: Annotated[int | None, typer.Option(help="Draw this many objects.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of --limit and of damaged initial masks.")
    ] = 0,
    initial_masks: Annotated[
        str,
        typer.Option(
            help="Start from masks: 'damaged', 'sp' or 'stm' (DAVIS-585), or a folder."
        ),
    ] = "",
    user: Annotated[
        str,
        typer.Option(
            help="clicks, as published; box or lasso: one, then clicks; scribble: "
            "strokes."
        ),
    ] = "clicks",
    baseline: Annotated[
        str,
        typer.Option(help="random-walker, grabcut or geodesic instead of weights."),
    ] = "",
    json_: Annotated[
        Path | None, typer.Option("--json", help="Where to write every number.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a web page with pictures.")
    ] = None,
    find: Annotated[
        int | None,
        typer.Option(min=3, help="Find the others with this many objects as examples."),
    ] = None,
    stop_at: Annotated[
        float | None,
        typer.Option(
            help="Stop at this IoU, as published NoC runs do.",
            rich_help_panel=PROTOCOL,
        ),
    ] = None,
    clicks: Annotated[
        int, typer.Option(help="Most clicks.", rich_help_panel=PROTOCOL)
    ] = 20,
    threshold: Annotated[
        float, typer.Option(help="Of the mask.", rich_help_panel=PROTOCOL)
    ] = 0.49,
    flip: Annotated[
        bool,
        typer.Option(help="Average with the mirrored image.", rich_help_panel=PROTOCOL),
    ] = True,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of the network's input, px; for DAVIS 1.5 times the usual.",
            rich_help_panel=PROTOCOL,
        ),
    ] = None,
    keep_aspect: Annotated[
        bool,
        typer.Option(
            help="Crops keep their aspect ratio, as published for RITM.",
            rich_help_panel=PROTOCOL,
        ),
    ] = False,
    first_look: Annotated[
        Literal["published", "view", "magnifications"],
        typer.Option(
            help="What is shown before there is a mask: all of the image as published, "
            "8 times the object's side, or the best of several squares.",
            rich_help_panel=PROTOCOL,
        ),
    ] = "published",
    teach: Annotated[
        str,
        typer.Option(
            help="Learn from so many objects of other images, and measure before and "
            "after; 5,12,24 makes a curve.",
            rich_help_panel=TEACHING,
        ),
    ] = "",
    teach_seconds: Annotated[
        float,
        typer.Option(min=1, help="Most time it takes.", rich_help_panel=TEACHING),
    ] = 180.0,
    teach_threads: Annotated[
        int, typer.Option(min=1, help="CPU threads.", rich_help_panel=TEACHING)
    ] = 1,
    ignore: Annotated[
        int | None,
        typer.Option(help="Label to leave out, such as 255.", rich_help_panel=DATA),
    ] = None,
    whole: Annotated[
        bool, typer.Option(help="All labels are one object.", rich_help_panel=DATA)
    ] = False,
    min_area: Annotated[
        int, typer.Option(help="Smallest object, px.", rich_help_panel=DATA)
    ] = 1,
    axis: Annotated[
        int, typer.Option(help="Axis that slices follow.", rich_help_panel=DATA)
    ] = 2,
    every: Annotated[
        int, typer.Option(help="Every n-th slice.", rich_help_panel=DATA)
    ] = 1,
    image: Annotated[
        str,
        typer.Option(help="Pattern of volumes below root.", rich_help_panel=DATA),
    ] = "",
    mask: Annotated[
        str,
        typer.Option(help="Pattern of their masks.", rich_help_panel=DATA),
    ] = "",
    device: Annotated[
        str, typer.Option(help="cpu, cuda, mps.", rich_help_panel=WORKERS)
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32 or bfloat16.", rich_help_panel=WORKERS)
    ] = "auto",
    jobs: JobsOption = None,
    scheduler: SchedulerOption = "",
    dry_run: DryRunOption = False,
) -> None:
    """Measure clicks to a mask with the robot annotator, as published.

    Data sets: grabcut, berkeley, davis, pascalvoc, sbd, coco_mval, davis585, sstem,
    brats, oaizib in their official layouts; 'folder' (images and masks of equal
    names) and 'volume' (NIfTI images with masks, slice by slice). A run that was
    stopped goes on with the same command.
    """
    from pydantic import ValidationError

    from napari_simpleclick.evaluation.case_options import CaseOptions
    from napari_simpleclick.evaluation.datasets import find_cases
    from napari_simpleclick.evaluation.finding import divided
    from napari_simpleclick.evaluation.report import write_report
    from napari_simpleclick.evaluation.run import (
        choose_cases,
        draw_strips,
        robot,
    )
    from napari_simpleclick.evaluation.taught_run import TeachSettings, robot_taught
    from napari_simpleclick.evaluation.worker import RobotSettings
    from napari_simpleclick.images.files import check_writable

    if json_ is not None:
        check_writable(json_, (".json",))
    if report is not None and not dry_run:
        report.mkdir(parents=True, exist_ok=True)
        check_writable(report / "index.html", (".html",))
    options = CaseOptions(ignore, whole, axis, every, min_area, image, mask)
    teaching = (
        TeachSettings.parse(teach, teach_seconds, teach_threads) if teach else None
    )
    cases = find_cases(dataset, root, options)
    if teaching is None:
        cases = choose_cases(cases, limit, seed)
    if find is not None:
        divided(cases, find)
    try:
        chosen = RobotSettings(
            weights=weights,
            baseline=baseline,
            clicks=clicks,
            stop_at=stop_at,
            threshold=threshold,
            flip=flip,
            size=None if size is None else (size, size),
            keep_aspect=keep_aspect,
            device=device,
            precision=precision,
            initial=initial_masks,
            seed=seed,
            first_look=first_look,
            user=user,
        )
    except ValidationError as error:
        raise option_error(error) from error
    settings = chosen.resolved(dataset)
    jobs = jobs or usual_jobs(settings.device)
    work: dict[str, Any] = {
        "jobs": jobs,
        "scheduler": scheduler,
        "out": json_,
        "about": {"options": options, "limit": limit},
    }
    if dry_run:
        if teaching is not None or find is not None:
            raise UserError("A dry run cannot tell for --teach and --find; leave them.")
        _plan(dataset, cases, settings, work)
        return
    with progress_bar() as bar:
        task = bar.add_task(dataset, total=len(cases))
        work["progress"] = lambda done, total: bar.update(
            task, completed=done, total=total
        )
        if teaching is None:
            result = robot(dataset, cases, settings, **work)
        else:
            result, cases = robot_taught(
                dataset, cases, settings, teaching, limit=limit, **work
            )
    _show([result])
    if find is not None:
        _find(result, cases, settings, find, json_)
    if result.taught is not None:
        _show_taught(result.taught)
    if report is not None:
        with Console(stderr=True).status("Pictures of the best and the worst…"):
            strips = draw_strips(
                result, cases, settings, jobs=jobs, scheduler=scheduler
            )
        typer.echo(f"Saved {write_report([result], report, strips)}")


def _plan(
    dataset: str, cases: list[Case], settings: RobotSettings, work: dict[str, Any]
) -> None:
    """Say how much there is to do, and how long it takes."""
    from napari_simpleclick.evaluation.run import plan_robot

    with Console(stderr=True).status("Timing a few objects…"):
        plan = plan_robot(dataset, cases, settings, **work)
    typer.echo(
        f"{plan.objects:,} objects on {plan.images:,} images, {plan.done:,} of them "
        "finished."
    )
    tell_timing(plan.timing, plan.span, "{} objects", "object")


def _find(
    result: Result,
    cases: list[Case],
    settings: RobotSettings,
    examples: int,
    out: Path | None,
) -> None:
    """Measure *Find similar*, and say how it went."""
    from napari_simpleclick.evaluation.finding import measure_finding

    with progress_bar() as bar:
        task = bar.add_task("Find similar", total=None)
        found = measure_finding(
            result,
            cases,
            settings,
            examples,
            out=out,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        ).find
    assert found is not None
    table = Table("Examples", "Objects", "Proposed", "Right", "Recall", "Clicks saved")
    counts = (found.examples, found.objects, found.proposed, found.right)
    table.add_row(
        *map(str, counts), f"{100 * found.recall:.0f} %", str(found.clicks_saved)
    )
    console.print(table)


@app.command(epilog=example("compare ours.json theirs.json --report out"))
@one_sentence
def compare(
    results: Annotated[list[Path], typer.Argument(help="Files that --json wrote.")],
    report: Annotated[Path | None, typer.Option(help="Folder for a web page.")] = None,
) -> None:
    """Compare results on the objects that they share, with paired tests."""
    from napari_simpleclick import evaluation as room
    from napari_simpleclick.evaluation.entries import labels
    from napari_simpleclick.evaluation.report import write_report

    found = [room.Result.read(path) for path in results]
    _show(found)
    first, *names = labels(found)
    for name, other in zip(names, found[1:], strict=True):
        table = Table("Metric", first, name, "Difference", "p")
        for test in room.compare(found[0], other):
            low, high = test.interval
            table.add_row(
                test.metric,
                f"{test.first:.2f}",
                f"{test.second:.2f}",
                f"{test.difference:+.2f} ({low:+.2f} to {high:+.2f})",
                f"{test.p_value:.2g}",
            )
        console.print(table)
    if report is not None:
        typer.echo(f"Saved {write_report(found, report)}")


def _show_taught(taught: TaughtResult) -> None:
    """Print what teaching has changed."""
    table = Table("Learned from", "NoC@85", "@90", "mIoU@1", "@3", box=SIMPLE)
    for point in taught.curve:
        counts = [point.noc[name] for name in ("85", "90")]
        overlaps = [point.miou[n - 1] if n <= len(point.miou) else None for n in (1, 3)]
        table.add_row(
            f"{point.objects} objects",
            *("-" if count is None else f"{count:.2f}" for count in counts),
            *("-" if one is None else f"{100 * one:.1f}" for one in overlaps),
        )
    console.print(table)
    if not taught.adopted:
        console.print("What was learned did not help, so the weights stay.")


def _show(results: list[Result]) -> None:
    """Print the summary."""
    shown = (1, 2, 3, 5, 10, 20)
    names = [f"@{count}" for count in shown]
    heads = ["Objects", "NoC@80", "@85", "@90", "mIoU@1", *names[1:]]
    columns = [Column(head, no_wrap=True, justify="right") for head in heads]
    table = Table("Weights", *columns, box=SIMPLE, padding=(0, 1, 0, 0))
    for result in results:
        counts = [result.noc[name] for name in ("80", "85", "90")]
        curve = [
            f"{100 * result.miou[count - 1]:.1f}" if count <= len(result.miou) else "-"
            for count in shown
        ]
        numbers = ["-" if count is None else f"{count:.2f}" for count in counts]
        table.add_row(result.weights, str(result.instances), *numbers, *curve)
    console.print(table)
