"""A prompt of a session, and what its answer starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_simpleclick.prompts import Click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_simpleclick.annotation.object_slice import Mask
    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.prompts import Prompt


@dataclass(frozen=True, eq=False)
class PlacedPrompt:
    """A prompt, and the mask and the view that were there when it was made.

    Parameters
    ----------
    order : int
        Number of the prompt in the session, from 1.
    prompt : Click, Box, Scribble or Lasso
        What was shown.
    base : ndarray or None
        (H, W) bool mask to start from, where the person had painted or an earlier
        mask was there; None to go on from the answer to the prompt before.
    viewport : Viewport or None
        What was seen of the slice, which the network is shown while there is no mask;
        None for the whole slice.
    """

    order: int
    prompt: Prompt
    base: Mask | None = None
    viewport: Viewport | None = None

    @property
    def click(self) -> Click:
        """The prompt, where only clicks can be.

        Raises
        ------
        TypeError
            If it is another one.
        """
        if not isinstance(self.prompt, Click):
            raise TypeError(f"{self.prompt} is not a click")
        return self.prompt


PlacedPrompts = tuple[PlacedPrompt, ...]


def are_moved(placed: PlacedPrompts, prompts: Mapping[int, Prompt]) -> bool:
    """Whether prompts, by their order, differ from those that were placed."""
    return any(prompts.get(one.order) != one.prompt for one in placed)


def matched(
    placed: PlacedPrompts, prompts: Mapping[int, Prompt]
) -> tuple[PlacedPrompts, Mask | None]:
    """Move and leave out prompts.

    Parameters
    ----------
    placed : tuple of PlacedPrompt
        The prompts.
    prompts : dict
        Order to prompt, of those that are left.

    Returns
    -------
    tuple
        The prompts, of which each takes over the base of those left out before it; and
        the base that is left if none is there to take it.
    """
    kept: list[PlacedPrompt] = []
    base: Mask | None = None
    for one in placed:
        base = one.base if one.base is not None else base
        if one.order in prompts:
            kept.append(replace(one, prompt=prompts[one.order], base=base))
            base = None
    return tuple(kept), base
