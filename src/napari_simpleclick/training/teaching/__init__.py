"""Teaching: a network learns from the objects that a person has accepted."""

from napari_simpleclick.training.teaching.examples import (
    Example,
    Origin,
    Sorted,
    examples_of,
    sort_out,
)
from napari_simpleclick.training.teaching.teach import (
    TaughtModel,
    TeachProgress,
    teach,
)

__all__ = [
    "Example",
    "Origin",
    "Sorted",
    "TaughtModel",
    "TeachProgress",
    "examples_of",
    "sort_out",
    "teach",
]
