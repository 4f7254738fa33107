import csv
import json
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


def check_results(folder):
    (row,) = csv.DictReader((folder / "measures.csv").open())
    assert int(row["voxels"]) > 1000
    assert int(row["slices"]) == 5
    mask = imread(folder / "mask.tif")
    assert mask.shape == (5, 250, 250)
    found = json.loads((folder / "coco" / "annotations.json").read_text())
    assert [one["name"] for one in found["categories"]] == ["mitochondrion"]
    assert sum(one["area"] for one in found["annotations"]) == (mask > 0).sum()


def test_clicks_to_numbers(run, tmp_path):
    assert "5 slices" in run("clicks_to_numbers.py", tmp_path)
    check_results(tmp_path)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / "clicks_to_numbers.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=240, resources=place).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    assert any("image/png" in one.get("data", {}) for one in outputs)
    check_results(tmp_path / "results")


def test_every_example_is_run():
    names = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    scripts = {"segment_slice.py", "evaluate_weights.py", "clicks_to_numbers.py"}
    assert names == scripts | {"clicks_to_numbers.ipynb"}


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_benchmarks_find_what_they_import(path, monkeypatch):
    pytest.importorskip("zarr")
    monkeypatch.syspath_prepend(path.parent)  # as python does for a script
    assert callable(runpy.run_path(str(path))["main"])
