"""SimpleClick: a plain Vision Transformer behind clicks (Liu et al., ICCV 2023)."""

from napari_simpleclick.networks.simpleclick.network import (
    SOURCES,
    Levels,
    SimpleClick,
    SimpleClickConfig,
)
from napari_simpleclick.networks.simpleclick.vit import resize_positions

__all__ = ["SOURCES", "Levels", "SimpleClick", "SimpleClickConfig", "resize_positions"]
