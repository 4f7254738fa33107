"""Names and colours of labels, in the mask's file or beside it."""

import json

import nibabel
import numpy as np
import pytest

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.label_maps import as_classes
from napari_simpleclick.images.label_names import LabelName, read_label_names
from napari_simpleclick.images.source import Source
from tests.images.dicom_files import series

NAMES = (
    LabelName(2, "Leber, groß", "#ff9f1c"),
    LabelName(5, 'the "left"  kidney', "#2ec4ff"),
)


@pytest.fixture
def labels():
    volume = np.zeros((4, 5, 6), np.int32)
    volume[1:3, 2, 3:5] = 2
    volume[3, 4, 5] = 5
    return volume


def near(one, other):
    """Whether colours are the same but for the rounding of another colour space."""
    return np.abs(np.subtract(one.rgb, other.rgb)).max() <= 3


@pytest.mark.parametrize("name", ["m.nii.gz", "m.nii", "m.nrrd", "m.mha"])
def test_names_beside_are_a_label_file_of_itk_snap(labels, tmp_path, name):
    write_labels(tmp_path / name, labels, names=NAMES)
    lines = (tmp_path / "m_labels.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "# ITK-SnAP Label Description File"
    rows = [line.split(maxsplit=7) for line in lines if not line.startswith("#")]
    assert rows == [
        ["0", "0", "0", "0", "0", "0", "0", '"Clear Label"'],
        ["2", "255", "159", "28", "1", "1", "1", '"Leber, groß"'],
        ["5", "46", "196", "255", "1", "1", "1", "\"the 'left' kidney\""],
    ]
    first, second = read_label_names(tmp_path / name)
    assert first == NAMES[0]
    assert second == LabelName(5, "the 'left' kidney", "#2ec4ff")
    assert len(list(tmp_path.iterdir())) == 2


def test_names_beside_a_tiff_are_json(labels, tmp_path):
    write_labels(tmp_path / "m.tif", labels, names=NAMES)
    (first, _) = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))["labels"]
    assert first == {"label": 2, "name": "Leber, groß", "colour": "#ff9f1c"}
    assert read_label_names(tmp_path / "m.tif") == NAMES


def test_slicer_finds_its_segments(labels, tmp_path):
    itk = pytest.importorskip("SimpleITK")
    path = tmp_path / "m.seg.nrrd"
    write_labels(path, labels, names=NAMES[:1])
    image = itk.ReadImage(str(path))
    array = itk.GetArrayFromImage(image)
    expected = {
        "Segment0_ID": "Segment_2",
        "Segment0_Name": "Leber, groß",
        "Segment0_LabelValue": "2",
        "Segment0_Layer": "0",
        "Segment0_Color": "1.000000 0.623529 0.109804",
        "Segment1_LabelValue": "5",
        "Segment1_Name": "label 5",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
    }
    assert {key: image.GetMetaData(key) for key in expected} == expected
    for number, value in enumerate((2, 5)):
        ends = image.GetMetaData(f"Segment{number}_Extent").split()
        ends = np.array(ends, int).reshape(3, 2)
        box = tuple(slice(low, high + 1) for low, high in ends[::-1])
        assert array[box].shape == tuple(np.ptp(ends[::-1], axis=1) + 1)
        assert (array[box] == value).all()
        assert (array == value).sum() == array[box].size
    assert [one.label for one in read_label_names(path)] == [2, 5]
    assert read_label_names(path)[0] == NAMES[0]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.seg.nrrd"]
    np.testing.assert_array_equal(np.unique(read_image(path).array), [0, 2, 5])


def test_the_header_is_read_by_a_plain_nrrd_reader(labels, tmp_path):
    nrrd = pytest.importorskip("nrrd")
    pytest.importorskip("SimpleITK")
    write_labels(tmp_path / "m.seg.nrrd", labels[0], names=NAMES)
    header = nrrd.read_header(str(tmp_path / "m.seg.nrrd"))
    assert header["dimension"] == 3
    assert header["Segment1_LabelValue"] == "5"
    assert header["Segment1_Name"] == 'the "left" kidney'
    assert header["Segment1_Extent"] == "0 -1 0 -1 0 -1"


def test_segments_of_dicom_have_names_and_colours(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    highdicom = pytest.importorskip("highdicom")
    folder = tmp_path / "ct"
    folder.mkdir()
    series(folder, (0, 2, 4, 6, 8))
    scan = read_image(folder)
    source = Source.of_file(scan)
    mask = np.zeros(source.to_layer(scan.array).shape, int)
    mask[1, 2:4, 3], mask[2, 1, 1] = 2, 5
    path = tmp_path / "m.dcm"
    write_labels(path, mask, source, NAMES)
    data = pydicom.dcmread(path)
    assert [one.SegmentLabel for one in data.SegmentSequence] == [
        "Leber, groß",
        'the "left" kidney',
    ]
    assert str(data.PatientName) == "Nobody^"
    seg = highdicom.seg.segread(path)
    for number, one in enumerate(NAMES, start=1):
        value = seg.get_segment_description(number).RecommendedDisplayCIELabValue
        rgb = highdicom.color.CIELabColor.from_dicom_value(value).to_rgb(clip=True)
        assert np.abs(np.subtract(rgb, one.rgb)).max() <= 3
    found = read_label_names(path)
    assert [one.label for one in found] == [1, 2]
    assert all(near(one, other) for one, other in zip(found, NAMES, strict=True))


def test_masks_without_names_have_no_file_beside(labels, tmp_path):
    write_labels(tmp_path / "m.nii.gz", labels)
    assert [one.name for one in tmp_path.iterdir()] == ["m.nii.gz"]
    assert read_label_names(tmp_path / "m.nii.gz") == ()


@pytest.mark.parametrize(
    ("name", "beside"), [("m.tif", "m.json"), ("m.nii.gz", "m_labels.txt")]
)
def test_what_is_no_list_of_labels_is_not_replaced(labels, tmp_path, name, beside):
    (tmp_path / beside).write_text('{"TR": 2.0}')
    with pytest.raises(UserError, match="under another name"):
        write_labels(tmp_path / name, labels, names=NAMES)
    assert (tmp_path / beside).read_text() == '{"TR": 2.0}'
    assert not (tmp_path / name).exists()


def test_names_are_written_anew(labels, tmp_path):
    for names in (NAMES, NAMES[1:]):
        write_labels(tmp_path / "m.tif", labels, names=names)
    assert read_label_names(tmp_path / "m.tif") == NAMES[1:]
    assert len(list(tmp_path.iterdir())) == 2


def test_objects_of_one_class_get_one_number():
    labels = np.array([[0, 1, 2], [3, 4, 9]])
    names = (
        LabelName(3, "left", "#000003", "kidney"),
        LabelName(1, "spleen", "#000001"),
        LabelName(4, "right", "#000004", "kidney"),
        LabelName(2, "liver", "#000002"),
        LabelName(9, "Object 9", "#000009"),
        LabelName(12, "empty", "#000012", "kidney"),
    )
    found, classes = as_classes(labels, names)
    np.testing.assert_array_equal(found, [[0, 2, 3], [1, 1, 4]])
    told = [(one.label, one.name, one.colour) for one in classes]
    assert told == [
        (1, "kidney", "#000003"),
        (2, "spleen", "#000001"),
        (3, "liver", "#000002"),
        (4, "Object 9", "#000009"),
    ]


def test_a_category_is_in_json_alone(tmp_path):
    names = (LabelName(1, "left", "#112233", "kidney"), LabelName(2, "spleen"))
    labels = np.array([[0, 1], [2, 0]])
    write_labels(tmp_path / "m.tif", labels, names=names)
    assert read_label_names(tmp_path / "m.tif") == names
    assert "category" not in (tmp_path / "m.json").read_text().split("spleen")[1]


def test_a_table_in_the_header_of_a_nifti_file(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    text = '<A><LabelTable><Label Key="0" Red="1" Green="1" Blue="1">none</Label>'
    text += '<Label Key="5" Red="1" Green="0.5" Blue="0"><![CDATA[liver]]></Label>'
    text += "</LabelTable></A>"
    add = image.header.extensions.append
    add(nibabel.nifti1.Nifti1Extension(6, b"a comment"))
    add(nibabel.nifti1.Nifti1Extension(0, text.encode()))
    nibabel.save(image, tmp_path / "m.nii")
    assert read_label_names(tmp_path / "m.nii") == (LabelName(5, "liver", "#ff8000"),)
    image.header.extensions[1] = nibabel.nifti1.Nifti1Extension(0, text[:90].encode())
    nibabel.save(image, tmp_path / "m.nii")
    assert read_label_names(tmp_path / "m.nii") == ()


@pytest.mark.parametrize(
    "text", ["not json", '{"labels": [{"label": 1, "name": "a", "size": 3}]}']
)
def test_broken_names_are_told(labels, tmp_path, text):
    write_labels(tmp_path / "m.tif", labels)
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UserError, match=r"m\.json' cannot be read .*; mend the file"):
        read_label_names(tmp_path / "m.tif")


@pytest.mark.parametrize(
    "text", ['{"TR": 2.0}', "[1, 2]", '{"labels": ["cat"]}', '{"labels": {"a": 1}}']
)
def test_json_of_something_else_has_no_names(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    assert read_label_names(tmp_path / "m.tif") == ()
