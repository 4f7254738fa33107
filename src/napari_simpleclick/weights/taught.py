"""Weights that a person's objects have taught: a small file beside the weights before.

It holds the tensors that have changed, and says which weights they belong to.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from napari_simpleclick.images.whole_files import check_not_read
from napari_simpleclick.weights.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_simpleclick.networks import Network
    from napari_simpleclick.weights.catalogue import Card

KEY = "taught"
"""Entry of a file's metadata by which it is told from whole weights."""

VERSION = 1
"""Of that entry; raised when a field changes its meaning."""

DIGEST = "tensors_sha256"
"""Entry of a file's metadata with the SHA-256 of its tensors."""


@dataclass(frozen=True)
class Base:
    """The weights that were taught.

    Parameters
    ----------
    name : str
        In the catalogue, or of the file.
    file : str
        Path of the file as it was.
    sha256 : str
        Of the file.
    """

    name: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Lesson:
    """What a file of taught weights says about itself.

    Parameters
    ----------
    base : Base
        The weights before.
    objects : tuple of str
        What was learned from, an entry for each object.
    seconds : float
        How long it took.
    batches : int
        How many steps of several crops that were.
    before, after : dict
        Clicks and overlaps on the objects that were not learned from.
    elsewhere : dict
        Overlaps on other kinds of objects, before and after.
    date : str
        When, as YYYY-MM-DD.
    software : str
        By what.
    """

    base: Base
    objects: tuple[str, ...]
    seconds: float
    batches: int
    before: dict[str, float]
    after: dict[str, float]
    elsewhere: dict[str, float]
    date: str
    software: str


def lesson_of(about: Mapping[str, Any], path: Path) -> Lesson | None:
    """Read what a file says about what it was taught; None for whole weights.

    Parameters
    ----------
    about : mapping
        Metadata of the file.
    path : Path
        Named in errors.

    Raises
    ------
    WeightsError
        If it is of another version, or damaged.
    """
    if KEY not in about:
        return None
    try:
        told = json.loads(about[KEY])
        version = told.pop("version")
        if version == VERSION:
            known = {field.name for field in fields(Lesson)}
            values = {name: value for name, value in told.items() if name in known}
            base = Base(**values.pop("base"))
            if not all(isinstance(text, str) for text in astuple(base)):
                raise TypeError(base)
            return Lesson(base=base, objects=tuple(values.pop("objects")), **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"'{path}' is damaged: it does not say what it was taught; teach again."
        ) from error
    raise WeightsError(
        f"'{path}' was taught by another version of this program (format {version}, "
        f"not {VERSION}); teach again."
    )


def check_whole(
    state: Mapping[str, Tensor], about: Mapping[str, Any], path: Path
) -> None:
    """Refuse tensors that are not those that were written.

    Parameters
    ----------
    state : mapping of str to Tensor
        The tensors.
    about : mapping
        Metadata of the file; of earlier versions it has no digest.
    path : Path
        Named in errors.

    Raises
    ------
    WeightsError
        If they are others, or no numbers.
    """
    finite = all(bool(tensor.isfinite().all()) for tensor in state.values())
    if not finite or about.get(DIGEST, _digest(state)) != _digest(state):
        raise WeightsError(
            f"'{path}' is damaged: its numbers are not those that were learned; teach "
            "again, or take another copy."
        )


def _digest(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def complete(
    state: Mapping[str, Tensor], base: Mapping[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """Put taught tensors in the place of those before.

    Raises
    ------
    WeightsError
        If they do not fit.
    """
    for name, tensor in state.items():
        if name not in base or base[name].shape != tensor.shape:
            raise WeightsError(
                f"'{path}' does not fit the weights that it was taught on: '{name}' "
                "is another; teach again."
            )
    return {**base, **state}


def save_taught(
    network: Network,
    before: Mapping[str, Tensor],
    path: Path,
    card: Card,
    lesson: Lesson,
) -> None:
    """Write the tensors that have changed, float16; an old file stays whole until then.

    Parameters
    ----------
    network : Network
        As it was taught.
    before : mapping of str to Tensor
        The weights of :attr:`Lesson.base`.
    path : Path
        Target, ``.safetensors``.
    card, lesson
        Written into the file's metadata.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk; nothing is left of it then.
    UserError
        If the target is the file of the weights before, which it needs.
    """
    check_not_read(path, [Path(lesson.base.file)])
    changed = {
        name: tensor.detach().half().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if name in before
        and not torch.equal(tensor.cpu(), before[name].to(tensor.dtype))
    }
    told = json.dumps({"version": VERSION, **asdict(lesson)})
    partial = path.with_name(f"{path.name}.part")
    try:
        about = {KEY: told, "card": json.dumps(asdict(card)), DIGEST: _digest(changed)}
        save_file(changed, partial, about)
        os.replace(partial, path)
    except Exception as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise
        raise OSError(f"'{path}' could not be written ({error}).") from error
