"""Annotation on disk: a file that grows by what happens, and is read by playing it."""

from napari_simpleclick.sessions.database import SUFFIX, SessionDatabase
from napari_simpleclick.sessions.image_identity import ImageIdentity
from napari_simpleclick.sessions.reader import SessionReader
from napari_simpleclick.sessions.writer import SessionWriter

__all__ = [
    "SUFFIX",
    "ImageIdentity",
    "SessionDatabase",
    "SessionReader",
    "SessionWriter",
]
