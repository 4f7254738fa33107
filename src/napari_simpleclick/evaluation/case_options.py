"""What a folder or a volume of cases leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.readers import IGNORED

if TYPE_CHECKING:
    from napari_simpleclick.evaluation.readers import Labels


@dataclass(frozen=True)
class CaseOptions:
    """What ``folder`` and ``volume`` leave open; published data sets ignore it.

    Parameters
    ----------
    ignore : int or None
        Label of pixels that are neither object nor background, as -1 always is.
    whole : bool
        Whether all labels of an image are one object, which is then instance 1.
    axis : int
        Axis of a volume, in file order, that it is cut along.
    every : int
        Distance between slices; the first has the index 0.
    min_area : int
        Smallest object, px in its image or slice.
    image, mask : str
        Globs below the root of volumes and their masks; a mask lies in the folder of
        its image. Without them, folders and names of the files decide.

    Raises
    ------
    UserError
        If ``axis`` is not 0, 1 or 2, or ``every`` is below 1.
    """

    ignore: int | None = None
    whole: bool = False
    axis: int = 2
    every: int = 1
    min_area: int = 1
    image: str = ""
    mask: str = ""

    def __post_init__(self) -> None:
        """Refuse slices that no volume has."""
        if self.axis not in range(3):
            raise UserError(f"The axis must be 0, 1 or 2, not {self.axis}.")
        if self.every < 1:
            raise UserError(f"The slice distance must be 1 or more, not {self.every}.")

    def apply(self, labels: Labels) -> Labels:
        """Labels (H, W) with the ignored ones -1, and one object if ``whole``."""
        if self.ignore is not None:
            labels = np.where(labels == self.ignore, np.int32(IGNORED), labels)
        return np.minimum(labels, 1) if self.whole else labels
