"""SimpleClick: a plain Vision Transformer behind clicks (Liu et al., ICCV 2023)."""

from napari_simpleclick.networks.family import Family
from napari_simpleclick.networks.simpleclick.checkpoint import (
    INERT,
    UNUSED,
    load_mae,
    recognise,
)
from napari_simpleclick.networks.simpleclick.mae import mae_start
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
    encoders={"mae": mae_start(load_mae)},
    inert=INERT,
)
