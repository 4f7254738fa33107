"""DICOM series and segmentations."""

import gzip
import importlib.util
import shutil
import sys
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pydicom.data
import pytest
from nibabel.nicom.dicomwrappers import wrapper_from_file
from PIL import Image
from pydicom.uid import generate_uid

from napari_simpleclick.images.files import read_image, read_mask, write_labels
from napari_simpleclick.images.viewer_images import is_image_folder, open_layers
from tests.images.dicom_files import COLUMN, ROW, STUDY, VOLUME, save, series

SCANNED = Path(pydicom.data.__file__).parent / "test_files"
"""Real files that come with pydicom."""


def only(folder):
    (opened,) = open_layers(folder)
    return opened


def test_a_series_with_previews_is_opened_and_not_its_previews(tmp_path):
    series(tmp_path)
    for number in (1, 2):
        Image.new("L", (9, 9)).save(tmp_path / f"preview{number}.png")
    assert only(tmp_path).array.shape == VOLUME.shape
    assert read_image(tmp_path).shape == VOLUME.shape[::-1]


def test_a_folder_becomes_an_upright_volume(tmp_path):
    series(tmp_path)
    (tmp_path / "readme.txt").write_text("no slice")
    assert is_image_folder(tmp_path)
    opened = only(tmp_path)
    assert opened.name == "Thorax"
    assert opened.array.dtype == np.int16
    np.testing.assert_array_equal(opened.array, VOLUME[::-1].astype(int) - 1024)
    np.testing.assert_allclose(opened.source.scale, (2, 0.6, 0.5))
    corner = (-8, COLUMN @ (-10, -20, 0), ROW @ (-10, -20, 0))  # along its own axes
    np.testing.assert_allclose(opened.source.translate, corner)
    assert opened.source.axis_labels == ("inferior", "posterior", "left")
    assert opened.warnings == ()
    assert read_image(tmp_path).shape == (7, 6, 5)


def test_one_file(tmp_path):
    save(tmp_path / "a.dcm", VOLUME[0], 5, generate_uid())
    opened = only(tmp_path / "a.dcm")
    assert opened.array.shape == (1, 6, 7)
    np.testing.assert_allclose(opened.source.scale, (2.5, 0.6, 0.5))


def test_missing_slices_are_named(tmp_path):
    series(tmp_path, (0, 2, 4, 10, 12))
    opened = only(tmp_path)
    assert "lacks 2 slices, at 6, 8 mm" in opened.warnings[0]
    np.testing.assert_allclose(opened.source.scale[0], 2)


def test_most_gaps_may_lack_a_slice(tmp_path):
    series(tmp_path, (0, 4, 8, 10, 14))
    assert "at 2, 6, 12 mm" in only(tmp_path).warnings[0]


def test_uneven_slices(tmp_path):
    series(tmp_path, (0, 2, 4.7, 6, 8))
    assert "uneven distances, 1.3 to 2.7 mm" in only(tmp_path).warnings[0]


def test_two_series_are_two_layers(tmp_path):
    series(tmp_path, SeriesNumber=9, SeriesDescription="late")
    series(tmp_path, SeriesNumber=2, SeriesDescription="early")
    assert [opened.name for opened in open_layers(tmp_path)] == ["early", "late"]
    with pytest.raises(ValueError, match="holds 2 series \\('early', 'late'\\)"):
        read_image(tmp_path)


def test_a_localizer_beside_a_series_is_a_warning(tmp_path):
    series(tmp_path)
    scout = generate_uid()
    for number, direction in enumerate(([1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])):
        save(
            tmp_path / f"scout{number}",
            VOLUME[0],
            number,
            scout,
            ImageOrientationPatient=direction,
            SeriesDescription="Scout",
        )
    opened = only(tmp_path)
    assert opened.name == "Thorax"
    assert "'Scout'" in opened.warnings[0]
    assert "different directions" in opened.warnings[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"places": (0, 2, 2, 4, 6)}, "several slices at the same position"),
        ({"NumberOfFrames": 5}, "cannot be read"),
        ({"PixelData": b"short"}, "cannot be read"),
    ],
)
def test_what_cannot_be_stacked(tmp_path, changes, sentence):
    series(tmp_path, **changes)
    with pytest.raises(ValueError, match=sentence):
        open_layers(tmp_path)


def test_mixed_sizes(tmp_path):
    uid = series(tmp_path)
    save(tmp_path / "other", VOLUME[0, :4], 10, uid)
    opened = only(tmp_path)
    assert opened.array.shape == VOLUME.shape
    assert "different sizes (7 x 6 and 7 x 4 pixels)" in opened.warnings[0]
    assert "'other' was left out" in opened.warnings[0]


def test_no_positions(tmp_path):
    uid = generate_uid()
    for number, pixels in enumerate(VOLUME):
        save(
            tmp_path / f"{9 - number}.dcm",
            pixels,
            0,
            uid,
            ImagePositionPatient=None,
            ImageOrientationPatient=None,
            InstanceNumber=number,
        )
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, VOLUME.astype(int) - 1024)
    assert "does not say where" in opened.warnings[0]


def test_no_images(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no DICOM images"):
        open_layers(tmp_path)


def test_colour_and_fractions(tmp_path):
    colour = np.random.default_rng(0).integers(0, 255, (6, 7, 3)).astype(np.uint8)
    save(
        tmp_path / "a.dcm",
        colour,
        0,
        generate_uid(),
        **{"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
        **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7},
        **{"PlanarConfiguration": 0, "RescaleIntercept": 0},
    )
    opened = only(tmp_path / "a.dcm")
    assert opened.rgb
    np.testing.assert_array_equal(opened.array[0], colour)
    save(tmp_path / "b.dcm", VOLUME[0], 0, generate_uid(), RescaleSlope=0.5)
    array = only(tmp_path / "b.dcm").array
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array[0], VOLUME[0] * 0.5 - 1024)


def test_masks_refer_to_the_slices(tmp_path):
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder)
    opened = only(folder)
    labels = np.zeros((5, 6, 7), np.uint16)
    labels[0, 1:3, 2:5] = 7  # the uppermost slice
    labels[2:4, 4, 4] = 300
    write_labels(tmp_path / "seg.dcm", labels, opened.source)
    written = pydicom.dcmread(tmp_path / "seg.dcm")
    assert written.Modality == "SEG"
    assert written.StudyInstanceUID == STUDY
    names = [str(s.SegmentLabel) for s in written.SegmentSequence]
    assert names == ["label 7", "label 300"]
    back = np.zeros_like(labels)
    for pixels, frame in zip(
        written.pixel_array, written.PerFrameFunctionalGroupsSequence, strict=True
    ):
        place = frame.PlanePositionSequence[0].ImagePositionPatient[2]
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        back[4 - int(place / 2)][pixels > 0] = (7, 300)[number - 1]
    np.testing.assert_array_equal(back, labels)
    with pytest.raises(ValueError, match="mask is empty"):
        write_labels(tmp_path / "seg.dcm", labels * 0, opened.source)
    assert pydicom.dcmread(tmp_path / "seg.dcm").Modality == "SEG"

    write_labels(tmp_path / "seg.nii.gz", labels, opened.source)
    image = nibabel.load(tmp_path / "seg.nii.gz")
    first = image.affine @ (0, 0, 0, 1)
    np.testing.assert_allclose(first[:3], (10, 20, 0), atol=1e-5)
    np.testing.assert_allclose(image.header.get_zooms(), (0.5, 0.6, 2), rtol=1e-5)


def test_without_pydicom(tmp_path, monkeypatch):
    series(tmp_path)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImportError, match=r"pip install 'napari-simpleclick\[dicom\]'"):
        open_layers(tmp_path)


def test_one_slice_without_a_position(tmp_path):
    uid = generate_uid()
    for number, pixels in enumerate(VOLUME):
        save(
            tmp_path / f"{9 - number}.dcm",
            pixels,
            100 * number,
            uid,
            InstanceNumber=number,
            **({"ImagePositionPatient": None} if number == 2 else {}),
        )
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, VOLUME.astype(int) - 1024)
    assert "order of their numbers" in opened.warnings[0]


@pytest.mark.parametrize("places", [(0, 0.05, 2, 4, 6), (0, 0.05, 2, 2.05, 4)])
def test_slices_at_nearly_the_same_position(tmp_path, places):
    series(tmp_path, places)
    with pytest.raises(ValueError, match="at the same position, or nearly so"):
        open_layers(tmp_path)


def test_slices_of_different_pixel_sizes(tmp_path):
    uid = series(tmp_path)
    save(tmp_path / "other", VOLUME[0], 10, uid, PixelSpacing=[0.6, 0.7])
    opened = only(tmp_path)
    assert opened.array.shape == VOLUME.shape
    assert "different pixel sizes (0.6 x 0.5 and 0.6 x 0.7 mm)" in opened.warnings[0]


@pytest.mark.parametrize("signed", [0, 1])
def test_bright_is_more(tmp_path, signed):
    changes = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12}
    changes |= {"HighBit": 11, "PixelRepresentation": signed, "RescaleIntercept": 0}
    save(tmp_path / "a.dcm", VOLUME[0], 0, generate_uid(), **changes)
    expected = (-1 if signed else 4095) - VOLUME[0].astype(int)
    np.testing.assert_array_equal(only(tmp_path / "a.dcm").array[0], expected)


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"RescaleSlope": "", "RescaleIntercept": None}, ""),
        ({"RescaleSlope": 1, "RescaleIntercept": ""}, ""),
        ({"PixelSpacing": [0, 0], "RescaleIntercept": 0}, "no valid pixel size"),
        ({"PixelSpacing": None, "RescaleIntercept": 0}, "no valid pixel size"),
        ({"ImageOrientationPatient": [0] * 6, "RescaleIntercept": 0}, "does not say"),
        ({"ImagePositionPatient": [""] * 3, "RescaleIntercept": 0}, "does not say"),
        ({"SliceThickness": "", "SeriesNumber": "", "RescaleIntercept": 0}, ""),
    ],
)
def test_headers_that_make_no_sense(tmp_path, changes, warning):
    save(tmp_path / "a.dcm", VOLUME[0], 0, generate_uid(), **changes)
    opened = only(tmp_path / "a.dcm")
    np.testing.assert_array_equal(opened.array[0], VOLUME[0])
    assert len(opened.warnings) == bool(warning)
    assert warning in "".join(opened.warnings)
    width = 1 if warning == "no valid pixel size" else 0.5
    np.testing.assert_allclose(opened.source.scale[2], width)


def test_gray_and_colour_are_no_series(tmp_path):
    gray = VOLUME.astype(np.uint8)
    uid = series(tmp_path, volume=gray, BitsAllocated=8, BitsStored=8, HighBit=7)
    save(
        tmp_path / "rgb",
        np.zeros((6, 7, 3), np.uint8),
        10,
        uid,
        **{"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
        **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7},
        PlanarConfiguration=0,
    )
    opened = only(tmp_path)
    assert (opened.rgb, opened.array.shape) == (False, gray.shape)
    assert "one is in colour" in opened.warnings[0]


def test_without_a_decoder(tmp_path):
    for package in ("gdcm", "libjpeg"):
        if importlib.util.find_spec(package):
            pytest.skip(f"{package} decodes this file")
    save(tmp_path / "a.dcm", VOLUME[0], 0, generate_uid())
    data = pydicom.dcmread(tmp_path / "a.dcm")
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    data.PixelData = pydicom.encaps.encapsulate([b"12345678"])
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "a.dcm")
    sentence = r"compressed \(JPEG Lossless.*pip install pylibjpeg pylibjpeg-libjpeg"
    with pytest.raises(ValueError, match=sentence):
        open_layers(tmp_path / "a.dcm")


def test_segmentations_are_read_back(tmp_path):
    uid = series(tmp_path)
    opened = only(tmp_path)
    labels = np.zeros((5, 6, 7), np.uint16)
    labels[1, 1:3, 2:5] = 7
    labels[3, 4, 4] = 300
    write_labels(tmp_path / "seg.dcm", labels, opened.source)
    image, mask = open_layers(tmp_path)
    assert (image.labels, mask.labels) == (False, True)
    assert image.warnings == ()
    np.testing.assert_array_equal(mask.array, labels[1:4])
    there = image.source.affine @ (0, 0, 1, 1)
    np.testing.assert_allclose(mask.source.affine @ (0, 0, 0, 1), there, atol=1e-6)
    image = read_image(tmp_path)
    assert image.array.shape == (7, 6, 5)
    mask = read_mask(tmp_path / "seg.dcm", image)
    np.testing.assert_array_equal(opened.source.to_layer(mask), labels > 0)
    save(tmp_path / "twice.dcm", VOLUME[1], 0, uid)
    with pytest.raises(ValueError, match="several slices at the same position"):
        read_image(tmp_path)
    with pytest.raises(ValueError, match="cannot hold the label -2"):
        write_labels(tmp_path / "n.dcm", np.full((5, 6, 7), -2), opened.source)


@pytest.mark.parametrize("places", [(0, 2, 4, 6, 8), (4,)])
def test_enhanced_images(tmp_path, places):
    legacy = pytest.importorskip("highdicom.legacy")
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder, places, volume=VOLUME[: len(places)])
    single = only(folder)
    enhanced = legacy.LegacyConvertedEnhancedCTImage(
        [pydicom.dcmread(path) for path in folder.iterdir()],
        *(generate_uid(), 4, generate_uid(), 1),
    )
    enhanced.save_as(tmp_path / "enhanced.dcm")
    opened = only(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(opened.array, single.array)
    known = single.source.affine
    if len(places) == 1:  # a single slice has no neighbour to be at a distance from
        opened.source.affine[:, 2] = known[:, 2]
    np.testing.assert_allclose(opened.source.affine, known, atol=1e-9)


def test_enhanced_image_of_a_scanner(tmp_path):
    packed = Path(nibabel.__file__).parent / "nicom/tests/data/philips_mprage.dcm.gz"
    path = tmp_path / "mprage.dcm"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    image = read_image(path)
    assert (image.array.shape, image.name) == ((256, 256, 176), "MPRAGE_S2")
    known = wrapper_from_file(path)
    ours, theirs = (
        {tuple(np.round(affine @ (0, 0, k, 1), 2)) for k in (0, 175)}
        for affine in (np.diag([-1, -1, 1, 1]) @ image.affine, known.affine)
    )
    assert ours == theirs


def test_many_other_files_first(tmp_path):
    series(tmp_path)
    for number in range(30):
        (tmp_path / f"A{number}.txt").write_text("note" * 99)
    assert is_image_folder(tmp_path)
    (tmp_path / "b").mkdir()
    save(tmp_path / "b" / "z.dcm", VOLUME[0], 0, generate_uid())
    for number in range(30):
        (tmp_path / "b" / f"A{number}").write_text("note" * 99)
    assert is_image_folder(tmp_path / "b")


@pytest.mark.parametrize(
    ("folder", "shape", "least", "most", "missing"),
    [
        ("77654033/CT2", (16, 16, 4), -981, 1489, True),  # every third slice is there
        ("98892001/CT5N", (16, 16, 5), -888, 85, False),
    ],
)
def test_series_of_a_scanner(folder, shape, least, most, missing):
    image = read_image(SCANNED / "dicomdirtests" / folder)
    values = np.asarray(image.array)
    assert values.shape == shape
    assert (values.min(), values.max()) == (least, most)
    assert bool(image.warnings) == missing


@pytest.mark.parametrize("kind", ["", "_RLE", "_jp2klossless", "_jpeg_ls_lossless"])
def test_compressed_slices_of_a_scanner(tmp_path, kind):
    shutil.copy(SCANNED / f"MR_small{kind}.dcm", tmp_path)
    values = np.asarray(read_image(tmp_path).array)
    assert (values.shape, values.min(), values.max()) == ((64, 64, 1), 127, 2145)


def test_the_top_of_a_disc_names_its_folders():
    with pytest.raises(ValueError, match=r"one of its folders: '77654033/CR1'.*…"):
        read_image(SCANNED / "dicomdirtests")
