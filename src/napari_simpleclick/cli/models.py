"""Commands that train a model and time it."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from napari_simpleclick.cli.common import (
    ModeOption,
    WeightsOption,
    example,
    one_sentence,
    progress_bar,
    warn,
)
from napari_simpleclick.prompts import Click

ClicksOption = Annotated[int, typer.Option(min=1, help="How many are timed.")]

app = typer.Typer()


@app.command(epilog=example("train fine-tune --data images --out run1"))
@one_sentence
def train(
    config: Annotated[
        Path,
        typer.Argument(help="TOML file that describes the run, or a name: fine-tune…"),
    ],
    data: Annotated[
        Path,
        typer.Option(help="Folder of NAME/images and NAME/masks, SBD or COCO+LVIS."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and weights.")],
) -> None:
    """Train a network, or go on with a run that was stopped."""
    from napari_simpleclick import training as room

    run = room.read_config(config)
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # of several devices
    with progress_bar(shown=first) as bar:
        task = bar.add_task("reading images", total=run.stages[0].steps)

        def show(now: room.Progress) -> None:
            text = f"stage {now.stage + 1}, loss {now.loss:.3f}, IoU {now.iou:.3f}"
            if not math.isnan(now.noc):
                text += f", NoC@85 {now.noc:.2f}"
            total = run.stages[now.stage].steps
            bar.update(task, description=text, completed=now.step, total=total)

        room.train(run, data, out, show)
    if first:
        typer.echo(f"Saved {out / 'weights.safetensors'}")


@app.command(epilog=example("benchmark --weights bundled"))
@one_sentence
def benchmark(
    weights: WeightsOption = "bundled",
    clicks: ClicksOption = 10,
    mode: ModeOption = "fast",
) -> None:
    """Measure milliseconds per click on the EM sample, on this computer."""
    import statistics

    from napari_simpleclick import load_weights
    from napari_simpleclick.images.files import read_image
    from napari_simpleclick.inference.modes import Mode
    from napari_simpleclick.samples import sample_path

    chosen = Mode.named(mode)
    predictor = chosen.predictor(load_weights(weights)[0])
    warn(filter(None, [predictor.accelerate() if chosen.accelerated else ""]))
    predictor.set_image(read_image(sample_path("em.tif")).array[2])
    times = []
    answers = predictor.replay([Click(120, 150)] * (clicks + 1))
    for _ in range(clicks + 1):
        start = time.perf_counter()
        next(answers)
        times.append(1000 * (time.perf_counter() - start))
    accelerated = predictor.encoder.is_accelerated
    threads = predictor.openvino_threads if accelerated else predictor.threads
    typer.echo(
        f"{statistics.median(times[1:]):.0f} ms per click "
        f"({predictor.device}, {threads} threads, {predictor.dtype}"
        f"{', OpenVINO' if accelerated else ''})"
    )
