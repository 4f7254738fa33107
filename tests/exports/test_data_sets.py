"""COCO, YOLO and nnU-Net, each read by another program than the one that wrote them."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from skimage.draw import polygon2mask

from napari_simpleclick import UserError
from napari_simpleclick.exports import ExportCase, export, kind_of
from napari_simpleclick.images.label_names import LabelName
from napari_simpleclick.images.lazy_array import LazyArray
from napari_simpleclick.images.source import Source
from tests.exports.conftest import NAMES, case_of, dice


def add(case, name, folder, **options):
    export(case, kind_of(name), folder, **options)


def slice_of(case, file_name):
    return case.labels[int(file_name.removesuffix(".png")[-4:])]


# -- COCO ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["coco", "coco-rle"])
def test_coco_is_what_pycocotools_reads(case, tmp_path, name, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    folder = tmp_path / "set"
    add(case, name, folder)
    data = coco.COCO(str(folder / "annotations.json"))
    classes = {one["name"]: one["id"] for one in data.dataset["categories"]}
    assert set(classes) == {"bone", "meniscus"}
    images = data.loadImgs(data.getImgIds())
    assert [one["file_name"] for one in images] == [
        f"knee_{number:04d}.png" for number in (2, 3, 4, 5, 6)
    ]
    objects = {one.name: one.label for one in NAMES}
    seen = np.zeros_like(case.labels)
    for image in images:
        picture = np.asarray(Image.open(folder / "images" / image["file_name"]))
        assert picture.shape == (image["height"], image["width"])
        labels = slice_of(case, image["file_name"])
        for one in data.loadAnns(data.getAnnIds(imgIds=image["id"])):
            label = objects[one["object"]]
            mask = data.annToMask(one).astype(bool)
            np.testing.assert_array_equal(mask, labels == label)
            assert one["area"] == mask.sum()
            left, top, width, height = one["bbox"]
            inside = np.zeros_like(mask)
            inside[top : top + height, left : left + width] = True
            assert not (mask & ~inside).any()
            assert mask[top].any()
            assert mask[:, left + width - 1].any()
            expected = "meniscus" if label == 5 else "bone"
            assert one["category_id"] == classes[expected]
            seen[int(image["file_name"][5:9])][mask] = label
    np.testing.assert_array_equal(seen, case.labels)


def test_coco_grows_and_a_case_is_replaced_only_if_asked(case, scan, tmp_path):
    folder = tmp_path / "set"
    add(case, "coco", folder)
    other = case_of(scan, "hip", (LabelName(1, "cup", category="implant"), *NAMES[1:]))
    add(other, "coco", folder)
    before = json.loads((folder / "annotations.json").read_text())
    names = [one["name"] for one in before["categories"]]
    assert names == ["bone", "meniscus", "implant"]
    with pytest.raises(UserError, match="has 'hip' already"):
        add(other, "coco", folder)
    assert json.loads((folder / "annotations.json").read_text()) == before
    add(other, "coco", folder, replace=True)
    after = json.loads((folder / "annotations.json").read_text())
    assert len(after["images"]) == len(before["images"]) == 10
    ids = [one["id"] for one in after["annotations"]]
    assert len(set(ids)) == len(ids) == len(before["annotations"])
    known = {one["id"] for one in after["images"]}
    assert {one["image_id"] for one in after["annotations"]} == known


def test_objects_of_a_class_become_one(case, tmp_path):
    add(case, "coco-rle", tmp_path / "set", as_classes=True)
    found = json.loads((tmp_path / "set" / "annotations.json").read_text())
    fifth = next(i for i in found["images"] if i["file_name"] == "knee_0004.png")
    (one,) = (a for a in found["annotations"] if a["image_id"] == fifth["id"])
    assert one["area"] == np.isin(case.labels[4], (1, 2)).sum()


def test_another_file_is_not_added_to(case, tmp_path):
    (tmp_path / "annotations.json").write_text("[]")
    (tmp_path / "data.yaml").write_text("nc: 3\n")
    (tmp_path / "dataset.json").write_text('{"name": "mine"}')
    for name in ("coco", "yolo", "nnunet"):
        with pytest.raises(UserError, match="nothing can be added to it"):
            add(case, name, tmp_path)
    assert (tmp_path / "data.yaml").read_text() == "nc: 3\n"
    assert (tmp_path / "dataset.json").read_text() == '{"name": "mine"}'


# -- YOLO ------------------------------------------------------------------------------


def yolo_masks(path, shape):
    """Read a label file as ultralytics does, and fill its polygons."""
    for line in path.read_text().splitlines():
        number, *corners = line.split()
        places = np.array(corners, float).reshape(-1, 2)[:, ::-1] * shape
        large = polygon2mask((8 * shape[0], 8 * shape[1]), places * 8 - 0.5)
        yield int(number), large[4::8, 4::8]


def test_yolo_is_read_by_hand(case, tmp_path):
    folder = tmp_path / "set"
    add(case, "yolo", folder)
    about = yaml.safe_load((folder / "data.yaml").read_text())
    assert about["names"] == {0: "bone", 1: "meniscus"}
    pictures = sorted((folder / about["train"]).glob("*.png"))
    assert len(pictures) == 5
    total = 0
    for picture in pictures:
        labels = slice_of(case, picture.name)
        assert np.asarray(Image.open(picture)).shape == labels.shape
        there = [one for one in np.unique(labels) if one]
        text = folder / "labels" / "train" / f"{picture.stem}.txt"
        found = list(yolo_masks(text, labels.shape))
        for (number, mask), label in zip(found, there, strict=True):
            assert about["names"][number] == ("meniscus" if label == 5 else "bone")
            assert dice(mask, labels == label) >= 0.99
            total += 1
    assert total == 7


def test_yolo_keeps_the_numbers_of_its_classes(case, scan, tmp_path):
    add(case, "yolo", tmp_path / "set")
    fewer = np.where(case.labels == 5, 5, 0) * (np.indices(case.labels.shape)[0] == 6)
    again = case_of(scan, "knee", NAMES, fewer)
    with pytest.raises(UserError, match="has 'knee' already"):
        add(again, "yolo", tmp_path / "set")
    add(again, "yolo", tmp_path / "set", replace=True)
    (text,) = (tmp_path / "set" / "labels" / "train").iterdir()
    (picture,) = (tmp_path / "set" / "images" / "train").iterdir()
    assert text.stem == picture.stem == "knee_0006"
    assert text.read_text().startswith("1 ")


@pytest.mark.parametrize(
    ("name", "place"), [("coco", "images"), ("yolo", "images/train")]
)
def test_pictures_of_others_are_not_replaced(tmp_path, name, place):
    theirs = tmp_path / place / "cells.png"
    theirs.parent.mkdir(parents=True)
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    Image.fromarray(pixels).save(theirs)
    before = theirs.read_bytes()
    case = flat_case("cells", pixels)
    for replace in (False, True):
        with pytest.raises(UserError, match="is not replaced"):
            add(case, name, tmp_path, replace=replace)
    assert theirs.read_bytes() == before
    for _ in range(2):
        add(flat_case("others", pixels), name, tmp_path, replace=True)


def test_yolo_tells_pictures_from_slices(tmp_path):
    pixels = np.zeros((20, 30), np.uint8)
    add(flat_case("cells_2024", pixels), "yolo", tmp_path)
    add(flat_case("cells", pixels), "yolo", tmp_path)
    add(flat_case("cells", pixels), "yolo", tmp_path, replace=True)
    labels = sorted(path.stem for path in (tmp_path / "labels" / "train").iterdir())
    assert labels == ["cells", "cells_2024"]


def flat_case(name, pixels, names=()):
    labels = np.zeros(pixels.shape, np.uint8)
    labels[5:9, 5:12] = 1
    source = Source.of_layer(labels.shape, (1.0, 1.0), (0.0, 0.0))
    return ExportCase.of_layers(name, labels, source, names, pixels)


# -- nnU-Net ---------------------------------------------------------------------------


def nnunet_cases(folder):
    """Load a data set as nnU-Net's SimpleITKIO does."""
    itk = pytest.importorskip("SimpleITK")
    about = json.loads((folder / "dataset.json").read_text())
    ending = about["file_ending"]
    labels = sorted((folder / "labelsTr").glob(f"*{ending}"))
    assert len(labels) == about["numTraining"]
    values = sorted(about["labels"].values())
    assert values == list(range(len(values)))
    assert about["labels"]["background"] == 0
    for path in labels:
        name = path.name.removesuffix(ending)
        mask = itk.ReadImage(str(path))
        channels = []
        for number in about["channel_names"]:
            image = itk.ReadImage(
                str(folder / "imagesTr" / f"{name}_{int(number):04d}{ending}")
            )
            for about_place in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
                np.testing.assert_allclose(
                    getattr(image, about_place)(),
                    getattr(mask, about_place)(),
                    atol=1e-5,
                )
            channels.append(itk.GetArrayFromImage(image))
        yield name, mask, itk.GetArrayFromImage(mask), channels


def test_nnunet_lies_where_the_scan_does(case, scan, tmp_path):
    itk = pytest.importorskip("SimpleITK")
    folder = tmp_path / "Dataset001_Knee"
    add(case, "nnunet", folder)
    about = json.loads((folder / "dataset.json").read_text())
    assert about["labels"] == {"background": 0, "bone": 1, "meniscus": 2}
    ((name, mask, labels, (image,)),) = nnunet_cases(folder)
    original = itk.ReadImage(str(scan))
    assert name == "knee"
    np.testing.assert_allclose(mask.GetSpacing(), original.GetSpacing(), rtol=1e-5)
    np.testing.assert_allclose(mask.GetOrigin(), original.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(mask.GetDirection(), original.GetDirection(), atol=1e-6)
    np.testing.assert_array_equal(image, itk.GetArrayFromImage(original))
    assert (labels == 1).sum() == np.isin(case.labels, (1, 2)).sum()
    assert (labels == 2).sum() == 2


def test_nnunet_takes_the_channels_of_a_case_and_no_others(scan, case, tmp_path):
    folder = tmp_path / "set"
    add(case, "nnunet", folder)
    pair = np.stack([np.asarray(case.channels["image"])] * 2)
    two = ExportCase.of_layers(
        "head",
        case.labels,
        case.source,
        NAMES,
        pair,
        channel_axis=0,
        channels=("FLAIR", "T1"),
    )
    with pytest.raises(UserError, match="with 'FLAIR', 'T1'; choose another folder"):
        add(two, "nnunet", folder)
    add(two, "nnunet", tmp_path / "other")
    ((_, _, _, channels),) = nnunet_cases(tmp_path / "other")
    assert len(channels) == 2


def test_nnunet_of_a_coloured_picture(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    labels = np.zeros((30, 40), np.uint8)
    labels[5:9, 7:20] = 3
    source = Source.of_layer((30, 40), (1.0, 1.0), (0.0, 0.0))
    case = ExportCase.of_layers("cell 1", labels, source, (), picture, rgb=True)
    add(case, "nnunet", tmp_path / "set")
    found = np.asarray(Image.open(tmp_path / "set" / "imagesTr" / "cell_1_0000.png"))
    np.testing.assert_array_equal(found, picture)
    mask = np.asarray(Image.open(tmp_path / "set" / "labelsTr" / "cell_1.png"))
    np.testing.assert_array_equal(mask, labels == 3)


# -- what is refused -------------------------------------------------------------------


def test_an_image_is_not_read_before_it_is_written(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 99, (1, 5, 2, 6, 7)).astype(np.int16)
    pieces = []

    def read(where):
        pieces.append(where)
        return pixels[where]

    image = LazyArray(pixels.shape, pixels.dtype, read)
    labels = np.zeros((1, 5, 1, 6, 7), np.uint8)
    labels[:, 3, :, 1:3, 2:5] = 1
    source = Source.of_layer(pixels.shape, (1.0,) * 5, (0.0,) * 5).of_mask(5, 2)
    case = ExportCase.of_layers("cell", labels, source, (), image, channel_axis=2)
    assert pieces == []
    assert [*case.channels] == ["channel 0", "channel 1"]
    for number, part in enumerate(case.channels.values()):
        assert part.shape == case.labels.shape
        np.testing.assert_array_equal(
            np.squeeze(np.asarray(part)), pixels[0, :, number]
        )
        np.testing.assert_array_equal(np.squeeze(part[3]), pixels[0, 3, number])
    add(case, "coco", tmp_path)
    turned = pixels[:, :, :1].swapaxes(3, 4)
    with pytest.raises(UserError, match="give the image that it was drawn on"):
        ExportCase.of_layers("cell", labels, source, (), turned)


def test_nnunet_of_regions_is_not_added_to(case, tmp_path):
    add(case, "nnunet", tmp_path)
    index = tmp_path / "dataset.json"
    about = json.loads(index.read_text())
    about["labels"] = {"background": 0, "whole": [1, 2], "core": [2]}
    index.write_text(json.dumps(about))
    with pytest.raises(UserError, match="is not that of an nnU-Net data set"):
        add(case, "nnunet", tmp_path, replace=True)


@pytest.mark.parametrize("name", ["coco", "yolo", "nnunet", "imagej", "ome-zarr"])
def test_an_empty_mask_is_refused(scan, tmp_path, name):
    empty = case_of(scan, labels=np.zeros((9, 40, 48), np.uint8))
    with pytest.raises(UserError, match="is empty"):
        add(empty, name, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_full_disk_is_said_and_the_index_stays(case, scan, tmp_path, monkeypatch):
    folder = tmp_path / "set"
    add(case, "coco", folder)
    before = (folder / "annotations.json").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="No space left on device"):
        add(case_of(scan, "hip"), "coco", folder)
    assert (folder / "annotations.json").read_bytes() == before
    assert not list(folder.rglob(".*"))


def test_a_file_in_the_place_of_a_folder_is_left_alone(case, tmp_path):
    (tmp_path / "set").write_text("mine")
    with pytest.raises(UserError, match="needs a folder"):
        add(case, "yolo", tmp_path / "set")


def test_nnunet_has_no_objects_of_background(tmp_path):
    names = (LabelName(1, "background"),)
    case = flat_case("cells", np.zeros((20, 30), np.uint8), names)
    with pytest.raises(UserError, match="class 'background'"):
        add(case, "nnunet", tmp_path / "set")
    assert not list((tmp_path / "set").rglob("*.*"))
