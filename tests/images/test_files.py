import nibabel
import numpy as np
import pytest
import tifffile
from skimage.io import imread, imsave

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import (
    check_writable,
    read_image,
    read_mask,
    write_labels,
)
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.source import Source


def test_nifti_keeps_its_affine_there_and_back(tmp_path):
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    volume = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "a.nii.gz")
    file = read_image(tmp_path / "a.nii.gz")
    assert file.spacing == (2.0, 3.0, 4.0)
    np.testing.assert_array_equal(np.asarray(file.array), volume)
    mask = (volume > 5).astype(np.uint8)
    source = Source.of_file(file)
    write_labels(tmp_path / "m.nii.gz", source.to_layer(mask), source)
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
    write_labels(tmp_path / "m.png", mask)
    np.testing.assert_array_equal(imread(tmp_path / "m.png"), mask * 255)


def test_tiff_stack(tmp_path):
    stack = np.random.default_rng(0).integers(0, 9, (5, 6, 7)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack)
    file = read_image(tmp_path / "a.tif")
    assert (file.rgb, file.shape) == (False, (5, 6, 7))
    write_labels(tmp_path / "m.tiff", stack.astype(np.uint8))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tiff"), stack)


def test_a_mask_is_turned_to_the_file_of_its_image(tmp_path):
    """Stored the other way round, in another order, or as in the viewer."""
    volume = np.zeros((4, 5, 6), np.int16)
    truth = np.zeros(volume.shape, bool)
    truth[1, 2:4, 3:] = True
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    mirrored = np.diag([-1.0, 1, 1, 1])
    mirrored[0, 3] = 3
    stored = nibabel.Nifti1Image(truth[::-1].astype(np.uint8), mirrored)
    nibabel.save(stored, tmp_path / "mirrored.nii")
    swapped = np.eye(4)[:, [2, 1, 0, 3]]
    stored = nibabel.Nifti1Image(truth.T.astype(np.uint8), swapped)
    nibabel.save(stored, tmp_path / "swapped.nii")
    source = Source.of_file(image)
    write_labels(tmp_path / "m.tif", source.to_layer(truth), source)
    for name in ("mirrored.nii", "swapped.nii", "m.tif"):
        np.testing.assert_array_equal(read_mask(tmp_path / name, image), truth)
    other = np.zeros((4, 5, 7), np.uint8)
    tifffile.imwrite(tmp_path / "other.tif", other, photometric="minisblack")
    with pytest.raises(ValueError, match="have the shape"):
        read_mask(tmp_path / "other.tif", image)


def test_pixel_sizes_are_compared_in_one_unit():
    array = np.zeros((3, 4, 5))
    file = ImageFile(array, False, (0.04, 4.0, 4.0), None, ("um", "nm", "nm"))
    height, width = file.pixel_size(0, 2)
    assert height / width == pytest.approx(10)
    file = ImageFile(array, False, (1.0, 0.3, 0.3), None, ("pixel", "mm", "mm"))
    assert file.pixel_size(0, 1) == (1.0, 1.0)
    assert file.pixel_size(1, 2) == (0.3, 0.3)
    oblique = np.diag([0.5, 0.5, 5.0, 1.0])
    file = ImageFile(array, False, (1.0, 1.0, 1.0), oblique, ("mm",) * 3)
    assert file.pixel_size(0, 2) == (0.5, 5.0)


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
    write_labels(target, np.ones((3, 3), np.uint8))
    before = target.read_bytes()
    with pytest.raises(ValueError, match="cannot hold a volume"):
        write_labels(target, np.ones((3, 3, 3), np.uint8))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(ValueError, match="cannot be written"):
        write_labels(tmp_path / "no" / "m.png", np.ones((3, 3), np.uint8))
    with pytest.raises(ValueError, match=r"use \.png"):
        write_labels(tmp_path / "m.doc", np.ones((3, 3), np.uint8))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha", ".tif", ".png"])
def test_a_full_disk_leaves_the_old_file(tmp_path, suffix):
    resource = pytest.importorskip("resource")
    path, old = tmp_path / f"m{suffix}", resource.getrlimit(resource.RLIMIT_FSIZE)
    path.write_bytes(b"old")
    labels = np.random.default_rng(0).integers(0, 60_000, (4, 200, 200))
    labels = labels[0] if suffix == ".png" else labels
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
    try:
        with pytest.raises(UserError, match="cannot be written"):
            write_labels(path, labels)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["m.nii.gz", "m.png", "m.tif"])
@pytest.mark.parametrize(
    ("values", "kind"), [(0.7, float), (1.5, float), (1j, complex), (np.nan, float)]
)
def test_what_is_no_mask_is_not_written(tmp_path, name, values, kind):
    with pytest.raises(UserError, match="no whole numbers"):
        write_labels(tmp_path / name, np.full((4, 5), values, kind))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("labels", [np.uint8(3), np.ones(4, np.uint8)])
def test_a_mask_has_two_axes(tmp_path, labels):
    with pytest.raises(UserError, match="at least two axes"):
        write_labels(tmp_path / "m.tif", labels)


@pytest.mark.parametrize("end", [".nii.gz", ".tif"])
def test_names_as_long_as_they_can_be(tmp_path, end):
    mask = np.eye(6, dtype=np.uint8)
    path = tmp_path / ("x" * (255 - len(end)) + end)
    write_labels(path, mask)
    np.testing.assert_array_equal(np.squeeze(read_image(path).array[...]), mask)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UserError, match="choose a shorter name"):
        check_writable(path.with_name("x" + path.name))


@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_leads_to_is_written(tmp_path, there):
    mask, store = np.eye(6, dtype=np.uint8), tmp_path / "store"
    store.mkdir()
    link = tmp_path / "m.nii.gz"
    link.symlink_to(store / "0123")
    if there:
        (store / "0123").write_bytes(b"old")
    write_labels(link, mask)
    assert link.is_symlink()
    assert [path.name for path in store.iterdir()] == ["0123"]
    found = read_image(store / "0123")
    np.testing.assert_array_equal(np.squeeze(found.array[...]), mask)
