"""A network on a device, asked about crops of an image."""

from __future__ import annotations

import gc
import logging
from copy import copy
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_simpleclick.inference.agreement import (
    agreement,
    sample_answers,
    sample_pixels,
    sample_prompts,
)
from napari_simpleclick.inference.conversion import Conversion, Example
from napari_simpleclick.inference.devices import (
    cpu_has,
    free_unused_memory,
    in_float32,
    with_lower_weights,
)
from napari_simpleclick.inference.features import FeatureCache
from napari_simpleclick.inference.openvino_network import (
    OpenVinoNetwork,
    is_available,
)
from napari_simpleclick.networks import channels_last, join_prompts
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.networks import CropPrompts, Features, Network

logger = logging.getLogger(__name__)

OTHER_MASKS = (
    "OpenVINO gives other masks than PyTorch with this model, so PyTorch computes."
)

CANNOT = "OpenVINO cannot compute this model, so PyTorch does."

NO_SOONER = (
    "OpenVINO is no faster than PyTorch with a model of this size on this processor, "
    "and would take as much memory again, so PyTorch computes."
)

LARGE = 5e7
"""Numbers in the weights from which on nearly all is large matrix products. Without
AVX-512, PyTorch takes these at the processor's own rate, as OpenVINO does; see
docs/speed.md."""

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
    store : FeatureStore or None
        Where features may lie that were worked out before, by such a network.
    """

    def __init__(
        self,
        network: Network,
        device: torch.device,
        dtype: torch.dtype,
        flip: bool,
        features_bytes: int,
        store: FeatureStore | None = None,
    ) -> None:
        self.spec, self.device, self.flip = network.spec, device, flip
        self._dtype = dtype
        with enough_memory("the network"):
            ready = channels_last(network.to(device)).eval().for_inference()
            self._network = with_lower_weights(ready, dtype)
        self._computes: Network = self._network
        once = self.spec.encodes_once
        self._features = FeatureCache(features_bytes if once else 0)
        self._store = store if once else None

    def without_mirror(self) -> CropNetwork:
        """Give one that looks once, of the same memory, and computed by the same."""
        other = copy(self)
        other.flip = False
        return other

    def by_pytorch(self) -> CropNetwork:
        """Give one of the same memory that computes as before it was accelerated."""
        other = copy(self)
        other._computes = self._network
        return other

    @property
    def is_accelerated(self) -> bool:
        """Whether OpenVINO computes, wherever it can."""
        return self._computes is not self._network

    def accelerate(
        self,
        sizes: Sequence[tuple[int, int]],
        threads: int,
        goes_on: Callable[[], bool],
    ) -> str:
        """Let OpenVINO compute from now on, if it is there and agrees with PyTorch.

        It takes seconds, and need not wait for predictions, nor they for it.

        Parameters
        ----------
        sizes : sequence of tuple of int
            (height, width) of the crops that it computes, px; PyTorch does the others.
        threads : int
            CPU threads.
        goes_on : callable
            Is asked before each conversion; nothing changes once it says no.

        Returns
        -------
        str
            In one sentence, why it does not; empty if it does, or is not there.
        """
        if self.device.type != "cpu" or self.is_accelerated or not is_available():
            return ""
        computes = self._network
        if _is_large(computes) and not cpu_has("avx512_f"):
            return NO_SOONER
        try:
            for size in reversed(sizes):
                if not goes_on():
                    return ""
                faster = self._converted(size, threads)
                if faster is None:
                    return OTHER_MASKS
                faster.network, computes = computes, faster
        except Exception as error:  # of a library that may be broken: PyTorch is not
            logger.warning("OpenVINO cannot compute this model", exc_info=error)
            return CANNOT
        self._computes = computes
        return ""

    def _converted(self, size: tuple[int, int], threads: int) -> OpenVinoNetwork | None:
        """Convert for crops of a size; None if the answers are other ones."""
        prompt = sample_prompts(self._network, size, 3, torch.zeros(1, 1, *size))
        example = Example(sample_pixels(size), prompt)
        conversion = Conversion(self._network, example, self._dtype)
        models, expected = conversion.read(), None
        if models is None or not conversion.is_trusted:
            plain = in_float32(self._network)
            expected = sample_answers(plain, size)
            models = models or conversion.make(plain)
            del plain
            gc.collect()  # what was traced lies in reference cycles
        if _is_large(self._network):
            conversion.lend_weights(self._network)
        free_unused_memory()
        at_once = min(threads, 2 if self.flip else 1)
        faster = OpenVinoNetwork(
            self._network, models, conversion.precision, threads, at_once
        )
        if expected is not None:
            if not agreement(expected, faster, size).holds(self._dtype):
                return None
            conversion.trust()
        return faster

    @property
    def capacity(self) -> int:
        """How many crops such as the last one can be remembered at a time."""
        return self._features.capacity

    def remembered(self, key: bytes) -> Features | None:
        """Give the features of a crop, if they are in memory.

        Parameters
        ----------
        key : bytes
            That came with them.
        """
        return self._features.get(key) if key in self._features else None

    def encode(self, pixels: Pixels) -> tuple[bytes, Features]:
        """Encode a crop, unless its features are in memory or in the store.

        Returns
        -------
        bytes
            Key to find them in memory by.
        tuple of Tensor
            The features.
        """
        key = self._features.key(pixels) + bytes([self.flip])
        if key not in self._features:
            self._features.put(key, self._stored(pixels) or self.compute(pixels))
        return key, self._features.get(key)

    def stored_key(self, pixels: Pixels) -> str:
        """Name features by all that they depend on.

        Parameters
        ----------
        pixels : ndarray
            What the network is shown: crop, size and window are in it.

        Returns
        -------
        str
            Hexadecimal.
        """
        digest = sha256(self._features.key(pixels))
        computed = f"{self._dtype} {self.flip} {self.device.type}"
        digest.update(f"{self._weights} {computed}".encode())
        return digest.hexdigest()

    def _stored(self, pixels: Pixels) -> Features | None:
        if self._store is None:
            return None
        found = self._store.read(self.stored_key(pixels))
        if found is None:
            return None
        return tuple(part.to(self.device) for part in found)

    @cached_property
    def _weights(self) -> str:
        """SHA-256 of the weights that features depend on, and of their network."""
        config = replace(self._network.config, image_size=(0, 0))
        digest = sha256(repr(config).encode())
        for name, part in self._network.state_dict().items():
            if self._network.shapes_features(name):
                digest.update(f"{name} {part.dtype} {tuple(part.shape)}".encode())
                plain = part.detach().cpu().contiguous().reshape(-1)
                digest.update(plain.view(torch.uint8).numpy())
        return digest.hexdigest()

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
                logits, maps = self._computes.segment(features, prompt)
                maps = maps[:1]
            else:
                logits = self._computes.decode(features, prompt)
        logits = logits.float()
        if self.flip:
            logits = 0.5 * (logits[:1] + logits[1:].flip(3))
        return Answer(logits, remembered, maps)

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
                logits = self._computes.segment(many, asked)[0]
            else:
                logits = self._computes.decode(many, asked)
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

    def compute(self, pixels: Pixels) -> Features:
        """Work out the features of a crop, and of its mirror if flipping."""
        image = self._image(pixels)
        if self.flip:
            image = torch.cat([image, image.flip(3)])
        with self._autocast():
            return self._computes.encode(
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


def _is_large(network: Network) -> bool:
    return sum(part.numel() for part in network.parameters()) > LARGE
