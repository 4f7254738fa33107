"""What is learnt from one batch: clicks that follow each other, losses, steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_simpleclick.networks import CropPrompts, join_prompts
from napari_simpleclick.training.losses import normalized_focal_loss, soft_jaccard_loss
from napari_simpleclick.training.simulated_clicks import add_next_points, prompts_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.networks import EncodedPrompt, Network
    from napari_simpleclick.training.config import TrainConfig

MOST_CORRECTIONS = 3
"""Iterative clicks per batch are drawn uniformly from 0 to this number."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Image (B,3,S,S), target and prior (B,1,S,S), points (B,48,2), all on the CPU."""


class BatchLearner:
    """A network that learns from batches, in the way that suits it.

    One that encodes once works out a batch's features once and answers four prompts on
    them. The decoder takes a step after each; what the answers ask of the features is
    averaged, and the encoder takes one step in the end. All others learn from the last
    of 1 to 4 prompts, or from each of 4, with a whole pass for each.

    Parameters
    ----------
    config : TrainConfig
        The run.
    fabric : lightning_fabric.Fabric
        Launched.
    network : Network
        What learns.
    module : torch.nn.Module
        The same as fabric has set it up.
    optimizers : sequence of torch.optim.Optimizer
        As fabric has set them up.
    follow : callable
        Is called when the network has learnt, for the average to follow.
    """

    def __init__(
        self,
        config: TrainConfig,
        fabric: Any,
        network: Network,
        module: Any,
        optimizers: Sequence[Any],
        follow: Callable[[], None],
    ) -> None:
        self.config, self.fabric = config, fabric
        self.network, self.module, self.optimizers = network, module, optimizers
        self._follow = follow
        self._loss = float("nan")

    def learn(self, batch: Batch, seen: int) -> tuple[float, float]:
        """Learn from one batch.

        Parameters
        ----------
        batch : tuple of Tensor
            Image, target, prior and points; the points are added to.
        seen : int
            Samples before this batch, which all draws depend on besides the seed.

        Returns
        -------
        tuple of float
            Loss and IoU at 0.5 of the last answer.
        """
        device = self.fabric.device
        image, target, prior = (part.to(device) for part in batch[:3])
        image = image.contiguous(memory_format=torch.channels_last)
        key = (self.config.seed, seen)
        rng = np.random.default_rng((*key, self.fabric.global_rank))
        torch.manual_seed(int(rng.integers(2**63)))  # dropout repeats after a resume
        turns = Turns(
            self.network, target, prior, batch[3], rng, self.config.prior_drop
        )
        if self.network.spec.encodes_once:
            self._learn_on_features(image, turns)
        else:
            last = MOST_CORRECTIONS
            if self.config.clicks == "last":  # the same number on all devices
                last = int(np.random.default_rng(key).integers(MOST_CORRECTIONS + 1))
            self._learn_whole(image, turns, last)
        return self._loss, turns.iou()

    def _learn_on_features(self, image: Tensor, turns: Turns) -> None:
        """Encode once; a step of the decoder a prompt, and one of the encoder."""
        self.module.train()
        with self.fabric.autocast():
            features = self.network.encode(image)
        shown = tuple(
            part.detach().requires_grad_(part.requires_grad) for part in features
        )
        for turn in range(MOST_CORRECTIONS + 1):
            prompt = turns.prompt(turn)
            with self.fabric.autocast():
                logits = self.network.decode(shown, prompt).float()
            self.fabric.backward(self._mistake(logits, turns.target))
            self._share_gradients()
            self._step()
            turns.answered(logits)
        asked = [
            (part, copy.grad / (MOST_CORRECTIONS + 1))
            for part, copy in zip(features, shown, strict=True)
            if copy.grad is not None
        ]
        if asked:
            parts, gradients = zip(*asked, strict=True)
            torch.autograd.backward(parts, gradients)
            self._share_gradients()
            self._step()
        self._follow()

    def _learn_whole(self, image: Tensor, turns: Turns, last: int) -> None:
        """Pass through the whole network for each prompt up to the last."""
        every = self.config.clicks == "every"
        for turn in range(last + 1):
            prompt = turns.prompt(turn)
            if every or turn == last:
                self.module.train()
                logits = self.module(image, prompt).float()
                self.fabric.backward(self._mistake(logits, turns.target))
                self._step()
                self._follow()
            else:
                self.module.eval()
                with torch.no_grad():
                    logits = self.module(image, prompt).float()
            turns.answered(logits)

    def _mistake(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean loss of a batch; also noted."""
        loss = normalized_focal_loss(logits, target).mean()
        if self.config.jaccard:
            loss += self.config.jaccard * soft_jaccard_loss(logits, target).mean()
        self._loss = loss.item()
        return loss

    def _share_gradients(self) -> None:
        """Average gradients over devices; a whole pass has it done by its wrapper."""
        if self.fabric.world_size > 1:
            for parameter in self.network.parameters():
                if parameter.grad is not None:
                    mean = self.fabric.all_reduce(parameter.grad, reduce_op="mean")
                    parameter.grad.copy_(mean)

    def _step(self) -> None:
        """Change what has a gradient, and only that."""
        if self.config.clip:  # Muon's steps do not depend on the size of gradients
            first, clip = self.optimizers[0], self.config.clip
            self.fabric.clip_gradients(self.module, first, max_norm=clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.module.zero_grad()


class Turns:
    """Simulated clicks on one batch, and the answers that they follow.

    Parameters
    ----------
    network : Network
        Brings prompts into its own form.
    target, prior : Tensor
        (B,1,S,S) truth and masks to start from, on the network's device.
    points : Tensor
        (B,48,2) on the CPU; added to.
    rng : numpy.random.Generator
        Source of every draw.
    prior_drop : float
        Probability that a prompt comes without its prior.
    """

    def __init__(
        self,
        network: Network,
        target: Tensor,
        prior: Tensor,
        points: Tensor,
        rng: np.random.Generator,
        prior_drop: float = 0.0,
    ) -> None:
        self.network, self.target, self._drop = network, target, prior_drop
        self._prior, self._points, self._rng = prior, points, rng
        self._memories: list[Any] = [None] * len(points)

    def prompt(self, turn: int) -> EncodedPrompt:
        """Prompts of the batch; from the second turn on with a click on each answer."""
        if turn:
            add_next_points(self._points, self._prior, self.target, turn, self._rng)
        prior = self._prior
        if self._drop:
            kept = self._rng.random(len(prior)) >= self._drop
            prior = prior * torch.from_numpy(kept).to(prior).view(-1, 1, 1, 1)
        prompts = []
        for index, places in enumerate(self._points.numpy()):
            asked = CropPrompts(prior[index : index + 1], *prompts_on(places))
            prompt, memory = self.network.encode_prompt(asked, self._memories[index])
            self._memories[index] = memory
            prompts.append(prompt)
        return join_prompts(prompts)

    def answered(self, logits: Tensor) -> None:
        """Take note of the answers (B,1,S,S), on which the next clicks follow."""
        self._prior = logits.detach().sigmoid()

    def iou(self) -> float:
        """Mean IoU of the last answers."""
        mask, truth = self._prior > 0.5, self.target > 0.5
        inter = (mask & truth).sum((1, 2, 3))
        union = (mask | truth).sum((1, 2, 3)).clamp(min=1)
        return float((inter / union).mean())
