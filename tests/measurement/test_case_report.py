"""A page about a case: what is on it, and files that cannot be written."""

import base64
import errno
import hashlib
import io
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_simpleclick.cli import app
from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement import measure
from napari_simpleclick.measurement.case_report import Case, write_case_report


def run(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def balls(count=2):
    labels = np.zeros((20, 60, 80), np.uint8)
    grid = np.indices(labels.shape)
    for label in range(1, count + 1):
        centre = (4 + 2 * label, 20 + 10 * label, 12 + 9 * label)
        far = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
        labels[far <= 16] = label
    return labels


def case_of(labels, **about):
    spacing = (2.0, 1.0, 1.0)[-labels.ndim :]
    objects = measure(labels, spacing)
    image = np.where(labels > 0, 200, 50)
    return Case("a < b", labels, objects, image, spacing, **about)


def pictures(page):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB"))
        for one in found
    ]


def has_colour(picture, colour):
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return bool((abs(picture.astype(int) - wanted).max(axis=2) < 40).any())


def test_the_page_shows_slices_surfaces_and_measures(tmp_path):
    target = tmp_path / "case.html"
    colours = {1: "#ff0000", 2: "#0000ff"}
    write_case_report(target, case_of(balls(), colours=colours, facts={"Site": "<i>"}))
    page = target.read_text("utf-8")
    first, second, surfaces = pictures(page)
    assert has_colour(first, "#ff0000")
    assert has_colour(second, "#0000ff")
    assert has_colour(surfaces, "#cc0000") and has_colour(surfaces, "#0000cc")
    assert "Object 1, slice 6" in page
    assert "<h1>a &lt; b</h1>" in page
    assert "<dd>&lt;i&gt;</dd>" in page
    assert not re.search(r"https?:|file:|@import", page)


def test_objects_on_one_slice_share_a_picture(tmp_path):
    labels = np.zeros((5, 40, 40), np.uint8)
    labels[2, 5:10, 5:20], labels[2, 20:30, 20:30] = 1, 2
    write_case_report(tmp_path / "case.html", case_of(labels))
    page = (tmp_path / "case.html").read_text("utf-8")
    assert len(pictures(page)) == 2
    assert "Object 2, Object 1, slice 2" in page


@pytest.mark.parametrize("kind", [".html", ".pdf"])
@pytest.mark.parametrize("labels", [balls(1), balls(6), balls()[8]])
def test_every_case_is_one_page(tmp_path, labels, kind):
    write_case_report(tmp_path / f"case{kind}", case_of(labels))
    content = (tmp_path / f"case{kind}").read_bytes()
    if kind == ".pdf":
        assert content.startswith(b"%PDF")
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", content)) == 1


def test_an_empty_mask_is_no_case(tmp_path):
    with pytest.raises(UserError, match="nothing to report"):
        write_case_report(tmp_path / "case.html", case_of(np.zeros((3, 9, 9), int)))
    assert list(tmp_path.iterdir()) == []


def test_other_kinds_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"use \.html, \.pdf"):
        write_case_report(tmp_path / "case.docx", case_of(balls()))


def test_a_full_disk_leaves_the_old_page(tmp_path, monkeypatch):
    target = tmp_path / "case.html"
    target.write_text("old")

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_case_report(target, case_of(balls()))
    assert target.read_text() == "old"


@pytest.fixture
def files(tmp_path):
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    labels = balls().transpose()
    for name, array in (("mask", labels), ("flair", labels * 9 + 3)):
        image = nibabel.Nifti1Image(array.astype(np.uint8), affine)
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    return tmp_path


def test_the_command_says_where_all_comes_from(files):
    target = files / "case.html"
    mask, image = files / "mask.nii.gz", files / "flair.nii.gz"
    done = run(mask, "--image", image, "--weights", "bundled", "--output", target)
    assert done.exit_code == 0, done.output
    assert "2 objects" in done.stdout
    page = target.read_text("utf-8")
    for path in (mask, image):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in page
    assert "napari-simpleclick " in page
    assert re.search(r"Weights.*safetensors, SHA-256 [0-9a-f]{64}", page)
    assert "voxels of 2 x 1 x 1 mm" in page
    assert "flair mean" in page


def test_the_command_is_about_one_time_point(tmp_path):
    series = np.stack([balls(1), balls(2)], axis=-1)
    nibabel.save(nibabel.Nifti1Image(series, np.eye(4)), tmp_path / "mask.nii")
    target = tmp_path / "case.html"
    done = run(tmp_path / "mask.nii", "-o", target)
    assert done.exit_code == 2
    assert "(--time)" in done.stderr
    done = run(tmp_path / "mask.nii", "-o", target, "--time", "7")
    assert "no time point 7" in done.stderr
    done = run(tmp_path / "mask.nii", "-o", target, "--time", "1")
    assert "2 objects" in done.stdout


def test_a_session_that_is_not_there_is_said(files):
    target = files / "case.html"
    done = run(files / "mask.nii.gz", "-o", target, "--session", files / "gone.db")
    assert done.exit_code == 2
    assert "There is no session" in done.stderr
    assert not target.exists()
