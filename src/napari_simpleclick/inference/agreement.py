"""Whether a network that was made faster still answers as the network itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from napari_simpleclick.images.files import read_image
from napari_simpleclick.images.intensity import default_window
from napari_simpleclick.inference.crops import THRESHOLD, Crop, resize_crop
from napari_simpleclick.networks import CropPrompts
from napari_simpleclick.samples import sample_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_simpleclick.networks import EncodedPrompt, Features, Network

LEAST_IOU = {torch.float32: 0.985, torch.bfloat16: 0.95}
"""Of the masks of both, by number type; in float32, as much as the fast and the exact
mode agree in. With the packaged weights, masks in bfloat16 have 0.974 and more with
those in float32, at all sizes of their inputs; PyTorch's own have 0.978 and more."""

MOST_APART = {torch.float32: 1e-3, torch.bfloat16: 1e-2}
"""Mean difference of the probabilities of both, by number type."""

PLACES = ((0.5, 0.5), (0.35, 0.6), (0.55, 0.3))
"""Clicks on the sample, rows and columns as shares of its sides; the last is a no."""


class Agreement(NamedTuple):
    """How much two networks agree on the packaged sample.

    Parameters
    ----------
    iou : float
        Least IoU of their masks.
    apart : float
        Largest mean difference of their probabilities.
    """

    iou: float
    apart: float

    def holds(self, dtype: torch.dtype) -> bool:
        """Whether one may answer for the other, with products of a number type."""
        return self.iou >= LEAST_IOU[dtype] and self.apart <= MOST_APART[dtype]


def sample_pixels(size: tuple[int, int]) -> Tensor:
    """Give a slice of the packaged sample.

    Returns
    -------
    Tensor
        (1,3,height,width) in [0, 1].
    """
    image = read_image(sample_path("em.tif")).array[2]
    window = default_window(image)
    pixels = resize_crop(image, Crop.whole(image.shape), size, window.apply)
    return torch.from_numpy(pixels)[None, None].repeat(1, 3, 1, 1)


def sample_prompts(
    network: Network, size: tuple[int, int], clicks: int, prior: Tensor
) -> EncodedPrompt:
    """Ask about the sample.

    Parameters
    ----------
    network : Network
        Encodes the prompt.
    size : tuple of int
        (height, width) of the input, px.
    clicks : int
        How many, up to three.
    prior : Tensor
        (1,1,height,width) probability.
    """
    places = [(size[0] * row, size[1] * column) for row, column in PLACES[:clicks]]
    asked = CropPrompts(prior, tuple(places[:2]), tuple(places[2:]))
    return network.encode_prompt(asked)[0]


class SampleAnswer(NamedTuple):
    """What a network says to clicks on the packaged sample.

    Parameters
    ----------
    prompt : Tensor or tuple of Tensor
        What was asked, as the network encodes it.
    probability : Tensor
        (1,1,h,w) in [0, 1].
    """

    prompt: EncodedPrompt
    probability: Tensor


@torch.no_grad()
def sample_answers(network: Network, size: tuple[int, int]) -> list[SampleAnswer]:
    """Ask a network about the packaged sample, with one, two and three clicks.

    Parameters
    ----------
    network : Network
        In float32 on the CPU.
    size : tuple of int
        As of :func:`sample_prompts`.
    """
    features, prior = network.encode(sample_pixels(size)), torch.zeros(1, 1, *size)
    answers = []
    for clicks in range(1, len(PLACES) + 1):
        prompt = sample_prompts(network, size, clicks, prior)
        answers.append(
            SampleAnswer(prompt, _logits(network, features, prompt).sigmoid())
        )
        prior = _enlarged(answers[-1].probability, size)
    return answers


@torch.no_grad()
def agreement(
    answers: Sequence[SampleAnswer], other: Network, size: tuple[int, int]
) -> Agreement:
    """Ask another network the same.

    Parameters
    ----------
    answers : sequence of SampleAnswer
        Of the network that it would answer for.
    other : Network
        On the CPU.
    size : tuple of int
        As of :func:`sample_prompts`.
    """
    features = other.encode(sample_pixels(size))
    ious, apart = [], []
    for prompt, one in answers:
        two = _logits(other, features, prompt).sigmoid()
        masks = one > THRESHOLD, two > THRESHOLD
        union = int((masks[0] | masks[1]).sum())
        ious.append(int((masks[0] & masks[1]).sum()) / union if union else 1.0)
        apart.append(float((one - two).abs().mean()))
    return Agreement(min(ious), max(apart))


def _logits(network: Network, features: Features, prompt: EncodedPrompt) -> Tensor:
    if network.spec.refines:
        return network.segment(features, prompt)[0]
    return network.decode(features, prompt)


def _enlarged(probability: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.nn.functional.interpolate(probability, size, mode="bilinear")
