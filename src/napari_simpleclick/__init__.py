"""Interactive segmentation in napari: a click becomes a mask.

The public names load on first use, so that importing the package needs neither torch
nor Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from napari_simpleclick.prompts import Box, Click, Scribble

if TYPE_CHECKING:
    from napari_simpleclick import evaluation, networks
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.weights import load_weights

__version__ = "0.1.0"
__all__ = [
    "Box",
    "Click",
    "Predictor",
    "Scribble",
    "__version__",
    "evaluation",
    "load_weights",
    "networks",
]

__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submodules=["evaluation", "networks"],
    submod_attrs={"inference": ["Predictor"], "weights": ["load_weights"]},
)
