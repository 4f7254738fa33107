"""One image, its clicks and a prior mask to a probability map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

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
    with_lower_weights,
)
from napari_simpleclick.inference.features import LIMIT_BYTES, FeatureCache
from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.inference.square_grid import SquareGrid
from napari_simpleclick.networks import (
    CropPrompts,
    Network,
    channels_last,
    join_prompts,
)
from napari_simpleclick.prompts import Click, check_prompts
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.networks import EncodedPrompt, Features

THRESHOLD = 0.49
"""Probability above which the published evaluation counts a pixel as object."""


class Predictor:
    """A network that is shown an image once and then answers clicks.

    Parameters
    ----------
    network : Network
        The network, as :func:`napari_simpleclick.load_weights` returns it. It is
        moved to the device and set to evaluation mode; its weights are not changed,
        and what they become later need not reach this predictor.
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
    features_bytes : int
        Memory for features of crops that were shown before, for networks that encode
        once; the others keep those of the last crop alone.

    Raises
    ------
    UserError
        If the device or precision is not available.
    """

    def __init__(
        self,
        network: Network,
        device: str = "auto",
        precision: Precision = "auto",
        flip: bool = False,
        zoom: ZoomIn | None = None,
        threads: int | None = None,
        features_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        self.flip = flip
        self.zoom = zoom or ZoomIn(size=network.spec.image_size)
        self.threads = threads or spare_threads()
        self._state = ObjectState()
        with enough_memory("the network"):
            ready = channels_last(network.to(self.device)).eval().for_inference()
            self._network = with_lower_weights(ready, self.dtype)
        self._image: NDArray[Any] | None = None
        self._grid: SquareGrid | None = None
        self._window = Window(0.0, 1.0)
        self._keys: dict[Crop, bytes] = {}
        limit = features_bytes if network.spec.encodes_once else 0
        self._features = FeatureCache(limit)

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
        self._keys, self._state = {}, ObjectState()

    def extent(self, state: ObjectState) -> Crop | None:
        """Tell outside which part of the image an answer is 0, in px of the image.

        Parameters
        ----------
        state : ObjectState
            What came with the answer.

        Returns
        -------
        Crop or None
            None before the first prompt.
        """
        if self._grid is None or state.crop is None:
            return state.crop
        return self._grid.extent(state.crop)

    @overload
    def predict(
        self,
        prompts: Sequence[Click],
        prior: ArrayLike | None = ...,
        *,
        focus: ArrayLike | None = ...,
    ) -> NDArray[np.float32]: ...

    @overload
    def predict(
        self,
        prompts: Sequence[Click],
        prior: ArrayLike | None = ...,
        *,
        state: ObjectState,
        focus: ArrayLike | None = ...,
    ) -> tuple[NDArray[np.float32], ObjectState]: ...

    def predict(
        self,
        prompts: Sequence[Click],
        prior: ArrayLike | None = None,
        *,
        state: ObjectState | None = None,
        focus: ArrayLike | None = None,
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], ObjectState]:
        """Predict the object that the prompts are on.

        Parameters
        ----------
        prompts : sequence of Click
            All clicks on this object, oldest first.
        prior : array_like or None
            (H, W) probability or mask to start from: what the click before returned,
            or any mask to be corrected. None starts a new object.
        state : ObjectState or None
            What came with the answer before on this object, or ``ObjectState()`` for
            the first; the answer comes with the next state then, so that objects can
            be alternated between. None goes on from the last call, unless there is no
            prior.
        focus : array_like or None
            (H, W) probability or mask that the crop is chosen around; None chooses
            it around the prior. An empty one shows the network the whole image.

        Returns
        -------
        ndarray
            (H, W) float32 probability in [0, 1], 0 outside the crop.
        ObjectState
            Only if a state was given.

        Raises
        ------
        UserError
            If there is no click, a click outside the image, or a prior of another
            shape.
        ValueError
            If there is no image yet.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_simpleclick import Click, Predictor, load_weights
        >>> predictor = Predictor(load_weights("bundled")[0])
        >>> predictor.set_image(np.eye(64) * 255)
        >>> predictor.predict([Click(20, 20)]).shape
        (64, 64)
        """
        if self._image is None:
            raise ValueError("There is no image yet; call set_image first.")
        check_prompts(prompts, self._shape)
        before = None if prior is None else self._check_prior(prior)
        if state is not None:
            now = state
        else:
            now = ObjectState() if before is None else self._state
        seen = before if focus is None else self._check_prior(focus)
        answer, self._state = self._answer(prompts, before, seen, now)
        return answer if state is None else (answer, self._state)

    def _answer(
        self,
        clicks: Sequence[Click],
        prior: NDArray[np.float32] | None,
        focus: NDArray[np.float32] | None,
        state: ObjectState,
    ) -> tuple[NDArray[np.float32], ObjectState]:
        assert self._image is not None
        height, width = self._image.shape[:2]
        if self._grid is not None:
            clicks = [self._grid.click(click) for click in clicks]
        crop = self.zoom.choose(focus, clicks, (height, width), state.crop)
        memory = enough_memory("a prediction")
        with memory, torch.inference_mode(), limited_threads(self.threads):
            features = self._encode(crop)
            asked = self._crop_prompts(clicks, prior, crop)
            prompt, remembered = self._network.encode_prompt(asked, state.memory)
            probability = self._decode(features, prompt).sigmoid()
            answer = _resize(probability, (crop.height, crop.width))
        result = np.zeros((height, width), np.float32)
        result[crop.slices] = answer[0, 0].cpu().numpy()
        if self._grid is not None:
            result = self._grid.back(result)
        return result, ObjectState(crop, remembered)

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
            check_prompts(clicks, self._shape)
        state = ObjectState()
        for count in range(1, len(clicks) + 1):
            answer, state = self.predict(clicks[:count], prior, state=state)
            prior = answer
            yield answer

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

    def _encode(self, crop: Crop) -> Features:
        """Features of a crop; encoded once while they are remembered."""
        key = self._keys.get(crop)
        if key is not None and key in self._features:
            return self._features.get(key)
        assert self._image is not None
        pixels = resize_crop(self._image, crop, self.zoom.size, self._window.apply)
        key = self._keys[crop] = self._features.key(pixels)
        if key not in self._features:
            self._features.put(key, self._encode_pixels(pixels))
        return self._features.get(key)

    def _encode_pixels(self, pixels: NDArray[np.float32]) -> Features:
        """Features of an input (h, w) or (h, w, 3), and of its mirror if flipping."""
        if pixels.ndim == 2:
            pixels = np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
        channels = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        image = torch.from_numpy(channels)[None].to(self.device)
        if self.flip:
            image = torch.cat([image, image.flip(3)])
        with self._autocast():
            return self._network.encode(
                image.contiguous(memory_format=torch.channels_last)
            )

    def _crop_prompts(
        self, clicks: Sequence[Click], prior: NDArray[np.float32] | None, crop: Crop
    ) -> CropPrompts:
        """Prior and clicks as they lie in a crop."""
        size = self.zoom.size
        mask = torch.zeros(1, 1, *size, device=self.device)
        if prior is not None:
            mask[0, 0] = torch.from_numpy(resize_crop(prior, crop, size))
        positive, negative = (
            tuple(map_click(c, crop, size) for c in clicks if c.positive is sign)
            for sign in (True, False)
        )
        return CropPrompts(mask, positive, negative)

    def _decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Logits (1,1,h,w), averaged with the mirrored ones if flipping."""
        if self.flip:
            prompt = join_prompts([prompt, self._network.flip_prompt(prompt)])
        with self._autocast():
            logits = self._network.decode(features, prompt).float()
        if self.flip:
            logits = 0.5 * (logits[:1] + logits[1:].flip(3))
        return logits

    def _autocast(self) -> torch.autocast:
        half = self.dtype == torch.bfloat16
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half)


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
