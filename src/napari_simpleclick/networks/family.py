"""What a published system brings: its networks, and how its checkpoints are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_simpleclick.networks.network import NetworkConfig


@dataclass(frozen=True, eq=False)
class EncoderStart:
    """A kind of pretrained encoder that a network's training can start from.

    Parameters
    ----------
    load : callable
        Puts the content of a checkpoint into a network, in place. Raises UserError with
        a part of a sentence ("lacks 'x'") if it does not fit.
    locate : callable or None
        Which one (such as ``lite0``) to the path of its checkpoint; None where that is
        said by the path itself. Raises UserError with a whole sentence.
    origin, licence : str
        Who made such encoders, and their terms of use.
    """

    load: Callable[[Any, Any], None]
    locate: Callable[[str], Path] | None = None
    origin: str = "unknown"
    licence: str = "unknown"


@dataclass(frozen=True, eq=False)
class Family:
    """A published system, or our own: its networks and how its checkpoints are read.

    Parameters
    ----------
    name : str
        As people call it.
    networks : mapping of str to NetworkConfig
        Its networks by name.
    recognise : callable
        State dict and metadata of a checkpoint to the configuration it belongs to;
        None if it is one of another family. Raises UserError with a part of a
        sentence ("it lacks 'x'") if it is of this family and cannot be used.
    rename : callable or None
        State dict as it was published to that of the network, where keys differ.
    unused : re.Pattern or None
        Keys of tensors that take no part in the computation; files may lack them.
    encoders : mapping of str to EncoderStart
        Kinds of pretrained encoders to start from.
    inert : tuple of str
        Full names of objects that its published pickles hold beside tensors; they are
        stood in for and never used. A name that ends in "Dict" is a dictionary.
    """

    name: str
    networks: Mapping[str, NetworkConfig]
    recognise: Callable[[Mapping[str, Tensor], Mapping[str, Any]], NetworkConfig | None]
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = None
    unused: re.Pattern[str] | None = None
    encoders: Mapping[str, EncoderStart] = field(default_factory=dict)
    inert: tuple[str, ...] = ()
