"""Stochastic depth: residual branches that are left out now and then in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Leave a branch out of some entries of a batch, in training only.

    Source: G. Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016.

    Parameters
    ----------
    share : float
        Of the entries that go without the branch, in [0, 1).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, branch: Tensor) -> Tensor:
        """Give a branch (B,...), zero where it is left out and scaled up elsewhere."""
        if not self.training or self.share == 0:
            return branch
        shape = (len(branch), *(1 for _ in branch.shape[1:]))
        stays = torch.rand(shape, device=branch.device) >= self.share
        return branch * stays / (1 - self.share)
