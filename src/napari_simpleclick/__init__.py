"""Interactive segmentation in napari: a click becomes a mask.

The public names load on first use, so that importing the package needs neither torch
nor Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from napari_simpleclick.clicks import Click

if TYPE_CHECKING:
    from napari_simpleclick import evaluate, networks
    from napari_simpleclick.predict import Predictor
    from napari_simpleclick.weights import load_weights

__version__ = "0.1.0"
__all__ = ["Click", "Predictor", "__version__", "evaluate", "load_weights", "networks"]

__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submodules=["evaluate", "networks"],
    submod_attrs={"predict": ["Predictor"], "weights": ["load_weights"]},
)
