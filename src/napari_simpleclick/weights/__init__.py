"""The numbers a network runs on: catalogue, download, reading checkpoints.

What needs no network is there without torch, whose import takes seconds.
"""

from typing import TYPE_CHECKING

import lazy_loader

from napari_simpleclick.weights.catalogue import Card, catalogue, find_card
from napari_simpleclick.weights.descriptions import Description, descriptions
from napari_simpleclick.weights.errors import WeightsError
from napari_simpleclick.weights.store import (
    download,
    is_local,
    load_weights,
    locate,
    locate_weights,
    spec_of,
)

if TYPE_CHECKING:
    from napari_simpleclick.weights.checkpoints import load_encoder, save_weights

__all__ = [
    "Card",
    "Description",
    "WeightsError",
    "catalogue",
    "descriptions",
    "download",
    "find_card",
    "is_local",
    "load_encoder",
    "load_weights",
    "locate",
    "locate_weights",
    "save_weights",
    "spec_of",
]

__getattr__, _, _ = lazy_loader.attach(
    __name__, submod_attrs={"checkpoints": ["load_encoder", "save_weights"]}
)
