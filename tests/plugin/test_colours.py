"""Objects are told apart by their colours, whatever eyes one has."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_simpleclick.plugin.layers.colours import OBJECT_COLOURS

EYES = {
    "usual": np.eye(3),
    "protanopia": [
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ],
    "deuteranopia": [
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ],
    "tritanopia": [
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ],
}


def seen(eye):
    codes = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in OBJECT_COLOURS]
    rgb = np.array(codes) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(EYES[eye]).T, 0, 1)
    small = linear <= 0.0031308
    rgb = np.where(small, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(rgb)


@pytest.mark.parametrize("eye", EYES)
def test_no_two_objects_look_alike(eye):
    lab = seen(eye)
    assert len(lab) >= 30
    gaps = deltaE_ciede2000(lab[:, None], lab[None])
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 5
    assert gaps[:12, :12].min() > 8
