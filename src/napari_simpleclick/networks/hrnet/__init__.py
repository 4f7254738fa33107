"""HRNet with object-contextual representations, as RITM and FocalClick click on it."""

from napari_simpleclick.networks.hrnet import imagenet
from napari_simpleclick.networks.hrnet.backbone import resized
from napari_simpleclick.networks.hrnet.clicked import (
    Answer,
    ClickedHRNet,
    HRNetSize,
    size_of,
)

__all__ = ["Answer", "ClickedHRNet", "HRNetSize", "imagenet", "resized", "size_of"]
