import subprocess
import sys

import numpy as np
from skimage.io import imread


def test_demo_clicks_by_itself_and_saves_a_picture(tmp_path):
    """The picture of the whole window shows the mask's colour at the clicks."""
    picture = tmp_path / "demo.png"
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "napari_simpleclick.cli",
            "demo",
            "--screenshot",
            picture,
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert str(picture) in run.stdout
    shot = imread(picture)[..., :3].astype(int)
    drawing = shot[:, shot.shape[1] // 3 : -shot.shape[1] // 3]
    orange = (drawing[..., 0] > drawing[..., 2] + 50) & (
        drawing[..., 1] > drawing[..., 2]
    )
    green = np.abs(drawing - (46, 204, 64)).sum(-1) < 40
    assert orange.sum() > 500
    assert green.sum() > 10
