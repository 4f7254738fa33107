"""Values and colours of DICOM images."""

import struct
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.uid import ImplicitVRLittleEndian, RLELossless, generate_uid

from napari_simpleclick.images.viewer_images import open_layers
from tests.images.dicom_files import save, series

SCANNED = Path(pydicom.data.__file__).parent / "test_files"


def slice_of(tmp_path, pixels, **changes):
    changes = {"RescaleSlope": None, "RescaleIntercept": None} | changes
    path = tmp_path / "a.dcm"
    save(path, pixels, 0, generate_uid(), **changes)
    (opened,) = open_layers(path)
    return opened


def filled(value, kind=np.uint16):
    return np.full((4, 5), value, kind)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"RescaleIntercept": -1024}, 0),
        ({"RescaleSlope": 2}, 2048),
        ({"RescaleSlope": "", "RescaleIntercept": -24}, 1000),
        ({"RescaleSlope": 0, "RescaleIntercept": -24}, 1000),
        ({"RescaleSlope": "1.0", "RescaleIntercept": "-1024.0"}, 0),
        ({"RescaleSlope": "0.5", "RescaleIntercept": "0.25"}, 512.25),
    ],
)
def test_rescale(tmp_path, changes, expected):
    array = slice_of(tmp_path, filled(1024), **changes).array
    np.testing.assert_array_equal(array, np.full((1, 4, 5), expected))


@pytest.mark.parametrize(
    ("stored", "kind", "slope", "intercept", "expected"),
    [
        (3_000_000_000, np.uint32, 1, 5, 3_000_000_005),
        (3_000_000_000, np.uint32, 4, 0, 12_000_000_000),
        (-(2**31), np.int32, 1, -1, -(2**31) - 1),
        (3, np.uint16, 1, "9007199254740993", 2**53 + 4),
        (2**53 + 1, np.uint64, 1, 0, 2**53 + 1),
        (2**63 + 5, np.uint64, 1, 1, 2**63 + 6),
        (2**63 + 5, np.uint64, 1, -7, 2**63 - 2),
        (60_000, np.uint16, 1, 0, 60_000),
        (16_777_217, np.uint32, "0.5", 0, 8_388_608.5),
    ],
)
def test_large_numbers_are_kept(tmp_path, stored, kind, slope, intercept, expected):
    rescale = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    array = slice_of(tmp_path, filled(stored, kind), **rescale).array
    assert set(np.asarray(array).ravel().tolist()) == {expected}


def test_slices_with_scales_of_their_own(tmp_path):
    uid = generate_uid()
    for number in range(3):
        pixels, scale = filled(10), 40_000.0 * number + 1
        changes = {"RescaleSlope": scale, "RescaleIntercept": number}
        save(tmp_path / f"{number}.dcm", pixels, 2 * number, uid, **changes)
    (opened,) = open_layers(tmp_path)
    np.testing.assert_array_equal(opened.array[:, 0, 0], [800_012, 400_011, 10])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_float_pixels(tmp_path, kind):
    path, pixels = tmp_path / "a.dcm", np.linspace(-1, 1, 20).reshape(4, 5)
    data = save(path, filled(0), 0, generate_uid())
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(data, name)
    data.RescaleSlope, data.RescaleIntercept = 2, 1
    data.BitsAllocated = 8 * np.dtype(kind).itemsize
    name = "FloatPixelData" if kind is np.float32 else "DoubleFloatPixelData"
    setattr(data, name, pixels.astype(kind).tobytes())
    data.save_as(path)
    (opened,) = open_layers(path)
    assert opened.array.dtype == kind
    np.testing.assert_allclose(opened.array[0], pixels * 2 + 1, rtol=1e-6)


def test_one_bit(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2, (4, 8)).astype(np.uint8)
    packed = np.packbits(pixels, bitorder="little")
    bits = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}
    opened = slice_of(tmp_path, pixels, PixelData=packed.tobytes(), **bits)
    np.testing.assert_array_equal(opened.array[0], pixels)


def modality_table(values, first=0, depth=16, vr="OW"):
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [len(values) % 2**16, first, depth], "US"
    kind = "<u2" if depth > 8 else "u1"
    packed = np.asarray(values, kind).tobytes()
    item.add_new("LUTData", vr, packed if vr == "OW" else list(map(int, values)))
    return [item]


@pytest.mark.parametrize(
    ("stored", "kind", "table", "expected"),
    [
        (100, np.uint16, modality_table(np.arange(4096) * 3 + 7), 307),
        (100, np.uint8, modality_table(np.arange(4096) * 3 + 7), 307),
        (100, np.uint16, modality_table(np.arange(4096) * 3 + 7, vr="US"), 307),
        (100, np.uint16, modality_table(np.arange(4096), depth=12), 100),
        (100, np.uint16, modality_table(np.arange(256)[::-1], depth=8), 155),
        (100, np.uint16, modality_table(np.arange(50) + 1000, 80), 1020),
        (10, np.uint16, modality_table(np.arange(50) + 1000, 80), 1000),
        (500, np.uint16, modality_table(np.arange(50) + 1000, 80), 1049),
        (60_000, np.uint16, modality_table(np.arange(2**16)[::-1]), 5535),
    ],
)
def test_modality_tables(tmp_path, stored, kind, table, expected):
    opened = slice_of(tmp_path, filled(stored, kind), ModalityLUTSequence=table)
    assert np.unique(opened.array).tolist() == [expected]


def test_a_table_wins_over_slope_and_intercept(tmp_path):
    table = modality_table(np.arange(4096) + 1)
    changes = {"RescaleSlope": 9, "RescaleIntercept": 9, "ModalityLUTSequence": table}
    assert np.unique(slice_of(tmp_path, filled(7), **changes).array) == [8]


def test_a_broken_table_is_a_sentence(tmp_path):
    table = modality_table(np.arange(16))
    table[0].LUTDescriptor = [4096, 0, 16]
    with pytest.raises(ValueError, match="look-up table that cannot be used"):
        slice_of(tmp_path, filled(7), ModalityLUTSequence=table)


@pytest.mark.parametrize(
    ("stored", "kind", "bits", "expected"),
    [
        (100, np.uint8, 8, 155),
        (100, np.uint16, 12, 3995),
        (100, np.uint16, 16, 65_435),
        (-100, np.int16, 16, 99),
        (100, np.uint32, 32, 2**32 - 101),
    ],
)
def test_white_is_zero(tmp_path, stored, kind, bits, expected):
    changes = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": bits}
    opened = slice_of(tmp_path, filled(stored, kind), HighBit=bits - 1, **changes)
    assert np.unique(opened.array).tolist() == [expected]


def palette(count, first, depth, data, segmented=False):
    changes = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTable"
        changes[f"{name}Descriptor"] = [count, first, depth]
        changes[f"{'Segmented' * segmented}{name}Data"] = np.asarray(data).tobytes()
    return changes


BYTES, WORDS = np.arange(256, dtype="u1"), np.arange(256, dtype="<u2")


@pytest.mark.parametrize(
    ("stored", "kind", "table", "expected"),
    [
        (200, np.uint8, palette(256, 0, 8, BYTES), 200),
        (200, np.uint8, palette(256, 0, 16, WORDS * 256), 200),
        (200, np.uint8, palette(256, 0, 16, WORDS), 200),
        (200, np.uint8, palette(100, 150, 8, BYTES[:100]), 50),
        (200, np.uint8, palette(99, 150, 8, BYTES[:100]), 50),
        (200, np.uint8, palette(100, 0, 8, BYTES[:100]), 99),
        (300, np.uint16, palette(256, 0, 8, BYTES), 255),
        (3000, np.uint16, palette(4096, 0, 8, np.arange(4096, dtype="<u2") // 16), 187),
        (
            3000,
            np.uint16,
            palette(4096, 0, 8, (np.arange(4096) // 16).astype("u1")),
            187,
        ),
        (
            200,
            np.uint8,
            palette(
                256, 0, 16, np.array([0, 1, 0, 1, 255, 65535], "<u2"), segmented=True
            ),
            200,
        ),
    ],
)
def test_palettes(tmp_path, stored, kind, table, expected):
    opened = slice_of(tmp_path, filled(stored, kind), **table)
    assert (opened.rgb, opened.array.dtype, opened.array.shape) == (
        True,
        np.uint8,
        (1, 4, 5, 3),
    )
    assert np.unique(opened.array).tolist() == [expected]


def test_palette_of_a_scanner():
    path = SCANNED / "examples_palette.dcm"
    data = pydicom.dcmread(path)
    (opened,) = open_layers(path)
    colours = apply_color_lut(data.pixel_array, data) >> 8
    np.testing.assert_array_equal(opened.array[0], colours)


@pytest.mark.parametrize("planar", [0, 1])
def test_planes_and_pixels_of_colour(tmp_path, planar):
    colours = np.random.default_rng(0).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    stored = colours.transpose(2, 0, 1) if planar else colours
    changes = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    changes |= {"PixelData": stored.tobytes(), "PlanarConfiguration": planar}
    opened = slice_of(tmp_path, colours, **changes)
    assert opened.rgb
    np.testing.assert_array_equal(opened.array[0], colours)


def test_ybr_is_shown_as_rgb():
    (plain,) = open_layers(SCANNED / "SC_rgb_rle.dcm")
    (other,) = open_layers(SCANNED / "SC_ybr_full_422_uncompressed.dcm")
    off = np.abs(plain.array.astype(int) - other.array)
    assert off.max() < 10


@pytest.mark.parametrize("bits", [16, 32])
def test_wide_colours_have_16_bits(bits):
    path = SCANNED / f"SC_rgb_rle_{bits}bit.dcm"
    (opened,) = open_layers(path)
    assert opened.array.dtype == np.uint16
    known = pydicom.dcmread(path).pixel_array >> (bits - 16)
    np.testing.assert_array_equal(opened.array[0], known)


def test_several_windows_change_nothing(tmp_path):
    changes = {"WindowCenter": [40, 400], "WindowWidth": [80, 2000]}
    assert np.unique(slice_of(tmp_path, filled(7), **changes).array) == [7]


def test_deflated():
    (opened,) = open_layers(SCANNED / "image_dfl.dcm")
    known = pydicom.dcmread(SCANNED / "image_dfl.dcm").pixel_array
    np.testing.assert_array_equal(opened.array[0], known)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("folder", [False, True])
def test_without_preamble_and_meta(tmp_path, explicit, folder):
    series(tmp_path)
    (whole,) = open_layers(tmp_path)
    for number, path in enumerate(sorted(tmp_path.iterdir())):
        data = pydicom.dcmread(path)
        del data.file_meta
        data.preamble = None
        path.unlink()
        pydicom.dcmwrite(
            tmp_path / f"{number}", data, implicit_vr=not explicit, little_endian=True
        )
    if folder:
        (bare,) = open_layers(tmp_path)
        np.testing.assert_array_equal(bare.array, whole.array)
    else:
        (bare,) = open_layers(tmp_path / "0")
        assert bare.array.shape == (1, *whole.array.shape[1:])


def test_meta_without_preamble(tmp_path):
    save(tmp_path / "a", filled(9), 0, generate_uid(), RescaleIntercept=0)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[132:])
    (opened,) = open_layers(tmp_path)
    assert np.unique(opened.array) == [9]


def test_compressed_pixels_without_meta(tmp_path):
    path = tmp_path / "a.dcm"
    save(path, filled(9), 0, generate_uid())
    data = pydicom.dcmread(path)
    data.compress(RLELossless)
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    path.unlink()
    del data.file_meta
    data.preamble = None
    data["PixelData"].is_undefined_length = False
    pydicom.dcmwrite(path, data, implicit_vr=True, little_endian=True)
    with pytest.raises(ValueError, match="does not say how its pixels are compressed"):
        open_layers(path)


def test_a_video_is_a_sentence(tmp_path):
    path = tmp_path / "a.dcm"
    data = save(path, filled(9), 0, generate_uid())
    data.file_meta.TransferSyntaxUID = pydicom.uid.MPEG4HP41
    data.PixelData = pydicom.encaps.encapsulate([b"12345678"])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    with pytest.raises(ValueError, match=r"is a video .*numbered PNG files"):
        open_layers(path)


def raw(path, **texts):
    """Put texts into a file that are not as the standard has them."""
    data = pydicom.dcmread(path)
    for name, text in texts.items():
        data[name] = pydicom.DataElement(name, "LT", text, validation_mode=0)
    data.save_as(path)
    written = path.read_bytes()
    for name in texts:
        tag = pydicom.datadict.tag_for_keyword(name)
        start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        written = written.replace(start + b"LT", start + b"DS")
    path.write_bytes(written)


def test_decimal_commas(tmp_path):
    path = tmp_path / "a.dcm"
    save(path, filled(10), 0, generate_uid())
    raw(path, PixelSpacing="0,7\\0,4", RescaleSlope="0,5 ", RescaleIntercept="-1,5")
    (opened,) = open_layers(path)
    np.testing.assert_allclose(opened.source.scale[1:], (0.7, 0.4))
    assert np.unique(opened.array).tolist() == [3.5]


def test_a_scale_that_is_no_number_is_a_sentence(tmp_path):
    path = tmp_path / "a.dcm"
    save(path, filled(10), 0, generate_uid())
    raw(path, RescaleSlope="one ")
    with pytest.raises(ValueError, match="RescaleSlope 'one', which is no number"):
        open_layers(path)
