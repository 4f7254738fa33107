"""Reading checkpoints without executing anything in them."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_simpleclick import networks
from napari_simpleclick.errors import UserError
from napari_simpleclick.weights.errors import WeightsError, enough_memory

if TYPE_CHECKING:
    from napari_simpleclick.networks import (
        EncoderStart,
        Family,
        Network,
        NetworkConfig,
    )
    from napari_simpleclick.weights.catalogue import Card

State = dict[str, Tensor]


class _Inert:
    """Stand-in for objects pickled into official checkpoints; never used."""

    def __new__(cls, *arguments: Any) -> _Inert:
        """Take whatever the object was made of, and keep nothing."""
        del arguments
        return super().__new__(cls)

    def __init__(self, *arguments: Any) -> None:
        """Take whatever the object was made of, and keep nothing."""

    def __setstate__(self, state: Any) -> None:
        """Take whatever the object held, and keep nothing."""


def _stand_in(name: str) -> tuple[Any, str]:
    """Stand in for an object that a pickle names, with nothing of its own."""
    return (OrderedDict if name.endswith("Dict") else _Inert), name


def read_checkpoint(
    path: Path, *, shapes_only: bool = False
) -> tuple[State, dict[str, Any]]:
    """Read the tensors of a checkpoint and what it says about itself.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file of ours, or a ``.pth`` or ``.pt`` as the official
        trainers write them.
    shapes_only : bool
        Read no numbers, which costs next to no time and memory.

    Returns
    -------
    dict
        State dict on the CPU, of the number types of the file; on the ``meta`` device
        if without numbers.
    dict
        Metadata of a safetensors file, or the ``config`` of an official one.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, not a checkpoint, or wants to run code.
    """
    if not path.exists():
        raise WeightsError(f"There is no file '{path}'; check the name.")
    if path.is_dir():
        raise WeightsError(f"'{path}' is a folder; choose the weights file in it.")
    if path.stat().st_size == 0:
        raise WeightsError(f"'{path}' is empty; fetch it again.")
    with enough_memory(f"the weights in '{path.name}'"):
        if path.suffix == ".safetensors":
            return _read_safetensors(path, shapes_only)
        content = read_pickle(path, "meta" if shapes_only else "cpu")
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    state = _state_in(content)
    if state is None:
        raise WeightsError(
            f"'{path}' is not a checkpoint of {_names()}: it has no 'state_dict'."
        )
    return dict(state), dict(content.get("config") or {})


def _state_in(content: Any) -> Mapping[str, Tensor] | None:
    """Find the state dict in a checkpoint, which may be nothing else."""
    if not isinstance(content, Mapping):
        return None
    for key in ("state_dict", "model_state"):
        if isinstance(content.get(key), Mapping):
            found: Mapping[str, Tensor] = content[key]
            return found
    bare = content and all(isinstance(part, Tensor) for part in content.values())
    return content if bare else None


def _read_safetensors(path: Path, shapes_only: bool) -> tuple[State, dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            names, about = list(file.keys()), dict(file.metadata() or {})
            if shapes_only:
                shapes = {name: file.get_slice(name).get_shape() for name in names}
                empty = {k: torch.empty(v, device="meta") for k, v in shapes.items()}
                return empty, about
            return {name: file.get_tensor(name) for name in names}, about
    except SafetensorError as error:
        raise WeightsError(
            f"'{path}' is damaged or not a safetensors file; fetch it again."
        ) from error


def read_pickle(path: Path, device: str = "cpu") -> Any:
    """Read a torch pickle of tensors and plain containers, and nothing else.

    Parameters
    ----------
    path : Path
        The file.
    device : str
        Where the tensors go; ``meta`` drops their numbers.

    Raises
    ------
    WeightsError
        If the file is damaged, or names anything that is not on the allow-list.
    """
    try:
        named = {name for family in networks.FAMILIES for name in family.inert}
        inert: list[Any] = [_stand_in(name) for name in sorted(named)]
        with torch.serialization.safe_globals(inert):
            return torch.load(path, map_location=device, weights_only=True)
    except UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found:
            raise WeightsError(
                f"'{path}' was refused: it wants to run '{found[1]}' when opened, "
                "which weights never need; do not trust this file."
            ) from None
        raise WeightsError(
            f"'{path}' was refused: it holds something other than weights, or is "
            "damaged; fetch it again from where its authors put it."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        if "allocate memory" in str(error):
            raise
        raise WeightsError(
            f"'{path}' is damaged or incomplete; fetch it again."
        ) from error


def network_from(
    state: State, about: Mapping[str, Any], path: Path
) -> tuple[Network, str]:
    """Build the network that a state dict belongs to.

    Parameters
    ----------
    state : dict
        State dict with the keys of one of the families.
    about : mapping
        Metadata, for what the tensors do not tell.
    path : Path
        Named in errors.

    Returns
    -------
    Network
        In evaluation mode.
    str
        Name of the network, ``custom`` if it is none of the known ones.

    Raises
    ------
    WeightsError
        If tensors are missing, unknown or of the wrong shape.
    MemoryError
        If the network does not fit into memory.
    """
    family, config = recognise(state, about, path)
    if family.rename is not None:
        state = family.rename(state)
    with enough_memory(f"the network in '{path.name}'"):
        network = config.build()
    own = network.state_dict()
    unused = _unused(family, state) | _unused(family, own)
    missing = [key for key in own if key not in state and key not in unused]
    extra = [key for key in state if key not in own and key not in unused]
    wrong = [key for key in own if key in state and own[key].shape != state[key].shape]
    for keys, problem in (
        (missing, "lacks"),
        (extra, "has an unknown"),
        (wrong, "has a wrong shape for"),
    ):
        if keys:
            raise WeightsError(
                f"'{path}' is not a checkpoint of {family.name}: it {problem} "
                f"'{keys[0]}'."
            )
    network.load_state_dict(state, strict=False)
    return network.eval(), _name_of(family, config)


def kind_of(path: Path) -> str:
    """Name of the network that a checkpoint holds, from shapes alone.

    Raises
    ------
    WeightsError
        If it holds none, or cannot be trusted.
    """
    state, about = read_checkpoint(path, shapes_only=True)
    return _name_of(*recognise(state, about, path))


def recognise(
    state: State, about: Mapping[str, Any], path: Path
) -> tuple[Family, NetworkConfig]:
    """Find the family and the configuration of a state dict, from shapes alone.

    Parameters
    ----------
    state, about, path
        As :func:`network_from` takes them.

    Raises
    ------
    WeightsError
        If it is of no known family, or cannot be used.
    """
    for family in networks.FAMILIES:
        try:
            config = family.recognise(state, about)
        except UserError as error:
            raise WeightsError(
                f"'{path}' is not a usable checkpoint of {family.name}: {error}."
            ) from error
        if config is not None:
            return family, config
    raise WeightsError(
        f"'{path}' is not a checkpoint of {_names()}: it holds none of their tensors."
    )


def _names() -> str:
    *names, last = (family.name for family in networks.FAMILIES)
    return f"{', '.join(names)} or {last}" if names else last


def _name_of(family: Family, config: NetworkConfig) -> str:
    """Name of a configuration; variants of a network count as that network."""
    for name, known in family.networks.items():
        if known.is_variant(config):
            return name
    return "custom"


def family_of(config: NetworkConfig) -> Family:
    """Find the family of a configuration."""
    return next(
        family
        for family in networks.FAMILIES
        if any(isinstance(config, type(one)) for one in family.networks.values())
    )


def _unused(family: Family, keys: Iterable[str]) -> set[str]:
    """Tensors that take no part in the computation; files may lack them."""
    if family.unused is None:
        return set()
    return {key for key in keys if family.unused.match(key)}


def save_weights(network: Network, path: Path, card: Card) -> None:
    """Write float16 safetensors with a card, without the tensors nothing uses.

    Parameters
    ----------
    network : Network
        The network.
    path : Path
        Target, ``.safetensors``.
    card : Card
        Written into the file's metadata.
    """
    everything = network.state_dict()
    unused = _unused(family_of(network.config), everything)
    state = {
        key: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for key, tensor in everything.items()
        if key not in unused
    }
    about = {key: str(value) for key, value in network.config.metadata().items()}
    save_file(state, path, {"card": json.dumps(asdict(card)), **about})


def load_encoder(network: Network, kind: str, which: str | Path) -> EncoderStart:
    """Initialise a network's encoder from weights of an encoder alone, in place.

    Parameters
    ----------
    network : Network
        Of a family that has such beginnings.
    kind : str
        What kind of encoder, such as ``mae`` or ``imagenet``.
    which : str or Path
        The checkpoint, or the name of one that an installed package brings, such as
        ``lite0``.

    Returns
    -------
    EncoderStart
        Where such encoders come from, and their licence.

    Raises
    ------
    WeightsError
        If the file is not such an encoder of this size, or the family has no such
        beginning.
    UserError
        If the package that brings it is not installed.
    """
    family = family_of(network.config)
    if kind not in family.encoders:
        known = ", ".join(family.encoders) or "none"
        raise WeightsError(
            f"{family.name} cannot start from '{kind}'; the beginnings that it has: "
            f"{known}."
        )
    start = family.encoders[kind]
    path = Path(which) if start.locate is None else start.locate(str(which))
    if not path.is_file():
        raise WeightsError(f"There is no file '{path}'; check the name.")
    content = read_pickle(path)
    try:
        start.load(network, content)
    except UserError as error:
        raise WeightsError(f"'{path}' {error}.") from error
    return start
