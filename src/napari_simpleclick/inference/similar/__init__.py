"""Objects that look like those that a person has accepted."""

from napari_simpleclick.inference.similar.candidates import Answers
from napari_simpleclick.inference.similar.finder import (
    FEWEST_EXAMPLES,
    ExampleSlice,
    SimilarFinder,
    SimilarObject,
)
from napari_simpleclick.inference.similar.picture import Picture

__all__ = [
    "FEWEST_EXAMPLES",
    "Answers",
    "ExampleSlice",
    "Picture",
    "SimilarFinder",
    "SimilarObject",
]
