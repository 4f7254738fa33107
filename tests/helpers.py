"""What several tests need: weights and images from formulas, networks at no cost."""

from __future__ import annotations

import sys
import types
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skimage.io import imsave
from skimage.measure import label

from napari_simpleclick import networks
from napari_simpleclick.networks import (
    CropPrompts,
    Network,
    NetworkConfig,
    NetworkSpec,
    draw_disks,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def fill_from_keys(network: torch.nn.Module, seed: int) -> None:
    """Fill every tensor with noise from its own name, as the reference outputs were."""
    for key, tensor in network.state_dict().items():
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) + seed))
        z = rng.standard_normal(tuple(tensor.shape), dtype=np.float32)
        if key.endswith(("pos_embed", "cls_token")):
            z = 0.02 * z
        elif tensor.ndim >= 2:
            z = z / np.sqrt(np.prod(tensor.shape[1:])).astype(np.float32)
        elif key.endswith(".weight"):
            z = 1 + 0.05 * z
        else:
            z = 0.05 * z
        tensor.copy_(torch.from_numpy(np.asarray(z, np.float32)))


def fill_from_hash(network: torch.nn.Module) -> None:
    """Fill every tensor from a hash of its name, as for tests/golden/vectors.json."""
    for key, tensor in network.state_dict().items():
        x = np.arange(tensor.numel(), dtype=np.uint32)
        x += np.uint32(zlib.crc32(key.encode()))
        x ^= x >> 16
        x *= np.uint32(0x7FEB352D)
        x ^= x >> 15
        x *= np.uint32(0x846CA68B)
        x ^= x >> 16
        unit = 2 * x.astype(np.float64) / 2**32 - 1
        if tensor.ndim == 1:
            unit = 1 + 0.1 * unit if key.endswith(".weight") else 0.05 * unit
        elif tensor.ndim == 3:
            unit *= 0.1
        else:
            unit *= np.sqrt(3 / (tensor.numel() / tensor.shape[0]))
        values = torch.from_numpy(unit.astype(np.float32))
        tensor.copy_(values.reshape(tensor.shape))


def waves(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give an image (1,3,H,W) and a prior mask (1,1,H,W), both in [0, 1]."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    red = 0.5 + 0.5 * np.sin(x / 17 + y / 29)
    green = 0.5 + 0.5 * np.cos(x / 11 - y / 37)
    blue = 0.5 + 0.5 * np.sin(x * y / 5000)
    prior = 1 / (1 + np.exp(-(90 - np.hypot(x - 200, y - 180)) / 10))
    image = torch.from_numpy(np.stack([red, green, blue]).astype(np.float32))
    return image[None], torch.from_numpy(prior.astype(np.float32))[None, None]


def blob() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Give an image (300,400,3) and its ground truth (300,400), -1 on the rim."""
    y, x = np.mgrid[:300, :400].astype(np.float64)
    red = 0.5 + 0.35 * np.sin(x / 23) * np.cos(y / 31)
    red += 0.3 * np.exp(-((x - 250) ** 2 / 90**2 + (y - 140) ** 2 / 60**2))
    channels = np.stack([red, 1 - red, 0.5 * red], axis=-1).clip(0, 1)
    inner = ((x - 250) / 80) ** 2 + ((y - 140) / 55) ** 2 <= 1
    outer = ((x - 250) / 85) ** 2 + ((y - 140) / 60) ** 2 <= 1
    truth = np.where(inner, 1, np.where(outer, -1, 0))
    return np.round(channels * 255).astype(np.uint8), truth


@dataclass(frozen=True)
class StubConfig(NetworkConfig):
    """Stands where a network has its configuration; any input size will do."""

    image_size: tuple[int, int] = field(default=(64, 64), kw_only=True)
    encodes_once: bool = False

    @property
    def spec(self) -> NetworkSpec:
        return NetworkSpec(self.image_size, encodes_once=self.encodes_once)


class DiskNetwork(Network):
    """Answers with a disk around each positive click, less those around negative ones.

    It has no weights, takes no time and does not look at the image. A prior mask stays
    where no disk is.

    Parameters
    ----------
    radius_px : float
        Of the disks, px of the network's input.
    image_size : tuple of int
        (height, width) of the network's input, px.
    """

    def __init__(
        self, radius_px: float = 8.0, image_size: tuple[int, int] = (64, 64)
    ) -> None:
        super().__init__(StubConfig(image_size=image_size))
        self.radius_px = radius_px

    def encode(self, image):
        return (image,)

    def encode_prompt(self, prompts: CropPrompts, memory: Any = None):
        size = tuple(prompts.prior.shape[-2:])
        disks = draw_disks(prompts.points(), size, self.radius_px)
        return torch.cat([prompts.prior, disks], 1), memory

    def decode(self, features, prompt):
        prior, positive, negative = prompt.split(1, dim=1)
        return 8 * (2 * prior - 1 + 2 * positive).clamp(max=1) - 16 * negative


class EncodeOnceDisks(DiskNetwork):
    """Disks of a network that is said to do its work before the prompts come.

    Parameters
    ----------
    radius_px : float
        As of :class:`DiskNetwork`.

    Attributes
    ----------
    seen : list of tuple of int
        Least and largest value of each image that was encoded, in 0 to 255.
    """

    def __init__(self, radius_px: float = 8.0) -> None:
        super().__init__(radius_px)
        self.config = replace(self.config, encodes_once=True)
        self.seen: list[tuple[int, int]] = []

    def encode(self, image):
        self.seen.append(
            (round(255 * image.min().item()), round(255 * image.max().item()))
        )
        return (image.mean(1, keepdim=True),)


class LinearNetwork(DiskNetwork):
    """The image's red, the prior and the disks added up: bright things near a click.

    Parameters
    ----------
    bias : float
        Red value in [0, 1] that is neither object nor background.
    radius_px, image_size
        As of :class:`DiskNetwork`.
    """

    def __init__(
        self,
        bias: float,
        radius_px: float = 40.0,
        image_size: tuple[int, int] = (448, 448),
    ) -> None:
        super().__init__(radius_px, image_size)
        self.bias = bias

    def decode(self, features, prompt):
        prior, positive, negative = prompt.split(1, dim=1)
        brightness = 8 * (features[0][:, :1] - self.bias)
        return brightness + 2 * (prior - 0.5) + 6 * positive - 6 * negative


class PartNetwork(DiskNetwork):
    """Answers with the bright part that the positive clicks are on.

    Parameters
    ----------
    bias : float
        Red value in [0, 1] that is neither object nor background.
    image_size : tuple of int
        (height, width) of the network's input, px.
    """

    def __init__(self, bias: float, image_size: tuple[int, int] = (192, 192)) -> None:
        super().__init__(1.0, image_size)
        self.bias = bias

    def decode(self, features, prompt):
        answers = []
        for image, asked in zip(features[0], prompt, strict=True):
            parts = label((image[0] > self.bias).numpy(), connectivity=1)
            clicked = np.unique(parts[(asked[1] > 0.5).numpy()])
            removed = np.unique(parts[(asked[2] > 0.5).numpy()])
            inside = np.isin(parts, [c for c in clicked if c and c not in removed])
            answers.append(torch.from_numpy(np.where(inside, 4.0, -4.0)))
        return torch.stack(answers)[:, None].float()


def write_official_checkpoint(path: Path) -> None:
    """Write weights of an xTiny network in the way of the official trainer.

    Beside the tensors it pickles how the network was built, with an object of the loss
    class in it, so that torch refuses to load it as it is.
    """
    place = "isegm.model.modeling.transformer_helper.cross_entropy_loss"
    loss = type("CrossEntropyLoss", (), {"__module__": place})
    known = {}
    for end in range(1, place.count(".") + 2):
        name = ".".join(place.split(".")[:end])
        known[name] = types.ModuleType(name)
    known[place].CrossEntropyLoss = loss
    network = networks.build("simpleclick-xtiny")
    fill_from_hash(network)
    backbone = {
        "img_size": (448, 448),
        "patch_size": (16, 16),
        "embed_dim": 160,
        "depth": 8,
        "num_heads": 4,
    }
    params = {
        "backbone_params": {"type": "builtin", "value": backbone, "specified": True},
        "head_params": {
            "type": "builtin",
            "value": {"num_classes": 1, "loss_decode": loss()},
            "specified": True,
        },
    }
    config = {"class": "isegm.model.is_plainvit_model.PlainVitModel", "params": params}
    content = {"state_dict": network.state_dict(), "config": config}
    sys.modules.update(known)
    try:
        torch.save(content, path)
    finally:
        for name in known:
            del sys.modules[name]


def square_sets(folder: Path) -> Path:
    """Write a set of images to learn from: two squares each, bright on dark."""
    root = folder / "data"
    for kind in ("images", "masks"):
        (root / "squares" / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        labels = np.zeros((60, 80), np.uint8)
        labels[5:25, 10:30], labels[30:55, 45:75] = 1, 2
        image = (labels > 0) * 120 + rng.integers(0, 60, labels.shape)
        name = f"{number}.png"
        imsave(root / "squares" / "images" / name, image.astype(np.uint8))
        imsave(root / "squares" / "masks" / name, labels, check_contrast=False)
    return root
