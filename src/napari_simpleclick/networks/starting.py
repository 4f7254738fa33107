"""Weights of pretrained encoders that training starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

COUNTER = "num_batches_tracked"
"""Buffers of batch norms that nothing depends on."""


def put_tensors(
    module: nn.Module, needed: Collection[str], found: Mapping[str, Any], choose: str
) -> None:
    """Copy tensors into a module, in place.

    Parameters
    ----------
    module : torch.nn.Module
        What starts from them.
    needed : collection of str
        Keys of its state dict that are to be filled; counters may be missing.
    found : mapping
        Tensors by such keys; others are left out.
    choose : str
        What file to choose, for the error.

    Raises
    ------
    UserError
        A part of a sentence, if one is missing or of another shape.
    """
    own = module.state_dict()
    wanted = [key for key in needed if not key.endswith(COUNTER)]
    for key in wanted:
        tensor = found.get(key)
        if not isinstance(tensor, Tensor) or tensor.shape != own[key].shape:
            raise UserError(
                f"does not fit this network: '{key}' is missing or of another size; "
                f"choose {choose}"
            )
    module.load_state_dict({key: found[key] for key in wanted}, strict=False)


def state_in(content: Any) -> Mapping[str, Any]:
    """Give the state dict of a checkpoint, which may lie under a key of its own."""
    if isinstance(content, dict):
        for key in ("state_dict", "model"):
            if isinstance(content.get(key), dict):
                inner: Mapping[str, Any] = content[key]
                return inner
        return content
    raise UserError("holds no weights")
