"""What a predictor remembers of an object between two prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.inference.crops import Crop


@dataclass(frozen=True)
class ObjectState:
    """State of one object on one image, given by a prediction and taken by the next.

    To be kept and handed back, not to be looked into; two are equal if the next answer
    would be. ``ObjectState()`` is that of an object without prompts, and
    ``ObjectState(viewport=...)`` that of one which a person is about to click on.

    Parameters
    ----------
    crop : Crop or None
        The part of the image that the network looked at last.
    memory : object
        What the network's prompt encoder wants to see again; None for nothing.
    viewport : Viewport or None
        What the person saw of the image at the first click, in its px; the network is
        shown that while there is no object. None leaves it to the predictor.
    """

    crop: Crop | None = None
    memory: Any = None
    viewport: Viewport | None = None
