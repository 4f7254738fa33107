"""A family of networks that the package knows nothing of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from napari_simpleclick import networks
from napari_simpleclick.networks import Family, Network, NetworkConfig, NetworkSpec


@dataclass(frozen=True)
class ToyConfig(NetworkConfig):
    width: int = 4

    @property
    def spec(self):
        return NetworkSpec(self.image_size, 4, encodes_once=True)

    def build(self):
        return Toy(self)

    def metadata(self):
        return {"side": str(self.image_size[0])}


class Toy(Network):
    """Prompts are tokens (place and sign) and a prior, not disks; it counts its calls.

    Its state is the number of prompts that it was asked for an object.
    """

    def __init__(self, config):
        super().__init__(config)
        self.body = nn.Conv2d(3, config.width, 4, 4)
        self.norm = nn.BatchNorm2d(config.width)
        self.click = nn.Linear(3, config.width)
        self.out = nn.Conv2d(config.width + 1, 1, 1)
        self.encoded = 0

    def is_encoder(self, name):
        return name.startswith(("body.", "norm."))

    def encode(self, image):
        self.encoded += 1
        return (self.norm(self.body(image)),)

    def encode_prompt(self, prompts, memory=None):
        clicks = [(*place, 1.0) for place in prompts.positive]
        clicks += [(*place, -1.0) for place in prompts.negative]
        size = torch.tensor([*prompts.prior.shape[2:], 1.0])
        tokens = (torch.tensor(clicks) / size).mean(0, keepdim=True)
        return (tokens.to(prompts.prior.device), prompts.prior), (memory or 0) + 1

    def flip_prompt(self, prompt):
        tokens, prior = prompt
        return tokens * torch.tensor([1, -1, 1]), prior.flip(3)

    def decode(self, features, prompt):
        tokens, prior = prompt
        maps = features[0] + self.click(tokens)[:, :, None, None]
        maps = nn.functional.interpolate(maps, size=prior.shape[2:], mode="bilinear")
        return self.out(torch.cat([maps, prior], 1))


def recognise(state, about):
    if "click.weight" not in state:
        return None
    side = int(about.get("side", 448))
    return ToyConfig(state["click.weight"].shape[0], image_size=(side, side))


def rename(state):
    """Published files have another key for one layer."""
    return {key.replace("stem.", "body."): value for key, value in state.items()}


FAMILY = Family("Toy", {"toy": ToyConfig()}, recognise, rename)


def register(monkeypatch):
    """Make the toy known for the length of a test."""
    monkeypatch.setattr(networks, "FAMILIES", list(networks.FAMILIES))
    monkeypatch.setattr(networks, "NETWORKS", dict(networks.NETWORKS))
    networks.register(FAMILY)
