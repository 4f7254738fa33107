import nibabel
import numpy as np
import pytest
import tifffile
from skimage.io import imread, imsave

from napari_simpleclick.volumes.files import read_image, write_mask


def test_nifti_keeps_its_affine_there_and_back(tmp_path):
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    volume = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "a.nii.gz")
    file = read_image(tmp_path / "a.nii.gz")
    assert file.spacing == (2.0, 3.0, 4.0)
    np.testing.assert_array_equal(np.asarray(file.array), volume)
    mask = (volume > 5).astype(np.uint8)
    write_mask(tmp_path / "m.nii.gz", mask, file.affine)
    back = nibabel.load(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(back.affine, affine)
    np.testing.assert_array_equal(np.asarray(back.dataobj), mask)
    assert back.get_data_dtype() == np.uint8


def test_pictures(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 255, (6, 7, 4)).astype(np.uint8)
    imsave(tmp_path / "a.png", rgba)
    file = read_image(tmp_path / "a.png")
    assert file.rgb
    assert file.shape == (6, 7)
    np.testing.assert_array_equal(file.array, rgba[..., :3])
    mask = np.eye(6, dtype=np.uint8)
    write_mask(tmp_path / "m.png", mask)
    np.testing.assert_array_equal(imread(tmp_path / "m.png"), mask * 255)


def test_tiff_stack(tmp_path):
    stack = np.random.default_rng(0).integers(0, 9, (5, 6, 7)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack)
    file = read_image(tmp_path / "a.tif")
    assert (file.rgb, file.shape) == (False, (5, 6, 7))
    write_mask(tmp_path / "m.tiff", stack.astype(np.uint8))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tiff"), stack)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "bad.tif").write_bytes(b"nonsense")
    (tmp_path / "bad.nii.gz").write_bytes(b"nonsense")
    (tmp_path / "a.txt").write_text("text")
    for name, sentence in (
        ("empty.png", "is empty"),
        ("bad.tif", "cannot be read as an image"),
        ("bad.nii.gz", "cannot be read as an image"),
        ("a.txt", "not an image that can be read"),
        ("no.png", "There is no file"),
        (".", "is a folder"),
    ):
        with pytest.raises(ValueError, match=sentence):
            read_image(tmp_path / name)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "m.png"
    write_mask(target, np.ones((3, 3), np.uint8))
    before = target.read_bytes()
    with pytest.raises(ValueError, match="cannot hold a volume"):
        write_mask(target, np.ones((3, 3, 3), np.uint8))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(ValueError, match="cannot be written"):
        write_mask(tmp_path / "no" / "m.png", np.ones((3, 3), np.uint8))
    with pytest.raises(ValueError, match=r"use \.png"):
        write_mask(tmp_path / "m.doc", np.ones((3, 3), np.uint8))
