"""Interactive segmentation in napari: a click becomes a mask.

The public names load on first use, so that importing the package needs neither NumPy,
torch nor Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lazy_loader

from napari_simpleclick import _old_paths

if TYPE_CHECKING:
    from napari_simpleclick import networks
    from napari_simpleclick.errors import UserError
    from napari_simpleclick.evaluation.protocol import evaluate
    from napari_simpleclick.images.files import read_image, write_labels
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.measurement import measure
    from napari_simpleclick.prompts import Box, Click, Lasso, Scribble
    from napari_simpleclick.propagation import propagate_mask
    from napari_simpleclick.training import train
    from napari_simpleclick.training.teaching import teach
    from napari_simpleclick.weights import load_weights

    __version__: str

__all__ = [
    "Box",
    "Click",
    "Lasso",
    "Predictor",
    "Scribble",
    "UserError",
    "__version__",
    "evaluate",
    "load_weights",
    "measure",
    "networks",
    "propagate_mask",
    "read_image",
    "teach",
    "train",
    "write_labels",
]

_old_paths.install()
_lazy, _, _ = lazy_loader.attach(
    __name__,
    submodules=["networks"],
    submod_attrs={
        "errors": ["UserError"],
        "images.files": ["read_image", "write_labels"],
        "inference": ["Predictor"],
        "measurement": ["measure"],
        "prompts": ["Box", "Click", "Lasso", "Scribble"],
        "propagation": ["propagate_mask"],
        "training.teaching": ["teach"],
        "weights": ["load_weights"],
    },
)


def __getattr__(name: str) -> Any:
    if name in _old_paths.FUNCTIONS:
        return _old_paths.function_and_room(name)
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-simpleclick")
    return _lazy(name)


def __dir__() -> list[str]:
    return list(__all__)
