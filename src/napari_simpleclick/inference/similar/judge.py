"""Whether a mask is an object like the examples: a classifier of masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.similar.descriptors import STRIDE, covered
from napari_simpleclick.inference.similar.logistic import Logistic
from napari_simpleclick.inference.similar.places import around_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.inference.similar.candidates import Candidate
    from napari_simpleclick.inference.similar.descriptors import Descriptors

Map = NDArray[np.float32]

REACH = 2 * STRIDE
"""How far the surroundings of a mask reach, px of the network's input."""

RIGHT, WRONG = 0.7, 0.35
"""IoU with an example above which a mask is one, and below which it is none."""

REFUSED = 0.4
"""IoU above which a mask is what a person has rejected."""

REFUSED_WEIGHT = 5.0
"""Of what a person has rejected, against what is merely no example."""

PENALTY = 0.02
"""Of the weights; between 0.01 and 0.1 little changes on neural tissue."""

DOUBTED = 0.75
"""On a slice that may hold further objects, a mask that is no example is not learned
from if its places are likelier than so much of what those of examples usually are."""

FEW = 20
"""With so many examples the penalty is twice that with very many."""

TOLD = 25
"""After so many examples (what was rejected counts :data:`FEW` times), how likely their
places are has 37 percent of a say in what masks are."""


BY_PLACES = Logistic(
    np.zeros(2, np.float32),
    np.ones(2, np.float32),
    np.array([0, 10], np.float32),
    -2.5,
)
"""A judge that has learned nothing: even odds where places are a quarter likelier than
those around. What a classifier says that has seen few examples is too low elsewhere,
but the difference tells: on neural tissue, masks in its order have a mean precision of
0.59 to 0.70 with twelve examples, in the order of how likely they are 0.52 to 0.64."""


class Lesson(NamedTuple):
    """A mask, and what is known about it.

    Parameters
    ----------
    row : ndarray
        (D,) float32, its description; the first two numbers are how likely its places
        are, and how much likelier than those around.
    right, wrong : float
        IoU with the best example, and with the best of what is none.
    whole : bool
        Whether its slice holds no other objects of the kind.
    """

    row: Map
    right: float
    wrong: float
    whole: bool


def describe(candidate: Candidate, descriptors: Descriptors, likely: Map) -> Map:
    """Describe a mask: (D,) float32.

    It is what the maps of the view say inside and against what is around, how likely
    its places are, how sure the network was, and its size.
    """
    inside = covered(candidate.mask, descriptors.size)
    around = covered(around_of(candidate.mask, REACH), descriptors.size)
    own, rest = (
        float((likely * part).sum() / max(float(part.sum()), 1e-6))
        for part in (inside, around)
    )
    sure = float(candidate.probability[candidate.mask].mean())
    told = [own, own - rest, candidate.stability, sure, np.log(candidate.area)]
    pooled = descriptors.pooled(inside, around)
    return np.concatenate([np.array(told, np.float32), pooled])


def fit_judge(lessons: Sequence[Lesson]) -> Logistic:
    """Learn which masks are objects like the examples.

    The fewer examples there are, the more masks are judged by how likely their places
    are, and by that alone where nothing is known to be none. What a person has
    rejected says as much as many examples.
    """
    refused = np.array([one.wrong > REFUSED for one in lessons], bool)
    right = np.array([one.right > RIGHT for one in lessons], bool) & ~refused
    wrong = np.array([one.right < WRONG for one in lessons], bool) | refused
    if not right.any() or not wrong.any():
        return BY_PLACES
    rows = np.stack([one.row for one in lessons])
    certain = refused | np.array([one.whole for one in lessons], bool)
    limit = DOUBTED * float(np.median(rows[right, 0]))
    wrong &= certain | (rows[:, 0] < limit)
    if not wrong.any():
        return BY_PLACES
    chosen = right | wrong
    share = np.where(refused, REFUSED_WEIGHT, 1.0).astype(np.float32)
    count = np.count_nonzero(right)
    penalty = PENALTY * (1 + FEW / count)
    learned = Logistic.fitted(rows[chosen], right[chosen], share[chosen], penalty)
    told = count + FEW * np.count_nonzero(refused)
    return learned.mixed(BY_PLACES, float(np.exp(-told / TOLD)))
