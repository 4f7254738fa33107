"""Regions of ImageJ, structure sets, and the command; read again by others."""

import json
import subprocess
import sys
from dataclasses import replace

import cv2
import nibabel
import numpy as np
import pytest
import tifffile
from skimage.draw import polygon2mask
from typer.testing import CliRunner

from napari_simpleclick import UserError
from napari_simpleclick.cli import app
from napari_simpleclick.exports import ExportCase, export, kind_of
from napari_simpleclick.images.label_names import write_beside
from napari_simpleclick.images.source import Source
from tests.exports.conftest import NAMES, case_of, dice
from tests.images.dicom_files import at, enhanced, series


def add(case, name, path, **options):
    export(case, kind_of(name), path, **options)


# -- ImageJ ----------------------------------------------------------------------------


def test_regions_of_imagej(case, tmp_path):
    roifile = pytest.importorskip("roifile")
    add(case, "imagej", tmp_path / "knee.zip")
    found = roifile.roiread(tmp_path / "knee.zip")
    labels = {one.name: one.label for one in NAMES}
    seen = np.zeros_like(case.labels)
    for region in found:
        number, _, name = region.name.partition("-")
        assert region.position == int(number)
        shape = case.labels.shape[1:]
        inside = np.zeros((4 * shape[0], 4 * shape[1]), bool)
        for path in region.coordinates(multi=True):
            inside ^= polygon2mask(inside.shape, path[:, ::-1] * 4.0 - 0.5)
        seen[region.position - 1][inside[2::4, 2::4]] = labels[name]
        colour = NAMES[[one.name for one in NAMES].index(name)].rgb
        assert tuple(region.stroke_color)[1:] == colour
    np.testing.assert_array_equal(seen, case.labels)


def test_regions_of_objects_of_one_name_are_all_read(scan, tmp_path):
    roifile = pytest.importorskip("roifile")
    labels = np.zeros_like(case_of(scan).labels)
    labels[3, 2:5, 2:6], labels[3, 10:20, 10:20] = 1, 2
    names = [replace(one, name="cell") for one in NAMES[:2]]
    add(case_of(scan, names=names, labels=labels), "imagej", tmp_path / "knee.zip")
    found = roifile.roiread(tmp_path / "knee.zip")
    assert {one.name for one in found} == {"0004-cell", "0004-cell-2"}
    assert {tuple(one.coordinates().min(axis=0)) for one in found} == {(2, 2), (10, 10)}


def test_a_file_is_replaced_only_if_asked(case, tmp_path):
    pytest.importorskip("roifile")
    path = tmp_path / "knee.zip"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match="is there already"):
        add(case, "imagej", path)
    assert path.read_bytes() == b"old"
    add(case, "imagej", path, replace=True)
    assert path.read_bytes()[:2] == b"PK"


# -- RT structure sets -----------------------------------------------------------------

SHAPE = (5, 40, 50)
PIXELS = np.random.default_rng(1).integers(0, 2000, SHAPE).astype(np.uint16)


def drawn():
    labels = np.zeros(SHAPE, np.uint8)
    _, rows, columns = np.indices(SHAPE)
    ball = (rows - 18) ** 2 + (columns - 22) ** 2
    labels[1:4][(ball < 150)[1:4]] = 1
    labels[2][(ball < 40)[2]] = 0
    labels[3, 30:38, 3:9], labels[3, 30:38, 40:44] = 2, 2
    return labels


def filled(dataset, files, shape):
    """Fill the contours of a structure set in the pixels of its slices."""
    pydicom = pytest.importorskip("pydicom")
    slices = {}
    for file in files:
        data = pydicom.dcmread(file)
        slices[data.SOPInstanceUID] = data
    order = sorted(slices, key=lambda uid: slices[uid].ImagePositionPatient[2])
    out = {}
    for roi in dataset.ROIContourSequence:
        mask = np.zeros(shape, bool)
        for contour in roi.ContourSequence:
            assert contour.ContourGeometricType == "CLOSED_PLANAR"
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            assert len(points) == contour.NumberOfContourPoints
            uid = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
            data = slices[uid]
            along = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
            apart = points - np.array(data.ImagePositionPatient, float)
            assert np.abs(apart @ np.cross(*along)).max() < 1e-3
            rows = apart @ along[1] / data.PixelSpacing[0]
            columns = apart @ along[0] / data.PixelSpacing[1]
            corners = np.c_[rows, columns] + 0.5
            large = polygon2mask((4 * shape[1], 4 * shape[2]), corners * 4 - 0.5)
            mask[order.index(uid)] ^= large[2::4, 2::4]
        out[int(roi.ReferencedROINumber)] = mask
    return out


TILTED = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]


@pytest.mark.parametrize("oblique", [False, True])
def test_a_structure_set_filled_again_is_the_mask(tmp_path, oblique):
    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path / "ct"
    folder.mkdir()
    places = (0, 2.5, 5, 7.5, 10)
    series(folder, places, volume=PIXELS)
    if oblique:
        tilt(folder, places)
    (opened,) = layers(folder)
    labels = opened.source.to_layer(drawn().transpose(2, 1, 0))
    case = case_of(folder, "knee", NAMES, labels)
    add(case, "rtstruct", tmp_path / "knee.dcm")
    dataset = pydicom.dcmread(tmp_path / "knee.dcm")
    assert dataset.Modality == "RTSTRUCT"
    names = {one.ROINumber: one.ROIName for one in dataset.StructureSetROISequence}
    assert names == {1: "left tibia", 2: "right tibia"}
    found = filled(dataset, sorted(folder.iterdir()), SHAPE)
    for label, mask in found.items():
        assert dice(mask, drawn() == label) >= 0.99
    first = pydicom.dcmread(next(folder.iterdir()))
    assert dataset.PatientID == first.PatientID
    assert dataset.StudyInstanceUID == first.StudyInstanceUID
    assert dataset.FrameOfReferenceUID == first.FrameOfReferenceUID


def layers(path):
    from napari_simpleclick.images.viewer_images import open_layers

    return open_layers(path)


def tilt(folder, places):
    """Turn all slices of a series in space; they still lie over each other."""
    pydicom = pytest.importorskip("pydicom")
    row, column = TILTED[0], TILTED[1]
    normal = np.cross(row, column)
    normal *= np.sign(normal[2])
    if np.cross(row, column) @ normal < 0:
        row, column = column, row
    for file in folder.iterdir():
        data = pydicom.dcmread(file)
        data.ImageOrientationPatient = [*row.round(8), *column.round(8)]
        place = normal * float(data.ImagePositionPatient[2]) + (5, -3, 2)
        data.ImagePositionPatient = [f"{value:.6f}" for value in place]
        data.save_as(file)


def test_programs_that_round_to_middles_of_pixels_fill_the_same(tmp_path):
    """As those do that hand corners to OpenCV, whose polygons include their edge."""
    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder, (0, 2, 4, 6, 8), volume=PIXELS)
    labels = layers(folder)[0].source.to_layer(drawn().transpose(2, 1, 0))
    add(case_of(folder, "knee", NAMES, labels), "rtstruct", tmp_path / "knee.dcm")
    first = pydicom.dcmread(next(folder.iterdir()))
    along = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    sizes = np.array(first.PixelSpacing, float)[::-1]
    for roi in pydicom.dcmread(tmp_path / "knee.dcm").ROIContourSequence:
        mask = np.zeros(SHAPE, np.uint8)
        for contour in roi.ContourSequence:
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            apart = points - np.array(first.ImagePositionPatient, float)
            corners = np.rint(apart @ along.T / sizes).astype(np.int32)
            slice_ = round(points[0, 2] / 2)
            cv2.fillPoly(mask[slice_], [corners], 1)
        np.testing.assert_array_equal(mask, drawn() == int(roi.ReferencedROINumber))


def test_what_is_not_known_of_a_patient_stays_empty(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path / "ct"
    folder.mkdir()
    gone = dict.fromkeys(("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"))
    series(folder, (0, 2, 4, 6, 8), volume=PIXELS, **gone)
    labels = layers(folder)[0].source.to_layer(drawn().transpose(2, 1, 0))
    add(case_of(folder, "knee", NAMES, labels), "rtstruct", tmp_path / "knee.dcm")
    dataset = pydicom.dcmread(tmp_path / "knee.dcm")
    assert dataset.PatientID == ""
    assert dataset.StudyInstanceUID


def test_a_structure_set_refers_to_the_frames_of_an_enhanced_image(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    enhanced(tmp_path / "e.dcm", list(PIXELS), [at(2.5 * n) for n in range(5)])
    (opened,) = layers(tmp_path / "e.dcm")
    labels = opened.source.to_layer(drawn().transpose(2, 1, 0))
    add(case_of(tmp_path / "e.dcm", "e", (), labels), "rtstruct", tmp_path / "s.dcm")
    dataset = pydicom.dcmread(tmp_path / "s.dcm")
    frames = {
        contour.ContourImageSequence[0].ReferencedFrameNumber
        for roi in dataset.ROIContourSequence
        for contour in roi.ContourSequence
    }
    assert frames == {2, 3, 4}


def test_a_structure_set_needs_a_series(case, tmp_path):
    pytest.importorskip("pydicom")
    with pytest.raises(UserError, match="is no DICOM series"):
        add(case, "rtstruct", tmp_path / "s.dcm")


def test_slices_without_a_place_are_said(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder, (0, 2, 4), volume=PIXELS[:3])
    labels = layers(folder)[0].source.to_layer(drawn()[:3].transpose(2, 1, 0))
    case = case_of(folder, "knee", NAMES, labels)
    for file in folder.iterdir():
        data = pydicom.dcmread(file)
        del data.PixelSpacing
        data.save_as(file)
    with pytest.raises(UserError, match=r"lack PixelSpacing.*RT structure set"):
        add(case, "rtstruct", tmp_path / "s.dcm")
    assert not (tmp_path / "s.dcm").exists()


# -- the command -----------------------------------------------------------------------


def run(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


@pytest.fixture
def mask(case, scan):
    path = scan.with_name("mask.nii.gz")
    affine = nibabel.load(scan).affine
    nibabel.save(nibabel.Nifti1Image(case.in_file(case.labels), affine), path)
    write_beside(scan.with_name("mask_labels.txt"), NAMES)
    return path


def test_the_command_adds_to_a_data_set(mask, scan, tmp_path):
    out = tmp_path / "set"
    words = (mask, "--image", scan, "--format", "nnunet", "-o", out)
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "nnU-Net v2, 3 objects of 'knee'" in done.stdout
    again = run(*words)
    assert again.exit_code == 2
    assert "has 'knee' already" in again.output
    assert run(*words, "--name", "other").exit_code == 0
    assert run(*words, "--replace").exit_code == 0
    about = json.loads((out / "dataset.json").read_text())
    assert about["numTraining"] == 2
    assert about["labels"] == {
        **{"background": 0, "left tibia": 1, "right tibia": 2, "meniscus": 3}
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "tfrecord", "-o", "x"), "There is no format 'tfrecord'"),
        (("--format", "imagej", "-o", "x.roi"), "is to end in .zip"),
    ],
)
def test_what_the_command_refuses(mask, scan, words, said):
    done = run(mask, "--image", scan, *words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_labels_without_names_are_objects_of_one_class(mask, scan, tmp_path):
    scan.with_name("mask_labels.txt").unlink()
    assert run(mask, "--image", scan, "-f", "coco", "-o", tmp_path / "a").exit_code == 0
    found = json.loads((tmp_path / "a" / "annotations.json").read_text())
    assert [one["name"] for one in found["categories"]] == ["object"]
    words = (mask, "--image", scan, "-f", "coco", "--as", "classes")
    assert run(*words, "-o", tmp_path / "b").exit_code == 0
    found = json.loads((tmp_path / "b" / "annotations.json").read_text())
    names = [one["name"] for one in found["categories"]]
    assert names == ["label 1", "label 2", "label 5"]


def test_the_command_never_replaces_the_image(mask, scan, tmp_path):
    before = scan.read_bytes()
    done = run(mask, "--image", scan, "-f", "nifti", "-o", scan, "--replace")
    assert done.exit_code == 2
    assert "is what this is made from" in done.stderr
    assert scan.read_bytes() == before


def test_a_mask_on_its_side_is_refused(tmp_path):
    pixels, labels = np.zeros((20, 30), np.uint8), np.zeros((30, 20), np.uint8)
    labels[3:9, 4:15] = 1
    tifffile.imwrite(tmp_path / "cells.tif", pixels)
    tifffile.imwrite(tmp_path / "turned.tif", labels)
    words = (tmp_path / "turned.tif", "--image", tmp_path / "cells.tif", "-f", "coco")
    done = run(*words, "-o", tmp_path / "set")
    assert done.exit_code == 2
    assert "(30, 20)" in done.stderr


def test_probabilities_are_no_mask(mask, scan, tmp_path):
    image = nibabel.load(mask)
    values = np.asarray(image.dataobj) * 0.7
    nibabel.save(nibabel.Nifti1Image(values, image.affine), tmp_path / "odds.nii.gz")
    for kind, out in (("coco", "set"), ("nifti", "out.nii.gz")):
        words = (tmp_path / "odds.nii.gz", "--image", scan, "-f", kind)
        done = run(*words, "-o", tmp_path / out)
        assert done.exit_code == 2
        assert "other values than whole numbers" in done.stderr


def test_labels_below_zero_are_refused_not_left_out(mask, scan, tmp_path):
    image = nibabel.load(mask)
    values = np.asarray(image.dataobj).astype(np.int16)
    values[values == values.max()] = -3
    nibabel.save(nibabel.Nifti1Image(values, image.affine), tmp_path / "odd.nii.gz")
    words = (tmp_path / "odd.nii.gz", "--image", scan, "-f", "coco")
    done = run(*words, "-o", tmp_path / "set")
    assert done.exit_code == 2
    assert "labels below 0 (down to -3)" in done.stderr
    assert not (tmp_path / "set").exists()


def test_a_store_of_other_axes_is_refused(case, scan, tmp_path):
    pytest.importorskip("zarr")
    store, labels = tmp_path / "knee.ome.zarr", np.swapaxes(case.labels, 1, 2)
    export(case, kind_of("ome-zarr"), store)
    source = Source.of_layer(labels.shape, (1.0,) * 3, (0.0,) * 3)
    turned = ExportCase.of_layers("turned", labels, source, (), labels)
    with pytest.raises(UserError, match="has the shape"):
        export(turned, kind_of("ome-zarr"), store / "labels" / "turned")


@pytest.mark.parametrize("name", ["ome-zarr", "nnunet", "coco", "imagej"])
def test_a_full_disk_leaves_nothing(scan, tmp_path, name):
    nibabel.save(
        nibabel.Nifti1Image(np.ones((48, 40, 9), np.uint8), nibabel.load(scan).affine),
        tmp_path / "m.nii.gz",
    )
    target = tmp_path / "new" / kind_of(name).target("knee", tmp_path / "out").name
    words = ["export", tmp_path / "m.nii.gz", "--image", scan, "-f", name, "-o", target]
    code = (
        "import resource, signal\n"
        "from napari_simpleclick.cli import app\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        f"app({[str(word) for word in words]})\n"
    )
    there = sorted(tmp_path.iterdir())
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert "File too large" in ended.stderr
    assert sorted(tmp_path.iterdir()) == there
