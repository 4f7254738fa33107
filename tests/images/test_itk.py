"""NRRD and MetaImage."""

import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.viewer_images import open_layers

TILT = np.deg2rad(10)
DIRECTION = (
    *(np.cos(TILT), -np.sin(TILT), 0.0),
    *(np.sin(TILT), np.cos(TILT), 0.0),
    *(0.0, 0.0, 1.0),
)


def save(path, array, **options):
    image = sitk.GetImageFromArray(array, **options)
    if image.GetDimension() == 3:
        image.SetSpacing((0.5, 0.6, 3))
        image.SetOrigin((-10, 20, -30))
        image.SetDirection(DIRECTION)
    sitk.WriteImage(image, str(path))
    return image


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.int16)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
def test_volumes_stand_upright_and_masks_overlay_them(tmp_path, suffix, noise):
    image = save(tmp_path / f"a{suffix}", noise)
    (opened,) = open_layers(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(opened.array, noise[::-1])  # ITK's z is superior
    np.testing.assert_allclose(opened.source.scale, (3, 0.6, 0.5))
    assert opened.source.units == ("mm",) * 3
    for target in ("m.nrrd", "m.mha"):
        write_labels(tmp_path / target, np.array(opened.array), opened.source)
        back = sitk.ReadImage(str(tmp_path / target))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(back), noise)
        for name in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(back, name)(), getattr(image, name)())


def test_a_nifti_file_has_the_same_place_in_both(tmp_path, noise):
    save(tmp_path / "a.nii", noise)
    save(tmp_path / "a.nrrd", noise)
    one, two = (open_layers(tmp_path / name)[0] for name in ("a.nii", "a.nrrd"))
    np.testing.assert_array_equal(one.array, two.array)
    np.testing.assert_allclose(one.source.translate, two.source.translate, atol=1e-4)
    write_labels(tmp_path / "m.nii.gz", np.array(two.array), two.source)
    np.testing.assert_allclose(
        nibabel.load(tmp_path / "m.nii.gz").affine,
        nibabel.load(tmp_path / "a.nii").affine,
        atol=1e-4,
    )


def test_colour_channels_and_time(tmp_path, noise):
    colour = np.stack([noise] * 3, axis=-1)
    save(tmp_path / "rgb.nrrd", colour.astype(np.uint8), isVector=True)
    save(tmp_path / "vector.nrrd", colour.astype(np.float32), isVector=True)
    save(tmp_path / "time.nrrd", np.stack([noise, noise + 1]), isVector=False)
    assert read_image(tmp_path / "rgb.nrrd").rgb
    assert open_layers(tmp_path / "rgb.nrrd")[0].array.shape == (4, 5, 6, 3)
    (vector,) = open_layers(tmp_path / "vector.nrrd")
    assert vector.array.shape == (3, 4, 5, 6)
    assert vector.source.axis_labels[0] == "channel"
    (time,) = open_layers(tmp_path / "time.nrrd")
    assert time.source.axis_labels[0] == "time"
    write_labels(tmp_path / "m.nrrd", np.array(time.array), time.source)
    np.testing.assert_array_equal(open_layers(tmp_path / "m.nrrd")[0].array, time.array)


def test_slicer_segmentations_are_labels(tmp_path, noise):
    save(tmp_path / "a.seg.nrrd", noise.astype(np.uint8))
    assert open_layers(tmp_path / "a.seg.nrrd")[0].labels


def test_damaged(tmp_path, noise):
    save(tmp_path / "a.nrrd", noise)
    (tmp_path / "a.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes()[:300])
    with pytest.raises(ValueError, match="is damaged or incomplete"):
        open_layers(tmp_path / "a.nrrd")


def test_without_simpleitk(tmp_path, noise, monkeypatch):
    save(tmp_path / "a.nrrd", noise)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ImportError, match=r"pip install 'napari-simpleclick\[itk\]'"):
        read_image(tmp_path / "a.nrrd")


@pytest.mark.parametrize("suffix", [".MHA", ".NRRD", ".Mha"])
def test_upper_case_extensions(tmp_path, suffix, noise):
    save(tmp_path / "a.mha", noise)
    (opened,) = open_layers(tmp_path / "a.mha")
    write_labels(tmp_path / f"M{suffix}", np.array(opened.array), opened.source)
    names = sorted(path.name for path in tmp_path.glob("*"))
    assert names == [f"M{suffix}", "a.mha"]
    (again,) = open_layers(tmp_path / f"M{suffix}")
    np.testing.assert_array_equal(again.array, opened.array)


@pytest.mark.parametrize("target", ["m.nrrd", "m.mha"])
def test_flat_images_of_any_direction(tmp_path, target):
    """Sagittal and coronal ones need a third axis to stand in space."""
    flat = np.arange(20, dtype=np.uint8).reshape(4, 5)
    for first, second in ((1, 2), (0, 2), (0, 1)):
        columns = [first, second, 3 - first - second]
        affine = np.eye(4)[:, [*columns, 3]] * (2, 3, 4, 1)
        nibabel.save(nibabel.Nifti1Image(flat, affine), tmp_path / "a.nii")
        (scan,) = open_layers(tmp_path / "a.nii")
        write_labels(tmp_path / target, np.array(scan.array), scan.source)
        (mask,) = open_layers(tmp_path / target)
        np.testing.assert_array_equal(mask.array.squeeze(), scan.array)
        world = (image.source.affine @ (2, 3, 0, 1) for image in (scan, mask))
        np.testing.assert_allclose(*world, atol=1e-6)
