"""TIFF stacks and folders of numbered slices."""

import os

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.io import imsave

from napari_simpleclick.images import lazy_array
from napari_simpleclick.images.files import read_image, read_mask, write_labels
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.viewer_images import is_image_folder, open_layers
from napari_simpleclick.workflow.volume_list import find_volumes, is_list

NOISE = np.random.default_rng(0).integers(0, 999, (5, 6, 7)).astype(np.uint16)
PLANAR = {"photometric": "rgb", "planarconfig": "separate"}


def only(path):
    (opened,) = open_layers(path)
    return opened


def imagej(path, stack=NOISE, unit="micron", spacing=3.0):
    tifffile.imwrite(
        path,
        stack,
        imagej=True,
        resolution=(1 / 0.5, 1 / 0.25),
        metadata={"axes": "ZYX"[-stack.ndim :], "spacing": spacing, "unit": unit},
    )
    return path


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("micron", "um"), ("\\u00B5m", "um"), ("nm", "nm"), ("pixel", "pixel")],
)
def test_sizes_of_imagej(tmp_path, unit, expected):
    source = only(imagej(tmp_path / "a.tif", unit=unit)).source
    assert source.scale == (3.0, 0.25, 0.5)
    assert source.units == (expected,) * 3
    assert source.axis_labels == ("z", "y", "x")
    assert read_image(tmp_path / "a.tif").spacing == (3.0, 0.25, 0.5)


def test_sizes_of_ome(tmp_path):
    sizes = {"PhysicalSizeX": 4, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 5}
    sizes |= {"PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 0.04}
    stack = NOISE[:, None].repeat(2, axis=1)
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "ZCYX", **sizes})
    source = only(tmp_path / "a.ome.tif").source
    assert source.scale == (0.04, 1, 5, 4)
    assert source.units == ("um", "pixel", "nm", "nm")
    assert source.axis_labels == ("z", "channel", "y", "x")


def test_sizes_that_say_nothing(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", NOISE, resolution=(72, 72), resolutionunit=2)
    source = only(tmp_path / "a.tif").source
    assert (source.scale, source.units) == ((1, 1, 1), ())


def test_planar_colour_and_pages(tmp_path):
    colour = np.random.default_rng(0).integers(0, 255, (6, 7, 3)).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.moveaxis(colour, -1, 0),
        photometric="rgb",
        planarconfig="separate",
    )
    opened = only(tmp_path / "a.tif")
    assert opened.rgb
    np.testing.assert_array_equal(opened.array, colour)
    assert opened.source.shape == (6, 7)


@pytest.mark.parametrize("kind", ["contiguous", "compressed", "truncated", "colour"])
def test_large_stacks_stay_on_disk(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 100)
    path, stack = tmp_path / "a.tif", NOISE
    if kind == "contiguous":
        imagej(path)
    elif kind == "compressed":
        tifffile.imwrite(path, stack, compression="zlib", byteorder=">")
    elif kind == "truncated":  # as ImageJ writes more than 4 GB
        tifffile.imwrite(path, stack, imagej=True, truncate=True)
    else:
        stack = NOISE[..., None].astype(np.uint8).repeat(3, axis=-1)
        tifffile.imwrite(path, stack, photometric="rgb")
    opened = only(path)
    assert isinstance(opened.array, lazy_array.LazyArray)
    assert opened.rgb == (kind == "colour")
    np.testing.assert_array_equal(opened.array, stack)
    np.testing.assert_array_equal(opened.array[3], stack[3])
    np.testing.assert_array_equal(opened.array[::-2, 1:4, 2], stack[::-2, 1:4, 2])
    os.utime(path, ns=(1, 1))
    with pytest.raises(ValueError, match="has changed on disk"):
        opened.array[0]


def test_masks_keep_pixel_sizes(tmp_path):
    source = only(imagej(tmp_path / "a.tif")).source
    for number, kind in enumerate((np.uint8, np.uint16, np.uint32)):
        labels = NOISE.astype(np.int64) % 200 + 200 * number * 200**number
        target = tmp_path / f"{number}.tif"
        write_labels(target, labels, source)
        opened = only(target)
        assert opened.array.dtype == kind
        np.testing.assert_array_equal(opened.array, labels)
        assert opened.source.scale == (3.0, 0.25, 0.5)
        assert opened.source.units == ("um",) * 3
        with tifffile.TiffFile(target) as file:
            assert file.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE


def test_a_stack_saved_as_nifti_is_in_mm(tmp_path):
    source = only(imagej(tmp_path / "a.tif")).source
    write_labels(tmp_path / "m.nii.gz", NOISE, source)
    back = nibabel.load(tmp_path / "m.nii.gz")
    np.testing.assert_allclose(back.header.get_zooms(), (5e-4, 2.5e-4, 3e-3))
    np.testing.assert_array_equal(only(tmp_path / "m.nii.gz").array, NOISE)
    with pytest.raises(ValueError, match="needs a DICOM series"):
        write_labels(tmp_path / "m.dcm", NOISE, source)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_numbered_slices(tmp_path, suffix):
    for picture, number in zip(NOISE, (8, 9, 10, 12, 13), strict=True):
        imsave(tmp_path / f"s2_{number}{suffix}", picture, check_contrast=False)
    (tmp_path / "notes.txt").touch()
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, NOISE)
    assert opened.name == tmp_path.name
    assert "no slices with the numbers 11;" in opened.warnings[0]
    assert read_image(tmp_path).shape == (5, 6, 7)


def test_large_folders_stay_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 100)
    for number, picture in enumerate(NOISE):
        imagej(tmp_path / f"{number:03}.tif", picture, spacing=1)
    opened = only(tmp_path)
    assert isinstance(opened.array, lazy_array.LazyArray)
    assert opened.source.scale == (0.5, 0.25, 0.5)  # as far apart as they are wide
    np.testing.assert_array_equal(opened.array[1:3, 2], NOISE[1:3, 2])
    write_labels(tmp_path / "mask.tiff", NOISE, opened.source)
    assert only(tmp_path / "mask.tiff").source.scale == (0.5, 0.25, 0.5)
    (tmp_path / "002.tif").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"002\.tif' has changed on disk"):
        opened.array[2]
    np.testing.assert_array_equal(opened.array[4], NOISE[4])


def test_folders_that_are_no_slices(tmp_path):
    assert not is_image_folder(tmp_path)
    imsave(tmp_path / "image_1.png", NOISE[0].astype(np.uint8), check_contrast=False)
    assert not is_image_folder(tmp_path)
    imsave(tmp_path / "mask_1.png", NOISE[0].astype(np.uint8), check_contrast=False)
    assert not is_image_folder(tmp_path)
    with pytest.raises(ValueError, match="is a folder without"):
        read_image(tmp_path)


def test_slices_of_different_sizes(tmp_path):
    imsave(tmp_path / "1.png", NOISE[0].astype(np.uint8), check_contrast=False)
    imsave(tmp_path / "2.png", NOISE[0, :4].astype(np.uint8), check_contrast=False)
    with pytest.raises(ValueError, match=r"'1.png' is 6 x 7, '2.png' is 4 x 7 pixels"):
        open_layers(tmp_path)
    (tmp_path / "2.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"2.png' cannot be read"):
        open_layers(tmp_path)


def test_slices_that_are_stacks(tmp_path):
    for number in range(2):
        tifffile.imwrite(tmp_path / f"{number}.tif", NOISE)
    assert not is_image_folder(tmp_path)
    assert is_list(tmp_path)
    found = find_volumes([tmp_path])
    assert [path.name for path in found] == ["0.tif", "1.tif"]


def test_flat_layers(tmp_path):
    source = Source.of_layer((6, 7), (2.0, 3.0), (0.0, 0.0))
    for name in ("a.nii", "a.mha", "a.nrrd", "a.tif"):
        write_labels(tmp_path / name, NOISE[0], source)
        np.testing.assert_array_equal(only(tmp_path / name).array, NOISE[0])


def save_pictures(folder, *pictures):
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        imsave(folder / f"{number}.png", picture, check_contrast=False)
    return folder


def test_slices_of_different_depths(tmp_path):
    deep, flat = NOISE[0] * 60, NOISE[1].astype(np.uint8)
    folder = save_pictures(tmp_path / "deep", flat, deep)
    np.testing.assert_array_equal(only(folder).array, [flat, deep])
    assert only(folder).array.dtype == np.uint16
    with Image.new("1", (7, 6), 1) as white:
        white.save(save_pictures(tmp_path / "bits", deep, flat) / "0.png")
    opened = only(tmp_path / "bits")
    np.testing.assert_array_equal(opened.array, [np.full((6, 7), 255), flat])
    assert opened.array.dtype == np.uint8


def test_a_folder_keeps_the_dots_of_its_name(tmp_path):
    folder = save_pictures(tmp_path / "scan_v1.2", *NOISE)
    assert only(folder).name == "scan_v1.2"


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("shape", "colour", "options"),
    [
        ((6, 7, 4), -1, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        ((4, 6, 7), 0, {**PLANAR, "extrasamples": ["unassalpha"]}),
        ((5, 3, 6, 7), 1, PLANAR),
        ((5, 6, 3), None, {"photometric": "minisblack"}),
        ((3, 6, 7), None, {"photometric": "minisblack"}),
    ],
)
def test_the_file_says_what_is_colour(
    tmp_path, monkeypatch, large, shape, colour, options
):
    if large:
        monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 10)
    stack = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, **options)
    opened = only(tmp_path / "a.tif")
    assert opened.rgb == (colour is not None)
    expected = stack if colour is None else np.moveaxis(stack, colour, -1)[..., :3]
    np.testing.assert_array_equal(opened.array, expected)
    assert len(opened.source.axis_labels) == expected.ndim - opened.rgb


def test_gray_with_alpha_is_gray(tmp_path):
    pair = np.stack([NOISE[0], NOISE[1]], axis=-1).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif",
        pair,
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["unassalpha"],
    )
    opened = only(tmp_path / "a.tif")
    np.testing.assert_array_equal(opened.array, pair[..., 0])


def test_slices_with_alpha(tmp_path):
    stack = np.random.default_rng(0).integers(0, 255, (3, 6, 7, 4)).astype(np.uint8)
    for number, picture in enumerate(stack):
        tifffile.imwrite(
            tmp_path / f"{number}.tif",
            picture,
            photometric="rgb",
            extrasamples=["unassalpha"],
        )
    opened = only(tmp_path)
    assert opened.rgb
    np.testing.assert_array_equal(opened.array, stack[..., :3])


def test_colours_of_print(tmp_path):
    inks = np.zeros((6, 7, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated")
    with pytest.raises(ValueError, match="as an image: its colours are those of print"):
        only(tmp_path / "a.tif")


@pytest.mark.parametrize("largest", [9, 70_000])
def test_masks_have_one_unit(tmp_path, largest):
    sizes = {"PhysicalSizeX": 4, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 5}
    sizes |= {"PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 0.04}
    tifffile.imwrite(tmp_path / "a.ome.tif", NOISE, metadata={"axes": "ZYX", **sizes})
    labels = np.full(NOISE.shape, largest)
    write_labels(tmp_path / "m.tif", labels, only(tmp_path / "a.ome.tif").source)
    source = only(tmp_path / "m.tif").source
    assert source.scale == (40, 5, 4)
    assert source.units == ("nm",) * 3


@pytest.mark.parametrize("axes", ["ZCYX", "TZYX", "CTYX", "TZCYX"])
@pytest.mark.parametrize("sized", [True, False])
def test_masks_keep_the_names_of_axes(tmp_path, axes, sized):
    stack = np.zeros((2, 3, 4, 6, 7)[-len(axes) :], np.uint8)
    sizes = {f"PhysicalSize{axis}": 2 for axis in "XYZ"} if sized else {}
    meta = {"axes": axes, **sizes}
    tifffile.imwrite(
        tmp_path / "a.tif", stack, ome=True, photometric="minisblack", metadata=meta
    )
    image = only(tmp_path / "a.tif")
    before = image.source
    write_labels(tmp_path / "m.tif", image.array, before)
    after = only(tmp_path / "m.tif").source
    assert after.shape == image.array.shape
    assert after.axis_labels == before.axis_labels
    assert after.scale == before.scale
    assert after.units == before.units


def test_masks_of_another_shape_are_no_tiff(tmp_path):
    source = only(imagej(tmp_path / "a.tif")).source
    with pytest.raises(ValueError, match=r"have the shape \(3, 6, 7\), but the image"):
        write_labels(tmp_path / "m.tif", NOISE[:3], source)
    with pytest.raises(ValueError, match="up to 32 bits"):
        write_labels(tmp_path / "m.tif", NOISE + np.int64(2**40), source)


def test_large_label_maps_can_be_painted(tmp_path, monkeypatch):
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 100)
    tifffile.imwrite(tmp_path / "a_seg.tif", NOISE)
    nibabel.save(nibabel.Nifti1Image(NOISE, np.eye(4)), tmp_path / "a_seg.nii.gz")
    for name in ("a_seg.tif", "a_seg.nii.gz"):
        opened = only(tmp_path / name)
        assert opened.labels
        opened.array[0, 1, 2] = 3


def test_wide_layers_become_nifti(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 40_000), np.uint8))
    source = only(tmp_path / "a.tif").source
    write_labels(tmp_path / "m.nii.gz", np.ones((2, 40_000), np.uint8), source)
    opened = only(tmp_path / "m.nii.gz")
    assert opened.array.shape == (2, 40_000)


def numbered(folder, *names):
    """Save pictures whose only value is their place among the names."""
    folder.mkdir()
    for value, name in enumerate(names):
        Image.fromarray(np.full((4, 5), value, np.uint8)).save(folder / name)
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("s9.png", "s10.png", "s11.png"),
        ("s009.tif", "s010.tif", "s0100.tif"),
        ("a1_z0.5.png", "a2_z1.5.png", "a3_z1.7.png", "a10_z2.8.png"),
        ("IMG2.BMP", "img10.bmp"),
    ],
)
def test_slices_are_sorted_by_their_numbers(tmp_path, names):
    opened = only(numbered(tmp_path / "a", *names))
    assert opened.array[:, 0, 0].tolist() == list(range(len(names)))


def test_a_few_other_pictures_are_left_out(tmp_path):
    names = [f"s{number}.png" for number in range(8)]
    folder = numbered(tmp_path / "a", *names, "overview.png")
    opened = only(folder)
    assert opened.array.shape == (8, 4, 5)
    assert "'overview.png' in" in opened.warnings[0]
    assert "was left out" in opened.warnings[0]
    names = [f"{name}{number}.png" for name in "ab" for number in range(8)]
    with pytest.raises(ValueError, match="is a folder without"):
        only(numbered(tmp_path / "two", *names))
    with pytest.raises(ValueError, match="is a folder without"):
        only(numbered(tmp_path / "twice", "s1.png", "s01.png"))


def test_folders_of_palette_slices_are_masks(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    labels = NOISE.astype(np.uint8) % 3
    for number, plane in enumerate(labels):
        picture = Image.fromarray(plane)
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        picture.save(folder / f"{number}.png")
    file = read_image(folder)
    assert file.rgb
    np.testing.assert_array_equal(read_mask(folder, file), labels > 0)


def test_slices_whose_distance_is_not_known(tmp_path):
    for number, picture in enumerate(NOISE):
        imagej(tmp_path / f"{number}.tif", picture)
    opened = only(tmp_path)
    assert "how far apart its slices are" in opened.warnings[-1]
    write_labels(tmp_path / "m.nii", NOISE, opened.source)
    zooms = nibabel.load(tmp_path / "m.nii").header.get_zooms()
    np.testing.assert_allclose(zooms, (5e-4, 2.5e-4, 5e-4), rtol=1e-6)


def test_a_tiff_without_pages(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\0\0\0\0")
    with pytest.raises(ValueError, match="it has no page"):
        read_image(tmp_path / "a.tif")
