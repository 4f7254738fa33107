"""Where and how precisely a network computes."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import nn

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

N = TypeVar("N", bound=nn.Module)
Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str) -> torch.device:
    """Turn a device name into a device.

    Parameters
    ----------
    name : str
        A torch device such as ``cpu``, ``cuda`` or ``mps``; ``auto`` is the first of
        cuda, mps and cpu that this computer has.

    Raises
    ------
    UserError
        If this computer has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"This computer has no device '{name}'; choose 'cpu' or 'auto'."
        ) from error
    return device


def available_devices() -> tuple[str, ...]:
    """Names that :func:`choose_device` takes on this computer."""
    names = ["auto", "cpu"]
    names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return tuple(names)


def choose_precision(name: Precision, device: torch.device) -> torch.dtype:
    """Choose the number type for matrix products.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16"}
        ``auto`` is bfloat16 where the device computes it fast (AVX512-BF16 or AMX on
        a CPU, any GPU that says so), else float32.
    device : torch.device
        Where the network is.

    Raises
    ------
    UserError
        If the name is none of the three.
    """
    if name not in ("auto", "float32", "bfloat16"):
        raise UserError(
            f"There is no precision '{name}'; choose auto, float32 or bfloat16."
        )
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    fast = False
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        fast = cpu_has("avx512_bf16") or cpu_has("amx_bf16")
    return torch.bfloat16 if fast else torch.float32


def cpu_has(feature: str) -> bool:
    """Whether the processor has instructions, such as ``avx512_f``, as far as known."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return False
    return bool(torch.cpu.get_capabilities().get(feature))


LOWERED = (nn.Linear, nn.modules.conv._ConvNd)
"""Layers whose weights autocast brings to the lower number type in every call."""


def with_lower_weights(network: N, dtype: torch.dtype) -> N:
    """Give a network whose matrix products need no more conversion under autocast.

    Answers are those of autocast itself, which converts the same weights at every call;
    norms and all else stay in float32.

    Parameters
    ----------
    network : Network
        Is not changed.
    dtype : torch.dtype
        Number type of matrix products.

    Returns
    -------
    Network
        The same one for float32, else a copy.
    """
    if dtype == torch.float32:
        return network
    lower: dict[int, Any] = {}
    for module in network.modules():
        if isinstance(module, LOWERED):
            for parameter in module.parameters(recurse=False):
                cast = parameter.detach().to(dtype)
                lower[id(parameter)] = nn.Parameter(cast, requires_grad=False)
    return deepcopy(network, lower)


def in_float32(network: N) -> N:
    """Give a network in float32.

    Parameters
    ----------
    network : Network
        Is not changed.

    Returns
    -------
    Network
        The same one if it is in float32, else a copy.
    """
    plain = all(part.dtype == torch.float32 for part in network.parameters())
    return network if plain else deepcopy(network).float()


def free_unused_memory() -> None:
    """Give memory that is no longer needed back to the computer.

    The C library of Linux keeps what was freed, which is hundreds of MB after a large
    network was converted.
    """
    with suppress(OSError, TypeError, AttributeError):  # of other systems
        ctypes.CDLL(None).malloc_trim(0)


def cores() -> int:
    """Cores that this process may compute on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def spare_threads() -> int:
    """Cores to compute on so that one stays free for the window, at least 1."""
    return max(1, cores() - 1)


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Compute on ``count`` CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
