"""Whether a second look at what a click changed helps a network without a refiner.

    python benchmarks/focus_crop.py SSTEM [WEIGHTS]

The robot annotates the smallest objects of a set in the layout of ssTEM three times: as
the network is used; with FocalClick's focus crop, which the network itself looks at
after each click, starting from its answer; and with crops that follow small objects
closely instead. It prints mean IoU after 1, 3 and 5 clicks and seconds a click.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import numpy as np

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation import find_cases
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.inference import ObjectState, ZoomIn
from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.inference.focus import ANSWER_ABOVE, PRIOR_ABOVE, focus_crop

OBJECTS = 12
LEAST_PX = 60
"""Smaller objects are specks of the annotation."""

CLICKS = 5
CLOSE_PX = 32
"""Shortest side of a close crop."""


class TwoLooks:
    """A predictor that looks again at what the last click changed."""

    def __init__(self, first: Predictor, close: Predictor) -> None:
        self.first, self.close = first, close

    def set_image(self, image) -> None:
        """Show an image to both."""
        self.first.set_image(image)
        self.close.set_image(image)

    def predict(self, prompts, prior=None, *, state, focus=None):
        """Predict, and paste what the second look says into the focus crop."""
        answer, state = self.first.predict(prompts, prior, state=state, focus=focus)
        before = np.zeros_like(answer) if prior is None else prior
        view = Crop.whole(answer.shape)
        crop = focus_crop(
            answer > ANSWER_ABOVE, before > PRIOR_ABOVE, prompts[-1], view
        )
        if crop is not None:
            wanted = np.zeros_like(answer)
            wanted[crop.slices] = 1
            closely, _ = self.close.predict(
                prompts, answer, state=ObjectState(), focus=wanted
            )
            answer = answer.copy()
            answer[crop.slices] = closely[crop.slices]
        return answer, state


def smallest(root: Path):
    """Cases of the smallest objects."""
    sized = [(int((case.load()[1] == 1).sum()), case) for case in _cases(root)]
    sized = [pair for pair in sized if pair[0] >= LEAST_PX]
    return sorted(sized, key=lambda pair: pair[0])[:OBJECTS]


def _cases(root: Path):
    return find_cases("sstem", root)


def main() -> None:
    root = Path(sys.argv[1])
    network, _ = load_weights(sys.argv[2] if len(sys.argv) > 2 else "encode-once")
    size = network.spec.image_size
    exact = ZoomIn(size, expansion=1.0, min_side=CLOSE_PX, renew_below=math.inf)
    near = ZoomIn(size, min_side=CLOSE_PX, renew_below=math.inf)
    usual, close, following = (
        Predictor(network, "cpu", zoom=zoom, threads=1, flip=False)
        for zoom in (ZoomIn.of(network.spec), exact, near)
    )
    ways = {
        "as it is": usual,
        "focus crop": TwoLooks(usual, close),
        "closer crops": following,
    }
    chosen = smallest(root)
    areas = [area for area, _ in chosen]
    print(f"{len(chosen)} objects of {areas[0]} to {areas[-1]} px")
    for name, predictor in ways.items():
        ious, start = [], time.process_time()
        for _, case in chosen:
            image, truth = case.load()
            predictor.set_image(image)
            turns = annotate(predictor, truth, CLICKS)
            ious.append([turn.iou for turn in turns])
        spent = (time.process_time() - start) / (CLICKS * len(chosen))
        mean = 100 * np.mean(ious, axis=0)
        cells = ", ".join(f"{mean[count - 1]:.1f}" for count in (1, 3, 5))
        print(f"{name}: {cells}; {spent:.2f} s a click", flush=True)


if __name__ == "__main__":
    main()
