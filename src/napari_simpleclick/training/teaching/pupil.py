"""A network that learns from examples, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_simpleclick.inference.devices import choose_precision
from napari_simpleclick.inference.shapes import damage
from napari_simpleclick.networks import channels_last
from napari_simpleclick.training.batches import Turns
from napari_simpleclick.training.losses import normalized_focal_loss, soft_jaccard_loss
from napari_simpleclick.training.simulated_clicks import correcting_point, first_points
from napari_simpleclick.training.teaching.views import Views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_simpleclick.inference import ZoomIn
    from napari_simpleclick.networks import Features, Network
    from napari_simpleclick.training.batches import Batch
    from napari_simpleclick.training.teaching.examples import Example

BATCH = 4
"""Views in a batch."""

CLICKS = 3
"""Clicks on each of them, the first and those that correct."""

SIDE_PX = 320
"""Side of a view; smaller than at inference, as time is short."""

RATE = 3e-4
"""Learning rate before it falls."""

JACCARD = 2.0
"""Weight of the soft Jaccard loss beside the focal loss."""

SINGLE, OFF_CENTRE, CORRECTION = 0.9, 0.3, 0.15
"""Shares of samples that begin with one click, off centre, or with a damaged mask."""

AVERAGE = 0.95
"""Decay of the moving average of the weights."""

WARM_UP = 10
"""Batches over which the rate rises."""

Weights = dict[str, Tensor]
"""Taught parameters by name."""


class Pupil:
    """A network that is being taught; only what its family says learns.

    Parameters
    ----------
    network : Network
        Changed in place; norms and dropout stay as at inference.
    examples : sequence of Example
        What it learns from.
    zoom : ZoomIn
        How it is shown images when a person clicks.
    seed : int
        Of every draw.

    Attributes
    ----------
    batches : int
        How many it has learned from.
    begin : dict of Tensor
        The taught parameters before.
    """

    def __init__(
        self,
        network: Network,
        examples: Sequence[Example],
        zoom: ZoomIn,
        seed: int,
    ) -> None:
        self.network = channels_last(network).eval()
        self.batches = 0
        self._views, self._count = Views(examples, zoom), len(examples)
        self._rng = np.random.default_rng(seed)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(network.is_taught(name))
        once = network.spec.encodes_once
        self._encoder = network.for_inference() if once else network
        self._taught = {k: p for k, p in network.named_parameters() if p.requires_grad}
        self.begin = self._live = self._now()
        self._average = self._now()
        self._optimizer = torch.optim.AdamW(self._taught.values(), weight_decay=0.0)
        device = next(network.parameters()).device
        self._device = device
        self._half = choose_precision("auto", device) == torch.bfloat16
        self._side = _side(zoom, network.spec.multiple_of)
        self._order: list[int] = []

    def enter(self) -> None:
        """Go on where it left."""
        put(self.network, self._live)

    def leave(self) -> None:
        """Keep the weights that learn, as another may use the network meanwhile."""
        self._live = self._now()

    def learn(self, decline: float = 1.0) -> float:
        """Learn from one batch.

        Parameters
        ----------
        decline : float
            Factor of the learning rate.

        Returns
        -------
        float
            Loss of the last answer.
        """
        rate = RATE * decline * min(1.0, (self.batches + 1) / WARM_UP)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        image, target, prior, points = (part.to(self._device) for part in self._batch())
        turns = Turns(self.network, target, prior, points.cpu(), self._rng)
        features: Features | None = None
        if self.network.spec.encodes_once:
            with torch.no_grad(), self._autocast():
                features = self._encoder.encode(image)
        for turn in range(CLICKS):
            prompt = turns.prompt(turn)
            with self._autocast():
                shown = self.network.encode(image) if features is None else features
                logits = self.network.decode(shown, prompt)
            loss = self._step(logits.float(), target)
            turns.answered(logits.float())
        self.batches += 1
        self._follow()
        return loss

    def weights(self) -> Weights:
        """Copy the moving average of what was learned."""
        return {name: value.clone() for name, value in self._average.items()}

    def _now(self) -> Weights:
        return {name: value.detach().clone() for name, value in self._taught.items()}

    def _step(self, logits: Tensor, target: Tensor) -> float:
        loss = normalized_focal_loss(logits, target).mean()
        loss = loss + JACCARD * soft_jaccard_loss(logits, target).mean()
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._taught.values(), 1.0)
        self._optimizer.step()
        return loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(AVERAGE, self.batches / (self.batches + 9))
        for name, value in self._average.items():
            value.lerp_(self._taught[name], 1 - decay)

    def _batch(self) -> Batch:
        """Draw views, and the clicks that they begin with."""
        parts: list[list[Tensor]] = [[], [], [], []]
        for _ in range(BATCH):
            view = self._views.draw(self._next(), self._side, self._rng)
            prior, points = self._begin(view.target, view.others)
            drawn = (
                view.picture,
                torch.from_numpy(view.target)[None].float(),
                torch.from_numpy(prior)[None],
                torch.from_numpy(points),
            )
            for part, one in zip(parts, drawn, strict=True):
                part.append(one)
        image, target, prior_, points_ = (torch.stack(part) for part in parts)
        image = image.contiguous(memory_format=torch.channels_last)
        return image, target, prior_, points_

    def _begin(
        self, target: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Prior (S,S) and points (48,2) that a view begins with."""
        rng = self._rng
        if rng.random() < CORRECTION:
            damaged = damage(target, rng, 0.4, 0.9)
            return damaged.astype(np.float32), correcting_point(target, damaged, rng)
        points = first_points(target, others, rng, SINGLE, OFF_CENTRE)
        return np.zeros(target.shape, np.float32), points

    def _next(self) -> int:
        """Draw an example; all come before any comes again."""
        if not self._order:
            self._order = self._rng.permutation(self._count).tolist()
        return self._order.pop()

    def _autocast(self) -> torch.autocast:
        kind = self._device.type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self._half)


def mix(first: Weights, second: Weights, share: float) -> Weights:
    """Mix weights: only ``first`` at a share of 0, only ``second`` at 1."""
    return {k: torch.lerp(v, second[k], share) for k, v in first.items()}


def put(network: Network, weights: Mapping[str, Tensor]) -> None:
    """Give a network other weights, in place."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])


def _side(zoom: ZoomIn, multiple: int) -> int:
    """Side of a view that the network takes, px."""
    most = min(SIDE_PX, *zoom.size)
    return max(multiple, most // multiple * multiple)
