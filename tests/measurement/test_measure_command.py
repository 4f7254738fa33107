import csv
import errno
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
import trimesh
from PIL import Image
from typer.testing import CliRunner

from napari_simpleclick.cli import app
from napari_simpleclick.images.label_names import LabelName, write_beside


def run(*arguments):
    return CliRunner().invoke(app, ["measure", *map(str, arguments)])


@pytest.fixture
def case(tmp_path):
    """A mask and a scan, oblong voxels, turned and moved in the scanner."""
    labels = np.zeros((20, 24, 12), np.uint8)
    labels[4:10, 5:15, 3:8] = 2
    affine = np.array(
        [[0.0, 0.8, 0, -30], [-0.7, 0, 0, 40], [0, 0, 3.0, 50], [0, 0, 0, 1]]
    )
    image = np.where(labels == 2, 70, 10).astype(np.int16)
    for name, array in (("mask", labels), ("flair", image)):
        nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / f"{name}.nii.gz")
    return tmp_path, affine


def test_the_table_says_what_is_in_the_scanner(case):
    folder, affine = case
    out = folder / "out.csv"
    done = run(folder / "mask.nii.gz", "--image", folder / "flair.nii.gz", "--csv", out)
    assert done.exit_code == 0, done.output
    assert "1 rows" in done.stdout
    (row,) = csv.DictReader(out.open())
    assert row["object"] == "2"
    assert float(row["volume_ml"]) == pytest.approx(300 * 0.7 * 0.8 * 3 / 1000)
    place = affine @ (6.5, 9.5, 5, 1)
    assert float(row["right_mm"]) == pytest.approx(place[0])
    assert float(row["anterior_mm"]) == pytest.approx(place[1])
    assert float(row["superior_mm"]) == pytest.approx(place[2])
    assert float(row["flair_mean"]) == 70
    assert row["slices"] == "5"  # axial ones


def test_one_row_a_slice(case):
    folder, _ = case
    done = run(folder / "mask.nii.gz", "--slices", "--json", folder / "out.json")
    assert done.exit_code == 0, done.output
    rows = json.loads((folder / "out.json").read_text())
    assert len(rows) == 5
    assert rows[0]["area_mm2"] == pytest.approx(6 * 0.7 * 10 * 0.8)


def test_a_file_without_sizes_is_measured_in_pixels(tmp_path):
    mask = np.zeros((30, 30), np.uint8)
    mask[3:9, 3:9] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    done = run(tmp_path / "mask.tif")
    assert done.exit_code == 0, done.output
    assert "area_px2" in done.stdout
    assert "36" in done.stdout


def test_an_image_of_another_shape_is_refused(case, tmp_path):
    folder, _ = case
    other = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.eye(4))
    nibabel.save(other, folder / "other.nii")
    done = run(folder / "mask.nii.gz", "--image", folder / "other.nii")
    assert done.exit_code == 2
    assert "give the image that the mask was drawn on" in done.stderr


def test_surfaces_lie_in_the_scanner(case):
    folder, affine = case
    done = run(folder / "mask.nii.gz", "--surface", folder / "object.stl")
    assert done.exit_code == 0, done.output
    found = trimesh.load_mesh(folder / "object.stl")
    corners = np.array([(3.5, 4.5, 2.5), (9.5, 14.5, 7.5)])
    placed = corners @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(found.bounds, np.sort(placed, axis=0), atol=0.3)


def test_surfaces_without_an_orientation_have_x_y_and_z(tmp_path):
    labels = np.zeros((8, 20, 30), np.uint8)
    labels[2:6, 4:10, 8:20] = 1
    tifffile.imwrite(tmp_path / "mask.tif", labels, photometric="minisblack")
    done = run(tmp_path / "mask.tif", "--surface", tmp_path / "object.stl")
    assert done.exit_code == 0, done.output
    found = trimesh.load_mesh(tmp_path / "object.stl")
    bounds = [(7.5, 3.5, 1.5), (19.5, 9.5, 5.5)]
    np.testing.assert_allclose(found.bounds, bounds, atol=0.3)
    assert found.volume > 0


def test_a_series_has_a_row_for_every_time_point(tmp_path):
    series = np.zeros((12, 14, 6, 3), np.uint8)
    for time in range(3):
        series[2 : 5 + time, 3:9, 1:4, time] = 1
    image = nibabel.Nifti1Image(series, np.diag([2.0, 2.0, 3.0, 1.0]))
    nibabel.save(image, tmp_path / "mask.nii.gz")
    nibabel.save(
        nibabel.Nifti1Image((series * 9).astype(np.int16), image.affine),
        tmp_path / "t1.nii.gz",
    )
    out = tmp_path / "out.csv"
    picture = tmp_path / "t1.nii.gz"
    done = run(tmp_path / "mask.nii.gz", "--image", picture, "--csv", out)
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(out.open()))
    assert [row["time"] for row in rows] == ["0", "1", "2"]
    volumes = [float(row["volume_ml"]) for row in rows]
    assert volumes == pytest.approx([(3 + t) * 18 * 12 / 1000 for t in range(3)])
    assert {row["t1_mean"] for row in rows} == {"9"}
    done = run(tmp_path / "mask.nii.gz", "--surface", tmp_path / "object.stl")
    assert "give the mask of a volume" in done.stderr


def test_pages_are_time_points_where_that_is_said(tmp_path):
    mask = np.zeros((4, 20, 30), np.uint8)
    mask[:, 3:9, 3:9] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask, photometric="minisblack")
    out = tmp_path / "out.json"
    done = run(tmp_path / "mask.tif", "--time-axis", "0", "--json", out)
    assert done.exit_code == 0, done.output
    rows = json.loads(out.read_text())
    assert [(row["time"], row["area_px2"]) for row in rows] == [
        (time, 36) for time in range(4)
    ]
    done = run(tmp_path / "mask.tif", "--time-axis", "5")
    assert "Axis 5 cannot be time" in done.stderr


def test_a_full_disk_leaves_the_old_table(case, monkeypatch):
    folder, _ = case
    out = folder / "out.csv"
    out.write_text("old")

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = run(folder / "mask.nii.gz", "--csv", out)
    assert done.exit_code == 2
    assert "No space left on device" in done.stderr
    assert out.read_text() == "old"
    assert not list(folder.glob(".*out*"))


def test_a_mask_of_another_place_is_refused(case):
    folder, affine = case
    moved = affine.copy()
    moved[0, 3] += 9
    labels = np.asarray(nibabel.load(folder / "mask.nii.gz").dataobj)
    nibabel.save(nibabel.Nifti1Image(labels, moved), folder / "moved.nii.gz")
    flair = folder / "flair.nii.gz"
    for words in (
        ["measure", folder / "moved.nii.gz"],
        ["report", folder / "moved.nii.gz", "--output", folder / "case.html"],
    ):
        done = CliRunner().invoke(app, [*map(str, words), "--image", str(flair)])
        assert done.exit_code == 2
        assert "voxels away" in done.stderr
    assert not (folder / "case.html").exists()


def test_two_images_of_one_name_are_told_apart(case):
    folder, _ = case
    other = folder / "flair.2.nii.gz"
    other.write_bytes((folder / "mask.nii.gz").read_bytes())
    flair = folder / "flair.nii.gz"
    done = run(folder / "mask.nii.gz", "--image", flair, "--image", other)
    assert done.exit_code == 2
    assert "Two images are called 'flair'" in done.stderr


def test_masks_of_any_type_are_measured_with_their_names(tmp_path):
    labels = np.zeros((6, 20, 24))
    labels[2:4, 4:10, 5:15] = 3
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), path)
    write_beside(tmp_path / "mask_labels.txt", [LabelName(3, "tibia, left")])
    done = run(path, "--json", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert (row["object"], row["name"]) == (3, "tibia, left")
    nibabel.save(nibabel.Nifti1Image(labels + 0.5, np.eye(4)), path)
    assert "other values than whole numbers" in run(path).stderr
    flat = np.zeros((20, 30, 3), np.uint8)
    flat[4:8, 5:15] = 255, 0, 0
    Image.fromarray(flat).save(tmp_path / "mask.png")
    done = run(tmp_path / "mask.png", "--csv", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    (row,) = csv.DictReader((tmp_path / "out.csv").open())
    assert (row["object"], row["pixels"]) == ("1", "40")
