"""What happens when someone acts: predict, propagate, save; no Qt, no napari.

:class:`Workflow` joins the parts over an :class:`Executor`, who does the work, and a
:class:`Canvas`, which shows an image with its prompts and its mask. What computes lies
in :mod:`.engine`, whose import takes seconds.
"""

from napari_simpleclick.workflow.canvas import Canvas, ShownPoint, ShownShape
from napari_simpleclick.workflow.executor import Executor, InlineExecutor
from napari_simpleclick.workflow.model_loader import ModelChoice
from napari_simpleclick.workflow.workflow import Tool, Workflow

__all__ = [
    "Canvas",
    "Executor",
    "InlineExecutor",
    "ModelChoice",
    "ShownPoint",
    "ShownShape",
    "Tool",
    "Workflow",
]
