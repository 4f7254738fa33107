"""Prompts on an image, asked about crops of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit
from torch.nn import functional

from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference.crops import Crop, map_click, resize_local
from napari_simpleclick.inference.focus import (
    ANSWER_ABOVE,
    PRIOR_ABOVE,
    box_in,
    focus_crop,
)
from napari_simpleclick.inference.prompt_pixels import as_clicks, corners_of
from napari_simpleclick.inference.stability import CropAnswer
from napari_simpleclick.networks import CropPrompts
from napari_simpleclick.networks.disks import DISK_RADIUS_PX
from napari_simpleclick.prompts import Box, Click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_simpleclick.inference.crop_network import Answer, CropNetwork
    from napari_simpleclick.inference.crops import ZoomIn
    from napari_simpleclick.inference.shown_image import ShownImage
    from napari_simpleclick.networks import Features
    from napari_simpleclick.prompts import Prompt


LARGEST_PX = 2**24
"""Answers on larger crops stay as coarse as the network's, and are enlarged in part."""


class Asked(NamedTuple):
    """What a network says about a crop, and what was asked.

    Parameters
    ----------
    answer : Answer
        What it says.
    crop : Crop
        The crop, in square px of the image.
    clicks : sequence of Click
        What stood for the prompts.
    """

    answer: Answer
    crop: Crop
    clicks: Sequence[Click]

    @property
    def seen(self) -> CropAnswer:
        """The probability, and where it was looked for."""
        probability = self.answer.logits.sigmoid()[0, 0].cpu().numpy()
        return CropAnswer(self.crop, probability)


class CropQuestions:
    """Asks a network about crops of one image; none is read or encoded twice.

    Prompts, priors, crops and answers are in square px of the image.

    Parameters
    ----------
    network : CropNetwork
        The network, and its memory.
    zoom : ZoomIn
        How large a crop is shown.
    image : ShownImage
        The image.
    """

    def __init__(self, network: CropNetwork, zoom: ZoomIn, image: ShownImage) -> None:
        self.image = image
        self._network, self._zoom = network, zoom
        self._keys: dict[tuple[Crop, tuple[int, int]], bytes] = {}

    def corners(self, asked: Sequence[Prompt]) -> list[Click]:
        """Give clicks that a crop has to hold."""
        shape = self.image.square
        return [click for one in asked for click in corners_of(one, shape)]

    def look(
        self, crop: Crop | None, around: bool = False
    ) -> tuple[Crop, tuple[int, int]]:
        """Tell which pixels a crop has, None being the whole image, and their size.

        Parameters
        ----------
        crop : Crop or None
            The crop.
        around : bool
            Whether there is an object that it was chosen around.
        """
        shape = self.image.square
        return crop or Crop.whole(shape), self._zoom.network_size(crop, shape, around)

    def ask(
        self,
        asked: Sequence[Prompt],
        prior: LocalMap | None,
        crop: Crop | None,
        memory: Any,
    ) -> Asked:
        """Ask the network about a crop.

        Parameters
        ----------
        asked : sequence of Prompt
            The prompts, oldest first.
        prior : LocalMap or None
            Probability to start from.
        crop : Crop or None
            The crop; None for the whole image.
        memory : object
            What came with the answer before.
        """
        (view, size), shape = self.look(crop, prior is not None), self.image.square
        spacing = DISK_RADIUS_PX * max(view.height / size[0], view.width / size[1])
        boxes = self._boxes(asked)
        clicks = [
            click
            for one in asked
            if one not in boxes
            for click in as_clicks(one, shape, spacing)
        ]
        features = self.features(view, size)
        prompts = self._crop_prompts(clicks, prior, view, size, boxes)
        answer = self._network.answer(features, prompts, memory)
        return Asked(answer, view, clicks or self.corners(asked))

    def _boxes(self, asked: Sequence[Prompt]) -> list[Box]:
        """Boxes that the network takes as they are."""
        if not self._network.spec.takes_boxes:
            return []
        return [one for one in asked if isinstance(one, Box)]

    def features(self, crop: Crop, size: tuple[int, int]) -> Features:
        """Features of a crop; neither read nor encoded anew while they are kept."""
        key = self._keys.get((crop, size))
        found = None if key is None else self._network.remembered(key)
        if found is None:
            key, found = self._network.encode(self.image.pixels(crop, size))
            self._keys[crop, size] = key
        return found

    def probability(
        self, asked: Asked, prior: LocalMap | None, focus_only: bool
    ) -> LocalMap:
        """Give an answer as a map of the image, refined if the network does so.

        Parameters
        ----------
        asked : Asked
            The answer.
        prior : LocalMap or None
            Probability that it started from.
        focus_only : bool
            Whether what is not refined stays what the prior was.

        Returns
        -------
        LocalMap
            float32 probability in [0, 1], 0 outside the crop.
        """
        answer, view, shape = asked.answer, asked.crop, self.image.square
        probability = answer.logits.sigmoid()
        if answer.maps is not None:
            result = LocalMap(shape, view.slices, _resized(probability, view)).full()
            self._refine(result, asked, prior, focus_only)
            return LocalMap.whole(result)
        if view.height * view.width > LARGEST_PX:
            coarse = probability[0, 0].cpu().numpy()
            return LocalMap(shape, view.slices, coarse, enlarged=True)
        return LocalMap(shape, view.slices, _resized(probability, view))

    def _refine(
        self,
        result: NDArray[np.float32],
        asked: Asked,
        prior: LocalMap | None,
        focus_only: bool,
    ) -> None:
        """Look again at what the last click changed, and write it into a result."""
        answer, view, clicks = asked
        before = np.zeros_like(result) if prior is None else prior.full()
        crop = focus_crop(result > ANSWER_ABOVE, before > PRIOR_ABOVE, clicks[-1], view)
        if crop is None:
            return
        size = self._zoom.size
        box = box_in(crop, view, (answer.logits.shape[2], answer.logits.shape[3]))
        prompts = self._crop_prompts(clicks, prior, crop, size)
        pixels = self.image.pixels(crop, size)
        fine = self._network.refine(pixels, prompts, answer, box)
        if focus_only:
            result[view.slices] = before[view.slices]
        result[crop.slices] = expit(_resized(fine, crop))

    def _crop_prompts(
        self,
        clicks: Sequence[Click],
        prior: LocalMap | None,
        crop: Crop,
        size: tuple[int, int],
        boxes: Sequence[Box] = (),
    ) -> CropPrompts:
        """Prior, clicks and boxes as they lie in a crop."""
        mask = torch.zeros(1, 1, *size, device=self._network.device)
        if prior is not None:
            mask[0, 0] = torch.from_numpy(resize_local(prior, crop, size))
        positive, negative = (
            tuple(map_click(c, crop, size) for c in clicks if c.positive is sign)
            for sign in (True, False)
        )
        corners = tuple(
            (
                *map_click(Click(box.row_min, box.column_min), crop, size),
                *map_click(Click(box.row_max, box.column_max), crop, size),
            )
            for box in boxes
        )
        return CropPrompts(mask, positive, negative, corners, crop)


def _resized(maps: Tensor, crop: Crop) -> NDArray[np.float32]:
    """Make maps (1,1,h,w) as large as a crop: (height, width)."""
    size = (crop.height, crop.width)
    maps = functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
    return np.asarray(maps[0, 0].cpu().numpy(), np.float32)
