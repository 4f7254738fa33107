"""From the requests of a session to masks, one after the other; no Qt."""

from napari_simpleclick.workflow.engine import (
    Answer,
    Job,
    PredictionEngine,
    RememberedAnswer,
)
from napari_simpleclick.workflow.shared_predictor import SharedPredictor, Stopped

__all__ = [
    "Answer",
    "Job",
    "PredictionEngine",
    "RememberedAnswer",
    "SharedPredictor",
    "Stopped",
]
