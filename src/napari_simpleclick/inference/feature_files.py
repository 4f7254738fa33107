"""Features of one crop to the content of a file, and back to the very same features."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load, save

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_simpleclick.networks import Features

FORMAT = "1"
"""Of the files. Raise it also when an encoder's maps become others for the same weights
and pixels, as files of another format are not used."""

ABOUT = "about"
"""The one entry of the metadata; several would be written in an order by chance."""


class DamagedFeaturesError(Exception):
    """A file does not hold the features that it is named after."""


def pack(features: Features, key: str) -> bytes:
    """Make the content of a file.

    Parameters
    ----------
    features : tuple of Tensor
        Of one crop, any shapes and number types.
    key : str
        What they are features of, see
        :meth:`napari_simpleclick.inference.crop_network.CropNetwork.stored_key`.

    Returns
    -------
    bytes
        Safetensors with the tensors by number, and a checksum of all of it.
    """
    layout = "".join("l" if _channels_last(part) else "c" for part in features)
    parts = [
        (part.permute(0, 2, 3, 1) if kind == "l" else part).detach().cpu().contiguous()
        for part, kind in zip(features, layout, strict=True)
    ]
    about = {"format": FORMAT, "key": key, "layout": layout}
    about["checksum"] = _checksum(parts, about)
    tensors = {str(number): part for number, part in enumerate(parts)}
    return save(tensors, {ABOUT: json.dumps(about)})


def key_of(content: bytes) -> str:
    """Tell what the content of a file says it holds features of, unchecked.

    Raises
    ------
    DamagedFeaturesError
        If it says nothing.
    """
    return _about(content).get("key", "")


def unpack(content: bytes, key: str) -> Features:
    """Read the content of a file.

    Parameters
    ----------
    content : bytes
        What :func:`pack` made.
    key : str
        What it has to hold features of.

    Returns
    -------
    tuple of Tensor
        On the CPU; bytes and strides are those of what was packed.

    Raises
    ------
    DamagedFeaturesError
        If it is of another format or key, or any byte of it has changed.
    """
    about = _about(content)
    told = about.pop("checksum", "")
    if (about.get("format"), about.get("key")) != (FORMAT, key):
        raise DamagedFeaturesError
    try:
        found = load(content)
        layout = about["layout"]
        parts = [found.pop(str(number)) for number in range(len(layout))]
    except Exception as error:  # a damaged header can do anything to its reader
        raise DamagedFeaturesError from error
    if found or told != _checksum(parts, about):
        raise DamagedFeaturesError
    return tuple(
        part.permute(0, 3, 1, 2) if kind == "l" else part
        for part, kind in zip(parts, layout, strict=True)
    )


def _about(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        return dict(json.loads(header["__metadata__"][ABOUT]))
    except Exception as error:
        raise DamagedFeaturesError from error


def _channels_last(part: Tensor) -> bool:
    """Whether strides would be lost, on which the last digits of an answer depend."""
    return (
        part.ndim == 4
        and not part.is_contiguous()
        and part.is_contiguous(memory_format=torch.channels_last)
    )


def _checksum(parts: Sequence[Tensor], about: dict[str, str]) -> str:
    digest = blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16)
    for part in parts:
        digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
        digest.update(part.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
