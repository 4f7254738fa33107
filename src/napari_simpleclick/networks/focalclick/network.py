"""FocalClick: a segmentor on the target crop, a refiner on the focus crop.

Source: X. Chen, Z. Zhao, Y. Zhang, M. Duan, D. Qi, H. Zhao, "FocalClick: Towards
Practical Interactive Image Segmentation", CVPR 2022, and the behaviour of its released
code. Module names follow the released checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from napari_simpleclick.networks.attempt import Attempt, Refinement
from napari_simpleclick.networks.disks import DISK_RADIUS_PX, draw_disks
from napari_simpleclick.networks.focalclick.refiner import Refiner
from napari_simpleclick.networks.focalclick.segformer import (
    SegFormer,
    SegFormerSize,
)
from napari_simpleclick.networks.hrnet import ClickedHRNet, HRNetSize, resized
from napari_simpleclick.networks.network import (
    CropPrompts,
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE_PX = (256, 256)
"""Target and focus crops of every published model."""


@dataclass(frozen=True)
class FocalClickConfig(NetworkConfig):
    """Everything that the weights of a FocalClick network have to agree on.

    Parameters
    ----------
    size : HRNetSize or SegFormerSize
        Of the segmentor.
    halved : bool
        Whether the segmentor works at half the size of its input ("S1").
    """

    size: HRNetSize | SegFormerSize
    halved: bool = False

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        return NetworkSpec(self.image_size, refines=True)

    @property
    def disk_radius_px(self) -> float:
        """Of the segmentor's click disks, px of its input."""
        if not self.halved:
            return DISK_RADIUS_PX
        return 2.0 if isinstance(self.size, HRNetSize) else 3.0

    def build(self) -> FocalClick:
        """Build a network with fresh weights, in training mode."""
        if isinstance(self.size, HRNetSize):
            return FocalClickHRNet(self, self.size)
        return FocalClickSegFormer(self, self.size)

    def metadata(self) -> dict[str, str]:
        """Tell at which size the segmentor works."""
        return {"pipeline_version": "s1" if self.halved else "s2"}


class FocalClick(Network):
    """Image and prompt to logits, and a focus crop to finer ones.

    Its kinds implement :meth:`look` and :meth:`reply`.
    """

    config: FocalClickConfig
    refiner: Refiner

    def look(self, image: Tensor) -> Features:
        """Give all that a segmentor's input (B,3,h,w) shows without a prompt."""
        raise NotImplementedError

    def reply(self, features: Features, prompt: Tensor) -> Attempt:
        """Answer at a quarter of the prompt's size."""
        raise NotImplementedError

    def encode(self, image: Tensor) -> Features:
        """Work out what does not depend on prompts of an image (B,3,H,W) in [0, 1]."""
        return self.look(self._halved(image))

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Give the segmentor's logits (B,1,H,W) for a prompt (B,3,H,W)."""
        return self.segment(features, prompt)[0]

    def segment(
        self, features: Features, prompt: EncodedPrompt
    ) -> tuple[Tensor, Tensor]:
        """Give the segmentor's logits (B,1,H,W), and its maps for :meth:`refine`."""
        answer = self.attempt(features, prompt)
        assert answer.maps is not None
        return answer.logits, answer.maps

    def attempt(self, features: Features, prompt: EncodedPrompt) -> Attempt:
        """Answer with the segmentor; give its maps and, of HRNet, the coarse answer."""
        assert isinstance(prompt, Tensor)
        answer = self.reply(features, self._halved(prompt))
        coarse = answer.auxiliary
        return answer._replace(
            logits=resized(answer.logits, prompt),
            auxiliary=None if coarse is None else resized(coarse, prompt),
        )

    def takes_part(self, name: str) -> bool:
        """Whether an answer, refined or not, depends on a parameter."""
        return "feature_gate" not in name and super().takes_part(name)

    def refinement(
        self,
        image: Tensor,
        prompt: Tensor,
        features: Tensor,
        logits: Tensor,
        box: Tensor | Sequence[float],
    ) -> Refinement:
        """Refine, and give all that training looks at; see :meth:`Network.refine`."""
        corners = torch.as_tensor(box, dtype=torch.float64).cpu()
        boxes = corners.reshape(len(image), -1)[:, -4:]
        numbers = torch.arange(len(image), dtype=torch.float64)[:, None]
        boxes = torch.cat([numbers, boxes], 1)
        result: Refinement = self.refiner(
            image, prompt[:, -2:], features, logits, boxes
        )
        return result

    def encode_prompt(
        self, prompts: CropPrompts, memory: Any = None
    ) -> tuple[Tensor, Any]:
        """Draw prior and disks (1,3,H,W), as large as the segmentor knows them."""
        return self._maps(prompts, self.config.disk_radius_px), None

    def encode_focus(self, prompts: CropPrompts) -> Tensor:
        """Draw prior and disks (1,3,h,w) on a focus crop."""
        return self._maps(prompts, DISK_RADIUS_PX)

    @staticmethod
    def _maps(prompts: CropPrompts, radius_px: float) -> Tensor:
        size = (prompts.prior.shape[2], prompts.prior.shape[3])
        disks = draw_disks(prompts.points(), size, radius_px)
        return torch.cat([prompts.prior, disks], 1)

    def _halved(self, maps: Tensor) -> Tensor:
        if not self.config.halved:
            return maps
        return functional.interpolate(
            maps, scale_factor=0.5, mode="bilinear", align_corners=True
        )


class FocalClickHRNet(FocalClick, ClickedHRNet):
    """FocalClick with the segmentor of RITM."""

    def __init__(self, config: FocalClickConfig, size: HRNetSize) -> None:
        super().__init__(config, size)
        self.refiner = Refiner(2 * size.ocr_width, gate=False)

    def look(self, image: Tensor) -> Features:
        """Give the stem (B,64,h/2,w/2)."""
        return (self.see(image),)

    def reply(self, features: Features, prompt: Tensor) -> Attempt:
        """Answer at a quarter of the prompt's size."""
        answer = self.answer(features[0], prompt)
        return Attempt(answer.logits, answer.auxiliary, answer.maps)


class FocalClickSegFormer(FocalClick, SegFormer):
    """FocalClick with a SegFormer as segmentor."""

    def __init__(self, config: FocalClickConfig, size: SegFormerSize) -> None:
        super().__init__(config, size)
        self.refiner = Refiner(size.decoder, gate=True)

    def look(self, image: Tensor) -> Features:
        """Give the maps of the first stage (B,C,h/4,w/4)."""
        return (self.first_stage(image),)

    def reply(self, features: Features, prompt: Tensor) -> Attempt:
        """Answer at a quarter of the prompt's size."""
        logits, maps = self.other_stages(features[0], prompt)
        return Attempt(logits, maps=maps)
