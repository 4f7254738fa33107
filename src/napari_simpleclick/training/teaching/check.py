"""Whether what was learned is worth having: the robot on objects not learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.evaluation.metrics import clicks_needed
from napari_simpleclick.inference import Predictor
from napari_simpleclick.training.teaching.examples import Example, Origin, by_slice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.networks import Network

TARGET_IOU = 0.85
"""A mask this good counts as done: a person's own masks are no better."""

MOST_CLICKS = 6
"""Clicks of the robot on an object; one that is not done then counts one more."""

OVERLAPS = 3
"""Clicks whose masks are compared."""

LEAST_GAIN = 0.01
"""Overlap, 0 to 1, that counts as a difference between masks."""

TOLERATED = 0.02
"""Overlap on other kinds of objects that may get lost without a word, 0 to 1."""


@dataclass(frozen=True)
class Score:
    """How a network does on some objects.

    Parameters
    ----------
    clicks : float
        Mean number of clicks to an IoU of 0.85.
    overlaps : tuple of float
        Mean IoU after 1, 2 and 3 clicks, 0 to 1.
    count : int
        Number of objects.
    """

    clicks: float
    overlaps: tuple[float, ...]
    count: int

    @property
    def overlap(self) -> float:
        """Mean over those clicks."""
        return float(np.mean(self.overlaps))

    def beats(self, other: Score) -> bool:
        """Whether objects need fewer clicks for masks no worse, or as many for better.

        Of few objects, one that happens to need a click less says little.
        """
        saved, gained = other.clicks - self.clicks, self.overlap - other.overlap
        return gained > (-LEAST_GAIN if saved > 1e-6 else LEAST_GAIN) and saved > -1e-6

    @classmethod
    def over(cls, scores: Sequence[Score]) -> Score:
        """Give the score of all objects of several scores."""
        counts = [one.count for one in scores]
        clicks = np.average([one.clicks for one in scores], weights=counts)
        overlaps = np.average([one.overlaps for one in scores], axis=0, weights=counts)
        return cls(float(clicks), tuple(map(float, overlaps)), sum(counts))

    def as_dict(self) -> dict[str, float]:
        """Give the numbers by name."""
        miou = {f"miou@{n}": round(v, 4) for n, v in enumerate(self.overlaps, start=1)}
        return {"noc85": round(self.clicks, 3), **miou}


def split_in_halves(
    examples: Sequence[Example], rng: np.random.Generator
) -> tuple[list[Example], list[Example]]:
    """Split examples in two halves that check each other.

    All examples of a slice come to the same half, so that the check is about slices
    that nothing was learned from, unless that leaves less than a third to one half, as
    where there is but one slice.

    Parameters
    ----------
    examples : sequence of Example
        At least two.
    rng : numpy.random.Generator
        Source of every draw.

    Returns
    -------
    tuple of list of Example
        Both halves, each in random order.
    """
    halves = _dealt(by_slice(examples), rng)
    if 3 * min(map(len, halves)) < len(examples):
        halves = _dealt([[one] for one in examples], rng)
    for half in halves:
        rng.shuffle(half)
    return halves


def _dealt(
    parts: Sequence[list[Example]], rng: np.random.Generator
) -> tuple[list[Example], list[Example]]:
    """Deal parts out to two halves, the largest first."""
    order = rng.permutation(len(parts))
    halves: tuple[list[Example], list[Example]] = [], []
    for part in sorted((parts[place] for place in order), key=len, reverse=True):
        min(halves, key=len).extend(part)
    return halves


def score(
    network: Network,
    examples: Sequence[Example],
    threads: int,
    seconds: float = math.inf,
    after_each: Callable[[], None] = lambda: None,
) -> Score:
    """Let the robot click on objects, at least three times on each.

    Parameters
    ----------
    network : Network
        Is not changed.
    examples : sequence of Example
        The objects.
    threads : int
        CPU threads.
    seconds : float
        No object is begun after so long, but the first two.
    after_each : callable
        Called after each object. An exception that it raises is passed on.
    """
    device = str(next(network.parameters()).device)
    predictor = Predictor(network, device, threads=threads)
    end, counts, curves = monotonic() + seconds, [], []
    for number, example in enumerate(examples):
        if number >= 2 and monotonic() > end:
            break
        predictor.set_image(example.image, example.window, example.spacing)
        truth = example.mask.astype(np.int32)
        turns = annotate(
            predictor,
            truth,
            MOST_CLICKS,
            TARGET_IOU,
            viewport=example.viewport,
            least=OVERLAPS,
        )
        ious = [turn.iou for turn in turns]
        counts.append(clicks_needed(ious, TARGET_IOU, MOST_CLICKS + 1))
        curves.append(ious[:OVERLAPS])
        after_each()
    means = np.mean(curves, axis=0)
    overlaps = tuple(float(value) for value in means)
    return Score(float(np.mean(counts)), overlaps, len(counts))


def other_kinds() -> list[Example]:
    """Give objects of other kinds: of the MRI sample, and of drawn bodies."""
    import nibabel

    from napari_simpleclick.samples import sample_path
    from napari_simpleclick.training.bodies import draw_body

    found = []
    image, labels = (
        np.asarray(nibabel.load(sample_path(name)).dataobj)
        for name in ("hippocampus.nii.gz", "hippocampus-labels.nii.gz")
    )
    for axis, index, label in ((2, 20, 1), (2, 28, 2), (1, 24, 2), (0, 22, 1)):
        mask = np.asarray(labels.take(index, axis) == label)
        origin = Origin("hippocampus", label, f"{axis} {index}")
        found.append(Example(image.take(index, axis), mask, origin=origin))
    for seed in range(3):
        drawn = draw_body(np.random.default_rng(seed))
        label = max(drawn.objects(), key=lambda one: int((drawn.labels == one).sum()))
        origin = Origin(f"body {seed}", label)
        found.append(Example(drawn.image, drawn.labels == label, origin=origin))
    return [one for one in found if one.mask.any()]
