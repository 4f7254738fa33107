"""A network on a device, asked about crops of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_simpleclick.inference.devices import with_lower_weights
from napari_simpleclick.inference.features import FeatureCache
from napari_simpleclick.networks import channels_last, join_prompts
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.networks import CropPrompts, Features, Network

Pixels = NDArray[np.float32]
"""(h, w) or (h, w, 3) float32 in [0, 1]."""


class Answer(NamedTuple):
    """What a network says about a crop.

    Parameters
    ----------
    logits : Tensor
        (1,1,h,w) float32.
    memory : object
        What its prompt encoder wants to see again.
    maps : Tensor or None
        (1,C,·,·), what a network that refines needs for it.
    """

    logits: Tensor
    memory: Any
    maps: Tensor | None


class CropNetwork:
    """Runs a network, and keeps the features of what it has looked at.

    Parameters
    ----------
    network : Network
        The network; it is moved to the device and set to evaluation mode.
    device : torch.device
        What computes.
    dtype : torch.dtype
        Number type of matrix products.
    flip : bool
        Average the logits with those of the mirrored crop; what is refined is not.
    features_bytes : int
        Memory for features of a network that encodes once.
    """

    def __init__(
        self,
        network: Network,
        device: torch.device,
        dtype: torch.dtype,
        flip: bool,
        features_bytes: int,
    ) -> None:
        self.spec, self.device, self.flip = network.spec, device, flip
        self._dtype = dtype
        with enough_memory("the network"):
            ready = channels_last(network.to(device)).eval().for_inference()
            self._network = with_lower_weights(ready, dtype)
        self._keys: dict[Any, bytes] = {}
        self._features = FeatureCache(features_bytes if self.spec.encodes_once else 0)

    def forget(self) -> None:
        """Take places for those of a new image; features stay known by their pixels."""
        self._keys = {}

    def encode(self, place: Any, read: Callable[[], Pixels]) -> Features:
        """Encode a crop, unless its features are remembered.

        Parameters
        ----------
        place : hashable
            Which crop of the image, at which size.
        read : callable
            Gives its pixels; called only if need be.
        """
        key = self._keys.get(place)
        if key is not None and key in self._features:
            return self._features.get(key)
        pixels = read()
        key = self._keys[place] = self._features.key(pixels)
        if key not in self._features:
            self._features.put(key, self._encode(pixels))
        return self._features.get(key)

    def answer(self, features: Features, prompts: CropPrompts, memory: Any) -> Answer:
        """Answer prompts on a crop.

        Parameters
        ----------
        features : tuple of Tensor
            Of the crop.
        prompts : CropPrompts
            What is asked.
        memory : object
            What came with the answer before.
        """
        prompt, remembered = self._network.encode_prompt(prompts, memory)
        maps: Tensor | None = None
        if self.flip:
            prompt = join_prompts([prompt, self._network.flip_prompt(prompt)])
        with self._autocast():
            if self.spec.refines:
                logits, maps = self._network.segment(features, prompt)
                maps = maps[:1]
            else:
                logits = self._network.decode(features, prompt)
        logits = logits.float()
        if self.flip:
            logits = 0.5 * (logits[:1] + logits[1:].flip(3))
        return Answer(logits, remembered, maps)

    def encode_pixels(self, pixels: Pixels) -> Features:
        """Encode a crop of which nothing is to be remembered."""
        return self._encode(pixels)

    def answer_all(self, features: Features, prompts: Sequence[CropPrompts]) -> Tensor:
        """Answer several prompts on one crop, each as if it were the first.

        Parameters
        ----------
        features : tuple of Tensor
            Of the crop.
        prompts : sequence of CropPrompts
            What is asked, of N objects.

        Returns
        -------
        Tensor
            (N,1,h,w) float32 logits; not refined.
        """
        encoded = [self._network.encode_prompt(one)[0] for one in prompts]
        asked, count = join_prompts(encoded), len(encoded)
        if self.flip:
            asked = join_prompts([asked, self._network.flip_prompt(asked)])
        many = tuple(part.repeat_interleave(count, dim=0) for part in features)
        with self._autocast():
            if self.spec.refines:
                logits = self._network.segment(many, asked)[0]
            else:
                logits = self._network.decode(many, asked)
        logits = logits.float()
        if self.flip:
            logits = 0.5 * (logits[:count] + logits[count:].flip(3))
        return logits

    def refine(
        self,
        pixels: Pixels,
        prompts: CropPrompts,
        answer: Answer,
        box: tuple[float, float, float, float],
    ) -> Tensor:
        """Look again at a part of a crop.

        Parameters
        ----------
        pixels : ndarray
            Of the part.
        prompts : CropPrompts
            As they lie in it.
        answer : Answer
            On the whole crop.
        box : tuple of float
            Left, top, right and bottom of the part, px of the answer's logits.

        Returns
        -------
        Tensor
            (1,1,h,w) logits of the part.
        """
        assert answer.maps is not None
        prompt = self._network.encode_focus(prompts)
        with self._autocast():
            logits = self._network.refine(
                self._image(pixels), prompt, answer.maps, answer.logits, box
            )
        return logits.float()

    def _encode(self, pixels: Pixels) -> Features:
        """Features of a crop, and of its mirror if flipping."""
        image = self._image(pixels)
        if self.flip:
            image = torch.cat([image, image.flip(3)])
        with self._autocast():
            return self._network.encode(
                image.contiguous(memory_format=torch.channels_last)
            )

    def _image(self, pixels: Pixels) -> Tensor:
        """Pixels as a network takes them: (1,3,h,w)."""
        if pixels.ndim == 2:
            pixels = np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
        channels = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        return torch.from_numpy(channels)[None].to(self.device)

    def _autocast(self) -> torch.autocast:
        half = self._dtype == torch.bfloat16
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half)
