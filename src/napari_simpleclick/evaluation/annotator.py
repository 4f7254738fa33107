"""The robot annotator of the published evaluation.

Source: the released evaluation code of RITM and SimpleClick: the next click goes to
the deepest pixel of the larger mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.evaluation.metrics import iou
from napari_simpleclick.evaluation.users import (
    User,
    box_around,
    lasso_around,
    scribble_along,
)
from napari_simpleclick.images import Viewport
from napari_simpleclick.inference import (
    THRESHOLD,
    Crop,
    ObjectState,
    Predictor,
    progressive_merge,
)
from napari_simpleclick.inference.merge import merge_touched
from napari_simpleclick.inference.prompt_pixels import as_clicks, pixels_of
from napari_simpleclick.inference.shapes import depth
from napari_simpleclick.prompts import Box, Click, Prompt

Mask = NDArray[np.bool_]

SIDES_SEEN = 8
"""Side of what is seen of an image over the side of the object in it."""


@dataclass(frozen=True)
class Turn:
    """One click of the robot and what came of it.

    Parameters
    ----------
    prompt : Prompt
        What the robot showed.
    iou : float
        Of the mask after the click, 0 to 1.
    mask : ndarray
        (H, W) bool, after the click.
    probability : ndarray
        (H, W) float32 answer of the predictor.
    crop : Crop or None
        What the network looked at.
    """

    prompt: Prompt
    iou: float
    mask: Mask
    probability: NDArray[np.float32]
    crop: Crop | None

    @property
    def click(self) -> Click:
        """The prompt, or the click in the middle of a box or a scribble."""
        shape = self.mask.shape[0], self.mask.shape[1]
        clicks = as_clicks(self.prompt, shape, spacing_px=1)
        return clicks[-1 if isinstance(self.prompt, Box) else len(clicks) // 2]


def next_click(truth: NDArray[np.signedinteger], mask: Mask, fresh: Mask) -> Click:
    """Choose the next click.

    Parameters
    ----------
    truth : ndarray
        (H, W) integer: 1 object, 0 background, -1 ignored.
    mask : ndarray
        (H, W) bool, the current mask.
    fresh : ndarray
        (H, W) bool, False where a click was made before; the new click is marked.

    Returns
    -------
    Click
        Positive only if the missed part is strictly deeper than the extra part; the
        first of several deepest pixels in row-major order. With a perfect mask, a
        negative click at (0, 0), as published.
    """
    inside, valid = truth == 1, truth != -1
    missed = depth(inside & ~mask & valid) * fresh
    extra = depth(~inside & mask & valid) * fresh
    positive = bool(missed.max() > extra.max())
    flat = int((missed if positive else extra).argmax())
    row, column = divmod(flat, mask.shape[1])
    fresh[row, column] = False
    return Click(row, column, positive)


def view_of(truth: NDArray[np.signedinteger]) -> Viewport:
    """Look at an object as a person may who is about to click on it.

    Parameters
    ----------
    truth : ndarray
        (H, W) integer: 1 object.

    Returns
    -------
    Viewport
        A square around the middle of the object's box, :data:`SIDES_SEEN` times as long
        as the longer side of that.
    """
    spans = [np.flatnonzero((truth == 1).any(axis=axis))[[0, -1]] for axis in (1, 0)]
    side = max(int(last - first) + 1 for first, last in spans)
    row, column = (float(first + last) / 2 for first, last in spans)
    return Viewport.around(row, column, SIDES_SEEN * side)


def annotate(
    predictor: Predictor,
    truth: NDArray[np.signedinteger],
    clicks: int = 20,
    target: float = 1.01,
    threshold: float = THRESHOLD,
    initial: Mask | None = None,
    viewport: Viewport | None = None,
    user: User = "clicks",
    rng: np.random.Generator | None = None,
    least: int = 1,
) -> list[Turn]:
    """Click on one object of the predictor's image until it is good enough.

    Parameters
    ----------
    predictor : Predictor
        With its image set.
    truth : ndarray
        (H, W) integer: 1 object, 0 background, -1 ignored.
    clicks : int
        Most clicks to make.
    target : float
        IoU to stop at; above 1, all clicks are made.
    threshold : float
        Probability above which a pixel belongs to the mask.
    initial : ndarray or None
        (H, W) bool, a mask to be corrected. As in the DAVIS-585 protocol, every answer
        is merged progressively into the mask before it, and the network is shown the
        whole image first and its own answers as prior.
    viewport : Viewport or None
        What a person would see of the image, px; None leaves the first look to the
        predictor.
    user : {"clicks", "box", "lasso", "scribble"}
        Whether the robot clicks alone, begins with a box or a lasso, or draws
        scribbles.
    rng : numpy.random.Generator or None
        How far boxes and lassos are off; None always draws the same.
    least : int
        Clicks to make even if the target is reached with fewer.

    Returns
    -------
    list of Turn
        One per click.
    """
    fresh = np.ones(truth.shape, bool)
    mask = np.zeros(truth.shape, bool) if initial is None else initial
    prior: NDArray[np.float32] | None = None
    focus: Mask | None = None
    if initial is not None:
        prior, focus = initial.astype(np.float32), np.zeros(truth.shape, bool)
    state = ObjectState(viewport=viewport)
    made: list[Prompt] = []
    rng = rng or np.random.default_rng(0)
    turns: list[Turn] = []
    while len(turns) < clicks and (
        len(turns) < least or max(turn.iou for turn in turns) < target
    ):
        click = next_click(truth, mask, fresh)
        prompt: Prompt = click
        if user == "box" and not turns:
            prompt = box_around(truth == 1, rng)
        elif user == "lasso" and not turns:
            prompt = lasso_around(truth == 1, rng)
        elif user == "scribble":
            prompt = _drawn(truth, mask, click)
        made.append(prompt)
        chance, state = predictor.predict(made, prior, state=state, focus=focus)
        prior, answer = chance, chance > threshold
        if initial is not None:
            answer = _merged(answer, mask, prompt)
            focus = answer
        mask = answer
        turns.append(Turn(prompt, iou(mask, truth), mask, chance, state.crop))
    return turns


def _drawn(truth: NDArray[np.signedinteger], mask: Mask, click: Click) -> Prompt:
    """Draw a scribble on the mistake that a click is on; without one, click."""
    wrong = (truth == 1) & ~mask if click.positive else (truth == 0) & mask
    on_it = wrong[int(click.row), int(click.column)]
    return scribble_along(wrong, click) if on_it else click


def _merged(answer: Mask, mask: Mask, prompt: Prompt) -> Mask:
    """Merge an answer into the mask before it, of clicks as published."""
    if isinstance(prompt, Click):
        place = int(prompt.row), int(prompt.column)
        return progressive_merge(answer, mask, *place, as_published=True)
    return merge_touched(
        answer, mask, pixels_of(prompt, (mask.shape[0], mask.shape[1]))
    )
