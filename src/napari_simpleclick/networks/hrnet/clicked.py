"""HRNet and OCR behind clicks.

Source: K. Sofiiuk, I. Petrov, A. Konushin, "Reviving Iterative Training with Mask
Guidance for Interactive Segmentation", ICIP 2022, and its released code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from napari_simpleclick.networks.folding import with_folded_norms
from napari_simpleclick.networks.hrnet.backbone import STEM, Backbone
from napari_simpleclick.networks.hrnet.ocr import Distribute, object_vector
from napari_simpleclick.networks.network import Network
from napari_simpleclick.networks.rgb import NormaliseRGB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_simpleclick.networks.network import NetworkConfig

ENCODER = r"(conv|bn)[12]\.|layer1\.|transition\d\.|stage\d\."
"""Parts of the extractor that a backbone trained on ImageNet brings."""


@dataclass(frozen=True)
class HRNetSize:
    """What the weights of an HRNet with OCR have to agree on.

    Parameters
    ----------
    width : int
        Channels of the finest branch.
    ocr_width : int
        Channels of the object's context; maps have twice as many.
    small : bool
        The variant with fewer blocks.
    """

    width: int
    ocr_width: int
    small: bool = False


class Answer(NamedTuple):
    """What the network says about its input, at a quarter of its size.

    Parameters
    ----------
    logits : Tensor
        (B,1,h,w) of the object.
    auxiliary : Tensor
        (B,1,h,w) of the coarse answer that the context was gathered with.
    maps : Tensor
        (B,2*ocr_width,h,w), what the logits were made of.
    """

    logits: Tensor
    auxiliary: Tensor
    maps: Tensor


class Scale(nn.Module):
    """Multiply by the absolute value of a learnt number."""

    def __init__(self, initial: float = 0.05) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), initial))

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps to the same shape."""
        return maps * self.scale.abs()


class _Extractor(Backbone):
    """Backbone with the heads that official checkpoints keep beside it."""

    def __init__(self, size: HRNetSize) -> None:
        super().__init__(size.width, size.small)
        channels, maps = 15 * size.width, 2 * size.ocr_width
        self.conv3x3_ocr = nn.Sequential(
            nn.Conv2d(channels, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU()
        )
        self.ocr_distri_head = Distribute(maps, size.ocr_width)
        self.cls_head = nn.Conv2d(maps, 1, 1)
        self.aux_head = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, 1, 1),
        )

    def forward(self, stem: Tensor) -> Answer:
        """Answer for a stem with its prompt."""
        branches = self.branches(stem)
        auxiliary = self.aux_head(branches)
        maps = self.conv3x3_ocr(branches)
        maps = self.ocr_distri_head(maps, object_vector(maps, auxiliary))
        return Answer(self.cls_head(maps), auxiliary, maps)


class ClickedHRNet(Network):
    """Image and prompt to an answer at a quarter of their size.

    To be inherited by networks with their own idea of what follows.

    Parameters
    ----------
    config : NetworkConfig
        Of the network.
    size : HRNetSize
        What the weights have to agree on.
    """

    def __init__(self, config: NetworkConfig, size: HRNetSize) -> None:
        super().__init__(config)
        self.normalise = NormaliseRGB()
        self.maps_transform = nn.Sequential(
            nn.Conv2d(3, 16, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, STEM, 3, 2, 1),
            Scale(),
        )
        self.feature_extractor = _Extractor(size)

    def takes_part(self, name: str) -> bool:
        """Whether the answer depends on a parameter; see :class:`.ObjectContext`."""
        return re.search(r"\.f_(pixel|object)\.", name) is None

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        return re.match(rf"feature_extractor\.({ENCODER})", name) is not None

    def for_inference(self) -> Network:
        """Give a copy whose batch norms are merged into the convolutions before them.

        Its state dict is another one and is not to be saved.
        """
        return with_folded_norms(self)

    def see(self, image: Tensor) -> Tensor:
        """Stem (B,64,H/2,W/2) of RGB (B,3,H,W) in [0, 1]."""
        return self.feature_extractor.stem(self.normalise(image))

    def answer(self, stem: Tensor, prompt: Tensor) -> Answer:
        """Answer a prompt (B,3,H,W): prior, positive and negative disks."""
        result: Answer = self.feature_extractor(stem + self.maps_transform(prompt))
        return result


def size_of(state: Mapping[str, Tensor]) -> HRNetSize:
    """Tell the size from the tensors of a state dict.

    Raises
    ------
    KeyError
        If a tensor that tells it is missing.
    """
    pattern = re.compile(r"feature_extractor\.layer1\.(\d+)\.conv1\.weight")
    return HRNetSize(
        state["feature_extractor.transition1.0.0.weight"].shape[0],
        state["feature_extractor.cls_head.weight"].shape[1] // 2,
        sum(bool(pattern.fullmatch(key)) for key in state) == 2,
    )
