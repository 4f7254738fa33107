"""One image, its clicks and a prior mask to a probability map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.intensity import Window, check_image, default_window
from napari_simpleclick.inference.crops import Crop, ZoomIn, map_click, resize_crop
from napari_simpleclick.inference.devices import (
    Precision,
    choose_device,
    choose_precision,
    limited_threads,
    spare_threads,
)
from napari_simpleclick.inference.square_grid import SquareGrid
from napari_simpleclick.networks import SimpleClick, channels_last, draw_disks
from napari_simpleclick.prompts import Click, check_clicks
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.networks.baselines import Baseline

THRESHOLD = 0.49
"""Probability above which the published evaluation counts a pixel as object."""


class Predictor:
    """A network that is shown an image once and then answers clicks.

    Parameters
    ----------
    network : SimpleClick or Baseline
        The network, as :func:`napari_simpleclick.load_weights` returns it. It is
        moved to the device and set to evaluation mode.
    device : str
        ``auto`` or a torch device name.
    precision : {"auto", "float32", "bfloat16"}
        Number type of matrix products, see
        :func:`napari_simpleclick.inference.devices.choose_precision`.
    flip : bool
        Average the logits with those of the mirrored image, as the published
        evaluation does; costs twice the time.
    zoom : ZoomIn or None
        How crops are chosen; None zooms to the size the network was trained at.
    threads : int or None
        CPU threads; None leaves one core free.

    Attributes
    ----------
    crop : Crop or None
        The crop of the last prediction. It is part of the state of an object: to
        alternate between objects of one image, store it and put it back.

    Raises
    ------
    UserError
        If the device or precision is not available.
    """

    def __init__(
        self,
        network: SimpleClick | Baseline,
        device: str = "auto",
        precision: Precision = "auto",
        flip: bool = False,
        zoom: ZoomIn | None = None,
        threads: int | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        self.flip = flip
        self.zoom = zoom or ZoomIn(size=network.config.image_size)
        self.threads = threads or spare_threads()
        self.crop: Crop | None = None
        with enough_memory("the network"):
            self._network = channels_last(network.to(self.device)).eval()
        self._image: NDArray[Any] | None = None
        self._grid: SquareGrid | None = None
        self._window = Window(0.0, 1.0)
        self._seen: tuple[Crop, Tensor] | None = None

    def set_image(
        self,
        image: ArrayLike,
        window: Window | None = None,
        spacing: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Show the image that the next clicks are on.

        Parameters
        ----------
        image : array_like
            (H, W) or (H, W, 3), any integer or float type, any size. It is not
            copied.
        window : Window or None
            Intensities that become black and white; None chooses them, see
            :func:`napari_simpleclick.images.default_window`.
        spacing : tuple of float
            Height and width of a pixel, in any unit. The network sees oblong pixels
            resampled to square ones; clicks, priors and answers stay on the image's.

        Raises
        ------
        UserError
            If it is not one gray or RGB image, or a spacing is not positive.
        """
        array = np.asarray(image)
        check_image(array)
        height, width = array.shape[:2]
        self._grid = SquareGrid.covering((height, width), spacing)
        self._shape = height, width
        self._window = window or default_window(array)
        if self._grid is None:
            self._image = array
        else:
            self._image = self._grid.there(array, self._window.apply)
            self._window = Window(0.0, 1.0)
        self._seen = self.crop = None

    @property
    def extent(self) -> Crop | None:
        """The part of the image outside which the last answer is 0."""
        if self._grid is None or self.crop is None:
            return self.crop
        return self._grid.extent(self.crop)

    def predict(
        self,
        clicks: Sequence[Click],
        prior: ArrayLike | None = None,
        focus: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Predict the object that the clicks are on.

        Parameters
        ----------
        clicks : sequence of Click
            All clicks on this object, oldest first.
        prior : array_like or None
            (H, W) probability or mask to start from: what the click before returned,
            or any mask to be corrected. None starts a new object.
        focus : array_like or None
            (H, W) probability or mask that the crop is chosen around; None chooses
            it around the prior. An empty one shows the network the whole image.

        Returns
        -------
        ndarray
            (H, W) float32 probability in [0, 1], 0 outside the crop.

        Raises
        ------
        UserError
            If there is no image, no click, a click outside the image, or a prior of
            another shape.
        """
        if self._image is None:
            raise UserError("There is no image yet; call set_image first.")
        check_clicks(clicks, self._shape)
        height, width = self._image.shape[:2]
        before = None if prior is None else self._check_prior(prior)
        if before is None:
            self.crop = None
        if self._grid is not None:
            clicks = [self._grid.click(click) for click in clicks]
        seen = before if focus is None else self._check_prior(focus)
        self.crop = self.zoom.choose(seen, clicks, (height, width), self.crop)
        image = self._look(self.crop)
        memory = enough_memory("a prediction")
        with memory, torch.inference_mode(), limited_threads(self.threads):
            prompt = self._prompt(clicks, before, self.crop)
            probability = self._forward(image, prompt).sigmoid()
            answer = _resize(probability, (self.crop.height, self.crop.width))
        result = np.zeros((height, width), np.float32)
        result[self.crop.slices] = answer[0, 0].cpu().numpy()
        return result if self._grid is None else self._grid.back(result)

    def replay(
        self, clicks: Sequence[Click], prior: ArrayLike | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Predict after each of several clicks, each answer the prior of the next.

        Parameters
        ----------
        clicks : sequence of Click
            Clicks on one object, oldest first.
        prior : array_like or None
            (H, W) probability or mask to start from.

        Yields
        ------
        ndarray
            (H, W) float32 probability after each click.

        Raises
        ------
        UserError
            As :meth:`predict` does, before the first prediction.
        """
        if self._image is not None:
            check_clicks(clicks, self._shape)
        self.crop = None
        for count in range(1, len(clicks) + 1):
            prior = self.predict(clicks[:count], prior)
            yield prior

    def _check_prior(self, prior: ArrayLike) -> NDArray[np.float32]:
        """Refuse a prior of another shape, and bring it to the network's pixels."""
        array = np.asarray(prior)
        if array.shape != self._shape:
            raise UserError(
                f"The prior mask has shape {array.shape} but the image is "
                f"{self._shape[0]} x {self._shape[1]} px; give a mask of the same size."
            )
        unit = array.astype(np.float32, copy=False)
        if array.dtype != bool:  # a mask needs none of it, and a slice can be large
            unit = np.clip(np.nan_to_num(unit, nan=0.0), 0, 1)
        return unit if self._grid is None else self._grid.there(unit)

    def _look(self, box: Crop) -> Tensor:
        """Give the crop as (1,3,h,w); prepared once while clicks stay in it."""
        if self._seen is None or self._seen[0] != box:
            assert self._image is not None
            crop = resize_crop(self._image, box, self.zoom.size, self._window.apply)
            if crop.ndim == 2:
                crop = np.broadcast_to(crop[..., None], (*crop.shape, 3))
            channels = np.ascontiguousarray(crop.transpose(2, 0, 1))
            self._seen = box, torch.from_numpy(channels)[None].to(self.device)
        return self._seen[1]

    def _prompt(
        self, clicks: Sequence[Click], prior: NDArray[np.float32] | None, box: Crop
    ) -> Tensor:
        """Prior and click disks of the crop as (1,3,h,w)."""
        size = self.zoom.size
        mask = torch.zeros(1, 1, *size, device=self.device)
        if prior is not None:
            mask[0, 0] = torch.from_numpy(resize_crop(prior, box, size))
        signs = [
            [map_click(click, box, size) for click in clicks if click.positive is sign]
            for sign in (True, False)
        ]
        slots = max(len(places) for places in signs)
        points = torch.full((1, 2 * slots, 2), -1.0)
        for start, places in zip((0, slots), signs, strict=True):
            for slot, place in enumerate(places, start):
                points[0, slot] = torch.tensor(place)
        return torch.cat([mask, draw_disks(points.to(self.device), size)], 1)

    def _forward(self, image: Tensor, prompt: Tensor) -> Tensor:
        """Logits (1,1,h,w), averaged with the mirrored ones if flipping."""
        if self.flip:
            image = torch.cat([image, image.flip(3)])
            prompt = torch.cat([prompt, prompt.flip(3)])
        half = self.dtype == torch.bfloat16
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
            logits: Tensor = self._network(
                image.contiguous(memory_format=torch.channels_last), prompt
            ).float()
        if self.flip:
            logits = 0.5 * (logits[:1] + logits[1:].flip(3))
        return logits


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
