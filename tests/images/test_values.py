"""What the numbers of TIFF, PNG and JPEG files mean."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import lazy_array
from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.intensity import Window
from napari_simpleclick.images.viewer_images import open_layers

NOISE = np.random.default_rng(0).integers(0, 255, (20, 24)).astype(np.uint8)
COLOURS = [0, 0, 0, 128, 0, 0, 0, 128, 0, 9, 9, 200]


def only(path):
    (opened,) = open_layers(path)
    return opened


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("kind", ["u1", "u2", ">u2", "u4", "i1", "i2", "u8"])
def test_white_is_zero(tmp_path, monkeypatch, kind, large):
    if large:
        monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 10)
    limits = np.iinfo(kind)
    bright = np.full((2, 5, 6), limits.min + 40, kind)
    bright[:, 2, 3] = limits.max - 50
    stored = (limits.max + limits.min - bright.astype(object)).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    opened = only(tmp_path / "a.tif")
    assert isinstance(opened.array, lazy_array.LazyArray) == large
    np.testing.assert_array_equal(opened.array, bright)


def test_white_is_zero_of_few_bits(tmp_path):
    for bits in (2, 4):
        values = NOISE % 2**bits
        stored = 2**bits - 1 - values
        tifffile.imwrite(
            tmp_path / "a.tif", stored, photometric="miniswhite", bitspersample=bits
        )
        np.testing.assert_array_equal(only(tmp_path / "a.tif").array, values)
    for compression in ("group4", "group3", None):
        Image.fromarray(NOISE > 99).save(tmp_path / "b.tif", compression=compression)
        np.testing.assert_array_equal(only(tmp_path / "b.tif").array, NOISE > 99)
    deep = NOISE.astype(np.uint16) * 16
    tifffile.imwrite(
        tmp_path / "c.tif", 4095 - deep, photometric="miniswhite", bitspersample=12
    )
    np.testing.assert_array_equal(only(tmp_path / "c.tif").array, deep)
    tifffile.imwrite(tmp_path / "d.tif", NOISE / 9.0, photometric="miniswhite")
    opened = only(tmp_path / "d.tif")
    np.testing.assert_array_equal(opened.array, -(NOISE / 9.0))
    assert "other sign" in opened.warnings[0]


@pytest.mark.parametrize(
    "compression", ["tiff_lzw", "jpeg", "packbits", "zstd", "lzma"]
)
def test_compressed(tmp_path, compression):
    pages = [Image.fromarray(NOISE // 255) for _ in range(5)]
    pages[0].save(
        tmp_path / "a.tif",
        save_all=True,
        append_images=pages[1:],
        compression=compression,
    )
    assert only(tmp_path / "a.tif").array.shape == (5, 20, 24)


def test_lerc(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", NOISE, compression="lerc")
    np.testing.assert_array_equal(only(tmp_path / "a.tif").array, NOISE)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_palettes(tmp_path, bits, suffix):
    indices = NOISE % 2 ** min(bits, 2)
    picture = Image.fromarray(indices)
    picture.putpalette(COLOURS)
    options = {"bits": bits, "transparency": 0} if suffix == "png" else {}
    picture.save(tmp_path / f"a.{suffix}", **options)
    file = read_image(tmp_path / f"a.{suffix}")
    assert file.rgb
    np.testing.assert_array_equal(file.array, np.reshape(COLOURS, (4, 3))[indices])
    np.testing.assert_array_equal(file.indices, indices)


def test_palettes_of_label_maps_and_of_imagej(tmp_path, monkeypatch):
    table = np.zeros((3, 256), np.uint16)
    table[0] = np.arange(256) * 257
    tifffile.imwrite(tmp_path / "a_seg.tif", NOISE, colormap=table)
    assert only(tmp_path / "a_seg.tif").labels
    tifffile.imwrite(tmp_path / "lut.tif", NOISE, colormap=table, imagej=True)
    for name in ("a_seg.tif", "lut.tif"):
        np.testing.assert_array_equal(only(tmp_path / name).array, NOISE)
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 10)
    tifffile.imwrite(tmp_path / "large.tif", NOISE, colormap=table)
    opened = only(tmp_path / "large.tif")
    assert opened.array.shape == (20, 24, 3)
    np.testing.assert_array_equal(opened.array[3, 2:9, 0], NOISE[3, 2:9])


def test_calibrations_of_imagej(tmp_path):
    def save(name, **meta):
        stack = NOISE.astype(np.uint16)
        tifffile.imwrite(tmp_path / name, stack, imagej=True, metadata=meta)
        return only(tmp_path / name)

    signed = save("a.tif", cf=0, c0=-32768.0, c1=1.0, vunit="Gray Value")
    assert signed.array.dtype == np.int16
    np.testing.assert_array_equal(signed.array, NOISE.astype(np.int32) - 32768)
    np.testing.assert_allclose(
        save("b.tif", cf=0, c0=-5.0, c1=0.5).array, NOISE / 2 - 5
    )
    curve = save("c.tif", cf=3, c0=1.0, c1=2.0, c2=3.0)
    np.testing.assert_array_equal(curve.array, NOISE)
    assert "no straight line" in curve.warnings[0]


@pytest.mark.parametrize("name", ["a.tif", "a.nii"])
def test_complex_numbers(tmp_path, name):
    values = (NOISE + 1j * NOISE[::-1]).astype(np.complex64)
    if name == "a.tif":
        tifffile.imwrite(tmp_path / name, values, photometric="minisblack")
    else:
        import nibabel

        nibabel.save(
            nibabel.Nifti1Image(values, np.diag([-1, -1, 1, 1])), tmp_path / name
        )
    file = read_image(tmp_path / name)
    np.testing.assert_allclose(file.array[...], np.abs(values), rtol=1e-6)
    assert "holds complex numbers; their magnitude is shown" in file.warnings[0]


def test_samples_that_are_no_colours(tmp_path):
    pair = np.stack([NOISE, NOISE[::-1]], -1)
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", pair, extrasamples=["unspecified"], **options)
    np.testing.assert_array_equal(only(tmp_path / "a.tif").array, pair)
    four = np.stack([NOISE] * 4, -1)
    tifffile.imwrite(
        tmp_path / "b.tif", four, photometric="rgb", extrasamples=["unspecified"]
    )
    assert "the fourth is left out" in only(tmp_path / "b.tif").warnings[0]


def test_colours_that_are_not_red_green_and_blue(tmp_path):
    colour = Image.fromarray(np.stack([NOISE] * 3, -1))
    colour.convert("YCbCr").save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="are stored as YCBCR; save it as RGB"):
        only(tmp_path / "a.tif")
    colour.convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    array = read_image(tmp_path / "a.jpg").array
    assert array.shape == (20, 24, 3)
    assert np.abs(array.astype(int) - np.asarray(colour)).max() < 20


def test_deep_pictures(tmp_path):
    import cv2

    deep = np.stack([NOISE.astype(np.uint16) * 257 + k for k in range(3)], -1)
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array, deep)
    Image.fromarray(deep[..., 0]).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").array, deep[..., 0])


def test_pictures_drawn_in_their_opacity(tmp_path):
    black = np.zeros((20, 24, 4), np.uint8)
    black[..., 3] = NOISE
    Image.fromarray(black).save(tmp_path / "a.png")
    assert "opacity alone" in read_image(tmp_path / "a.png").warnings[0]


@pytest.mark.parametrize("kind", [np.uint32, np.int64, np.uint64, np.float64])
def test_windows_of_large_values(kind):
    values = np.array([[4_000_000_000, 4_000_000_010]], kind)
    unit = Window(4_000_000_000, 4_000_000_010).apply(values)
    np.testing.assert_allclose(unit, [[0, 1]])


def test_pages_written_one_by_one_are_a_stack(tmp_path, monkeypatch):
    stack = np.stack([NOISE + k for k in range(5)])
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in stack:
            file.write(page)
    np.testing.assert_array_equal(only(tmp_path / "a.tif").array, stack)
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 10)
    opened = only(tmp_path / "a.tif")
    np.testing.assert_array_equal(opened.array[1:4, 3], stack[1:4, 3])
    assert opened.warnings == ()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("ome", [False, True])
def test_the_largest_series_is_the_image(tmp_path, monkeypatch, large, ome):
    if large:
        monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 10)
    stack = np.stack([NOISE + k for k in range(5)])
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=ome) as file:
        if ome:
            file.write(NOISE[:10, :10], metadata={"axes": "YX"})
            file.write(stack, metadata={"axes": "ZYX", "PhysicalSizeX": 0.5})
        else:
            file.write(NOISE[:10, :10], metadata=None)
            for page in stack:
                file.write(page, metadata=None)
    opened = only(tmp_path / "a.tif")
    np.testing.assert_array_equal(opened.array, stack)
    assert "holds 2 images; the one of 5 x 20 x 24" in opened.warnings[0]
    assert "left out are 10 x 10" in opened.warnings[0]
    if ome:
        assert opened.source.scale == (0.5,) * 3


def test_smaller_copies_are_no_images(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(NOISE, metadata=None)
        file.write(NOISE[::2, ::2], metadata=None, subfiletype=1)
    opened = only(tmp_path / "a.tif")
    np.testing.assert_array_equal(opened.array, NOISE)
    assert opened.warnings == ()


@pytest.mark.parametrize("imagej", [False, True])
def test_a_stack_that_is_cut_off(tmp_path, imagej):
    stack = np.stack([NOISE] * 5)
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack,
        metadata=None,
        imagej=imagej,
        photometric="minisblack",
    )
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) * 2 // 3])
    assert (
        "is incomplete: pages after the first" in only(tmp_path / "a.tif").warnings[0]
    )


@pytest.mark.parametrize("highest", [3, 700])
def test_labels_of_a_picture_are_kept(tmp_path, highest):
    labels = np.zeros((6, 7), np.int32)
    labels[1:3], labels[4] = 2, highest
    write_labels(tmp_path / "m.png", labels)
    np.testing.assert_array_equal(read_image(tmp_path / "m.png").array, labels)
    write_labels(tmp_path / "one.png", labels == 2)  # can be seen in every program
    picture = read_image(tmp_path / "one.png").array
    np.testing.assert_array_equal(picture, (labels == 2) * 255)
    with pytest.raises(UserError, match="holds labels from 0 to 65,535"):
        write_labels(tmp_path / "m.png", labels * 100_000)
    np.testing.assert_array_equal(read_image(tmp_path / "m.png").array, labels)
