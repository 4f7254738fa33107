"""Whether what was learned is worth having: the robot on objects that were held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.evaluation.metrics import clicks_needed
from napari_simpleclick.inference import Predictor
from napari_simpleclick.training.teaching.examples import Example, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.networks import Network

TARGET_IOU = 0.85
"""A mask this good counts as done: a person's own masks are no better."""

MOST_CLICKS = 6
"""Clicks of the robot on an object; one that is not done then counts one more."""

OVERLAPS = 3
"""Clicks whose masks are compared."""

MOST_HELD_OUT = 6
"""Objects that are held out, at most."""

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

    def as_dict(self) -> dict[str, float]:
        """Give the numbers by name."""
        miou = {f"miou@{n}": round(v, 4) for n, v in enumerate(self.overlaps, start=1)}
        return {"noc85": round(self.clicks, 3), **miou}


def hold_out(
    examples: Sequence[Example], rng: np.random.Generator
) -> tuple[list[Example], list[Example]]:
    """Split examples in those to learn from and those to check with.

    Where there are several slices, those that came last are held out, so that the
    check is about slices that nothing was learned from; else objects at random.

    Parameters
    ----------
    examples : sequence of Example
        At least two.
    rng : numpy.random.Generator
        Source of every draw.
    """
    count = len(examples)
    held = 1 if count < 5 else min(MOST_HELD_OUT, max(2, round(count / 3)))
    slices = [(one.origin.image, one.origin.plane) for one in examples]
    order = {place: number for number, place in enumerate(dict.fromkeys(slices))}
    ranks = np.array([order[place] for place in slices])
    chosen = set(np.lexsort((rng.random(count), -ranks))[:held].tolist())
    kept = [one for number, one in enumerate(examples) if number not in chosen]
    return kept, [examples[number] for number in sorted(chosen)]


def score(
    network: Network,
    examples: Sequence[Example],
    threads: int,
    seconds: float = math.inf,
) -> Score:
    """Let the robot click on objects.

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
            predictor, truth, MOST_CLICKS, TARGET_IOU, viewport=example.viewport
        )
        ious = [turn.iou for turn in turns]
        counts.append(clicks_needed(ious, TARGET_IOU, MOST_CLICKS + 1))
        ious += ious[-1:] * (OVERLAPS - len(ious))
        curves.append(ious[:OVERLAPS])
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
