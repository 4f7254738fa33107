"""Masks: saved in every format and put back onto their image, whatever they are."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image
from scipy import ndimage

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import read_image, read_mask, write_labels
from napari_simpleclick.images.label_maps import label_numbers, labels_of
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.viewer_images import open_layers

LENGTHS = {"T": 2, "Z": 12, "C": 3, "Y": 20, "X": 24}
SIZES = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.4, "PhysicalSizeZ": 1.5}
PLACE = {"T": 1, "Z": 6, "C": 0, "Y": 10, "X": 13}


def stack_of(path, axes):
    """Save an empty stack, and give a mask with one entry for all channels."""
    shape = [LENGTHS[axis] for axis in axes]
    stack, meta = np.zeros(shape, np.uint8), {"axes": axes, **SIZES}
    upright = axes.endswith("YX")
    options = {"photometric": "minisblack", "metadata": meta}
    tifffile.imwrite(path, stack, ome=upright, **options)
    channel = axes.index("C") if "C" in axes else None
    (opened,) = open_layers(path)
    assert opened.array.shape == tuple(shape)
    mask = np.zeros([1 if axis == "C" else LENGTHS[axis] for axis in axes], np.uint8)
    mask[tuple(PLACE[axis] for axis in axes)] = 1
    return mask, opened.source.of_mask(len(axes), channel)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".tif"])
@pytest.mark.parametrize(
    "axes",
    [
        *("ZYX", "ZCYX", "CZYX", "TZYX", "TZCYX", "TCZYX", "ZTYX", "CYX", "YXZ", "YXC"),
        *("TYX", "TCYX"),
    ],
)
def test_axes_are_told_apart_by_their_names(tmp_path, axes, suffix):
    mask, source = stack_of(tmp_path / "a.tif", axes)
    target = tmp_path / f"m{suffix}"
    write_labels(target, mask, source)
    film = "T" in axes and "Z" not in axes  # formats of mm: one slice at every time
    if suffix != ".tif":
        image = sitk.ReadImage(str(target))
        order = [axis for axis in "XYZT" if axis in axes or (axis == "Z" and film)]
        lengths = {**LENGTHS, "Z": 1} if film else LENGTHS
        assert image.GetSize() == tuple(lengths[axis] for axis in order)
        sizes = [SIZES.get(f"PhysicalSize{axis}", 1e3) / 1e3 for axis in order]
        count = 2 if film else min(len(order), 3)
        np.testing.assert_allclose(image.GetSpacing()[:count], sizes[:count], rtol=1e-6)
        (place,) = np.argwhere(sitk.GetArrayFromImage(image))
        assert place.tolist()[::-1] == [
            0 if film and axis == "Z" else PLACE[axis] for axis in order
        ]
    back = read_mask(target, read_image(tmp_path / "a.tif"))
    assert back.shape == tuple(LENGTHS[axis] for axis in axes)
    np.testing.assert_array_equal(back, np.broadcast_to(mask > 0, back.shape))


def test_masks_of_other_programs_lie_on_images_without_orientation(tmp_path):
    stack_of(tmp_path / "a.tif", "ZYX")
    volume = np.zeros((12, 20, 24), np.uint8)
    volume[6, 10, 13] = 1
    sitk.WriteImage(sitk.GetImageFromArray(volume), str(tmp_path / "m.nrrd"))
    back = read_mask(tmp_path / "m.nrrd", read_image(tmp_path / "a.tif"))
    np.testing.assert_array_equal(back, volume > 0)


def test_a_layer_with_names_of_axes(tmp_path):
    shape, names = (12, 3, 20, 24), ("z", "channel", "y", "x")
    source = Source.of_layer(shape, (2.0,) * 4, (0.0,) * 4, ("um",) * 4, names)
    write_labels(tmp_path / "m.nii", np.ones(shape, np.uint8), source)
    assert nibabel.load(tmp_path / "m.nii").shape == (24, 20, 12, 3)


def test_sources_are_compared():
    sources = [
        Source.of_layer((4, 5), (size,) * 2, (0.0,) * 2) for size in (1.0, 1.0, 2)
    ]
    assert sources[0] == sources[1] != sources[2]
    assert len(set(sources)) == 2
    assert sources[0].with_affine() == sources[1].with_affine() != sources[0]
    assert hash(sources[0].with_affine()) == hash(sources[1].with_affine())
    assert sources[0] != "a source"


def sheared(angle):
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])
    affine[1, 2] = 3 * np.tan(np.deg2rad(angle))
    return affine


@pytest.mark.parametrize("suffix", [".nii", ".nrrd"])
@pytest.mark.parametrize("angle", [0.03, 12])
def test_sheared_scans(tmp_path, angle, suffix):
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[1, 2, 3] = 1
    image = nibabel.Nifti1Image(volume, sheared(angle))
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    (scan,) = open_layers(tmp_path / "a.nii")
    labels = np.array(scan.array)
    assert bool(scan.warnings) == (angle > 1)
    target = tmp_path / f"m{suffix}"
    if angle > 1:
        assert "not at right angles, by 12.0 degrees" in scan.warnings[0]
        with pytest.raises(UserError, match=r"save the mask as \.nrrd or \.mha"):
            write_labels(tmp_path / "m.nii", labels, scan.source)
        assert not (tmp_path / "m.nii").exists()
        target = target.with_suffix(".nrrd")
    write_labels(target, labels, scan.source)
    there = sitk.ReadImage(str(target)).TransformIndexToPhysicalPoint((1, 2, 3))
    expected = (sheared(angle) @ (1, 2, 3, 1))[:3] * (-1, -1, 1)
    np.testing.assert_allclose(there, expected, atol=0.02)
    np.testing.assert_array_equal(
        read_mask(target, read_image(tmp_path / "a.nii")), volume
    )


def test_two_places_in_one_header(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.eye(4))
    other = np.eye(4)
    other[0, 3] = 7
    image.set_qform(other, 1)
    nibabel.save(image, tmp_path / "a.nii")
    (scan,) = open_layers(tmp_path / "a.nii")
    assert "7.0 voxels apart; its sform is used" in scan.warnings[0]


def test_masks_that_lie_elsewhere(tmp_path):
    """Cropped, larger than the image, and between its voxels."""
    volume = np.zeros((6, 7, 8), np.uint8)
    volume[2:4, 3, 4:6] = 1
    affine = np.diag([-2.0, -2.0, 3.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")

    def saved(part, corner):
        moved = affine.copy()
        moved[:3, 3] = (affine @ (*corner, 1))[:3]
        nibabel.save(nibabel.Nifti1Image(part, moved), tmp_path / "m.nii.gz")
        said = []
        return read_mask(tmp_path / "m.nii.gz", image, said.append), said

    np.testing.assert_array_equal(saved(volume[1:5, 2:, 3:7], (1, 2, 3))[0], volume)
    padded = np.pad(volume, 2)
    np.testing.assert_array_equal(saved(padded, (-2, -2, -2))[0], volume)
    padded[0, 0, 0] = 1
    assert "lies outside of" in saved(padded, (-2, -2, -2))[1][0]
    mask, said = saved(volume, (0.5, 0.5, 0.9))
    assert "does not lie on the voxels" in said[0]
    np.testing.assert_array_equal(mask, volume)


def test_trailing_axes_of_length_one(tmp_path):
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[1, 2, 3] = 1
    for name, array in (("a", volume), ("b", volume[..., None, None])):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii")
    for image, mask in (("a", "b"), ("b", "a"), ("b", "b")):
        file = read_image(tmp_path / f"{image}.nii")
        found = read_mask(tmp_path / f"{mask}.nii", file)
        np.testing.assert_array_equal(found.squeeze(), volume)
        assert found.shape == file.shape


TRUTH = np.zeros((40, 50), np.uint8)
TRUTH[5:20, 5:20], TRUTH[25:35, 30:45] = 1, 2


def masks(path, **options):
    said = []
    flat = read_image(path)
    labels, told = labels_of(flat)
    said += [*flat.warnings, *told]
    return labels, said


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_palettes_give_their_numbers(tmp_path, suffix):
    picture = Image.fromarray(TRUTH)
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture.save(tmp_path / f"m.{suffix}")
    labels, said = masks(tmp_path / f"m.{suffix}")
    np.testing.assert_array_equal(labels, TRUTH)
    assert said == []
    image = read_image(tmp_path / f"m.{suffix}")
    assert read_mask(tmp_path / f"m.{suffix}", image).sum() == (TRUTH > 0).sum()


def test_a_palette_in_which_black_is_not_first(tmp_path):
    picture = Image.fromarray(TRUTH)
    picture.putpalette([255, 255, 255, 0, 0, 0, 0, 128, 0])
    picture.save(tmp_path / "m.png")
    assert "black is 1, not 0" in masks(tmp_path / "m.png")[1][0]


def test_colours_are_labels(tmp_path):
    colours = np.array([(0, 0, 0), (0, 0, 255), (255, 0, 0)], np.uint8)
    Image.fromarray(colours[TRUTH]).save(tmp_path / "m.png")
    labels, said = masks(tmp_path / "m.png")
    np.testing.assert_array_equal(labels, TRUTH)
    assert "its 2 colours beside black are taken for labels" in said[0]
    Image.fromarray(colours[TRUTH] + np.uint8(9)).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="is coloured and has no black"):
        masks(tmp_path / "m.png")
    noise = np.random.default_rng(0).integers(0, 9, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="as pictures have"):
        masks(tmp_path / "m.png")


@pytest.mark.parametrize("name", ["m.jpg", "m.tif"])
def test_lossy_masks(tmp_path, name):
    options = {"compression": "jpeg"} if name == "m.tif" else {}
    Image.fromarray((TRUTH > 0) * np.uint8(255)).save(tmp_path / name, **options)
    labels, said = masks(tmp_path / name)
    np.testing.assert_array_equal(labels, TRUTH > 0)
    assert "is JPEG, which changes values" in said[0]
    for values in (TRUTH, TRUTH * np.uint8(100)):
        Image.fromarray(values).save(tmp_path / name, **options)
        with pytest.raises(UserError, match="is JPEG, which has changed its labels"):
            masks(tmp_path / name)


def test_files_are_known_by_their_content(tmp_path):
    volume = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "a.nii")
    plain = (tmp_path / "a.nii").read_bytes()
    sitk.WriteImage(sitk.GetImageFromArray(volume), str(tmp_path / "n.nrrd"))
    tifffile.imwrite(tmp_path / "t.tif", volume, photometric="minisblack")
    for name, content in (
        ("plain.nii.gz", plain),
        ("packed.nii", gzip.compress(plain)),
        ("UPPER.NII.GZ", gzip.compress(plain)),
        ("no_suffix", plain),
        ("packed.gz", gzip.compress(plain)),
        ("nrrd", (tmp_path / "n.nrrd").read_bytes()),
        ("tiff.dat", (tmp_path / "t.tif").read_bytes()),
        ("wrong.png", (tmp_path / "t.tif").read_bytes()),
        ("STACK.TIF", (tmp_path / "t.tif").read_bytes()),
    ):
        (tmp_path / name).write_bytes(content)
        array = np.asarray(read_image(tmp_path / name).array)
        assert sorted(array.shape) == [2, 3, 4], name
        assert array.sum() == volume.sum(), name


def smooth(shape, width=1.0):
    noise = np.random.default_rng(0).normal(size=shape)
    grays = ndimage.gaussian_filter(noise, width)
    return (grays - grays.min()) / np.ptp(grays)


def scans():
    """CT with air, MR with none around it, and microscopy of 8 bits."""
    ct = (3000 * smooth((20, 90, 80)) - 1024).astype(np.int16)
    ct[:, :40] = -1024
    mr = (900 * smooth((90, 80, 20))).astype(np.uint16)
    mr[:20], mr[:, :20] = 0, 0
    return {"ct": ct, "mr": mr, "em": (255 * smooth((200, 220))).astype(np.uint8)}


def tiles(shape, height, width):
    """Number objects that fill an image, of the same size, as cells do."""
    rows, columns = (
        np.arange(n) // d for n, d in zip(shape, (height, width), strict=True)
    )
    return rows[:, None] * (columns[-1] + 1) + columns + 1


def instances():
    nuclei = tiles((300, 400), 5, 4)
    points = np.zeros((100, 100), np.uint16)
    points[::3, ::3] = np.arange(34 * 34).reshape(34, 34)
    regions = np.stack([tiles((128, 120), 6, 6)] * 4).transpose(1, 2, 0)
    return {
        "nuclei": nuclei.astype(np.uint16),
        "tiny": tiles((60, 60), 2, 2).astype(np.int32),
        "points": points,
        "volume": regions.astype(np.int32),
        "ignored": np.where(nuclei % 3, nuclei, -1).astype(np.int32),
        "few": np.random.default_rng(0).integers(0, 60, (50, 50)).astype(np.uint8),
    }


@pytest.mark.parametrize("name", ["ct", "mr", "em"])
def test_a_scan_is_no_mask(name):
    with pytest.raises(UserError, match=r"'m.nii' looks like an image"):
        label_numbers(scans()[name], Path("m.nii"))


@pytest.mark.parametrize(
    "name", ["nuclei", "tiny", "points", "volume", "ignored", "few"]
)
def test_many_small_objects_are_a_mask(name):
    labels = instances()[name]
    assert label_numbers(labels, Path("m.nii")) is labels
