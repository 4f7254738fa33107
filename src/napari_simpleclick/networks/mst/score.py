"""MST's score blocks: which small and large tokens look like what was clicked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.attempt import Selection

KEPT_SCORE = 0.65
"""Selected tokens whose score is above are kept,"""

DROPPED = 10
"""and of the others, all but so many."""


@dataclass(frozen=True)
class Scoring:
    """How a variant of MST scores tokens, and what it does with the best.

    Parameters
    ----------
    blocks : tuple of int
        Numbers, from 0, of the transformer blocks that score.
    share : int
        One in so many tokens of a scale is selected.
    drops : bool
        Whether the worst of the selected may be dropped.
    attended : bool
        Whether clicked tokens attend to each other before their mean is taken, whose
        length is 1 then.
    heads, pooling : int
        Of the attention to base tokens: heads, and side of the squares of tokens that
        make one key.
    expert, hidden : int
        Hidden width over token width: of the experts for small and large tokens, and
        of the perceptron after them.
    fuse_heads : int
        Heads with which base tokens attend to the selected ones.
    fuse_mlp : bool
        Whether a perceptron follows.
    gamma : float
        What the selected large tokens weigh before training.
    weighs : bool
        Whether channels of the selected tokens have weights at the end too.
    """

    blocks: tuple[int, ...]
    share: int
    drops: bool
    attended: bool
    heads: int
    pooling: int
    expert: int
    hidden: int
    fuse_heads: int
    fuse_mlp: bool
    gamma: float
    weighs: bool


class CrossAttention(nn.Module):
    """Multi-head attention from tokens to others, before its projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)

    def mixed(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Values of ``seen`` (B,M,d) as ``tokens`` (B,N,d) want them: (B,N,d)."""
        key, value = self.kv(seen).chunk(2, -1)
        result = functional.scaled_dot_product_attention(
            self._split(self.q(tokens)), self._split(key), self._split(value)
        )
        return result.transpose(1, 2).flatten(2)

    def _split(self, tokens: Tensor) -> Tensor:
        """Tokens (B,N,d) as (B,heads,N,d/heads)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class FuseAttention(CrossAttention):
    """Cross-attention with an ordinary projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Attend from tokens (B,N,d) to others (B,M,d)."""
        result: Tensor = self.proj(self.mixed(tokens, seen))
        return result


class MLP(nn.Module):
    """Two-layer perceptron under the official keys."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn tokens (B,N,d) to the same shape."""
        result: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return result


class _Experts(nn.Module):
    """A perceptron for small tokens and one for large ones."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        for name in ("expert_s", "expert_l"):
            layers = (nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
            setattr(self, name, nn.Sequential(*layers, nn.Dropout(0.01)))


class _ScoreAttention(CrossAttention):
    """Attention of small or large tokens to the base tokens, which may be pooled."""

    def __init__(self, width: int, scoring: Scoring) -> None:
        super().__init__(width, scoring.heads)
        self.proj = _Experts(width, scoring.expert * width)
        self.pools = scoring.pooling > 1
        if self.pools:
            self.sr = nn.Conv2d(width, width, scoring.pooling, scoring.pooling)
            self.norm = nn.LayerNorm(width)

    def forward(
        self, tokens: Tensor, base: Tensor, grid: tuple[int, int], expert: str
    ) -> Tensor:
        """Attend from tokens (B,N,d) to base tokens (B,M,d) of a grid."""
        if self.pools:
            maps = self.sr(base.transpose(1, 2).reshape(len(base), -1, *grid))
            base = self.norm(maps.flatten(2).transpose(1, 2))
        result: Tensor = getattr(self.proj, expert)(self.mixed(tokens, base))
        return result


class Score(nn.Module):
    """Update the tokens of one scale, score and select them.

    Parameters
    ----------
    width : int
        Of a token.
    scoring : Scoring
        How.
    """

    def __init__(self, width: int, scoring: Scoring) -> None:
        super().__init__()
        self.scoring = scoring
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.cross_attn = _ScoreAttention(width, scoring)
        self.cross_mlp = MLP(width, scoring.hidden * width)

    def update(
        self, tokens: Tensor, base: Tensor, grid: tuple[int, int], expert: str
    ) -> Tensor:
        """Let tokens (B,N,d) of one scale look at the base tokens (B,M,d)."""
        seen = self.cross_attn(self.norm1(tokens), self.norm2(base), grid, expert)
        tokens = tokens + seen
        result: Tensor = tokens + self.cross_mlp(self.norm3(tokens))
        return result

    def kernel(self, base: Tensor, indices: Tensor, clicked: Tensor) -> Tensor:
        """Tell what was clicked, (B,d); zeros where nothing was.

        Parameters
        ----------
        base : Tensor
            (B,M,d) base tokens.
        indices, clicked : Tensor
            (B,n) which of them, and whether each counts.
        """
        width = base.shape[2]
        tokens = base.gather(1, indices[..., None].expand(-1, -1, width))
        count = clicked.sum(1, keepdim=True).clamp(min=1)
        if self.scoring.attended:
            weights = tokens @ tokens.transpose(1, 2) / width**0.5
            # a finite number, so that rows without any click stay numbers too
            least = torch.finfo(weights.dtype).min
            weights = weights.masked_fill(~clicked[:, None], least)
            tokens = weights.softmax(2) @ tokens
        mean = (tokens * clicked[..., None]).sum(1) / count
        return functional.normalize(mean, dim=1) if self.scoring.attended else mean

    def select(
        self, tokens: Tensor, positions: Tensor, kernel: Tensor, clicked: Tensor
    ) -> Selection:
        """Score tokens by what was clicked, and take the best.

        Parameters
        ----------
        tokens, positions : Tensor
            (B,N,d) tokens, and (1,N,d) their position embedding.
        kernel : Tensor
            (B,d), see :meth:`kernel`.
        clicked : Tensor
            (B,n) whether each slot holds a click.
        """
        alike = functional.cosine_similarity(tokens, kernel[:, None], dim=2)
        scores = (alike + 1) / 2 * clicked.any(1, keepdim=True)
        count = max(1, tokens.shape[1] // self.scoring.share)
        best, indices = scores.topk(count, dim=1)
        valid = best > 0
        if self.scoring.drops:
            good = (scores > KEPT_SCORE).sum(1, keepdim=True)
            kept = good.clamp(min=count - DROPPED)
            valid = valid & (torch.arange(count, device=kept.device) < kept)
        where = indices[..., None].expand(-1, -1, tokens.shape[2])
        placed = tokens + positions  # a second time, as published
        # the gradient passes through the score, the value is the token itself
        weight = (valid + best - best.detach()) * valid
        chosen = placed.gather(1, where) * weight[..., None]
        return Selection(scores, indices, valid, chosen, kernel)
