"""How decided an answer is, and which of several is the most."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.inference.crops import Crop

Map = NDArray[np.float32]

CERTAIN, POSSIBLE = 0.7, 0.3
"""Probabilities between which an answer is undecided."""


class CropAnswer(NamedTuple):
    """An answer at one magnification.

    Parameters
    ----------
    crop : Crop
        What the network looked at, px of the image.
    probability : ndarray
        (h, w) float32 at the network's resolution.
    """

    crop: Crop
    probability: Map


def stability(probability: Map) -> float:
    """Give the share of the possible pixels (above 0.3) that are certain (above 0.7).

    Parameters
    ----------
    probability : ndarray
        Of any shape, float32.
    """
    certain = int(np.count_nonzero(probability > CERTAIN))
    return certain / max(int(np.count_nonzero(probability > POSSIBLE)), 1)


def most_stable(answers: Sequence[CropAnswer]) -> int:
    """Tell the number of the most stable answer; the last of several as stable.

    What was learned about other features of the answers (how much of the crop the
    object takes, what the next magnifications say, how sure they are) chose no better
    on image sets left out, and worse on sections of EM; see docs/first-look.md.
    """
    scores = [stability(one.probability) for one in answers]
    return len(scores) - 1 - int(np.argmax(scores[::-1]))
