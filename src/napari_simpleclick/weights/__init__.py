"""The numbers a network runs on: catalogue, download, reading checkpoints."""

from napari_simpleclick.weights.catalogue import Card, catalogue
from napari_simpleclick.weights.checkpoints import load_mae, save_weights
from napari_simpleclick.weights.errors import WeightsError
from napari_simpleclick.weights.store import (
    download,
    is_local,
    load_weights,
    locate,
    locate_weights,
)

__all__ = [
    "Card",
    "WeightsError",
    "catalogue",
    "download",
    "is_local",
    "load_mae",
    "load_weights",
    "locate",
    "locate_weights",
    "save_weights",
]
