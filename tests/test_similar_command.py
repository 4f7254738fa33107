import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_simpleclick.annotation import proposals
from napari_simpleclick.cli import app
from napari_simpleclick.cli.segment import LEAST_SCORE
from napari_simpleclick.weights import find_card
from napari_simpleclick.workflow import similar_volume
from tests.helpers import PartNetwork

PLACES = [(30, 30), (30, 90), (90, 40), (90, 110)]


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """Two slices of four bright disks; those of the first but the last are marked."""
    rows, columns = np.indices((120, 150))
    image = np.random.default_rng(0).normal(40, 3, (2, 120, 150))
    marked = np.zeros(image.shape, np.uint8)
    for label, (row, column) in enumerate(PLACES, start=1):
        for index in (0, 1):
            near = (rows - row) ** 2 + (columns - column - 3 * index) ** 2 <= 14**2
            image[index][near] = 200
            if index == 0 and label < 4:
                marked[0][near] = label
    tifffile.imwrite(
        tmp_path / "stack.tif", image.astype(np.uint8), metadata={"axes": "ZYX"}
    )
    tifffile.imwrite(tmp_path / "some.tif", marked, metadata={"axes": "ZYX"})
    network = PartNetwork(0.4, (128, 128))
    monkeypatch.setattr(
        similar_volume, "load_weights", lambda _: (network, find_card("bundled"))
    )
    monkeypatch.chdir(tmp_path)
    return marked


def run(*words):
    command = ["segment", "stack.tif", "--find-similar", "--axis", "0", *words]
    return CliRunner().invoke(app, command)


def test_all_slices_are_searched(stack):
    result = run("--examples", "some.tif", "-o", "all.tif", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["examples"] == 3
    assert [one["label"] for one in told["found"]] == [4, 5, 6, 7, 8]
    assert [one["slice_index"] for one in told["found"]] == [0, 1, 1, 1, 1]
    assert "5 objects found on 2 slices, from 3 examples" in result.stderr
    labels = tifffile.imread("all.tif")
    assert labels.shape == stack.shape
    assert (labels[stack > 0] == stack[stack > 0]).all()
    for one in told["found"]:
        assert (labels == one["label"]).sum() == one["area_px"]


@pytest.mark.parametrize("first", [2**31 - 2, 3_000_000_000, 720_575_940_600_000_001])
def test_numbers_of_any_size_stay(stack, first):
    ids = np.where(stack > 0, stack.astype(np.uint64) + np.uint64(first - 1), 0)
    affine = np.eye(4)
    nibabel.save(nibabel.Nifti1Image(ids.T, affine, dtype=np.uint64), "ids.nii")
    image = tifffile.imread("stack.tif")
    nibabel.save(nibabel.Nifti1Image(image.T, affine), "stack.nii")
    words = ["segment", "stack.nii", "--find-similar", "--axis", "2"]
    words += ["--examples", "ids.nii", "-o", "all.nii"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    labels = np.asarray(nibabel.load("all.nii").dataobj).T
    assert (labels[stack > 0] == ids[stack > 0]).all()
    assert sorted(set(labels.ravel().tolist()))[:4] == [0, first, first + 1, first + 2]


def test_a_negative_background_is_one(stack):
    signed = np.where(stack > 0, stack.astype(np.int16), -1)
    tifffile.imwrite("signed.tif", signed, metadata={"axes": "ZYX"})
    result = run("--examples", "signed.tif", "-o", "all.tif")
    assert "5 objects found" in result.output


def test_negative_marks_beside_a_background_of_zeros_stay(stack):
    signed = stack.astype(np.int16)
    signed[1, 20:60, 10:60] = -7  # where one would be found
    tifffile.imwrite("signed.tif", signed, metadata={"axes": "ZYX"})
    result = run("--examples", "signed.tif", "-o", "all.tif")
    assert "4 objects found" in result.output
    labels = tifffile.imread("all.tif")
    assert (labels[signed != 0] == signed[signed != 0]).all()


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_examples_that_are_no_labels_are_refused(stack, value):
    soft = np.where(stack == 1, value, stack).astype(np.float32)
    tifffile.imwrite("soft.tif", soft, metadata={"axes": "ZYX"})
    result = run("--examples", "soft.tif", "-o", "all.tif")
    assert result.exit_code == 2
    assert "other values than whole numbers" in result.stderr


@pytest.mark.parametrize("name", ["stack.tif", "some.tif"])
def test_what_is_read_is_not_written_over(stack, name):
    before = Path(name).read_bytes()
    result = run("--examples", "some.tif", "-o", name)
    assert result.exit_code == 2
    assert "is what this is made from" in result.stderr
    assert Path(name).read_bytes() == before


def test_the_command_proposes_what_the_panel_does():
    assert LEAST_SCORE == proposals.LEAST_SCORE


def test_one_slice_or_the_unmarked_ones_alone(stack):
    words = ("--examples", "some.tif", "--json")
    one = json.loads(run(*words, "--slice", "0").stdout.splitlines()[-1])
    assert [found["slice_index"] for found in one["found"]] == [0]
    strict = json.loads(run(*words, "--least-score", "1").stdout.splitlines()[-1])
    assert strict["found"] == []
    rest = json.loads(run(*words, "--whole-slices").stdout.splitlines()[-1])
    assert {found["slice_index"] for found in rest["found"]} == {1}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "--find-similar and --examples LABELS together"),
        (("--examples", "some.tif"), "give -o FILE or --json"),
        (
            ("--examples", "some.tif", "--click", "3,4", "--json"),
            "without clicks or --prior",
        ),
        (
            ("--examples", "some.tif", "--box", "1,2,30,40", "--json"),
            "without clicks or --prior, --box",
        ),
        (
            ("--examples", "some.tif", "--mode", "exact", "--json"),
            "--mode and --first-look",
        ),
        (
            ("--examples", "some.tif", "--slice", "7", "--json"),
            "there are slices 0 to 1",
        ),
    ],
)
def test_mistakes_end_in_a_sentence(stack, words, sentence):
    result = run(*words)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())


def test_slices_that_hold_nothing_are_counted_and_the_surest_is_named(stack):
    result = run("--examples", "some.tif", "--least-score", "1", "-o", "all.tif")
    told = "0 objects found on 2 slices, from 3 examples; the surest has 0."
    assert told in " ".join(result.stdout.split())


def test_an_image_without_numbers_is_refused(stack):
    nothing = np.full(stack.shape, np.nan, np.float32)
    tifffile.imwrite("stack.tif", nothing, metadata={"axes": "ZYX"})
    result = run("--examples", "some.tif", "-o", "all.tif")
    assert result.exit_code == 2
    assert "'stack.tif' holds no numbers" in result.stderr


def test_too_few_examples_end_in_a_sentence(stack):
    stack[stack > 2] = 0
    tifffile.imwrite("two.tif", stack, metadata={"axes": "ZYX"})
    result = run("--examples", "two.tif", "--json")
    assert result.exit_code == 2
    assert "There are 2 examples; give at least 3." in result.stderr


def test_a_volume_needs_its_axis(stack):
    command = ["segment", "stack.tif", "--find-similar", "--examples", "some.tif"]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 2
    assert "--axis" in result.stderr
