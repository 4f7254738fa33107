"""Masks in the formats of other tools: data sets to train on, contours, stores."""

from napari_simpleclick.exports.case import ExportCase, read_case
from napari_simpleclick.exports.kinds import KINDS, ExportKind, export, kind_of
from napari_simpleclick.exports.writing import AlreadyThereError

__all__ = [
    "KINDS",
    "AlreadyThereError",
    "ExportCase",
    "ExportKind",
    "export",
    "kind_of",
    "read_case",
]
