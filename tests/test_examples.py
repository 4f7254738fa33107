import runpy
from pathlib import Path

import pytest
from skimage.io import imread

PROJECT = Path(__file__).parents[1]
EXAMPLES = PROJECT / "examples"
BENCHMARKS = sorted((PROJECT / "benchmarks").glob("*.py"))


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example as a script, and give what it prints."""

    def run(name, *words):
        path = str(EXAMPLES / name)
        monkeypatch.setattr("sys.argv", [path, *map(str, words)])
        runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out

    return run


def test_segment_slice(run, tmp_path):
    out = tmp_path / "mask.png"
    assert "after click 3" in run("segment_slice.py", out)
    assert imread(out).any()


def test_evaluate_weights(run, tmp_path):
    printed = run("evaluate_weights.py", tmp_path / "report")
    assert "NoC@90" in printed
    assert "geodesic" in (tmp_path / "report" / "index.html").read_text()


def test_every_example_is_run():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"segment_slice.py", "evaluate_weights.py"}


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_benchmarks_find_what_they_import(path):
    pytest.importorskip("zarr")
    assert callable(runpy.run_path(str(path))["main"])
