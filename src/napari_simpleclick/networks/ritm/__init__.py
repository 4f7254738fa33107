"""RITM: HRNet behind clicks and the mask before (Sofiiuk et al., ICIP 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.attempt import Attempt
from napari_simpleclick.networks.family import Family
from napari_simpleclick.networks.hrnet import (
    ClickedHRNet,
    HRNetSize,
    imagenet,
    resized,
    size_of,
)
from napari_simpleclick.networks.network import (
    EncodedPrompt,
    Features,
    NetworkConfig,
    NetworkSpec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAMILY", "RITM", "RITMConfig"]


@dataclass(frozen=True)
class RITMConfig(NetworkConfig):
    """Everything that the weights of a RITM network have to agree on.

    Parameters
    ----------
    size : HRNetSize
        Of the network.
    """

    size: HRNetSize

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        return NetworkSpec(self.image_size)

    def build(self) -> RITM:
        """Build a network with fresh weights, in training mode."""
        return RITM(self)


class RITM(ClickedHRNet):
    """Image and prompt to mask logits.

    Parameters
    ----------
    config : RITMConfig
        Sizes of the network.
    """

    def __init__(self, config: RITMConfig) -> None:
        super().__init__(config, config.size)

    def encode(self, image: Tensor) -> Features:
        """Give the stem (B,64,H/2,W/2) of an image (B,3,H,W) in [0, 1]."""
        return (self.see(image),)

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Give logits (B,1,H,W) of a stem and a prompt (B,3,H,W)."""
        assert isinstance(prompt, Tensor)
        return resized(self.answer(features[0], prompt).logits, prompt)

    def attempt(self, features: Features, prompt: EncodedPrompt) -> Attempt:
        """Answer, and give the coarse answer that context was gathered with."""
        assert isinstance(prompt, Tensor)
        answer = self.answer(features[0], prompt)
        return Attempt(
            resized(answer.logits, prompt), resized(answer.auxiliary, prompt)
        )


SIZE_PX = (400, 400)
"""Longest side of a crop in the published evaluation."""

SIZES = {
    "ritm-hrnet18s": RITMConfig(HRNetSize(18, 48, small=True), image_size=SIZE_PX),
    "ritm-hrnet18": RITMConfig(HRNetSize(18, 64), image_size=SIZE_PX),
    "ritm-hrnet32": RITMConfig(HRNetSize(32, 128), image_size=SIZE_PX),
}
"""Configurations by name."""


def recognise(
    state: Mapping[str, Tensor], about: Mapping[str, Any]
) -> RITMConfig | None:
    """Find the configuration of a state dict; None if it is of another family."""
    del about  # the tensors tell everything
    if (
        "feature_extractor.aux_head.0.weight" not in state
        or "maps_transform.3.scale" not in state
        or any(key.startswith("refiner.") for key in state)
    ):
        return None
    try:
        return RITMConfig(size_of(state), image_size=SIZE_PX)
    except KeyError as error:
        raise UserError(f"it lacks {error}") from error


FAMILY = Family("RITM", SIZES, recognise, encoders={"hrnet": imagenet.START})
