"""What an answer depended on, as it was when the answer was asked for."""

from __future__ import annotations

from dataclasses import dataclass

# pydantic reads these types when a session file is written or read
from napari_simpleclick.annotation.mask_options import MaskOptions  # noqa: TC001
from napari_simpleclick.images.view import DisplaySettings  # noqa: TC001


@dataclass(frozen=True)
class PredictionSettings:
    """All that an answer depends on besides the prompts and the image.

    Parameters
    ----------
    options : MaskOptions
        What shaped the mask.
    display : DisplaySettings
        Which intensities and channels the network saw.
    spacing : tuple of float
        Height and width of a pixel.
    model : str
        Name of the model in the catalogue, its path, or ``taught-`` and the digest of
        taught weights that lie beside the session.
    mode : {"fast", "exact", ""}
        How it was computed, see :class:`napari_simpleclick.inference.modes.Mode`.
        Empty here and below in sessions that do not say.
    precision : {"float32", "bfloat16", ""}
        Number type of matrix products.
    computed_by : {"pytorch", "openvino", ""}
        What computed.
    most_enlarged : float or None
        How many times crops around the object were enlarged at most; None, also in
        sessions that do not say, if all were enlarged to the network's usual input.
    weights : str
        SHA-256 of the weights' file, as a name may stand for others in another version;
        empty where it is not known.
    flip : bool or None
        Whether the answer was averaged with that of the mirrored image; None in
        sessions that do not say, in which it was in the exact mode alone.
    """

    options: MaskOptions
    display: DisplaySettings
    spacing: tuple[float, float]
    model: str
    mode: str = ""
    precision: str = ""
    computed_by: str = ""
    most_enlarged: float | None = None
    weights: str = ""
    flip: bool | None = None
