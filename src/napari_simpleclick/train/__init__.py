"""Training: samples, simulated clicks, loss and loop."""

from napari_simpleclick.train.config import Stage, TrainConfig, read_config
from napari_simpleclick.train.loop import Progress, train

__all__ = ["Progress", "Stage", "TrainConfig", "read_config", "train"]
