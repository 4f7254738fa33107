"""Merging batch norms into convolutions, for networks that only have to answer."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

T = TypeVar("T", bound=nn.Module)


def with_folded_norms(network: T) -> T:
    """Give a copy whose batch norms are merged into the convolutions before them.

    Parameters
    ----------
    network : torch.nn.Module
        Each of its batch norms follows, where it is registered and where it computes,
        right after the convolution whose maps it takes.

    Returns
    -------
    torch.nn.Module
        In evaluation mode; its answers are the same but for rounding. Its state dict is
        another one and is not to be saved.
    """
    folded = deepcopy(network).eval()
    leaves = [
        (name, part)
        for name, part in folded.named_modules()
        if next(part.children(), None) is None
    ]
    for (before, conv), (after, norm) in pairwise(leaves):
        if isinstance(norm, nn.BatchNorm2d):
            assert isinstance(conv, nn.Conv2d), f"{after} follows no convolution"
            _replace(folded, before, fuse_conv_bn_eval(conv, norm))
            _replace(folded, after, nn.Identity())
    return folded


def _replace(network: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, part)
