"""A scan with objects of all kinds: with a hole, in parts, of two classes."""

import nibabel
import numpy as np
import pytest

from napari_simpleclick.exports import ExportCase
from napari_simpleclick.images.label_names import LabelName
from napari_simpleclick.images.viewer_images import open_layers

AFFINE = np.array(
    [
        [0.48, 0.1, 0.3, -31.5],
        [-0.14, 0.68, 0.4, 22.25],
        [0.02, -0.12, 1.9, 7.125],
        [0, 0, 0, 1.0],
    ]
)
"""Oblique, with pixels of three lengths; its columns are perpendicular to each other
within a percent, as scanners write them."""


def perpendicular(affine):
    """Make the axes of an affine perpendicular, and keep their lengths."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    turned, _ = np.linalg.qr(affine[:3, :3])
    turned *= np.sign((turned * affine[:3, :3]).sum(axis=0))
    out = affine.copy()
    out[:3, :3] = turned * sizes
    return out


NAMES = (
    LabelName(1, "left tibia", "#102030", "bone"),
    LabelName(2, "right tibia", "#405060", "bone"),
    LabelName(5, "meniscus", "#708090"),
)


def draw(shape):
    """Draw three objects in the order of a layer: slices, rows, columns."""
    labels = np.zeros(shape, np.uint8)
    _, rows, columns = np.indices(shape)
    labels[2:5][((rows - 15) ** 2 + (columns - 20) ** 2 < 100)[2:5]] = 1
    labels[3][((rows - 15) ** 2 + (columns - 20) ** 2 < 16)[3]] = 0
    labels[4:7, 30:36, 5:20] = 2
    labels[5, 30:36, 10:12] = 0
    labels[5, 2:4, 44:47] = 2
    labels[6, 38, 40], labels[6, 39, 41] = 5, 5
    return labels


@pytest.fixture
def scan(tmp_path):
    """Write a scan whose axes the viewer turns and reverses."""
    pixels = np.random.default_rng(0).integers(0, 900, (48, 40, 9)).astype(np.int16)
    path = tmp_path / "knee.nii.gz"
    nibabel.save(nibabel.Nifti1Image(pixels, perpendicular(AFFINE)), path)
    return path


@pytest.fixture
def case(scan):
    return case_of(scan)


def case_of(path, name="knee", names=NAMES, labels=None):
    (opened,) = open_layers(path)
    shape = opened.array.shape
    labels = draw(shape) if labels is None else labels
    return ExportCase.of_layers(name, labels, opened.source, names, opened.array)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())
