"""Files of many slices: enhanced images, doses, films, nuclear medicine."""

from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.viewer_images import open_layers
from tests.images.dicom_files import VOLUME, at, enhanced, save

SCANNED = Path(pydicom.data.__file__).parent / "test_files"


def only(path):
    (opened,) = open_layers(path)
    return opened


def scale(slope, intercept):
    elements = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    return {"PixelValueTransformationSequence": elements}


def test_a_scale_for_every_frame(tmp_path):
    frames = [np.full((4, 5), 10, np.uint16)] * 3
    own = [at(2 * i, **scale(i + 1, -i)) for i in range(3)]
    enhanced(tmp_path / "a.dcm", frames, own)
    opened = only(tmp_path / "a.dcm")
    np.testing.assert_array_equal(opened.array[:, 0, 0], [28, 19, 10])
    np.testing.assert_allclose(opened.source.scale, (2, 0.6, 0.5))


def test_one_scale_for_all_frames(tmp_path):
    frames = [np.full((4, 5), 10, np.uint16)] * 3
    own = [at(2 * i) for i in range(3)]
    enhanced(tmp_path / "a.dcm", frames, own, scale("2", "-1000"))
    opened = only(tmp_path / "a.dcm")
    assert opened.array.dtype == np.int16
    assert np.unique(opened.array).tolist() == [-980]


def test_half_a_scale(tmp_path):
    frames = [np.full((4, 5), 10, np.uint16)] * 2
    elements = {"PixelValueTransformationSequence": {"RescaleIntercept": -5}}
    own = [at(2 * i) for i in range(2)]
    enhanced(tmp_path / "a.dcm", frames, own, elements)
    assert np.unique(only(tmp_path / "a.dcm").array).tolist() == [5]


def test_frames_lie_where_they_say(tmp_path):
    order = [3, 0, 4, 1, 2]
    own = [at(2 * place) for place in order]
    enhanced(tmp_path / "a.dcm", [VOLUME[i] for i in order], own)
    np.testing.assert_array_equal(only(tmp_path / "a.dcm").array, VOLUME[::-1])


def test_frames_with_directions_of_their_own(tmp_path):
    direction = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    own = [
        {
            "PlanePositionSequence": {"ImagePositionPatient": [0, 3 * i, 0]},
            "PlaneOrientationSequence": direction,
        }
        for i in range(5)
    ]
    enhanced(tmp_path / "a.dcm", list(VOLUME), own, {"PlaneOrientationSequence": None})
    opened = only(tmp_path / "a.dcm")
    assert opened.array.shape == (6, 5, 7)
    np.testing.assert_allclose(opened.source.scale, (0.6, 3, 0.5))


def test_missing_frames_are_named(tmp_path):
    own = [at(place) for place in (0, 2, 6, 8, 10)]
    enhanced(tmp_path / "a.dcm", list(VOLUME), own)
    assert "lacks 1 slices, at 4 mm" in only(tmp_path / "a.dcm").warnings[0]


def test_a_tilted_gantry_in_one_file(tmp_path):
    own = [
        {"PlanePositionSequence": {"ImagePositionPatient": [0, 0.7 * i, 2 * i]}}
        for i in range(5)
    ]
    straight = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    shared = {"PlaneOrientationSequence": straight}
    enhanced(tmp_path / "a.dcm", list(VOLUME), own, shared)
    opened = only(tmp_path / "a.dcm")
    np.testing.assert_allclose(opened.source.affine[:3, 2], (0, -0.7, 2), atol=1e-9)
    np.testing.assert_allclose(opened.source.scale, (2, 0.6, 0.5))


def test_times_in_one_file(tmp_path):
    own = [
        at(2 * i, FrameContentSequence={"TemporalPositionIndex": time})
        for time in (1, 2)
        for i in range(5)
    ]
    enhanced(tmp_path / "a.dcm", [*VOLUME, *(VOLUME + 1)], own)
    opened = only(tmp_path / "a.dcm")
    np.testing.assert_array_equal(opened.array, [VOLUME[::-1], VOLUME[::-1] + 1])
    assert opened.source.axis_labels[0] == "time"


def test_white_is_zero_in_frames(tmp_path):
    frames = [np.full((4, 5), 10, np.uint8)] * 2
    changes = {"PhotometricInterpretation": "MONOCHROME1"}
    enhanced(tmp_path / "a.dcm", frames, [at(0), at(2)], **changes)
    assert np.unique(only(tmp_path / "a.dcm").array).tolist() == [245]


@pytest.mark.parametrize("name", ["rtdose", "rtdose_expb", "rtdose_rle"])
def test_doses_are_grays_and_lie_in_the_patient(name):
    path = SCANNED / f"{name}.dcm"
    data, opened = pydicom.dcmread(path), only(path)
    np.testing.assert_allclose(
        opened.array[::-1],
        data.pixel_array * float(data.DoseGridScaling),
        rtol=1e-6,
    )
    np.testing.assert_allclose(opened.source.scale, (5, 10, 10))
    x, y, z = data.ImagePositionPatient
    np.testing.assert_allclose(opened.source.affine[:3, 3], (-x, -y, z))


def test_offsets_of_a_dose_may_be_places(tmp_path):
    data = pydicom.dcmread(SCANNED / "rtdose.dcm")
    z = float(data.ImagePositionPatient[2])
    data.GridFrameOffsetVector = [z + float(o) for o in data.GridFrameOffsetVector]
    data.save_as(tmp_path / "a.dcm")
    known, found = only(SCANNED / "rtdose.dcm"), only(tmp_path / "a.dcm")
    np.testing.assert_array_equal(found.array, known.array)
    np.testing.assert_allclose(found.source.affine, known.source.affine)


def test_a_film_of_ultrasound():
    opened = only(SCANNED / "examples_ybr_color.dcm")
    assert (opened.rgb, opened.array.shape) == (True, (30, 240, 320, 3))
    assert opened.source.axis_labels == ("time", "y", "x")
    assert opened.source.units == ("ms", "mm", "mm")
    np.testing.assert_allclose(
        opened.source.scale, (33.333, 0.5104970559, 0.5104970559)
    )
    assert opened.warnings == ()


def test_a_mask_of_a_film(tmp_path):
    opened = only(SCANNED / "examples_ybr_color.dcm")
    mask = np.zeros(opened.array.shape[:3], np.uint8)
    mask[7, 100:110, 200:220] = 1
    write_labels(tmp_path / "m.nii.gz", mask, opened.source)
    saved = only(tmp_path / "m.nii.gz").array  # one slice at every time
    np.testing.assert_array_equal(saved[:, 0], mask)
    with pytest.raises(ValueError, match=r"save this mask as \.nii\.gz"):
        write_labels(tmp_path / "m.dcm", mask, opened.source)


def test_pages_that_lie_nowhere(tmp_path):
    opened = only(SCANNED / "SC_rgb_rle_2frame.dcm")
    assert opened.array.shape == (2, 100, 100, 3)
    assert "does not say where its frames lie" in opened.warnings[0]


def test_nuclear_medicine(tmp_path):
    gone = ("ImageOrientationPatient", "ImagePositionPatient", "SliceThickness")
    path = tmp_path / "a.dcm"
    data = save(path, VOLUME[0], 0, generate_uid(), **dict.fromkeys(gone))
    data.RescaleIntercept = 0
    data.NumberOfFrames, data.PixelData = 5, VOLUME.tobytes()
    data.SliceVector, data.SpacingBetweenSlices = [1, 2, 3, 4, 5], 4
    detector = Dataset()
    detector.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    detector.ImagePositionPatient = [1, 2, 3]
    data.DetectorInformationSequence = [detector]
    data.save_as(path)
    opened = only(path)
    np.testing.assert_array_equal(opened.array, VOLUME[::-1])
    np.testing.assert_allclose(opened.source.scale, (4, 0.6, 0.5))
    np.testing.assert_allclose(opened.source.affine[:3, 3], (-1, -2, 3))


def test_a_whole_slide_is_a_sentence(tmp_path):
    changes = {"TotalPixelMatrixRows": 100, "TotalPixelMatrixColumns": 100}
    enhanced(tmp_path / "a.dcm", list(VOLUME), [at(i) for i in range(5)], **changes)
    with pytest.raises(ValueError, match=r"whole slide in tiles.*as TIFF"):
        read_image(tmp_path / "a.dcm")


def test_enhanced_files_of_one_frame_are_a_series(tmp_path):
    uid = generate_uid()
    for number, pixels in enumerate(VOLUME):
        path = tmp_path / f"{number}.dcm"
        own = [at(2 * number, **scale(1, number))]
        enhanced(path, [pixels], own, SeriesInstanceUID=uid)
    opened = only(tmp_path)
    expected = VOLUME + np.arange(5).reshape(5, 1, 1)
    np.testing.assert_array_equal(opened.array, expected[::-1])
    np.testing.assert_allclose(opened.source.scale, (2, 0.6, 0.5))


def test_masks_of_enhanced_images_are_segmentations(tmp_path):
    pytest.importorskip("highdicom")
    order = (3, 0, 4, 1, 2)
    own = [at(2 * place) for place in order]
    frames = [VOLUME[place] for place in order]
    changes = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1", "StudyDate": "nonsense"}
    data = enhanced(tmp_path / "a.dcm", frames, own, **changes)
    opened = only(tmp_path / "a.dcm")
    labels = np.zeros(opened.array.shape, np.uint8)
    labels[1, 2, 3], labels[0, 4, 1] = 1, 2
    write_labels(tmp_path / "mask.dcm", labels, opened.source)
    mask = only(tmp_path / "mask.dcm")
    for label, place in ((1, (1, 2, 3)), (2, (0, 4, 1))):
        (found,) = np.argwhere(mask.array == label)
        own_place = found * mask.source.scale + mask.source.translate
        scan_place = np.array(place) * opened.source.scale + opened.source.translate
        np.testing.assert_allclose(own_place, scan_place, atol=1e-4)
    written = pydicom.dcmread(tmp_path / "mask.dcm")
    segment = written.PerFrameFunctionalGroupsSequence[0]
    referred = segment.DerivationImageSequence[0].SourceImageSequence[0]
    assert referred.ReferencedSOPInstanceUID == data.SOPInstanceUID
    position = segment.PlanePositionSequence[0].ImagePositionPatient
    assert position[2] == 2 * order[referred.ReferencedFrameNumber - 1]


def test_masks_of_enhanced_images_that_lack_a_slice(tmp_path):
    pytest.importorskip("highdicom")
    own = [at(2 * place) for place in (0, 1, 2, 4)]
    changes = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1"}
    enhanced(tmp_path / "a.dcm", VOLUME[:4], own, **changes)
    opened = only(tmp_path / "a.dcm")
    labels = np.ones(opened.array.shape, np.uint8)
    with pytest.raises(UserError, match=r"not evenly spaced.* save the mask as \.nii"):
        write_labels(tmp_path / "m.dcm", labels, opened.source)
    write_labels(tmp_path / "m.nii.gz", labels, opened.source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dcm", "m.nii.gz"]
