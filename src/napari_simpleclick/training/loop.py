"""The training loop: data, stages, steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_simpleclick.errors import MissingPackageError, UserError
from napari_simpleclick.inference.devices import (
    choose_precision,
    cores,
    limited_threads,
)
from napari_simpleclick.training.images import read_sets
from napari_simpleclick.training.photographs import published_samples
from napari_simpleclick.training.samples import Samples
from napari_simpleclick.training.training_run import Progress, TrainingRun
from napari_simpleclick.training.validation import Sets, Validation, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.utils.data import Dataset

    from napari_simpleclick.networks import Network
    from napari_simpleclick.training.batches import Batch
    from napari_simpleclick.training.config import TrainConfig


def train(
    config: TrainConfig,
    data: str | Path,
    out: str | Path,
    report: Callable[[Progress], None] = lambda _: None,
) -> Network:
    """Train a network, or go on with a run that was stopped.

    Parameters
    ----------
    config : TrainConfig
        The run.
    data : str or Path
        Folder of image sets, see
        :func:`napari_simpleclick.training.images.read_sets`, or of the
        published set that the run names.
    out : str or Path
        Folder for ``checkpoint.pt`` (everything needed to go on), ``log.jsonl``,
        ``weights.safetensors`` in the end and, with held-out images,
        ``validation/index.html``.
    report : callable
        Called after every step, on the first device.

    Returns
    -------
    Network
        The moving average of the weights, in evaluation mode, on the CPU.

    Raises
    ------
    UserError
        If the data or the configuration cannot be used.
    MissingPackageError
        If Lightning Fabric is not installed.
    """
    data, out = Path(data), Path(out)
    fabric = _fabric(config)
    sets: Sets = {}
    held_out: Sets = {}
    if config.data == "folders":
        every = read_sets(data)
        sets, held_out = split(every, config.held_out, config.same_names)
    out.mkdir(parents=True, exist_ok=True)
    run = TrainingRun(config, out, fabric)
    validation = Validation(held_out, out / "validation", config.seed)
    with limited_threads(_threads(config)):
        for index, stage in enumerate(config.stages):
            if index < run.progress.stage:
                continue
            run.enter(index)
            samples: Dataset[Batch] = (
                Samples(sets, config, stage.size)
                if config.data == "folders"
                else published_samples(
                    *(config.data, data, stage.size, config.seed), config.photographs
                )
            )
            for batch in run.batches(samples, stage):
                run.step(stage, batch)
                if fabric.is_global_zero:
                    report(run.progress)
                if _due(run.progress, config.save_every):
                    run.save()
                if _due(run.progress, config.validate_every):
                    run.validate(validation, stage)
        run.save()
    return run.ship()


def _threads(config: TrainConfig) -> int:
    """CPU threads to learn on: those asked for, or what the workers leave."""
    free = cores() - config.workers
    return config.threads or max(1, min(torch.get_num_threads(), free))


def _fabric(config: TrainConfig) -> Any:
    """Lightning Fabric: devices, precision, several GPUs or machines."""
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingPackageError(
            "Training needs the package 'lightning-fabric'; install it with "
            "pip install 'napari-simpleclick[train]'."
        ) from error
    settings: dict[str, Any] = {"devices": config.devices, "num_nodes": config.nodes}
    try:
        if config.precision != "auto":
            settings["precision"] = config.precision
        else:
            kind = Fabric(accelerator=config.accelerator, devices=1).device
            half = choose_precision("auto", kind) == torch.bfloat16
            settings["precision"] = "bf16-mixed" if half else "32-true"
        fabric = Fabric(accelerator=config.accelerator, **settings)
    except Exception as error:  # each accelerator has its own errors
        raise UserError(
            f"The run cannot use the accelerator '{config.accelerator}', its devices "
            f"or '{config.precision}' here ({error}); change them in its file."
        ) from error
    fabric.launch()
    return fabric


def _due(progress: Progress, every: int) -> bool:
    return every > 0 and progress.step % every == 0
