"""Training images and their objects, read from folders into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import nibabel
import numpy as np
from scipy import ndimage
from skimage.io import imread

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MIN_OBJECT_PX = 12
"""Smaller labels are not used as targets."""


@dataclass(frozen=True)
class LabelledImage:
    """An image and its label map.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3) uint8.
    labels : ndarray
        (H, W) integer; 0 is background, other values are objects or classes.
    name : str
        Stem of its file.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.integer]
    name: str = ""

    def objects(self) -> dict[int, tuple[slice, slice]]:
        """Bounding box of each label that is large enough to be a target."""
        boxes = ndimage.find_objects(self.labels)
        areas = np.bincount(self.labels.ravel(), minlength=len(boxes) + 1)
        return {
            label: box
            for label, box in enumerate(boxes, start=1)
            if box is not None and areas[label] >= MIN_OBJECT_PX
        }


def read_sets(root: Path) -> dict[str, list[LabelledImage]]:
    """Read every image set below a folder.

    Parameters
    ----------
    root : Path
        Holds one folder per set, each with ``images`` and ``masks`` of equal names:
        PNG or TIFF images, or NIfTI volumes, which are cut into slices on all three
        axes.

    Returns
    -------
    dict
        Set name to its images.

    Raises
    ------
    UserError
        If no set is found, or a mask is missing or of another size.
    """
    folders = sorted(path for path in root.glob("*") if (path / "images").is_dir())
    if not folders:
        raise UserError(
            f"'{root}' holds no image sets; expected NAME/images and NAME/masks."
        )
    return {folder.name: _read_set(folder) for folder in folders}


def _read_set(folder: Path) -> list[LabelledImage]:
    images: list[LabelledImage] = []
    for path in sorted((folder / "images").iterdir()):
        mask = folder / "masks" / path.name
        if not mask.exists():
            raise UserError(f"'{path}' has no mask; expected '{mask}'.")
        pairs = _slices(path, mask) if ".nii" in path.suffixes else _image(path, mask)
        images.extend(pair for pair in pairs if pair.objects())
    return images


def _image(path: Path, mask: Path) -> list[LabelledImage]:
    image, labels = imread(path), imread(mask)
    if labels.ndim != 2 or image.shape[:2] != labels.shape:
        raise UserError(
            f"'{mask}' has shape {labels.shape}, its image {image.shape}; "
            "a mask must be one label image of the same height and width."
        )
    picture = image[..., :3] if image.ndim == 3 else image
    return [LabelledImage(picture, labels, path.stem)]


def _slices(path: Path, mask: Path) -> list[LabelledImage]:
    volume = np.asanyarray(nibabel.load(path).dataobj).astype(np.float32)
    labels = np.asanyarray(nibabel.load(mask).dataobj).astype(np.int32)
    low, high = np.percentile(volume, [0.5, 99.5])
    scaled = np.clip((volume - low) / max(high - low, 1e-6), 0, 1) * 255
    return [
        LabelledImage(
            np.ascontiguousarray(scaled.take(index, axis).astype(np.uint8)),
            np.ascontiguousarray(labels.take(index, axis)),
            path.stem,
        )
        for axis in range(3)
        for index in range(2, volume.shape[axis], 4)
        if labels.take(index, axis).any()
    ]
