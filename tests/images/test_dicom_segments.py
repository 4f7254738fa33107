"""DICOM segmentations, of others and our own."""

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.uid import RLELossless, generate_uid

from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.viewer_images import open_layers
from tests.images.dicom_files import VOLUME, change, save, series

highdicom = pytest.importorskip("highdicom")
codes = pytest.importorskip("pydicom.sr.codedict").codes
PLACES = (0, 2, 4, 6, 8)


@pytest.fixture
def scan(tmp_path):
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder, PLACES)
    return folder


def only(path):
    (opened,) = open_layers(path)
    return opened


def segmentation(path, folder, masks, names=("liver",), kind="BINARY", **options):
    """Write a segmentation as others do; masks are (slices, rows, columns[, names])."""
    sources = [pydicom.dcmread(file) for file in folder.iterdir()]
    sources.sort(key=lambda data: data.ImagePositionPatient[2])
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type="MANUAL",
        )
        for number, name in enumerate(names, start=1)
    ]
    data = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Nobody",
        manufacturer_model_name="none",
        software_versions="1",
        device_serial_number="0",
        **options,
    )
    data.save_as(path)
    return data


def blocks():
    masks = np.zeros((5, 6, 7, 2), np.uint8)
    masks[1:3, 1:4, 2:5, 0] = 1
    masks[2:4, 3:5, 3:6, 1] = 1
    return masks


def test_segments_that_overlap_are_layers_of_their_own(tmp_path, scan):
    path, masks = tmp_path / "s.dcm", blocks()
    segmentation(path, scan, masks, ("liver", "tumour"))
    liver, tumour = open_layers(path)
    assert (liver.name, tumour.name) == ("liver", "tumour")
    np.testing.assert_array_equal(liver.array, masks[1:4, ..., 0][::-1])
    np.testing.assert_array_equal(tumour.array, 2 * masks[1:4, ..., 1][::-1])
    with pytest.raises(ValueError, match=r"2 segments that overlap .*as \.nii\.gz"):
        read_image(path)
    write_labels(tmp_path / "tumour.nii.gz", tumour.array, tumour.source)
    np.testing.assert_array_equal(only(tmp_path / "tumour.nii.gz").array, tumour.array)
    assert read_image(scan).array.shape == (7, 6, 5)


def test_segments_of_one_name_that_overlap(tmp_path, scan):
    segmentation(tmp_path / "s.dcm", scan, blocks(), ("node", "node"))
    names = [opened.name for opened in open_layers(tmp_path / "s.dcm")]
    assert names == ["node", "node 2"]


def test_segments_side_by_side_are_one_layer(tmp_path, scan):
    masks = blocks()
    masks[..., 1] &= 1 - masks[..., 0]
    segmentation(tmp_path / "s.dcm", scan, masks, ("liver", "tumour"))
    expected = (masks[..., 0] + 2 * masks[..., 1])[1:4]
    np.testing.assert_array_equal(only(tmp_path / "s.dcm").array, expected[::-1])


@pytest.mark.parametrize("options", [{}, {"transfer_syntax_uid": RLELossless}])
def test_fractions(tmp_path, scan, options):
    masks = blocks()[..., 0] * 0.4
    masks[2] *= 2
    options |= {"max_fractional_value": 200}
    segmentation(tmp_path / "s.dcm", scan, masks, kind="FRACTIONAL", **options)
    opened = only(tmp_path / "s.dcm")
    expected = (masks[1:3] > 0.5)[::-1]
    np.testing.assert_array_equal(opened.array, expected)
    assert "at least half" in opened.warnings[0]


def test_label_maps(tmp_path, scan):
    masks = blocks()[..., 0]
    masks[4, 0, 0] = 2
    segmentation(tmp_path / "s.dcm", scan, masks, ("a", "b"), "LABELMAP")
    np.testing.assert_array_equal(only(tmp_path / "s.dcm").array, masks[1:][::-1])


@pytest.mark.parametrize("told", [True, False])
def test_slices_without_a_label_are_empty(tmp_path, scan, told):
    masks = np.zeros((5, 6, 7), np.uint8)
    masks[[0, 3, 4], 2, 3] = 1

    def forget(data):
        shared = data.SharedFunctionalGroupsSequence[0]
        shared.PixelMeasuresSequence[0].pop("SpacingBetweenSlices", None)

    segmentation(tmp_path / "s.dcm", scan, masks)
    if not told:
        change(tmp_path / "s.dcm", forget)
    opened = only(tmp_path / "s.dcm")
    np.testing.assert_array_equal(opened.array, masks[::-1])
    assert opened.warnings == ()


PERSON = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
STUDIES = ("AccessionNumber", "StudyID", "StudyDate", "StudyTime")
OTHERS = ("ReferringPhysicianName", "PositionReferenceIndicator", "Manufacturer")
UIDS = ("StudyInstanceUID", "FrameOfReferenceUID")
REST = ("SliceThickness", "SeriesNumber", "InstanceNumber", "SeriesDescription")
ALL = (*PERSON, *STUDIES, *OTHERS, *UIDS, *REST)


@pytest.mark.parametrize("gone", [*((name,) for name in ALL), ALL], ids="-".join)
def test_masks_are_saved_without_what_may_be_absent(tmp_path, gone):
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder, PLACES, **dict.fromkeys(gone))
    opened = only(folder)
    mask = (opened.array > 0).astype(np.uint8)
    write_labels(tmp_path / "m.dcm", mask, opened.source)
    again = only(tmp_path / "m.dcm")
    np.testing.assert_array_equal(again.array, mask)
    np.testing.assert_allclose(again.source.affine, opened.source.affine, atol=1e-6)
    written = pydicom.dcmread(tmp_path / "m.dcm")
    for name in (*UIDS, "SOPInstanceUID"):
        assert written[name].value
    write_labels(tmp_path / "n.dcm", mask, opened.source)
    other = pydicom.dcmread(tmp_path / "n.dcm")
    assert [other[name].value for name in UIDS] == [
        written[name].value for name in UIDS
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("StudyDate", "2020.01.02", "20200102"),
        ("PatientBirthDate", "unknown", ""),
        ("StudyTime", "12:34:56", "123456"),
        ("PatientSex", "X", ""),
        ("PatientID", "", ""),
    ],
)
def test_odd_patient_data(tmp_path, scan, name, value, expected):
    for path in scan.iterdir():
        data = pydicom.dcmread(path)
        kind = data[name].VR
        data[name] = DataElement(name, kind, value, validation_mode=0)
        data.save_as(path)
    opened = only(scan)
    write_labels(tmp_path / "m.dcm", np.ones((5, 6, 7), np.uint8), opened.source)
    assert str(pydicom.dcmread(tmp_path / "m.dcm")[name].value or "") == expected


def test_without_positions_a_mask_is_no_segmentation(tmp_path):
    folder = tmp_path / "ct"
    folder.mkdir()
    uid = generate_uid()
    for number, pixels in enumerate(VOLUME):
        changes = {"ImagePositionPatient": None, "InstanceNumber": number}
        save(folder / f"{number}", pixels, 0, uid, **changes)
    opened = only(folder)
    labels = np.ones((5, 6, 7), np.uint8)
    with pytest.raises(ValueError, match=r"lack ImagePositionPatient.*as \.nii\.gz"):
        write_labels(tmp_path / "m.dcm", labels, opened.source)
    write_labels(tmp_path / "m.nii.gz", labels, opened.source)
    np.testing.assert_array_equal(only(tmp_path / "m.nii.gz").array, labels)


def test_masks_of_slices_without_meta(tmp_path, scan):
    for path in scan.iterdir():
        data = pydicom.dcmread(path)
        del data.file_meta
        data.preamble = None
        pydicom.dcmwrite(path, data, implicit_vr=True, little_endian=True)
    opened = only(scan)
    mask = (opened.array > 0).astype(np.uint8)
    write_labels(tmp_path / "m.dcm", mask, opened.source)
    np.testing.assert_array_equal(only(tmp_path / "m.dcm").array, mask)


def test_masks_of_several_echoes(tmp_path):
    folder, uid = tmp_path / "mr", generate_uid()
    folder.mkdir()
    for echo in (1, 2):
        for number, pixels in enumerate(VOLUME):
            path = folder / f"{echo}-{number}"
            save(path, pixels, 2 * number, uid, EchoTime=echo, InstanceNumber=number)
    opened = only(folder)
    mask = np.zeros((1, 5, 6, 7), np.uint8)
    mask[0, 1:3, 2, 3] = 1
    write_labels(tmp_path / "m.dcm", mask, opened.source.of_mask(4, 0))
    np.testing.assert_array_equal(only(tmp_path / "m.dcm").array, mask[0, 1:3])
    with pytest.raises(ValueError, match=r"several times or channels.*\.nii\.gz"):
        write_labels(tmp_path / "m.dcm", np.ones((2, 5, 6, 7), np.uint8), opened.source)


def test_masks_of_colours(tmp_path):
    folder = tmp_path / "us"
    folder.mkdir()
    colours = np.stack([VOLUME.astype(np.uint8)] * 3, axis=-1)
    changes = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    series(folder, PLACES, volume=colours, PlanarConfiguration=0, **changes)
    opened = only(folder)
    mask = (opened.array[..., 0] > 0).astype(np.uint8)
    write_labels(tmp_path / "m.dcm", mask, opened.source)
    np.testing.assert_array_equal(only(tmp_path / "m.dcm").array, mask)


def test_a_segmentation_that_lies_nowhere(tmp_path, scan):
    path = tmp_path / "s.dcm"
    segmentation(path, scan, blocks()[..., 0])

    def forget(data):
        for frame in data.PerFrameFunctionalGroupsSequence:
            del frame.PlanePositionSequence

    change(path, forget)
    with pytest.raises(ValueError, match="does not say where its slices lie"):
        open_layers(path)


@pytest.mark.parametrize("places", [(0, 2, 4, 10, 12), (0, 2, 4.7, 6, 8), (0, 4, 8)])
@pytest.mark.parametrize("labelled", [(1, 3), (0, 4), (3, 4), (0, 1, 2, 3, 4)])
def test_masks_lie_on_a_series_that_lacks_slices(tmp_path, places, labelled):
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder, places)
    opened = only(folder)
    mask = np.zeros(opened.array.shape, np.uint8)
    mask[[row for row in labelled if row < len(places)], 2, 3] = 1
    mask[0, 0, 0] = 2
    write_labels(tmp_path / "m.dcm", mask, opened.source)
    again = only(tmp_path / "m.dcm")
    rows = np.flatnonzero(again.array.any(axis=(1, 2)))
    known = np.flatnonzero(mask.any(axis=(1, 2)))
    shown, expected = (
        np.array(one.source.translate[0]) + one.source.scale[0] * at
        for one, at in ((again, rows), (opened, known))
    )
    np.testing.assert_allclose(shown, expected)
