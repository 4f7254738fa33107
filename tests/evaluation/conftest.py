"""A small folder of images with two objects each."""

import numpy as np
import pytest
from skimage.draw import disk
from skimage.io import imsave

from napari_simpleclick.evaluation import RobotSettings

QUICK = RobotSettings(size=(64, 64), clicks=4, flip=False)


@pytest.fixture
def discs(tmp_path):
    """Three images of 80 x 100 px; two bright discs in each, labels 1 and 2."""
    root = tmp_path / "discs"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(3):
        labels = np.zeros((80, 100), np.uint8)
        labels[disk((25, 25 + number), 12)] = 1
        labels[disk((50, 70), 16 + number)] = 2
        image = 50 + 120 * (labels > 0) + rng.normal(0, 8, labels.shape)
        imsave(root / "images" / f"{number}.png", image.clip(0, 255).astype(np.uint8))
        imsave(root / "masks" / f"{number}.png", labels, check_contrast=False)
    return root
