"""HRNets trained on ImageNet, which RITM and FocalClick start from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_simpleclick.networks.family import EncoderStart
from napari_simpleclick.networks.hrnet.clicked import ENCODER
from napari_simpleclick.networks.starting import put_tensors, state_in

if TYPE_CHECKING:
    from napari_simpleclick.networks.hrnet.clicked import ClickedHRNet


def load(network: ClickedHRNet, content: Any) -> None:
    """Put the stem and the stages of such a checkpoint into a network, in place.

    Raises
    ------
    UserError
        A part of a sentence, if it is of another HRNet.
    """
    extractor = network.feature_extractor
    needed = [key for key in extractor.state_dict() if re.match(ENCODER, key)]
    choice = "the HRNet of the same width and depth"
    put_tensors(extractor, needed, state_in(content), choice)


START = EncoderStart(
    load,
    origin="HRNet trained on ImageNet (github.com/HRNet/HRNet-Image-Classification)",
)
