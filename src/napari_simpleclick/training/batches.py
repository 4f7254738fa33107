"""What is learnt from one batch: clicks that follow each other, losses, steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_simpleclick.networks import CropPrompts, join_prompts
from napari_simpleclick.training.focus import Focus, draw_focus
from napari_simpleclick.training.losses import (
    cross_entropy_loss,
    normalized_focal_loss,
    refinement_losses,
    soft_jaccard_loss,
)
from napari_simpleclick.training.mirror import mirror_loss, with_mirror_image
from napari_simpleclick.training.parts import Corrections
from napari_simpleclick.training.selection_losses import contrast_loss, score_loss
from napari_simpleclick.training.simulated_clicks import add_next_points, prompts_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.networks import Attempt, EncodedPrompt, Features, Network
    from napari_simpleclick.training.config import TrainConfig

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Image (B,3,S,S), target and prior (B,1,S,S), points (B,48,2), all on the CPU."""


class BatchLearner:
    """A network that learns from batches, in the way that suits it.

    One that encodes once works out a batch's features once and answers four prompts on
    them. The decoder takes a step after each; what the answers ask of the features is
    averaged, and the encoder takes one step in the end. All others, and these where
    asked for, learn from the last of 1 to 4 prompts, or from each of 4, with a whole
    pass for each. (Four is what most runs have.)

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
            *(self.network, target, prior, batch[3], rng),
            *(self.config.prior_drop, self.config.corrections),
        )
        if self.config.mirrored and rng.random() < self.config.mirrored:
            turns.mirror()
            image = with_mirror_image(image)
        once, clicks = self.network.spec.encodes_once, self.config.clicks
        if once and clicks != "last":
            self._learn_on_features(image, turns)
        else:
            every = clicks == "every"
            # the same draws on all devices
            last = self._last(every, turns, np.random.default_rng(key))
            self._learn_whole(image, turns, last, every)
        return self._loss, turns.iou()

    def _last(self, every: bool, turns: Turns, rng: np.random.Generator) -> int:
        """Draw after how many corrections to stop, or begin with one click instead."""
        corrections = self.config.corrections
        if corrections.restart and rng.random() < corrections.restart:
            turns.restart()
            return 0
        return corrections.most if every else draw_corrections(corrections, rng)

    def _learn_on_features(self, image: Tensor, turns: Turns) -> None:
        """Encode once; a step of the decoder a prompt, and one of the encoder."""
        self._train()
        with self.fabric.autocast():
            features = self.network.encode(image)
        shown = tuple(
            part.detach().requires_grad_(part.requires_grad) for part in features
        )
        count = self.config.corrections.most + 1
        for turn in range(count):
            prompt = turns.prompt(turn)
            with self.fabric.autocast():
                attempt = self.network.attempt(shown, prompt)
                mistake = self._mistake(attempt, image, turns)
            self.fabric.backward(mistake)
            self._share_gradients()
            self._step()
            turns.answered(attempt.logits)
        asked = [
            (part, copy.grad / count)
            for part, copy in zip(features, shown, strict=True)
            if copy.grad is not None
        ]
        if asked:
            parts, gradients = zip(*asked, strict=True)
            torch.autograd.backward(parts, gradients)
            self._share_gradients()
            self._step()
        self._follow()

    def _learn_whole(self, image: Tensor, turns: Turns, last: int, every: bool) -> None:
        """Pass through the whole network for each prompt that is learnt from."""
        features: Features = ()
        for turn in range(last + 1):
            prompt = turns.prompt(turn)
            if every or turn == last:
                self._train()
                attempt = self.module.attempt_whole(image, prompt)
                with self.fabric.autocast():
                    mistake = self._mistake(attempt, image, turns)
                self.fabric.backward(mistake)
                self._step()
                self._follow()
                logits = attempt.logits
            else:
                self.module.eval()
                with torch.no_grad(), self.fabric.autocast():
                    features = features or self.network.encode(image)
                    logits = self.network.decode(features, prompt)
            turns.answered(logits)

    def _train(self) -> None:
        """Switch to training mode, but for norms that are frozen."""
        self.module.train()
        if self.config.freeze_norms:
            for part in self.module.modules():
                if isinstance(part, torch.nn.BatchNorm2d):
                    part.eval()

    def _mistake(self, attempt: Attempt, image: Tensor, turns: Turns) -> Tensor:
        """Sum of the losses of a batch; also noted."""
        target, weights = turns.target, self.config.losses
        logits = attempt.logits.float()
        loss = normalized_focal_loss(logits, target).mean()
        if self.config.jaccard:
            loss = loss + self.config.jaccard * soft_jaccard_loss(logits, target).mean()
        if turns.mirrored:
            loss = loss + mirror_loss(logits)
        if attempt.auxiliary is not None:
            focal = weights.auxiliary_kind == "focal"
            kind = normalized_focal_loss if focal else cross_entropy_loss
            coarse = kind(attempt.auxiliary.float(), target).mean()
            loss = loss + weights.auxiliary * coarse
        if attempt.selections:
            found = attempt.selections
            contrast = contrast_loss(found, target, weights.contrast_over)
            loss = loss + weights.contrast * contrast
            loss = loss + weights.score * score_loss(found, target, weights.score_kind)
        if self.network.spec.refines:
            loss = loss + self._refined(attempt, image, turns)
        self._loss = loss.item()
        return loss

    def _refined(self, attempt: Attempt, image: Tensor, turns: Turns) -> Tensor:
        """Sum of the losses of a refiner, on a focus crop of each sample."""
        assert attempt.maps is not None
        weights, focus = self.config.losses, turns.focus(image)
        refinement = self.network.refinement(
            focus.image, focus.prompt, attempt.maps, attempt.logits, focus.boxes
        )
        refinement = type(refinement)(*(part.float() for part in refinement))
        refined, boundary = refinement_losses(
            refinement, focus.target, focus.near, weights.outline
        )
        return weights.refined * refined + weights.boundary * boundary

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


def draw_corrections(corrections: Corrections, rng: np.random.Generator) -> int:
    """Draw how many clicks follow those that the samples of a batch start with."""
    shares = corrections.decay ** np.arange(corrections.most + 1)
    return int(rng.choice(len(shares), p=shares / shares.sum()))


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
    corrections : Corrections or None
        Where clicks that follow lie; None for the usual ones.
    """

    def __init__(
        self,
        network: Network,
        target: Tensor,
        prior: Tensor,
        points: Tensor,
        rng: np.random.Generator,
        prior_drop: float = 0.0,
        corrections: Corrections | None = None,
    ) -> None:
        self.network, self._drop = network, prior_drop
        self.target = self._truth = target
        self._prior, self._points, self._rng = prior, points, rng
        self._memories: list[Any] = [None] * len(points)
        self._corrections = corrections or Corrections()
        self.mirrored = False

    def mirror(self) -> None:
        """From now on give prompts, and take answers, for the mirror images, too."""
        self.mirrored = True
        self.target = with_mirror_image(self.target)

    def restart(self) -> None:
        """Replace all clicks by one in each object, and forget priors."""
        self._prior = torch.zeros_like(self._prior)
        self._points.fill_(-1)
        add_next_points(self._points, self._prior, self._truth, 1, self._rng)

    def focus(self, image: Tensor) -> Focus:
        """Draw focus crops of the images (B,3,S,S), with the clicks so far."""
        return draw_focus(self.network, image, self.target, self._points, self._rng)

    def prompt(self, turn: int) -> EncodedPrompt:
        """Prompts of the batch; from the second turn on with a click on each answer."""
        if turn:
            how = self._corrections
            add_next_points(
                *(self._points, self._prior, self._truth, turn, self._rng),
                *(how.depth, how.exact),
            )
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
        joined = join_prompts(prompts)
        if not self.mirrored:
            return joined
        assert isinstance(joined, Tensor)  # the run's file was checked
        return with_mirror_image(joined)

    def answered(self, logits: Tensor) -> None:
        """Take note of the answers (B,1,S,S), on which the next clicks follow."""
        self._prior = logits[: len(self._truth)].detach().float().sigmoid()

    def iou(self) -> float:
        """Mean IoU of the last answers."""
        mask, truth = self._prior > 0.5, self._truth > 0.5
        inter = (mask & truth).sum((1, 2, 3))
        union = (mask | truth).sum((1, 2, 3)).clamp(min=1)
        return float((inter / union).mean())
