"""The command line."""

from __future__ import annotations

import functools
import json
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from napari_simpleclick.clicks import Click

app = typer.Typer(
    no_args_is_help=True,
    help="Interactive segmentation: a click becomes a mask.",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(no_args_is_help=True, help="The models and their files.")
app.add_typer(weights_app, name="weights")
console = Console()


def main() -> None:
    """Run the command line."""
    app(windows_expand_args=False)


def _one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """End a user's mistake with its sentence on stderr and exit code 2."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, MemoryError, OSError, ImportError) as error:
            typer.echo(f"napari-simpleclick: {error}", err=True)
            raise typer.Exit(2) from error

    return run


def _example(text: str) -> str:
    return f"[dim]Example:[/dim] napari-simpleclick {text}"


WeightsOption = Annotated[
    str, typer.Option("--weights", "-w", help="Name in the catalogue, or a file.")
]


@app.command(
    epilog=_example(
        "segment scan.nii.gz --click 60,82 --click=-40,82 "
        "--axis 2 --slice 31 -o mask.nii.gz"
    )
)
@_one_sentence
def segment(
    image: Annotated[Path, typer.Argument(help="PNG, JPEG, TIFF or NIfTI file.")],
    click: Annotated[
        list[str] | None,
        typer.Option(help="ROW,COL in pixels; --click=-ROW,COL is a negative click."),
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
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write the mask.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print milliseconds per click and area.")
    ] = False,
) -> None:
    """Segment one object of an image, or of a slice of a volume, from clicks.

    A volume gives a mask of the volume's size in which the other slices are empty; a
    PNG target gets the slice alone.
    """
    from napari_simpleclick.predict.slices import segment_slice
    from napari_simpleclick.volumes import files

    clicks = [Click.parse(text) for text in click or []]
    if out is None and not as_json:
        raise ValueError("There is nothing to do; give -o FILE or --json.")
    if out is not None:
        files.check_writable(out)
    result = segment_slice(image, clicks, axis, slice_, prior, weights)
    if out is not None:
        picture = files.suffix_of(out) == ".png"
        mask = result.mask if picture else result.volume
        files.write_mask(out, mask, result.affine)
    if as_json:
        report = {
            "milliseconds_per_click": [round(t, 1) for t in result.milliseconds],
            "area_px": int(result.mask.sum()),
            "weights": weights,
            "output": None if out is None else str(out),
        }
        typer.echo(json.dumps(report))


@app.command(epilog=_example("demo --screenshot demo.png"))
@_one_sentence
def demo(
    screenshot: Annotated[
        Path | None,
        typer.Option(help="Click three times by itself, save a picture, and close."),
    ] = None,
) -> None:
    """Open the EM sample in napari, ready to click."""
    from napari_simpleclick.plugin.demo import run_demo

    saved = run_demo(screenshot)
    if saved:
        typer.echo(f"Saved {saved}")


@weights_app.command("list", epilog=_example("weights list"))
def weights_list() -> None:
    """List the models, their size and licence."""
    from napari_simpleclick.weights.catalogue import catalogue
    from napari_simpleclick.weights.store import described, is_local

    names = [Column(name, no_wrap=True) for name in ("Name", "Network", "Here", "Size")]
    table = Table(*names, "Licence")
    for card in catalogue().values():
        size = described(card).bytes
        table.add_row(
            card.name,
            card.network,
            "yes" if is_local(card) else "no",
            f"{size / 1e6:.1f} MB" if size else "unknown",
            card.licence,
        )
    console.print(table)


@weights_app.command("info", epilog=_example("weights info bundled"))
@_one_sentence
def weights_info(name: str) -> None:
    """Show everything known about a model or a weights file."""
    from dataclasses import asdict

    from napari_simpleclick.weights import catalogue, load_weights
    from napari_simpleclick.weights.store import described

    known = catalogue().get(name)
    card = described(known) if known else load_weights(name)[1]
    table = Table(show_header=False, box=None)
    for key, value in asdict(card).items():
        table.add_row(key, str(value or "unknown"))
    console.print(table)


@weights_app.command("get", epilog=_example("weights get cocolvis_vit_base"))
@_one_sentence
def weights_get(
    name: str,
    browser: Annotated[
        bool, typer.Option(help="Open the page of files that have no address.")
    ] = True,
) -> None:
    """Download a model, or open the page where it can be fetched by hand."""
    from napari_simpleclick.weights import WeightsError, catalogue, download, is_local
    from napari_simpleclick.weights.store import locate

    card = catalogue().get(name)
    if card is None:
        raise ValueError(
            f"There are no weights '{name}'; choose one of {', '.join(catalogue())}."
        )
    try:
        path = locate(card) if is_local(card) else download(card, progress=True)
    except WeightsError:
        if card.page and not card.url and browser:
            webbrowser.open(card.page)
        raise
    typer.echo(str(path))


@app.command(epilog=_example("train run.toml --data images --out run1"))
@_one_sentence
def train(
    config: Annotated[Path, typer.Argument(help="TOML file that describes the run.")],
    data: Annotated[Path, typer.Option(help="Folder of NAME/images and NAME/masks.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and weights.")],
) -> None:
    """Train a network, or go on with a run that was stopped."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from napari_simpleclick import train as room
    from napari_simpleclick.weights import Card, save_weights

    run = room.read_config(config)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("reading images", total=run.stages[0].steps)

        def show(now: room.Progress) -> None:
            text = f"stage {now.stage + 1}, loss {now.loss:.3f}, IoU {now.iou:.3f}"
            total = run.stages[now.stage].steps
            bar.update(task, description=text, completed=now.step, total=total)

        network = room.train(run, data, out, show)
    target = out / "weights.safetensors"
    name = config.stem
    save_weights(network, target, Card(name, run.network, target.name, origin=name))
    typer.echo(f"Saved {target}")


@app.command(epilog=_example("benchmark --weights bundled"))
@_one_sentence
def benchmark(weights: WeightsOption = "bundled", clicks: int = 10) -> None:
    """Measure milliseconds per click on the EM sample, on this computer."""
    import statistics

    from napari_simpleclick import Predictor, load_weights
    from napari_simpleclick.samples import sample_path
    from napari_simpleclick.volumes.files import read_image

    predictor = Predictor(load_weights(weights)[0])
    predictor.set_image(read_image(sample_path("em.tif")).array[2])
    times = []
    answers = predictor.replay([Click(120, 150)] * (clicks + 1))
    for _ in range(clicks + 1):
        start = time.perf_counter()
        next(answers)
        times.append(1000 * (time.perf_counter() - start))
    typer.echo(
        f"{statistics.median(times[1:]):.0f} ms per click "
        f"({predictor.device}, {predictor.threads} threads, {predictor.dtype})"
    )


if __name__ == "__main__":
    main()
