"""Validation: the robot annotator on images that were held out."""

from __future__ import annotations

import time
import zlib
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.evaluation.metrics import summarise
from napari_simpleclick.evaluation.result import CaseResult, Result
from napari_simpleclick.inference import Predictor, ZoomIn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_simpleclick.evaluation.report import Strip
    from napari_simpleclick.networks import Network
    from napari_simpleclick.training.images import LabelledImage

CLICKS = 5
"""Clicks per object."""

OBJECTS = 40
"""Objects per validation, shared evenly among the sets."""

Sets = dict[str, list["LabelledImage"]]


def split(
    sets: Mapping[str, Sequence[LabelledImage]],
    share: float,
    same_names: Sequence[Sequence[str]] = (),
) -> tuple[Sets, Sets]:
    """Split every set by the names of its files, so that a volume stays together.

    Parameters
    ----------
    sets : mapping of str to sequence of LabelledImage
        Images by set.
    share : float
        Of the files that are held out, 0 to 1; the same ones every time.
    same_names : sequence of sequence of str
        Groups of sets in which files of one name are of one patient, or specimen; they
        are in one part.

    Returns
    -------
    tuple of dict
        Images to learn from, and those held out.

    Raises
    ------
    UserError
        If a set is in more than one group.
    """
    groups: dict[str, str] = {}
    for group in same_names:
        for name in group:
            if name in groups:
                raise UserError(
                    f"same_names: '{name}' is in two groups; name it in one of them."
                )
            groups[name] = min(group)
    parts: tuple[Sets, Sets] = {}, {}
    for name, images in sets.items():
        for image in images:
            key = f"{groups.get(name, name)}/{image.name}"
            draw = zlib.crc32(key.encode()) / 2**32
            parts[draw < share].setdefault(name, []).append(image)
    return parts


class Validation:
    """A fixed choice of held-out objects, annotated by the robot now and then.

    Parameters
    ----------
    sets : mapping of str to sequence of LabelledImage
        Held-out images by set.
    folder : Path
        Where the page with the best and worst cases goes.
    seed : int
        Of the choice of objects.
    """

    def __init__(
        self, sets: Mapping[str, Sequence[LabelledImage]], folder: Path, seed: int
    ) -> None:
        self.folder = folder
        rng = np.random.default_rng(seed)
        each = max(1, OBJECTS // max(1, len(sets)))
        self._cases: dict[tuple[str, int], LabelledImage] = {}
        for name, images in sets.items():
            for index in rng.permutation(len(images))[:each]:
                image = images[index]
                label = int(rng.choice(list(image.objects())))
                self._cases[f"{name}/{image.name} {index}", label] = image

    def __len__(self) -> int:
        """Count the objects."""
        return len(self._cases)

    def run(self, network: Network, size: int, about: Mapping[str, Any]) -> Result:
        """Annotate the objects and write the page.

        Parameters
        ----------
        network : Network
            Is copied.
        size : int
            Side of the network's input, px.
        about : mapping
            Where the run stands, for the settings of the result.

        Returns
        -------
        Result
            Over five clicks without flip.
        """
        from napari_simpleclick.evaluation.report import extremes, write_report

        device = next(network.parameters()).device
        zoom = ZoomIn((size, size))
        predictor = Predictor(deepcopy(network), str(device), zoom=zoom, threads=1)
        strips = [self._strip(key, predictor) for key in self._cases]
        result = summarise(
            "held out",
            [strip.case for strip in strips],
            weights="average",
            settings={"size": [size, size], "flip": False, **about},
            most=CLICKS,
        )
        drawn = {strip.case: strip for strip in strips}
        groups = zip(("best", "worst"), extremes(result), strict=True)
        shown = {name: [drawn[case] for case in cases] for name, cases in groups}
        write_report([result], self.folder, shown)
        return result

    def _strip(self, key: tuple[str, int], predictor: Predictor) -> Strip:
        from napari_simpleclick.evaluation.report import Strip

        start, image = time.perf_counter(), self._cases[key]
        truth = (image.labels == key[1]).astype(np.int32)
        predictor.set_image(image.image)
        turns = annotate(predictor, truth, CLICKS)
        case = CaseResult(
            name=key[0],
            instance=key[1],
            clicks=tuple(
                (int(t.click.row), int(t.click.column), t.click.positive) for t in turns
            ),
            ious=tuple(turn.iou for turn in turns),
            seconds=time.perf_counter() - start,
        )
        masks = {number: turn.mask for number, turn in enumerate(turns, start=1)}
        return Strip(case, image.image, truth, masks)
