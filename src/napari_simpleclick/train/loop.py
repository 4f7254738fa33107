"""The training loop: clicks, loss, steps, checkpoints."""

from __future__ import annotations

import json
import math
import os
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from napari_simpleclick import networks
from napari_simpleclick.networks import (
    SimpleClick,
    channels_last,
    draw_disks,
    resize_positions,
)
from napari_simpleclick.train.images import read_sets
from napari_simpleclick.train.loss import normalized_focal_loss
from napari_simpleclick.train.samples import Samples
from napari_simpleclick.train.simulate import add_next_points
from napari_simpleclick.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_simpleclick.train.config import Stage, TrainConfig

MOST_CORRECTIONS = 3
"""Iterative clicks per batch are drawn uniformly from 0 to this number."""

WARM_UP = 100
"""Steps over which the learning rate rises at the start of a stage."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


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
        Samples seen in all stages.
    seconds : float
        Time spent in all stages.
    loss, iou : float
        Running means over about 100 steps; IoU of the last prediction at 0.5.
    """

    stage: int = 0
    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    iou: float = math.nan


def train(
    config: TrainConfig,
    data: Path,
    out: Path,
    report: Callable[[Progress], None] = lambda _: None,
) -> SimpleClick:
    """Train a network, or go on with a run that was stopped.

    Parameters
    ----------
    config : TrainConfig
        The run.
    data : Path
        Folder of image sets, see :func:`napari_simpleclick.train.images.read_sets`.
    out : Path
        Folder for ``checkpoint.pt`` (everything needed to go on) and ``log.jsonl``.
    report : callable
        Called after every step.

    Returns
    -------
    SimpleClick
        The moving average of the weights, in evaluation mode.

    Raises
    ------
    ValueError
        If the data or the configuration cannot be used.
    """
    sets = read_sets(data)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(config, out)
    for index, stage in enumerate(config.stages):
        if index < run.progress.stage:
            continue
        run.enter(index)
        samples = Samples(
            sets,
            config.weights,
            stage.size,
            config.single_click,
            config.seed,
            config.wholes,
            config.correction,
        )
        for batch in _batches(samples, stage, run.progress):
            run.step(stage, batch)
            report(run.progress)
            if run.progress.step % config.save_every == 0:
                run.save()
    run.save()
    network: SimpleClick = run.average.eval()
    return network


def _batches(samples: Samples, stage: Stage, progress: Progress) -> Iterator[Batch]:
    """Batches not yet seen; a sample's number depends only on how many came before."""
    left = (stage.steps - progress.step) * stage.batch
    numbers = range(progress.samples, progress.samples + left)
    loader = DataLoader(
        samples, stage.batch, sampler=numbers, num_workers=1, prefetch_factor=4
    )
    yield from loader


class _Run:
    """Network, its average and optimiser, kept in step with a checkpoint on disk."""

    def __init__(self, config: TrainConfig, out: Path) -> None:
        self.config, self.out = config, out
        self.progress = Progress()
        self._loss = math.nan
        torch.manual_seed(config.seed)
        self._build(config.stages[0].size)
        if config.start:
            self._start_from(config.start)
        if (out / "checkpoint.pt").exists():
            self._load()

    def _build(self, size: int) -> None:
        self.network = channels_last(networks.build(self.config.network, size))
        self.average = deepcopy(self.network).requires_grad_(False)
        self._optimise()

    def _start_from(self, source: str) -> None:
        started, card = load_weights(source)
        if card.network != self.config.network:
            raise ValueError(
                f"start: '{source}' holds weights of {card.network}, but the run "
                f"trains {self.config.network}; name other weights or that network."
            )
        resize(started, self.config.stages[0].size)
        for network in (self.network, self.average):
            network.load_state_dict(started.state_dict())

    def _optimise(self) -> None:
        used = [
            (name, parameter)
            for name, parameter in self.network.named_parameters()
            if not name.startswith(
                ("backbone.cls", "backbone.fc_norm", "backbone.head")
            )
            and "up_conv" not in name
        ]
        plain = [p for n, p in used if p.ndim < 2 or n.endswith("pos_embed")]
        decayed = [p for n, p in used if p.ndim >= 2 and not n.endswith("pos_embed")]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.config.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ]
        )

    def enter(self, index: int) -> None:
        """Begin stage ``index``, unless the checkpoint already lies within it."""
        size = self.config.stages[index].size
        if index != self.progress.stage:
            self.progress = replace(self.progress, stage=index, step=0)
        if self.progress.step == 0:
            for network in (self.network, self.average):
                resize(network, size)
            self._optimise()

    def step(self, stage: Stage, batch: Batch) -> None:
        """Learn from one batch."""
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = _rate(stage, self.progress.step)
        image, target, prior, points = batch
        image = image.contiguous(memory_format=torch.channels_last)
        rng = np.random.default_rng((self.config.seed, self.progress.samples))
        torch.manual_seed(int(rng.integers(2**63)))  # dropout repeats after a resume
        every = self.config.clicks == "every"
        last = MOST_CORRECTIONS if every else int(rng.integers(MOST_CORRECTIONS + 1))
        for turn in range(last + 1):
            if turn:
                add_next_points(points, prior, target, turn, rng)
            prompt = torch.cat([prior, draw_disks(points, (stage.size, stage.size))], 1)
            if every or turn == last:
                logits = self._learn(image, prompt, target)
            else:
                logits = _answer(self.network, image, prompt)
            prior = logits.sigmoid()
        self._count(len(image), self._loss, _iou(logits, target), start)

    def _learn(self, image: Tensor, prompt: Tensor, target: Tensor) -> Tensor:
        """One optimiser step; the logits (B,1,S,S) before it."""
        self.network.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits: Tensor = self.network(image, prompt)
        logits = logits.float()
        loss = normalized_focal_loss(logits, target).mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self._follow()
        self._loss = loss.item()
        return logits.detach()

    def _follow(self) -> None:
        """Move the average towards the network, quickly while it is young."""
        step = self.progress.samples // 32
        decay = min(self.config.average, (1 + step) / (10 + step))
        with torch.no_grad():
            pairs = zip(
                self.average.parameters(), self.network.parameters(), strict=True
            )
            for mean, parameter in pairs:
                mean.lerp_(parameter, 1 - decay)

    def _count(self, samples: int, loss: float, iou: float, start: float) -> None:
        now = self.progress
        if math.isnan(now.loss):
            now.loss, now.iou = loss, iou
        now.loss += 0.01 * (loss - now.loss)
        now.iou += 0.01 * (iou - now.iou)
        now.step += 1
        now.samples += samples
        now.seconds += time.perf_counter() - start

    def save(self) -> None:
        """Write the checkpoint; the previous one stays whole until this one is."""
        state = {
            "config": self.config.model_dump(),
            "progress": vars(self.progress),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = self.out / "checkpoint.pt.part"
        torch.save(state, partial)
        os.replace(partial, self.out / "checkpoint.pt")
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(vars(self.progress)) + "\n")

    def _load(self) -> None:
        path = self.out / "checkpoint.pt"
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state["config"]["network"] != self.config.network:
            raise ValueError(
                f"'{path}' belongs to a run of {state['config']['network']}, not "
                f"{self.config.network}; choose another output folder."
            )
        self.progress = Progress(**state["progress"])
        self._build(self.config.stages[self.progress.stage].size)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])


def resize(network: SimpleClick, size: int) -> None:
    """Make a network's position embedding one for ``size`` x ``size`` px, in place."""
    backbone = network.backbone
    config = replace(network.config, image_size=(size, size))
    with torch.no_grad():
        positions = resize_positions(
            backbone.pos_embed, network.config.grid, config.grid
        )
    backbone.pos_embed = nn.Parameter(positions, backbone.pos_embed.requires_grad)
    network.config = backbone.config = config


def _answer(network: SimpleClick, image: Tensor, prompt: Tensor) -> Tensor:
    """Logits (B,1,S,S) in evaluation mode, without gradient."""
    network.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits: Tensor = network(image, prompt)
    return logits.float()


def _rate(stage: Stage, step: int) -> float:
    """Linear warm-up, then a half cosine down to the final rate."""
    rise = min(WARM_UP, stage.steps // 4)
    if step < rise:
        return stage.rate * (step + 1) / rise
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / stage.steps)
    return stage.rate * (stage.final_rate + (1 - stage.final_rate) * cosine)


def _iou(logits: Tensor, target: Tensor) -> float:
    mask, truth = logits > 0, target > 0.5
    inter = (mask & truth).sum((1, 2, 3))
    union = (mask | truth).sum((1, 2, 3)).clamp(min=1)
    return float((inter / union).mean())
