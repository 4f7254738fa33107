import subprocess
import sys
from pathlib import Path

import pytest
from skimage.io import imread

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    out = tmp_path / "mask.png"
    subprocess.run([sys.executable, str(path), str(out)], check=True, text=True)
    assert imread(out).any()
