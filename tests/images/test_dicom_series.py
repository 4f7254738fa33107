"""What belongs into a DICOM series, in which order, and what is left out."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    JPEGLosslessSV1,
    RLELossless,
    generate_uid,
)

from napari_simpleclick.images.files import read_image
from napari_simpleclick.images.viewer_images import open_layers
from tests.images.dicom_files import VOLUME, change, save, series

SCANNED = Path(pydicom.data.__file__).parent / "test_files"
HOUNSFIELD = VOLUME.astype(int) - 1024
UNPLACED = {"ImagePositionPatient": None}


def only(folder):
    (opened,) = open_layers(folder)
    return opened


def unplaced(folder, names="{}.dcm", **each):
    """Write slices that do not say where they lie; ``each`` gives lists of values."""
    uid = generate_uid()
    for number, pixels in enumerate(VOLUME):
        own = {name: values[number] for name, values in each.items()}
        path = folder / names.format(number)
        save(path, pixels, 0, uid, **(UNPLACED | own))


NUMBERS = [3, 1, 5, 2, 4]
ORDER = np.argsort(NUMBERS)


def test_slice_locations_come_first(tmp_path):
    unplaced(tmp_path, SliceLocation=[0, 3, 6, 9, 12], InstanceNumber=NUMBERS)
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[::-1])  # upwards, as z
    np.testing.assert_allclose(opened.source.scale, (3, 0.6, 0.5))
    (warning,) = opened.warnings
    assert "SliceLocation" in warning and "3 mm apart" in warning


def test_slice_locations_place_as_positions_do(tmp_path):
    for name, changes in (("with", {}), ("without", UNPLACED)):
        (tmp_path / name).mkdir()
        for number, pixels in enumerate(VOLUME):
            place = 7 - 2.5 * number
            save(
                tmp_path / name / f"{number}",
                pixels,
                place,
                "1.2.3",
                SliceLocation=place,
                **changes,
            )
    known, found = only(tmp_path / "with"), only(tmp_path / "without")
    np.testing.assert_array_equal(found.array, known.array)
    np.testing.assert_allclose(found.source.scale, known.source.scale)
    np.testing.assert_allclose(found.source.translate[0], known.source.translate[0])


def test_a_gap_between_slice_locations_is_named(tmp_path):
    unplaced(tmp_path, SliceLocation=[0, 3, 9, 12, 15])
    assert "lacks 1 slices, at 6 mm" in only(tmp_path).warnings[1]


@pytest.mark.parametrize("locations", [[None] * 5, [""] * 5, [0] * 5, [0, 1, 1, 2, 3]])
def test_then_instance_numbers(tmp_path, locations):
    given = {} if locations[0] is None else {"SliceLocation": locations}
    unplaced(tmp_path, InstanceNumber=NUMBERS, **given)
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[ORDER])
    np.testing.assert_allclose(opened.source.scale, (2.5, 0.6, 0.5))
    (warning,) = opened.warnings
    assert "InstanceNumber" in warning
    assert "2.5 mm apart, which is their SliceThickness" in warning


def test_spacing_between_slices_is_better_than_their_thickness(tmp_path):
    unplaced(tmp_path, InstanceNumber=NUMBERS, SpacingBetweenSlices=[4] * 5)
    opened = only(tmp_path)
    np.testing.assert_allclose(opened.source.scale[0], 4)
    assert "4 mm apart, which is their SpacingBetweenSlices" in opened.warnings[0]


@pytest.mark.parametrize("numbers", [[None] * 5, [1] * 5, [1, 1, 2, 3, 4], [""] * 5])
def test_then_names(tmp_path, numbers):
    uid = generate_uid()
    for number, pixels in enumerate(VOLUME):
        own = {"InstanceNumber": numbers[number], "SliceThickness": None}
        path = tmp_path / f"s{8 + number}.dcm"  # 10 comes after 9
        save(path, pixels, 0, uid, **(UNPLACED | own))
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD)
    (warning,) = opened.warnings
    assert "file names" in warning and "1 mm apart, as nothing says how far" in warning


def test_planes_without_a_position_keep_their_direction(tmp_path):
    coronal = {"ImageOrientationPatient": [[1, 0, 0, 0, 0, -1]] * 5}
    unplaced(tmp_path, InstanceNumber=[1, 2, 3, 4, 5], **coronal)
    opened = only(tmp_path)
    assert opened.array.shape == (6, 5, 7)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD.swapaxes(0, 1))


@pytest.mark.parametrize("uid", ["same", "new"])
def test_an_exact_copy_is_left_out(tmp_path, uid):
    series(tmp_path)
    original = next(path for path in sorted(tmp_path.iterdir()))
    shutil.copy(original, tmp_path / "zcopy.dcm")
    if uid == "new":
        change(
            tmp_path / "zcopy.dcm", lambda data: setattr(data, "SOPInstanceUID", "1.2")
        )
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[::-1])
    (warning,) = opened.warnings
    assert "copies of slices; 'zcopy.dcm' was left out" in warning
    assert len(opened.source.files) == 5


@pytest.mark.parametrize("first", ["a", "z"])
def test_a_copy_in_another_encoding(tmp_path, first):
    series(tmp_path)
    original = sorted(tmp_path.iterdir())[1]
    path = tmp_path / f"{first}.dcm"
    shutil.copy(original, path)
    change(path, lambda data: data.compress(RLELossless, generate_instance_uid=False))
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[::-1])
    assert f"'{path.name}' was left out" in opened.warnings[0]


def test_a_lossy_copy_is_the_one_that_is_left_out(tmp_path):
    series(tmp_path)
    path = tmp_path / "a.dcm"
    shutil.copy(sorted(tmp_path.iterdir())[1], path)

    def spoil(data):
        data.LossyImageCompression = "01"
        data.PixelData = (data.pixel_array + 1).tobytes()

    change(path, spoil)
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[::-1])
    assert "'a.dcm' was left out" in opened.warnings[0]


def test_a_copy_that_nothing_decodes(tmp_path):
    series(tmp_path)
    path = tmp_path / "a.dcm"
    shutil.copy(sorted(tmp_path.iterdir())[1], path)

    def spoil(data):
        data.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        data.PixelData = pydicom.encaps.encapsulate([b"12345678"])
        data["PixelData"].is_undefined_length = True

    change(path, spoil)
    np.testing.assert_array_equal(only(tmp_path).array, HOUNSFIELD[::-1])


def test_different_slices_at_one_place_are_named(tmp_path):
    uid = series(tmp_path)
    save(tmp_path / "odd.dcm", VOLUME[1], 0, uid)
    with pytest.raises(ValueError, match=r"same position.*'odd.dcm'"):
        open_layers(tmp_path)
    (tmp_path / "odd.dcm").unlink()
    assert only(tmp_path).array.shape == VOLUME.shape


@pytest.mark.parametrize("size", [(6, 7), (9, 11)])
def test_a_scout_in_the_series_is_left_out(tmp_path, size):
    uid = series(tmp_path)
    direction = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    save(tmp_path / "scout.dcm", np.zeros(size, np.uint16), 1, uid, **direction)
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[::-1])
    (warning,) = opened.warnings
    assert "'scout.dcm' was left out" in warning
    assert "put what was left out into a folder of its own to open it" in warning
    assert len(opened.source.files) == 5
    assert read_image(tmp_path).array.shape == (7, 6, 5)
    (tmp_path / "own").mkdir()
    shutil.move(tmp_path / "scout.dcm", tmp_path / "own")
    assert sorted(only(tmp_path / "own").array.shape) == sorted((1, *size))


def test_a_picture_of_the_dose_in_the_series(tmp_path):
    uid = series(tmp_path)
    gone = {"ImagePositionPatient": None, "ImageOrientationPatient": None}
    save(tmp_path / "dose.dcm", VOLUME[0], 0, uid, **gone)
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[::-1])
    assert "'dose.dcm' was left out" in opened.warnings[0]


@pytest.mark.parametrize(
    ("storage", "kind"),
    [
        (BasicTextSRStorage, "Basic Text SR"),
        (EncapsulatedPDFStorage, "Encapsulated PDF"),
    ],
)
def test_reports_are_left_out_by_name(tmp_path, storage, kind):
    uid = series(tmp_path)
    data = save(tmp_path / "report.dcm", VOLUME[0], 0, uid, SOPClassUID=storage)
    for name in ("PixelData", "Rows", "Columns"):
        delattr(data, name)
    data.save_as(tmp_path / "report.dcm")
    opened = only(tmp_path)
    assert opened.array.shape == VOLUME.shape
    assert f"'report.dcm' ({kind}) was left out" in opened.warnings[0]
    for path in tmp_path.iterdir():
        if path.name != "report.dcm":
            path.unlink()
    with pytest.raises(ValueError, match=f"no DICOM images, only {kind} without"):
        open_layers(tmp_path)


def test_a_localizer_alone_is_shown_slice_by_slice(tmp_path):
    uid = generate_uid()
    directions = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])
    for number, direction in enumerate(directions):
        turned = {"ImageOrientationPatient": direction}
        save(tmp_path / f"{number}.dcm", VOLUME[number], 0, uid, **turned)
    opened = open_layers(tmp_path)
    assert [min(one.array.shape) for one in opened] == [1, 1, 1]
    assert len({one.name for one in opened}) == 3


def test_two_orientations_in_one_series_are_two_layers(tmp_path):
    uid = series(tmp_path)
    for number, pixels in enumerate(VOLUME):
        turned = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
        turned["ImagePositionPatient"] = [0, 3 * number, 0]
        save(tmp_path / f"coronal{number}", pixels, 0, uid, **turned)
    shapes = sorted(one.array.shape for one in open_layers(tmp_path))
    assert shapes == [(5, 6, 7), (6, 5, 7)]


def test_series_that_share_a_uid_by_mistake(tmp_path):
    uid = series(tmp_path, SeriesNumber=1, SeriesDescription="T1")
    for number, pixels in enumerate(VOLUME):
        changes = {"SeriesNumber": 2, "SeriesDescription": "T2"}
        save(tmp_path / f"second{number}", pixels, 2 * number, uid, **changes)
    assert [one.name for one in open_layers(tmp_path)] == ["T1", "T2"]


@pytest.mark.parametrize(
    ("element", "values", "axis"),
    [
        ("EchoTime", (10, 2.5), "channel"),
        ("TemporalPositionIdentifier", (2, 1), "time"),
        ("AcquisitionNumber", (2, 1), "time"),
        ("TriggerTime", (500, 0), "time"),
        ("DiffusionBValue", (1000.0, 0.0), "channel"),
        (
            "ImageType",
            (["ORIGINAL", "PRIMARY", "P"], ["DERIVED", "PRIMARY", "M"]),
            "channel",
        ),
    ],
)
def test_several_slices_at_every_place_are_an_axis(tmp_path, element, values, axis):
    uid = generate_uid()
    for count, value in enumerate(values):
        for number, pixels in enumerate(VOLUME):
            path = tmp_path / f"{number}-{count}.dcm"
            changes = {element: value, "InstanceNumber": 2 * number + count}
            save(path, pixels + np.uint16(100 * count), 2 * number, uid, **changes)
    opened = only(tmp_path)
    first = HOUNSFIELD[::-1]
    np.testing.assert_array_equal(opened.array, [first + 100, first])  # lowest first
    assert opened.source.axis_labels == (axis, "inferior", "posterior", "left")
    assert element in opened.warnings[0]
    assert read_image(tmp_path).shape == (7, 6, 5, 2)


def test_times_by_their_numbers_alone(tmp_path):
    uid = generate_uid()
    for count in range(3):
        for number, pixels in enumerate(VOLUME):
            changes = {"InstanceNumber": 5 * count + number + 1}
            path = tmp_path / f"{(7 * number + count) % 15}-{number}-{count}.dcm"
            save(path, pixels + np.uint16(count), 2 * number, uid, **changes)
    opened = only(tmp_path)
    assert opened.array.shape == (3, *VOLUME.shape)
    np.testing.assert_array_equal(opened.array[2], HOUNSFIELD[::-1] + 2)


def test_a_table_of_contents_names_its_folders():
    with pytest.raises(ValueError, match="one of its folders: '77654033/CR1'"):
        read_image(SCANNED / "dicomdirtests" / "DICOMDIR")


def test_names_without_an_extension(tmp_path):
    series(tmp_path)
    path = sorted(tmp_path.iterdir())[0]
    assert "." not in path.name
    assert read_image(path).array.shape == (7, 6, 1)
    named = path.rename(tmp_path / "1.2.840.113619.2")
    assert read_image(named).array.shape == (7, 6, 1)


def test_a_time_that_is_not_complete_is_left_out(tmp_path):
    uid = generate_uid()
    for count in range(3):
        for number, pixels in enumerate(VOLUME[: 4 if count == 2 else 5]):
            changes = {"AcquisitionNumber": count, "InstanceNumber": 3 * number + count}
            path = tmp_path / f"{count}-{number}.dcm"
            save(path, pixels + np.uint16(count), 2 * number, uid, **changes)
    opened = only(tmp_path)
    first = HOUNSFIELD[::-1]
    np.testing.assert_array_equal(opened.array, [first, first + 1])
    assert "'2-0.dcm', '2-1.dcm', '2-2.dcm', '2-3.dcm'" in opened.warnings[1]


def test_a_slice_that_was_taken_again(tmp_path):
    uid = series(tmp_path, AcquisitionNumber=1)
    save(tmp_path / "again.dcm", VOLUME[4], 2, uid, AcquisitionNumber=2)
    opened = only(tmp_path)
    np.testing.assert_array_equal(opened.array, HOUNSFIELD[::-1])
    assert "'again.dcm'" in opened.warnings[0]


def test_slices_with_uids_of_their_own_are_a_series(tmp_path):
    for number, pixels in enumerate(VOLUME):
        save(tmp_path / f"{number}.dcm", pixels, 2 * number, generate_uid())
    np.testing.assert_array_equal(only(tmp_path).array, HOUNSFIELD[::-1])


def test_views_of_different_series_stay_apart(tmp_path):
    for number, pixels in enumerate(VOLUME[:4]):
        changes = {"SeriesNumber": number}
        save(tmp_path / f"{number}.dcm", pixels, number, generate_uid(), **changes)
    assert len(open_layers(tmp_path)) == 4


def test_files_of_macs_and_windows_do_not_matter(tmp_path):
    series(tmp_path)
    (tmp_path / "._IM0.dcm").write_bytes(b"\0\5\x16\7" + bytes(200))
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(200))
    (tmp_path / "empty.dcm").write_bytes(b"")
    opened = only(tmp_path)
    assert (opened.array.shape, opened.warnings) == (VOLUME.shape, ())
