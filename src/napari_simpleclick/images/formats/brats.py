"""The folder of a BraTS case: several MR modalities of one head, and its labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.affines import distance
from napari_simpleclick.images.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.image_file import ImageFile

MODALITIES = {
    "FLAIR": r"flair|t2f",
    "T1": r"t1|t1n",
    "T1c": r"t1ce|t1c|t1gd",
    "T2": r"t2|t2w",
}
"""In the order of the layer's first axis, and how files are called."""

CLOSE = 0.1
"""Voxels by which modalities may be off each other."""

LABELS = r"seg|otmulticlass"
WORD = r"(?:^|[^a-z0-9])(?:{})(?:[^a-z0-9]|$)"


@dataclass(frozen=True)
class Case:
    """The files of a case.

    Parameters
    ----------
    modalities : dict of str to Path
        By name, in the order of `MODALITIES`.
    labels : Path or None
        The label map.
    others : tuple of Path
        NIfTI files of the folder that are neither.
    """

    modalities: dict[str, Path]
    labels: Path | None
    others: tuple[Path, ...]


def find(folder: Path) -> Case | None:
    """Find the case of a folder.

    Returns
    -------
    Case or None
        None if the folder has not two modalities, or one and its labels, or if two
        files have the same role.
    """
    roles: dict[str, Path] = {}
    others: list[Path] = []
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        stem = name.removesuffix(".gz").removesuffix(".nii")
        if stem == name.removesuffix(".gz") or name.startswith("."):
            continue
        role = _role(stem)
        if role in roles:
            return None
        if role:
            roles[role] = path
        else:
            others.append(path)
    labels = roles.pop("labels", None)
    if len(roles) + (labels is not None) < 2 or not roles:
        return None
    modalities = {name: roles[name] for name in MODALITIES if name in roles}
    return Case(modalities, labels, tuple(others))


def _role(stem: str) -> str | None:
    """Tell what a file is; ``t2_flair`` is FLAIR, and ``flair_seg`` are labels."""
    for role, words in {"labels": LABELS, **MODALITIES}.items():
        if re.search(WORD.format(words), stem):
            return role
    return None


def read_modalities(case: Case) -> tuple[NDArray[Any], Source, tuple[str, ...]]:
    """Read the modalities of a case as one array.

    Returns
    -------
    array : ndarray
        (modality, inferior, posterior, left), of a type that holds them all.
    source : Source
        Of the first modality's file.
    warnings : tuple of str
        What is wrong with the files.

    Raises
    ------
    UserError
        If a file is damaged, or the volumes do not lie on each other.
    """
    from napari_simpleclick.images.files import read_image  # which lists all formats

    files = {name: read_image(path) for name, path in case.modalities.items()}
    (first, reference), *others = files.items()
    for name, file in others:
        if not _match(file, reference):
            raise UserError(
                f"'{file.path}' ({name}) does not lie on '{reference.path}' ({first}); "
                "open the files one by one."
            )
    source = Source.of_file(reference)
    stack = [np.asarray(source.to_layer(file.array)) for file in files.values()]
    warnings = [text for file in files.values() for text in file.warnings]
    if case.others:
        listed = ", ".join(f"'{path.name}'" for path in case.others)
        warnings.append(f"{listed} was left out; open it by itself.")
    return np.stack(stack), source, tuple(warnings)


def _match(file: ImageFile, reference: ImageFile) -> bool:
    if file.affine is None or reference.affine is None:
        return False
    apart = distance(file.affine, reference.affine, file.shape)
    return file.shape == reference.shape and apart < CLOSE
