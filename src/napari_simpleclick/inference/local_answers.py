"""Answers that take the memory of the part of the image that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_simpleclick.images.local_map import LocalMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.prompts import Prompt


def predict_local(
    predictor: Any, prompts: Sequence[Prompt], prior: LocalMap | None, state: Any
) -> tuple[LocalMap, Any]:
    """Have a predictor answer with a local map, also one that only has whole ones.

    Parameters
    ----------
    predictor : Predictor
        The predictor, or what stands in for one.
    prompts, prior, state
        See :meth:`napari_simpleclick.Predictor.predict_local`.
    """
    if hasattr(predictor, "predict_local"):
        found: tuple[LocalMap, Any] = predictor.predict_local(prompts, prior, state)
        return found
    full = None if prior is None else prior.full()
    answer, state = predictor.predict(prompts, full, state=state)
    return LocalMap.whole(answer).cut(), state
