"""The training sets of the papers: SBD, and COCO with the objects of LVIS.

Layouts and rules are those of the training code that RITM and SimpleClick released.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation import readers
from napari_simpleclick.training.plain_pickle import read_plain_pickle

if TYPE_CHECKING:
    from pathlib import Path

SPARSEST = 0.08
"""Objects of SBD that fill less of their bounding box are taken for mistakes (RITM)."""

SCORES = "sbd_samples_weights.pkl"
"""File of the released code with a score for each photograph of SBD, if it is there."""

GAMMA = 1.25
"""Exponent that makes shares of photographs from their scores (RITM)."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Objects:
    """One photograph and its objects, which may overlap.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8, RGB.
    masks : list of ndarray
        (H, W) bool each; the objects that may become targets.
    parts : list of ndarray
        (H, W) bool each; objects that belong to one of ``masks``. They are never
        targets, but count as objects where negative clicks are drawn.
    """

    image: NDArray[np.uint8]
    masks: list[Mask]
    parts: list[Mask] = field(default_factory=list)


class _Photographs(Sequence[Objects]):
    """Photographs, each read when it is indexed."""

    shares: NDArray[np.float64] | None = None
    """Probability that each is drawn in training; None for equal ones."""

    _entries: Sequence[Any]

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Objects: ...

    @overload
    def __getitem__(self, index: slice) -> list[Objects]: ...

    def __getitem__(self, index: int | slice) -> Objects | list[Objects]:
        if isinstance(index, slice):
            return [self._read(entry) for entry in self._entries[index]]
        return self._read(self._entries[index])

    @abstractmethod
    def _read(self, entry: Any) -> Objects:
        """Read the photograph of an entry, without what is drawn at random."""


class SBD(_Photographs):
    """The Semantic Boundaries Dataset (Hariharan et al., 2011).

    Parameters
    ----------
    root : Path
        Holds ``img/ID.jpg``, ``inst/ID.mat``, lists of IDs and, at will,
        ``sbd_samples_weights.pkl`` of the released code, with which the photographs of
        ``train`` are drawn as published.
    split : str
        Name of a list, without ``.txt``.

    Raises
    ------
    UserError
        If the folder has another layout; on indexing, if a file is missing or damaged.
    """

    def __init__(self, root: Path, split: str = "train") -> None:
        self.root = root
        self._list = root / f"{split}.txt"
        for path in (root / "img", root / "inst", self._list):
            _existing(path, f"SBD is img/ID.jpg, inst/ID.mat and {split}.txt")
        self._entries = self._list.read_text("utf-8", "replace").split()
        if not self._entries:
            raise UserError(f"'{self._list}' is empty; expected the names of images.")
        if split == "train" and (root / SCORES).exists():
            self.shares = _shares(root / SCORES, len(self))

    def draw(self, index: int, rng: np.random.Generator) -> Objects:
        """Read a photograph; nothing of it is random."""
        return self[index]

    def _read(self, entry: str) -> Objects:
        listed = f"'{self._list}' lists '{entry}'"
        image = readers.rgb(_existing(self.root / "img" / f"{entry}.jpg", listed))
        path = _existing(self.root / "inst" / f"{entry}.mat", listed)
        labels = readers.sbd(path)
        if labels.shape != image.shape[:2]:
            raise UserError(
                f"'{path}' has the shape {labels.shape}; expected that of its image, "
                f"{image.shape[:2]}."
            )
        boxes = enumerate(ndimage.find_objects(labels), start=1)
        return Objects(
            image,
            [
                labels == label
                for label, box in boxes
                if box is not None and (labels[box] == label).mean() >= SPARSEST
            ],
        )


class _Entry(NamedTuple):
    """A photograph of COCO+LVIS: numbers of its objects; from ``stuff`` on, stuff."""

    name: str
    masks: list[int]
    parts: list[int]
    stuff: int


class CocoLvis(_Photographs):
    """COCO with the objects of LVIS, as RITM combined them (Sofiiuk et al., 2021).

    Parameters
    ----------
    root : Path
        Holds one folder per split, with ``images/ID.jpg``, ``masks/ID.pickle`` and
        ``hannotation.pickle``.
    split : str
        Name of a folder.
    stuff : float
        Probability that regions such as sky and grass are objects of a photograph,
        where it is drawn; indexing leaves them out. RITM and SimpleClick use 0.3.

    Raises
    ------
    UserError
        If the folder has another layout; on indexing, if a file is missing or damaged.
    """

    def __init__(self, root: Path, split: str = "train", stuff: float = 0.3) -> None:
        self.root, self.stuff = root / split, stuff
        self._list = self.root / "hannotation.pickle"
        for path in (self.root / "images", self.root / "masks", self._list):
            layout = "images/ID.jpg, masks/ID.pickle and hannotation.pickle"
            _existing(path, f"a split of COCO+LVIS is {layout}")
        found = read_plain_pickle(self._list)
        try:
            self._entries = [_entry(name, found[name]) for name in sorted(found)]
        except Exception as error:  # other content fails in any way
            raise UserError(
                f"'{self._list}' is no list of photographs; expected the hierarchy and "
                "num_instance_masks of each."
            ) from error
        if not self._entries:
            raise UserError(f"'{self._list}' is empty; expected photographs.")

    def draw(self, index: int, rng: np.random.Generator) -> Objects:
        """Read a photograph, with stuff at times."""
        return self._read(self._entries[index], bool(rng.random() < self.stuff))

    def _read(self, entry: _Entry, stuff: bool = False) -> Objects:
        listed = f"'{self._list}' lists '{entry.name}'"
        path = _existing(self.root / "images" / f"{entry.name}.jpg", listed)
        image = readers.rgb(path)
        path = _existing(self.root / "masks" / f"{entry.name}.pickle", listed)
        content = read_plain_pickle(path)
        try:
            encoded, places = content
            layers = [_layer(data, image.shape[:2]) for data in encoded]
            more = range(entry.stuff, len(places)) if stuff else ()
            return Objects(
                image,
                _masks(layers, places, (*entry.masks, *more)),
                _masks(layers, places, entry.parts),
            )
        except Exception as error:  # other content fails in any way
            raise UserError(
                f"'{path}' does not fit its image; expected PNG layers of its size and "
                "the layer and value of each object."
            ) from error


def read_published(name: str, root: Path, stuff: float = 0.3) -> SBD | CocoLvis:
    """Open a training set of the papers.

    Parameters
    ----------
    name : str
        ``sbd`` or ``coco-lvis``.
    root : Path
        Its folder.
    stuff : float
        Probability that a photograph of COCO+LVIS comes with its stuff.

    Raises
    ------
    UserError
        If the name is unknown, or the folder has another layout.
    """
    if name not in ("sbd", "coco-lvis"):
        raise UserError(f"There is no set '{name}'; choose 'sbd' or 'coco-lvis'.")
    return SBD(root) if name == "sbd" else CocoLvis(root, stuff=stuff)


def _shares(path: Path, count: int) -> NDArray[np.float64]:
    """Share of each of ``count`` photographs, from a list of (index, name, score)."""
    found = read_plain_pickle(path)
    shares = np.zeros(count)
    try:
        for index, _, score in found:
            shares[range(count)[index]] += (1 - float(score)) ** GAMMA
        if not 0 < shares.sum() < np.inf:
            raise ValueError("no photograph would be drawn")
    except Exception as error:  # other content fails in any way
        raise UserError(
            f"'{path}' does not fit the list of {count} photographs; expected the "
            "index, name and score of each, no score above 1."
        ) from error
    return np.asarray(shares / shares.sum())


def _existing(path: Path, reason: str) -> Path:
    if not path.exists():
        raise UserError(f"'{path}' is missing; {reason}.")
    return path


def _entry(name: str, annotation: Mapping[str, Any]) -> _Entry:
    masks: list[int] = []
    parts: list[int] = []
    for number, node in annotation["hierarchy"].items():
        root = node is None or node["parent"] is None
        (masks if root else parts).append(int(number))
    return _Entry(name, masks, parts, int(annotation["num_instance_masks"]))


def _layer(data: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    encoded = np.asarray(data, np.uint8)
    layer = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), np.uint8)
    if layer.shape != shape:
        raise ValueError(f"a layer has the shape {layer.shape}")
    return layer


def _masks(
    layers: Sequence[NDArray[np.uint8]],
    places: Sequence[tuple[int, int]],
    numbers: Iterable[int],
) -> list[Mask]:
    found = (places[number] for number in numbers)
    return [layers[layer] == value for layer, value in found]
