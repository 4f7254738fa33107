"""Where DICOM series, their masks and what was cut from them lie."""

import nibabel
import numpy as np
import pytest
from napari.components import ViewerModel
from nibabel.affines import apply_affine
from pydicom.uid import generate_uid
from scipy.spatial.transform import Rotation

from napari_simpleclick.images.files import read_image, read_mask, write_labels
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.viewer_images import open_layers
from tests.images.dicom_files import save

TURN = Rotation.from_euler("xyz", (20, 10, 5), degrees=True).as_matrix()
STRAIGHT = np.eye(3)
SCAN = np.zeros((8, 12, 14), np.uint16)
SCAN[3:5, 4:7, 6:9] = 500
SPACING = 0.5, 0.6, 2.5
"""Of columns, rows and slices, mm."""


def scan(folder, turn=TURN, origin=(-30, 40, 500), step=None, part=np.s_[:, :, :]):
    """Write a part of `SCAN` as a series; the whole begins at ``origin`` (LPS)."""
    folder.mkdir()
    uid, step = generate_uid(), turn[:, 2] * SPACING[2] if step is None else step
    slices, rows, columns = (range(n)[p] for n, p in zip(SCAN.shape, part, strict=True))
    for number in slices:
        corner = turn @ (columns[0] * SPACING[0], rows[0] * SPACING[1], 0)
        position = np.array(origin) + corner + np.array(step) * number
        save(
            folder / f"{number}.dcm",
            SCAN[number][rows.start : rows.stop, columns.start : columns.stop].copy(),
            0,
            uid,
            PixelSpacing=[SPACING[1], SPACING[0]],
            ImageOrientationPatient=[*turn[:, 0], *turn[:, 1]],
            ImagePositionPatient=position.tolist(),
            RescaleIntercept=0,
        )
    return folder


def only(path):
    (opened,) = open_layers(path)
    return opened


def layer(viewer, opened):
    look = {"scale": opened.source.scale, "translate": opened.source.translate}
    look["units"] = opened.source.units
    if opened.labels:
        return viewer.add_labels(opened.array, **look)
    return viewer.add_image(opened.array, **look)


def object_in_world(path):
    """Centre of the object in napari's world."""
    shown = layer(ViewerModel(), only(path))
    return np.array(shown.data_to_world(np.argwhere(shown.data > 0).mean(0)))


def object_in_patient(path):
    """Centre of the object by the file's own matrix (right, anterior, superior)."""
    file = read_image(path)
    return apply_affine(file.affine, np.argwhere(np.asarray(file.array) > 0).mean(0))


@pytest.mark.parametrize("turn", [STRAIGHT, TURN, TURN[:, [1, 2, 0]], TURN @ TURN])
def test_what_is_cut_from_an_oblique_scan_lies_on_it(tmp_path, turn):
    whole = scan(tmp_path / "whole", turn)
    smaller = scan(tmp_path / "part", turn, part=np.s_[2:6, 3:12, 5:10])
    expected = object_in_patient(whole)
    np.testing.assert_allclose(object_in_patient(smaller), expected, atol=1e-4)
    known = object_in_world(whole)
    np.testing.assert_allclose(object_in_world(smaller), known, atol=1e-3)
    opened = only(whole)
    mask = (opened.array > 0).astype(np.uint8)
    for kind in (".dcm", ".nii.gz"):
        write_labels(tmp_path / f"mask{kind}", mask, opened.source)
        np.testing.assert_allclose(
            object_in_world(tmp_path / f"mask{kind}"), known, atol=1e-3
        )


def test_a_cropped_nrrd_lies_on_an_oblique_scan(tmp_path):
    itk = pytest.importorskip("SimpleITK")
    folder = scan(tmp_path / "whole")
    reader = itk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    mask = itk.Cast(reader.Execute() > 100, itk.sitkUInt8)
    itk.WriteImage(mask[5:10, 3:8, 2:6], str(tmp_path / "cut.seg.nrrd"))
    cut = object_in_world(tmp_path / "cut.seg.nrrd")
    np.testing.assert_allclose(cut, object_in_world(folder), atol=1e-3)


def test_layers_of_one_orientation_agree_everywhere(tmp_path):
    viewer = ViewerModel()
    whole = only(scan(tmp_path / "whole"))
    part = only(scan(tmp_path / "part", part=np.s_[2:6, 3:12, 5:10]))
    first, second = layer(viewer, whole), layer(viewer, part)
    for voxel in ((0, 0, 0), (1, 2, 3), (3, 8, 4)):
        place = second.data_to_world(voxel)
        known = np.rint(first.world_to_data(place)).astype(int)
        np.testing.assert_allclose(first.world_to_data(place), known, atol=1e-3)
        assert first.data[tuple(known)] == second.data[voxel]


@pytest.mark.parametrize("lean", [15, -25])
@pytest.mark.parametrize("turn", [STRAIGHT, TURN])
@pytest.mark.parametrize("kind", [".dcm", ".nrrd", ".mha"])
def test_masks_of_a_tilted_gantry_are_read_again(tmp_path, lean, turn, kind):
    step = turn @ (0, 2 * np.tan(np.deg2rad(lean)), 2)
    folder, path = scan(tmp_path / "whole", turn, step=step), tmp_path / f"m{kind}"
    opened = only(folder)
    np.testing.assert_allclose(opened.source.scale, (2, 0.6, 0.5), rtol=1e-6)
    mask = (opened.array > 0).astype(np.uint8)
    write_labels(path, mask, opened.source)
    known = object_in_world(folder)
    np.testing.assert_allclose(object_in_world(path), known, atol=1e-3)
    np.testing.assert_allclose(
        object_in_patient(path), object_in_patient(folder), atol=1e-3
    )
    again = read_mask(path, read_image(folder))
    np.testing.assert_array_equal(opened.source.to_layer(again), mask)


@pytest.mark.parametrize("kind", [".nrrd", ".mha"])
def test_itk_reads_masks_of_a_tilted_gantry(tmp_path, kind):
    itk = pytest.importorskip("SimpleITK")
    folder = scan(tmp_path / "whole", STRAIGHT, step=(0, 0.7, 2))
    opened, path = only(folder), tmp_path / f"m{kind}"
    write_labels(path, (opened.array > 0).astype(np.uint8), opened.source)
    image = itk.ReadImage(str(path))
    voxels = itk.GetArrayFromImage(image)
    np.testing.assert_array_equal(voxels > 0, SCAN > 0)
    centre = np.argwhere(voxels > 0).mean(0)[::-1]
    found = np.array(image.TransformContinuousIndexToPhysicalPoint(centre))
    known = object_in_patient(folder) * (-1, -1, 1)
    np.testing.assert_allclose(found, known, atol=1e-3)


def test_a_tilted_gantry_is_said(tmp_path):
    lean = np.tan(np.deg2rad(15))
    opened = only(scan(tmp_path / "whole", STRAIGHT, step=(0, 2 * lean, 2)))
    (warning,) = opened.warnings
    assert "lean by 15.0 degrees" in warning
    assert only(scan(tmp_path / "straight", TURN)).warnings == ()


def test_volume_of_a_sheared_voxel(tmp_path):
    affine = np.diag([0.5, 0.6, 2, 1]).astype(float)
    affine[:2, 2] = 0.3, 0.9
    path = tmp_path / "s.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 6, 7), np.int16), affine), path)
    source = Source.of_file(read_image(path))
    np.testing.assert_allclose(np.prod(source.scale), abs(np.linalg.det(affine)))
