"""Training: samples, simulated clicks, loss and loop."""

from napari_simpleclick.train.config import (
    Stage,
    TrainConfig,
    read_config,
    ready_configs,
)
from napari_simpleclick.train.loop import train
from napari_simpleclick.train.run import Progress

__all__ = ["Progress", "Stage", "TrainConfig", "read_config", "ready_configs", "train"]
