"""SimpleClick: a plain Vision Transformer behind clicks (Liu et al., ICCV 2023)."""

from napari_simpleclick.networks.network import EncoderStart, Family
from napari_simpleclick.networks.simpleclick.checkpoint import (
    INERT,
    MAE_ORIGIN,
    UNUSED,
    load_mae,
    recognise,
)
from napari_simpleclick.networks.simpleclick.network import (
    SimpleClick,
    SimpleClickConfig,
)
from napari_simpleclick.networks.simpleclick.sizes import SIZES

__all__ = ["FAMILY", "SimpleClick", "SimpleClickConfig"]

FAMILY = Family(
    "SimpleClick",
    SIZES,
    recognise,
    unused=UNUSED,
    encoders={"mae": EncoderStart(load_mae, None, MAE_ORIGIN, "CC BY-NC 4.0")},
    inert=INERT,
)
