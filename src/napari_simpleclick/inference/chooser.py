"""Which of several answers to a first click is the best."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.inference.answer_features import NAMES, describe
from napari_simpleclick.networks import NETWORKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.inference.answer_features import CropAnswer
    from napari_simpleclick.networks import Network

FILE = "first_look.json"
"""What choosers have learned, by the name of their network, in this folder."""


@dataclass(frozen=True)
class Chooser:
    """Scores answers at several magnifications by a few of their features.

    Parameters
    ----------
    weights : mapping of str to float
        Of features, see :mod:`.answer_features`; those left out do not count.
    """

    weights: Mapping[str, float]

    @classmethod
    def of(cls, network: Network) -> Chooser:
        """Give what was learned on the answers of a network.

        One on whose answers nothing was learned is served by :data:`MOST_STABLE`.
        """
        for name, learned in _learned().items():
            known = NETWORKS.get(name)
            if known is not None and _is(network, known):
                return cls(learned["weights"])
        return MOST_STABLE

    def scores(self, answers: Sequence[CropAnswer]) -> NDArray[np.float64]:
        """Score answers; the highest is the best.

        Parameters
        ----------
        answers : sequence of CropAnswer
            To the same click, the smallest crop first.

        Returns
        -------
        ndarray
            (answers,) float64.
        """
        row = [self.weights.get(name, 0.0) for name in NAMES]
        return np.asarray(describe(answers) @ np.array(row))

    def choose(self, answers: Sequence[CropAnswer]) -> int:
        """Tell the number of the best answer; the larger crop of two as good."""
        scores = self.scores(answers)
        return len(scores) - 1 - int(np.argmax(scores[::-1]))


MOST_STABLE = Chooser({"stability": 1.0})
"""Takes the answer with the fewest pixels that are neither in nor out."""


def _is(network: Network, known: Any) -> bool:
    return type(network.config) is type(known) and network.config.is_variant(known)


@cache
def _learned() -> dict[str, Any]:
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return dict(json.loads(text))
