import subprocess
import sys
from pathlib import Path

from skimage.io import imread

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *words):
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, check=True, text=True, capture_output=True)
    return done.stdout


def test_segment_slice(tmp_path):
    out = tmp_path / "mask.png"
    assert "after click 3" in run("segment_slice.py", out)
    assert imread(out).any()


def test_evaluate_weights(tmp_path):
    printed = run("evaluate_weights.py", tmp_path / "report")
    assert "NoC@90" in printed
    assert "geodesic" in (tmp_path / "report" / "index.html").read_text()


def test_every_example_is_run():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"segment_slice.py", "evaluate_weights.py"}
