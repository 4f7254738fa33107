"""A run: network, average and optimiser, in step with a checkpoint on disk."""

from __future__ import annotations

import json
import math
import os
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from napari_simpleclick import networks
from napari_simpleclick.errors import UserError
from napari_simpleclick.networks import Network, channels_last
from napari_simpleclick.training.batches import Batch, BatchLearner
from napari_simpleclick.training.config import TrainConfig, current_names
from napari_simpleclick.training.optimisation import (
    choose_trainable,
    make_optimizers,
    rate_at,
)
from napari_simpleclick.weights import (
    Card,
    catalogue,
    load_encoder,
    load_weights,
    save_weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.utils.data import Dataset

    from napari_simpleclick.training.config import Stage
    from napari_simpleclick.training.validation import Validation

SHAPING = (
    *("network", "changes", "freeze_encoder", "encoder_scale"),
    *("optimizer", "weight_decay", "layer_decay", "rates"),
)
"""What a checkpoint cannot go on without; all else may change in a run."""


@dataclass
class Progress:
    """Where a run stands.

    Parameters
    ----------
    stage : int
        Index of the current stage.
    step : int
        Steps done in this stage.
    samples : int
        Samples seen in all stages, on all devices.
    seconds : float
        Time spent in all stages.
    loss, iou : float
        Running means over about 100 steps; IoU of the last prediction at 0.5.
    noc : float
        Clicks of the robot to an IoU of 85 percent on held-out objects, at most 5;
        NaN before the first validation.
    """

    stage: int = 0
    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    iou: float = math.nan
    noc: float = math.nan


class TrainingRun:
    """Network, its average and optimiser, kept in step with a checkpoint on disk.

    Parameters
    ----------
    config : TrainConfig
        What to train and how.
    out : Path
        Folder of the checkpoint; a run that is there goes on.
    fabric : lightning_fabric.Fabric
        Launched.

    Raises
    ------
    UserError
        If the checkpoint or the weights to start from are of another network, or the
        network cannot learn in this precision.
    """

    def __init__(self, config: TrainConfig, out: Path, fabric: Any) -> None:
        self.config, self.out, self.fabric = config, out, fabric
        self.progress = Progress()
        self._begun: dict[str, str] = {}
        torch.manual_seed(config.seed)
        self._build(config.stages[0].size)
        if (out / "checkpoint.pt").exists():
            self._load()
        elif config.start:
            self._start_from(config.start)

    def _build(self, size: int) -> None:
        network = _network(self.config, size)
        self.network = channels_last(network).to(self.fabric.device)
        self.average = deepcopy(self.network).requires_grad_(False)
        own_form = type(network).encode_prompt is not Network.encode_prompt
        if self.config.mirrored and (own_form or network.spec.refines):
            raise UserError(
                f"mirrored: {self.config.network} cannot learn from mirror images, as "
                "its prompt is not an image or its answer is refined; leave it out."
            )
        self._optimise()

    def _start_from(self, source: str) -> None:
        kind, _, file = source.partition(":")
        if file and not Path(source).exists():
            encoder = load_encoder(self.network, kind, file)
            self._begun = {
                "origin": f"encoder begun with {encoder.origin}",
                "licence": f"unknown; encoder begun with weights: {encoder.licence}",
            }
        else:
            started, card = load_weights(self._packaged(source))
            if card.network != self.config.network:
                raise UserError(
                    f"start: '{source}' holds weights of {card.network}, but the run "
                    f"trains {self.config.network}; name other weights or that network."
                )
            started.resize((self.config.stages[0].size,) * 2)
            self.network.load_state_dict(started.state_dict())
            self._begun = {
                "origin": f"begun with {card.name}: {card.origin}",
                "licence": f"unknown; begun with weights: {card.licence}",
            }
        self.average.load_state_dict(self.network.state_dict())

    def _packaged(self, source: str) -> str:
        """Take the packaged weights of the network that is trained for bundled ones."""
        if source == "bundled":
            for card in catalogue().values():
                if card.network == self.config.network and card.packaged is not None:
                    return card.name
        return source

    def _optimise(self) -> None:
        choose_trainable(self.network, self.config.freeze_encoder)
        optimizers = make_optimizers(self.network, self.config)
        module, *optimizers = self.fabric.setup(self.network, *optimizers)
        if hasattr(module, "mark_forward_method"):
            module.mark_forward_method("attempt_whole")
        self.optimizers = optimizers
        self._learner = BatchLearner(
            self.config, self.fabric, self.network, module, optimizers, self._follow
        )

    def enter(self, index: int) -> None:
        """Begin stage ``index``, unless the checkpoint already lies within it."""
        size = self.config.stages[index].size
        if index != self.progress.stage:
            self.progress = replace(self.progress, stage=index, step=0)
        if self.progress.step == 0:
            for network in (self.network, self.average):
                network.resize((size, size))
            self._optimise()

    def batches(self, samples: Dataset[Batch], stage: Stage) -> Iterator[Batch]:
        """Batches not yet seen; a sample's number tells how many came before it."""
        world, rank, batch = (
            self.fabric.world_size,
            self.fabric.global_rank,
            stage.batch,
        )
        numbers = [
            self.progress.samples + (step * world + rank) * batch + place
            for step in range(stage.steps - self.progress.step)
            for place in range(batch)
        ]
        workers = self.config.workers
        ahead = 4 if workers else None
        yield from DataLoader(
            samples, batch, sampler=numbers, num_workers=workers, prefetch_factor=ahead
        )

    def step(self, stage: Stage, batch: Batch) -> None:
        """Learn from one batch."""
        start = time.perf_counter()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate_at(stage, self.progress.step) * group["scale"]
        loss, iou = self._learner.learn(batch, self.progress.samples)
        samples = len(batch[0]) * self.fabric.world_size
        self._count(samples, loss, iou, start)

    def _follow(self) -> None:
        """Move the average towards the network, quickly while it is young."""
        step = self.progress.samples // 32
        decay = min(self.config.average, (1 + step) / (10 + step))
        pairs = zip(_tensors(self.average), _tensors(self.network), strict=True)
        with torch.no_grad():
            for mean, now in pairs:
                if mean.is_floating_point():
                    mean.lerp_(now, 1 - decay)
                else:
                    mean.copy_(now)

    def _count(self, samples: int, loss: float, iou: float, start: float) -> None:
        now = self.progress
        if math.isnan(now.loss):
            now.loss, now.iou = loss, iou
        now.loss += 0.01 * (loss - now.loss)
        now.iou += 0.01 * (iou - now.iou)
        now.step += 1
        now.samples += samples
        now.seconds += time.perf_counter() - start

    def validate(self, validation: Validation, stage: Stage) -> None:
        """Let the robot annotate held-out objects; the first device does it."""
        if self.fabric.is_global_zero and len(validation):
            result = validation.run(self.average, stage.size, vars(self.progress))
            noc = result.noc["85"]
            self.progress.noc = math.nan if noc is None else noc
            self._log(noc=result.noc, miou=result.miou)
        self.fabric.barrier()

    def save(self) -> None:
        """Write the checkpoint; the previous one stays whole until this one is."""
        if self.fabric.is_global_zero:
            state = {
                "config": self.config.model_dump(),
                "progress": vars(self.progress),
                "begun": self._begun,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizers": [each.state_dict() for each in self.optimizers],
            }
            partial = self.out / "checkpoint.pt.part"
            torch.save(state, partial)
            os.replace(partial, self.out / "checkpoint.pt")
            self._log()
        self.fabric.barrier()

    def ship(self) -> Network:
        """Write the average as safetensors; it is given back on the CPU."""
        network: Network = self.average.cpu().eval()
        if self.fabric.is_global_zero:
            name, target = self.out.name, self.out / "weights.safetensors"
            card = Card(name, self.config.network, target.name, origin=name)
            if self._begun:
                origin = f"{name}, {self._begun['origin']}"
                card = replace(card, origin=origin, licence=self._begun["licence"])
            save_weights(network, target, card)
        return network

    def _log(self, **more: Any) -> None:
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps({**vars(self.progress), **more}) + "\n")

    def _load(self) -> None:
        path = self.out / "checkpoint.pt"
        state: dict[str, Any] = torch.load(
            path, weights_only=True, map_location=self.fabric.device
        )
        before = TrainConfig(**current_names(state["config"]))
        for key in SHAPING:
            then, now = getattr(before, key), getattr(self.config, key)
            if then != now:
                raise UserError(
                    f"'{path}' belongs to a run with {key} = {then}, not {now}; "
                    "choose another output folder."
                )
        self.progress = Progress(**state["progress"])
        self._begun = state.get("begun", {})  # older runs did not note it
        self._build(self.config.stages[self.progress.stage].size)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)


def _network(config: TrainConfig, size: int) -> Network:
    """Build what the file of the run asks for, and refuse what cannot be built."""
    try:
        network = networks.build(config.network, size, **config.changes)
    except UserError:
        raise
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"changes: {config.network} cannot be built with {config.changes}; correct "
            f"them ({type(error).__name__}: {error})."
        ) from error
    multiple = network.spec.multiple_of
    if size % multiple:
        raise UserError(
            f"stages: crops of {size} px do not fit {config.network}; use a multiple "
            f"of {multiple} px."
        )
    normed = any(
        isinstance(part, torch.nn.BatchNorm2d) and part.training
        for part in network.train().modules()  # some norms never learn statistics
    )
    if (
        normed
        and not config.freeze_norms
        and any(stage.batch == 1 for stage in config.stages)
    ):
        raise UserError(
            f"stages: {config.network} cannot learn from one sample at a time, because "
            "it has batch norms; give a batch of 2 or more."
        )
    if network.spec.encodes_once and config.precision == "16-mixed":
        raise UserError(
            f"precision: {config.network} cannot learn with 16-mixed, because its "
            "encoder and decoder take turns; use bf16-mixed or 32-true."
        )
    return network


def _tensors(network: Network) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()
