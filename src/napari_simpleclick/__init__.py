"""Interactive segmentation in napari: a click becomes a mask.

The public names load on first use, so that importing the package needs neither torch
nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_simpleclick.clicks import Click

if TYPE_CHECKING:
    from napari_simpleclick import networks
    from napari_simpleclick.predict import Predictor
    from napari_simpleclick.weights import load_weights

__version__ = "0.1.0"
__all__ = ["Click", "Predictor", "__version__", "load_weights", "networks"]

_HOMES = {"Predictor": "predict", "load_weights": "weights"}


def __getattr__(name: str) -> Any:
    if name == "networks":
        return import_module("napari_simpleclick.networks")
    if name in _HOMES:
        return getattr(import_module(f"napari_simpleclick.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'napari_simpleclick' has no attribute '{name}'")
