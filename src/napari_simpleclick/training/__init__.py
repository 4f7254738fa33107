"""Training: samples, simulated clicks, loss and loop."""

from napari_simpleclick.training.config import (
    Stage,
    TrainConfig,
    read_config,
    ready_configs,
)
from napari_simpleclick.training.loop import train
from napari_simpleclick.training.training_run import Progress

__all__ = ["Progress", "Stage", "TrainConfig", "read_config", "ready_configs", "train"]
