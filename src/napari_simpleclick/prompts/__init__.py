"""What a person shows a network of an object: clicks, boxes, scribbles and lassos.

All coordinates are in px of one slice; (0, 0) is the centre of its first pixel.
"""

from napari_simpleclick.prompts.checks import check_prompts
from napari_simpleclick.prompts.kinds import (
    Box,
    Click,
    Lasso,
    Prompt,
    Scribble,
    moved,
    prompt_from_json,
    prompt_to_json,
)
from napari_simpleclick.prompts.lines import Point
from napari_simpleclick.prompts.parsing import parse_prompt

__all__ = [
    "Box",
    "Click",
    "Lasso",
    "Point",
    "Prompt",
    "Scribble",
    "check_prompts",
    "moved",
    "parse_prompt",
    "prompt_from_json",
    "prompt_to_json",
]
