"""The sections of the panel, from top to bottom: one file and one line here for each.

A section is a :class:`.section.Section` that is made with the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.plugin.sections.encoding import EncodingSection
from napari_simpleclick.plugin.sections.folder import FolderSection
from napari_simpleclick.plugin.sections.intensities import IntensitiesSection
from napari_simpleclick.plugin.sections.measures import MeasuresSection
from napari_simpleclick.plugin.sections.model import ModelSection
from napari_simpleclick.plugin.sections.outline import OutlineSection
from napari_simpleclick.plugin.sections.propagation import PropagationSection
from napari_simpleclick.plugin.sections.reference import ReferenceSection
from napari_simpleclick.plugin.sections.sessions import SessionSection
from napari_simpleclick.plugin.sections.similar import SimilarSection
from napari_simpleclick.plugin.sections.teaching import TeachingSection
from napari_simpleclick.plugin.sections.three_views import ThreeViewsSection

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.sections.section import Section

SECTIONS: dict[str, Callable[[Controller], Section]] = {
    "folder": FolderSection,
    "three views": ThreeViewsSection,
    "propagation": PropagationSection,
    "similar": SimilarSection,
    "encoding": EncodingSection,
    "teaching": TeachingSection,
    "outline": OutlineSection,
    "intensities": IntensitiesSection,
    "measures": MeasuresSection,
    "session": SessionSection,
    "reference": ReferenceSection,
    "model": ModelSection,
}
