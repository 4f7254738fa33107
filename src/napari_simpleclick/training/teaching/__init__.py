"""Teaching: a network learns from the objects that a person has accepted."""

from napari_simpleclick.training.teaching.examples import (
    Example,
    Origin,
    Sorted,
    examples_of,
    sort_out,
)
from napari_simpleclick.training.teaching.reading import ReadExamples, read_examples
from napari_simpleclick.training.teaching.taught_model import TaughtModel
from napari_simpleclick.training.teaching.teacher import TeachProgress, teach

__all__ = [
    "Example",
    "Origin",
    "ReadExamples",
    "Sorted",
    "TaughtModel",
    "TeachProgress",
    "examples_of",
    "read_examples",
    "sort_out",
    "teach",
]
