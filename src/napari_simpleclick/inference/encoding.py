"""Encoding ahead of time, here or in a worker process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from napari_simpleclick.inference.devices import limited_threads
from napari_simpleclick.inference.feature_files import pack
from napari_simpleclick.inference.modes import Mode
from napari_simpleclick.weights import load_weights
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from napari_simpleclick.inference.crop_network import Pixels
    from napari_simpleclick.inference.devices import Precision
    from napari_simpleclick.inference.predictor import Predictor

_one_at_a_time = threading.Lock()
"""Threads are counted for the whole process, and Dask may give it more than one."""


@dataclass(frozen=True)
class EncoderSettings:
    """What features depend on, besides the pixels.

    Parameters
    ----------
    weights : str
        Catalogue name or file.
    device, precision : str
        As of :class:`napari_simpleclick.Predictor`.
    """

    weights: str = "bundled"
    device: str = "auto"
    precision: Precision = "auto"


def packed(predictor: Predictor, pixels: Pixels) -> bytes:
    """Work out the features of a crop as they lie in a store: those of PyTorch.

    OpenVINO's are others in their last digits, and take twice the room.

    Parameters
    ----------
    predictor : Predictor
        What encodes; its memory is neither looked into nor filled.
    pixels : ndarray
        (h, w) or (h, w, 3) float32 in [0, 1], see :meth:`Predictor.first_pixels`.

    Returns
    -------
    bytes
        See :func:`napari_simpleclick.inference.feature_files.pack`.
    """
    memory, threads = enough_memory("encoding"), limited_threads(predictor.threads)
    encoder = predictor.encoder.by_pytorch()
    with memory, torch.inference_mode(), threads:
        return pack(encoder.compute(pixels), encoder.stored_key(pixels))


@lru_cache(maxsize=1)
def encoding_predictor(settings: EncoderSettings) -> Predictor:
    """Give the predictor of this process; loaded once per settings.

    It computes on one CPU thread: sums in another order have other last digits, and
    features must not depend on the number of cores.
    """
    network, mode = load_weights(settings.weights)[0], Mode("fast", settings.precision)
    return mode.predictor(network, settings.device, threads=1)


def encode_pixels(settings: EncoderSettings, pixels: Pixels) -> bytes:
    """Do what :func:`packed` does, in any process."""
    with _one_at_a_time:
        return packed(encoding_predictor(settings), pixels)
