"""From one click's answer to the next: what a correction leaves as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.merge import merge_touched, progressive_merge
from napari_simpleclick.inference.prompt_pixels import pixels_of
from napari_simpleclick.prompts import Click

if TYPE_CHECKING:
    from napari_simpleclick.annotation import MaskOptions, PlacedPrompts
    from napari_simpleclick.prompts import Prompt

Map = NDArray[np.float32]


class Merging(NamedTuple):
    """Which clicks may change only what they are about.

    Parameters
    ----------
    steps : tuple of bool
        For each click, whether it is merged into what was there.
    threshold : float
        Probability above which a pixel was there.
    """

    steps: tuple[bool, ...]
    threshold: float


def merging(steps: PlacedPrompts, options: MaskOptions) -> Merging | None:
    """Tell which clicks are merged; None if none is, and the threshold is irrelevant.

    A mask that was there before the first click (painted, propagated, returned to) was
    seen and left by a person; a correction of it must not change what is far from the
    click. Where an object began with a click, the network is free to think again.
    """
    if options.keep == "never":
        return None
    flags, earlier = [], False
    for number, step in enumerate(steps):
        earlier = earlier if step.base is None else bool(step.base.any())
        flags.append(earlier or (options.keep == "always" and number > 0))
    return Merging(tuple(flags), options.threshold) if any(flags) else None


def merged(new: Map, old: Map, prompt: Prompt, threshold: float) -> Map:
    """Merge an answer into the probability before it, so that the mask is merged.

    Parameters
    ----------
    new, old : ndarray
        (H, W) probability after and before the prompt.
    prompt : Prompt
        What it is about decides which changes are taken over.
    threshold : float
        Probability above which a pixel belongs to the mask.

    Returns
    -------
    ndarray
        (H, W) probability, ``new`` where the mask changes and ``old`` elsewhere. Above
        the threshold it is the :func:`progressive_merge` of the two masks.
    """
    before, after = old > threshold, new > threshold
    shape = before.shape[0], before.shape[1]
    if isinstance(prompt, Click):
        row = min(max(round(prompt.row), 0), shape[0] - 1)
        column = min(max(round(prompt.column), 0), shape[1] - 1)
        changed = progressive_merge(after, before, row, column) ^ before
    else:
        changed = merge_touched(after, before, pixels_of(prompt, shape)) ^ before
    return np.where(changed, new, old)


def support(probability: NDArray[Any]) -> tuple[slice, slice]:
    """Rows and columns outside which a probability or a mask is 0."""
    spans = [np.flatnonzero(probability.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (
        slice(int(span[0]), int(span[-1]) + 1) if span.size else slice(0, 0)
        for span in spans
    )
    return rows, columns
