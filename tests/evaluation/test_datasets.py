import pickle

import cv2
import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat
from skimage.io import imread, imsave

from napari_simpleclick.evaluation import readers
from napari_simpleclick.evaluation.datasets import (
    DATASETS,
    Case,
    CaseOptions,
    find_cases,
)

PHOTO = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
"""RGB image, no two channels alike."""

TWO = np.zeros((4, 6), np.uint8)
"""Labels: object 1 of 4 px, object 3 of 2 px, 255 of 6 px."""
TWO[:2, :2], TWO[3, :2], TWO[0, 2:], TWO[1, 4:] = 1, 3, 255, 255


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, array, check_contrast=False)


def save_volume(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


def only(cases):
    assert len(cases) == 1
    return cases[0]


def refused(*arguments):
    """The sentence that a call of find_cases is refused with."""
    with pytest.raises(ValueError) as caught:
        find_cases(*arguments)
    return checked_sentence(caught)


def checked_sentence(caught):
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


# Published layouts


@pytest.mark.parametrize(
    "name, images, masks",
    [("GrabCut", "data_GT", "boundary_GT"), ("berkeley", "images", "masks")],
)
def test_trimaps(tmp_path, name, images, masks):
    save(tmp_path / images / "b.png", PHOTO)
    save(tmp_path / images / "a.small.png", PHOTO)
    mask = np.zeros((4, 6, 3), np.uint8)
    mask[0] = [[255], [129], [128], [127], [64], [1]]
    mask[1, 0] = 255, 255, 0  # blue alone decides
    save(tmp_path / masks / "a.bmp", mask)
    save(tmp_path / masks / "b.png", mask)
    first, second = find_cases(name, tmp_path)
    assert (first.name, first.instance, second.name) == ("a.small", 1, "b")
    image, truth = first.load()
    np.testing.assert_array_equal(image, PHOTO)
    assert truth.dtype == np.int32
    assert truth[0].tolist() == [1, 1, -1, 0, 0, 1]
    assert not truth[1:].any()


@pytest.mark.parametrize("name", ["DAVIS", "COCO_MVal", "coco-mval"])
def test_all_channels_are_one_object(tmp_path, name):
    save(tmp_path / "img" / "a.png", PHOTO)
    mask = np.zeros((4, 6, 3), np.uint8)
    mask[0, 0], mask[0, 1], mask[0, 2] = (9, 0, 0), (0, 0, 128), (255, 255, 255)
    save(tmp_path / "gt" / "a.png", mask)
    case = only(find_cases(name, tmp_path))
    truth = case.load()[1]
    assert truth[0].tolist() == [1, 1, 1, 0, 0, 0]
    assert truth.sum() == 3


def voc_palette():
    """Colours of Pascal VOC: the bits of the index, spread over the channels."""
    colours = np.zeros((256, 3), np.uint8)
    for index in range(256):
        for bit in range(8):
            colours[index, bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
    return colours


def test_pascal_voc(tmp_path):
    indices = np.zeros((4, 6), np.uint8)
    indices[0] = 1, 2, 255, 16, 0, 0
    mask = Image.fromarray(indices)
    mask.putpalette(voc_palette().tobytes())
    (tmp_path / "SegmentationObject").mkdir()
    mask.save(tmp_path / "SegmentationObject" / "2007_1.png")
    save(tmp_path / "JPEGImages" / "2007_1.jpg", PHOTO)
    save(tmp_path / "JPEGImages" / "unused.jpg", PHOTO)
    names = tmp_path / "ImageSets" / "Segmentation" / "val.txt"
    names.parent.mkdir(parents=True)
    names.write_text("2007_1\n")
    cases = find_cases("PascalVOC", tmp_path)
    assert [(case.name, case.instance) for case in cases] == [
        ("2007_1", 38),
        ("2007_1", 75),
    ]
    assert cases[0].load()[1][0].tolist() == [1, 0, -1, 1, 0, 0]
    assert cases[1].load()[1][0].tolist() == [0, 1, -1, 0, 0, 0]
    assert cases[0].load()[0].shape == (4, 6, 3)
    names.write_text("2007_1\n2007_2\n")
    assert "2007_2.jpg', which is missing" in refused("PascalVOC", tmp_path)


def make_sbd(root, labels):
    save(root / "img" / "x.jpg", PHOTO)
    (root / "inst").mkdir()
    found = {"Segmentation": labels, "Categories": np.array([[3], [5]])}
    savemat(root / "inst" / "x.mat", {"GTinst": found})
    (root / "val.txt").write_text("x\n")


def test_sbd(tmp_path):
    make_sbd(tmp_path, np.where(TWO == 255, 0, TWO))
    first, second = find_cases("SBD", tmp_path)
    assert (first.instance, second.instance) == (1, 3)
    assert first.load()[0].shape == (4, 6, 3)
    np.testing.assert_array_equal(first.load()[1], TWO == 1)
    np.testing.assert_array_equal(second.load()[1], TWO == 3)
    savemat(tmp_path / "inst" / "x.mat", {"other": TWO})
    assert "x.mat' has no 'GTinst.Segmentation'" in refused("sbd", tmp_path)


def test_davis585(tmp_path):
    values = np.zeros((4, 6), np.uint8)
    values[0, :3] = 129, 128, 255
    for sequence, mask in [("dog", "object1_7"), ("cat", "object2_3")]:
        save(tmp_path / sequence / f"{mask.partition('_')[2]}.jpg", PHOTO)
        save(tmp_path / sequence / f"{mask}.png", values)
        save(tmp_path / sequence / f"init_sp_{mask}.png", values[::-1])
        save(tmp_path / sequence / f"init_stm_{mask}.png", values[:, ::-1])
    cases = find_cases("DAVIS-585", tmp_path)
    assert [case.name for case in cases] == ["cat/object2_3", "dog/object1_7"]
    image, truth = cases[0].load()
    assert (image.shape, cases[0].image.name) == ((4, 6, 3), "3.jpg")
    np.testing.assert_array_equal(truth, values > 128)
    assert cases[0].initial("sp").dtype == bool
    np.testing.assert_array_equal(cases[0].initial("sp"), values[::-1] > 128)
    np.testing.assert_array_equal(cases[0].initial("stm"), values[:, ::-1] > 128)
    with pytest.raises(ValueError, match="no initial masks 'zero'") as caught:
        cases[0].initial("zero")
    checked_sentence(caught)
    cases[1].image.unlink()
    assert "object1_7.png' has no image; expected" in refused("davis585", tmp_path)


def test_sstem_objects_touch_diagonally(tmp_path):
    mask = np.zeros((4, 6), np.uint8)
    mask[0, 0] = mask[1, 1] = 255
    mask[3, 4:] = 1, 200
    tifffile.imwrite(tmp_path / "01.tif", PHOTO[..., 0])
    (tmp_path / "raw").mkdir()
    (tmp_path / "01.tif").rename(tmp_path / "raw" / "01.tif")
    save(tmp_path / "mitochondria" / "01.png", mask)
    cases = find_cases("ssTEM", tmp_path)
    truths = [case.load()[1] for case in cases]
    assert [truth.sum() for truth in truths] == [2, 2]
    assert truths[0][1, 1] == 1
    np.testing.assert_array_equal(cases[0].load()[0][..., 2], PHOTO[..., 0])


def test_brats_is_one_object(tmp_path):
    save(tmp_path / "image" / "a.png", PHOTO)
    save(tmp_path / "annotation" / "a.png", TWO)
    case = only(find_cases("BraTS", tmp_path))
    np.testing.assert_array_equal(case.load()[1], TWO > 0)


def test_oaizib_has_an_object_per_label(tmp_path):
    save(tmp_path / "test" / "image" / "a.png", PHOTO)
    save(tmp_path / "test" / "annotations" / "a.png", TWO)
    cases = find_cases("OAI-ZIB", tmp_path)
    assert [case.instance for case in cases] == [1, 3, 255]
    np.testing.assert_array_equal(cases[1].load()[1], TWO == 3)


def test_published_layouts_have_no_options(tmp_path):
    save(tmp_path / "test" / "image" / "a.png", PHOTO)
    save(tmp_path / "test" / "annotations" / "a.png", TWO)
    options = CaseOptions(ignore=1, whole=True, min_area=100)
    assert len(find_cases("oaizib", tmp_path)) == 3
    with pytest.raises(ValueError, match="has rules of its own"):
        find_cases("oaizib", tmp_path, options)


# Folders of images


def make_folder(root, mask=TWO, image=PHOTO):
    save(root / "images" / "a.b.png", image)
    save(root / "masks" / "a.b.png", mask)
    return root


def test_folder(tmp_path):
    first, second = find_cases("folder", make_folder(tmp_path), CaseOptions(ignore=255))
    assert (first.name, first.instance, second.instance) == ("a.b", 1, 3)
    image, truth = first.load()
    np.testing.assert_array_equal(image, PHOTO)
    np.testing.assert_array_equal(truth == 1, TWO == 1)
    np.testing.assert_array_equal(truth == -1, TWO == 255)
    assert truth.dtype == np.int32


def test_options_of_a_folder(tmp_path):
    make_folder(tmp_path)
    assert [case.instance for case in find_cases("folder", tmp_path)] == [1, 3, 255]
    large = find_cases("folder", tmp_path, CaseOptions(min_area=4))
    assert [case.instance for case in large] == [1, 255]
    whole = only(find_cases("folder", tmp_path, CaseOptions(ignore=255, whole=True)))
    truth = whole.load()[1]
    assert whole.instance == 1
    np.testing.assert_array_equal(truth == 1, (TWO == 1) | (TWO == 3))
    np.testing.assert_array_equal(truth == -1, TWO == 255)
    # the sum of both objects counts, not the ignored pixels
    only(find_cases("folder", tmp_path, CaseOptions(255, whole=True, min_area=6)))
    text = refused("folder", tmp_path, CaseOptions(255, whole=True, min_area=7))
    assert "hold no object of 7 px or more" in text


def test_kinds_of_pictures(tmp_path):
    gray = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Thumbs.db").touch()
        (tmp_path / folder / "._a.png").touch()
    tifffile.imwrite(tmp_path / "images" / "a.tif", gray)
    tifffile.imwrite(tmp_path / "masks" / "a.tiff", TWO.astype(np.float32) * 100)
    save(tmp_path / "images" / "b.jpg", PHOTO)
    save(tmp_path / "masks" / "b.png", np.stack([TWO] * 3, -1))
    cases = find_cases("folder", tmp_path)
    assert [case.name for case in cases] == ["a"] * 3 + ["b"] * 3
    assert [case.instance for case in cases[:3]] == [100, 300, 25500]
    image, truth = cases[0].load()
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, gray)
    np.testing.assert_array_equal(truth, TWO == 1)
    np.testing.assert_array_equal(cases[3].load()[0], imread(cases[3].image))
    np.testing.assert_array_equal(cases[3].load()[1], TWO == 1)


def test_equal_stems_keep_names_apart(tmp_path):
    make_folder(tmp_path)
    save(tmp_path / "images" / "a.b.tif", PHOTO)
    names = {case.name for case in find_cases("folder", tmp_path)}
    assert names == {"a.b.png", "a.b.tif"}


@pytest.mark.parametrize(
    "mask, part",
    [
        (PHOTO, "is coloured"),
        (np.full((4, 6), 0.5, np.float32), "not whole numbers"),
        (np.full((4, 6), np.nan, np.float32), "not whole numbers"),
        (np.full((4, 6), -2, np.int16), "has the label -2"),
        (np.zeros((2, 4, 6), np.uint8), "has the shape (2, 4, 6)"),
        (np.zeros((4, 6), np.uint8), "hold no object"),
    ],
)
def test_masks_that_are_none(tmp_path, mask, part):
    for folder, array in [("images", PHOTO), ("masks", mask)]:
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", array)
    assert part in refused("folder", tmp_path)


def test_negative_label_to_ignore(tmp_path):
    labels = TWO.astype(np.int16)
    labels[TWO == 255] = -2
    for folder, array in [("images", PHOTO), ("masks", labels)]:
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", array)
    first, second = find_cases("folder", tmp_path, CaseOptions(ignore=-2))
    assert (first.instance, second.instance) == (1, 3)
    np.testing.assert_array_equal(first.load()[1] == -1, TWO == 255)


@pytest.mark.parametrize("name", ["folder", "berkeley"])
def test_missing_mask(tmp_path, name):
    make_folder(tmp_path)
    save(tmp_path / "images" / "c.png", PHOTO)
    (tmp_path / "masks" / "a.b.png").rename(tmp_path / "masks" / "a.png")
    (tmp_path / "images" / "a.b.png").rename(tmp_path / "images" / "a.png")
    text = refused(name, tmp_path)
    assert "c.png' has no mask; expected" in text
    assert str(tmp_path / "masks" / "c.*") in text


@pytest.mark.parametrize("name", ["folder", "oaizib"])
def test_image_and_mask_of_different_size(tmp_path, name):
    images, masks = ("images", "masks")
    if name == "oaizib":
        images, masks = ("test/image", "test/annotations")
    save(tmp_path / images / "a.png", PHOTO)
    save(tmp_path / masks / "a.png", TWO[:3])
    with pytest.raises(ValueError) as caught:
        find_cases(name, tmp_path)[0].load()
    text = checked_sentence(caught)
    assert str(tmp_path / images / "a.png") in text
    assert str(tmp_path / masks / "a.png") in text
    assert "(4, 6) and (3, 6)" in text


def test_file_that_opencv_cannot_read(tmp_path):
    save(tmp_path / "img" / "a.png", PHOTO)
    save(tmp_path / "gt" / "a.png", TWO)
    case = only(find_cases("davis", tmp_path))
    case.image.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"a\.png' cannot be read") as caught:
        case.load()
    checked_sentence(caught)
    case.mask.write_bytes(b"nonsense")
    assert f"'{case.mask}' cannot be read" in refused("davis", tmp_path)


# Volumes

BLOCK = np.zeros((5, 6, 7), np.uint8)
"""Label 1 in slices 1 to 4 of the last axis, 2 px of it in slice 1; 2 in slice 6."""
BLOCK[1:4, 2:4, 2:5], BLOCK[0, :2, 1], BLOCK[0, 0, 6] = 1, 1, 2
SCAN = np.arange(BLOCK.size, dtype=np.int16).reshape(BLOCK.shape) - 50


@pytest.mark.parametrize(
    "image, mask",
    [
        ("images/a.nii.gz", "masks/a.nii.gz"),
        ("images/a_0000.nii", "labels/a_0000.nii.gz"),
        ("imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz"),
        ("a.nii.gz", "a_seg.nii.gz"),
        ("image.nii", "Labels.nii"),
    ],
)
def test_volume_by_the_names_of_its_files(tmp_path, image, mask):
    save_volume(tmp_path / image, SCAN)
    save_volume(tmp_path / mask, BLOCK)
    cases = find_cases("volume", tmp_path)
    stem = image.partition(".")[0].rpartition("/")[2]
    assert [(case.name, case.instance) for case in cases] == [
        *((f"{stem} axis 2 slice {index}", 1) for index in range(1, 5)),
        (f"{stem} axis 2 slice 6", 2),
    ]
    found, truth = cases[1].load()
    assert (found.dtype, truth.dtype) == (np.int16, np.int32)
    np.testing.assert_array_equal(found, SCAN[..., 2])
    np.testing.assert_array_equal(truth, BLOCK[..., 2] == 1)


@pytest.mark.parametrize(
    "options, slices",
    [
        (CaseOptions(every=3), [(2, 3, 1), (2, 6, 2)]),
        (CaseOptions(min_area=3), [(2, 2, 1), (2, 3, 1), (2, 4, 1)]),
        (CaseOptions(ignore=1), [(2, 6, 2)]),
        (CaseOptions(axis=0, every=2, whole=True), [(0, 0, 1), (0, 2, 1)]),
        (CaseOptions(axis=1, every=4), [(1, 0, 1), (1, 0, 2)]),
    ],
)
def test_options_of_a_volume(tmp_path, options, slices):
    save_volume(tmp_path / "image.nii", SCAN)
    save_volume(tmp_path / "mask.nii", BLOCK)
    cases = find_cases("volume", tmp_path, options)
    assert [(case.axis, case.index, case.instance) for case in cases] == slices
    for case in cases:
        image, truth = case.load()
        labels = BLOCK.take(case.index, case.axis)
        np.testing.assert_array_equal(image, SCAN.take(case.index, case.axis))
        wanted = labels > 0 if options.whole else labels == case.instance
        np.testing.assert_array_equal(truth == 1, wanted)
        assert (truth == -1).any() == (options.ignore in labels)


def test_cases_of_a_patient_each(tmp_path):
    for patient in ("p2", "p1"):
        save_volume(tmp_path / "all" / patient / "Flair.nii.gz", SCAN)
        save_volume(tmp_path / "all" / patient / "OTMultiClass.nii.gz", BLOCK)
        save_volume(tmp_path / "all" / patient / "brainmask.nii.gz", BLOCK)
    save_volume(tmp_path / "all" / "p2" / "T1c.nii.gz", SCAN)
    cases = find_cases("volume", tmp_path, CaseOptions(every=6))
    assert [case.name for case in cases] == [
        "all/p1/Flair axis 2 slice 6",
        "all/p2/Flair axis 2 slice 6",
    ]
    # without the word, two images are in question
    (tmp_path / "all/p2/Flair.nii.gz").rename(tmp_path / "all/p2/T2.nii.gz")
    text = refused("volume", tmp_path)
    assert "p2' does not tell which file is the image" in text
    assert "give globs" in text


def test_globs(tmp_path):
    for patient in ("p2", "p1"):
        save_volume(tmp_path / "all" / patient / "T2.nii.gz", SCAN)
        save_volume(tmp_path / "all" / patient / "T1.nii.gz", SCAN + 1)
        save_volume(tmp_path / "all" / patient / "drawn.nii.gz", BLOCK)
    tifffile.imwrite(tmp_path / "T1.tif", SCAN)
    tifffile.imwrite(tmp_path / "drawn.tif", BLOCK)
    # files that match both are masks
    options = CaseOptions(every=6, image="**/*[1n].*", mask="**/drawn*")
    cases = find_cases("volume", tmp_path, options)
    assert [case.name for case in cases] == [
        "T1 axis 2 slice 6",
        "all/p1/T1 axis 2 slice 6",
        "all/p2/T1 axis 2 slice 6",
    ]
    np.testing.assert_array_equal(cases[0].load()[0], SCAN[..., 6])
    np.testing.assert_array_equal(cases[1].load()[0], SCAN[..., 6] + 1)


@pytest.mark.parametrize("brain", ["BrainMask", "p1_brain_mask"])
@pytest.mark.parametrize("mask", ["p1_SEG", "Mask", "p1-gt", "GroundTruth", "label_1"])
def test_a_mask_of_the_brain_is_neither_image_nor_mask(tmp_path, brain, mask):
    save_volume(tmp_path / "T2.nii", SCAN)
    save_volume(tmp_path / f"{brain}.nii", np.ones_like(BLOCK))
    save_volume(tmp_path / f"{mask}.nii", BLOCK)
    case = find_cases("volume", tmp_path)[0]
    assert (case.image.stem, case.mask.stem) == ("T2", mask)


def test_two_masks_cannot_be_told_apart(tmp_path):
    for name in ("image", "seg", "truth"):
        save_volume(tmp_path / f"{name}.nii", BLOCK)
    assert "found image.nii, seg.nii, truth.nii" in refused("volume", tmp_path)


@pytest.mark.parametrize(
    "image, mask, part",
    [
        ("*_t2.nii", "", "two globs relative"),
        ("/x/*.nii", "*_m.nii", "two globs relative"),
        ("*_t2.nii", "*_x.nii", "needs one mask '*_x.nii' in its folder, found noth"),
        ("*_t2.nii", "*_m.nii", "in its folder, found a_m.nii, b_m.nii"),
        ("nothing*", "*_m.nii", "no volume 'nothing*' that is not a mask '*_m.nii'"),
        ("a_t2.nii", "*.nii", "no volume 'a_t2.nii' that is not a mask '*.nii'"),
    ],
)
def test_globs_that_find_no_pair(tmp_path, image, mask, part):
    for name in ("a_t2", "a_m", "b_m"):
        save_volume(tmp_path / f"{name}.nii", BLOCK)
    assert part in refused("volume", tmp_path, CaseOptions(image=image, mask=mask))


def test_volume_without_its_mask(tmp_path):
    save_volume(tmp_path / "images" / "a.nii", SCAN)
    save_volume(tmp_path / "images" / "b.nii", SCAN)
    save_volume(tmp_path / "masks" / "a.nii", BLOCK)
    assert "b.nii' has no mask; expected" in refused("volume", tmp_path)


def test_sizes_of_volumes(tmp_path):
    save_volume(tmp_path / "image.nii", SCAN[..., :3])
    save_volume(tmp_path / "mask.nii", BLOCK)
    with pytest.raises(ValueError, match=r"differ in size: \(5, 6, 3\) and \(5, 6, 7"):
        find_cases("volume", tmp_path)[-1].load()
    save_volume(tmp_path / "image.nii", SCAN)
    case = find_cases("volume", tmp_path)[0]
    beyond = Case("x", 1, case.image, case.mask, "volume", 2, 7)
    with pytest.raises(ValueError, match="has no slice 7 on axis 2, only 7"):
        beyond.load()
    save_volume(tmp_path / "mask.nii", BLOCK[..., None])
    assert find_cases("volume", tmp_path)[0] == case
    save_volume(tmp_path / "mask.nii", np.stack([BLOCK] * 2, -1))
    text = refused("volume", tmp_path)
    assert "mask.nii' has the shape (5, 6, 7, 2); expected 3 axes" in text


def test_damaged_volume(tmp_path):
    noise = np.random.default_rng(0).integers(0, 99, (30, 30, 30)).astype(np.int16)
    save_volume(tmp_path / "image.nii.gz", SCAN)
    save_volume(tmp_path / "mask.nii.gz", noise)
    whole = (tmp_path / "mask.nii.gz").read_bytes()
    (tmp_path / "mask.nii.gz").write_bytes(whole[: len(whole) // 2])
    assert "mask.nii.gz' is damaged" in refused("volume", tmp_path)


def test_each_volume_is_read_once(tmp_path, monkeypatch):
    for name in ("a", "b"):
        save_volume(tmp_path / "images" / f"{name}.nii.gz", SCAN)
        save_volume(tmp_path / "masks" / f"{name}.nii.gz", BLOCK)
    read = []

    def counting(path):
        read.append(path.relative_to(tmp_path).as_posix())
        return original(path)

    original = readers.read_image
    monkeypatch.setattr(readers, "read_image", counting)
    cases = find_cases("volume", tmp_path)
    assert read == ["masks/a.nii.gz", "masks/b.nii.gz"]
    read.clear()
    for case in cases:
        case.load()[0][:] = 0  # must not change what is kept
    kinds = ("images", "masks")
    assert sorted(read) == [f"{kind}/{name}.nii.gz" for kind in kinds for name in "ab"]
    assert cases[-1].load()[0].any()
    # a file that was changed is read again
    save_volume(tmp_path / "masks" / "b.nii.gz", np.where(BLOCK, 9, 0).astype(np.uint8))
    assert find_cases("volume", tmp_path)[-1].instance == 9


# All of them


@pytest.mark.parametrize(
    "name, expected",
    [
        ("grabcut", "GrabCut: expected data_GT/*.* and boundary_GT/*.*"),
        ("berkeley", "Berkeley: expected images/*.* and masks/*.*"),
        ("davis", "DAVIS: expected img/*.* and gt/*.*"),
        (
            "pascalvoc",
            "Pascal VOC: expected JPEGImages/*.jpg and SegmentationObject/*.png and "
            "ImageSets/Segmentation/val.txt",
        ),
        ("sbd", "SBD: expected img/*.jpg and inst/*.mat and val.txt"),
        ("coco_mval", "COCO_MVal: expected img/*.* and gt/*.*"),
        ("davis585", "DAVIS-585: expected */*.jpg and */*.png"),
        ("sstem", "ssTEM: expected raw/*.tif and mitochondria/*.png"),
        ("brats", "BraTS: expected image/*.png and annotation/*.png"),
        ("oaizib", "OAIZIB: expected test/image/*.png and test/annotations/*.png"),
        (
            "folder",
            "a folder of images: expected PNG, JPEG or TIFF files of equal names in "
            "images and masks",
        ),
        (
            "volume",
            "a folder of volumes: expected NIfTI files of equal names in images and "
            "masks (or labels, or imagesTr and labelsTr), or a folder for each case",
        ),
    ],
)
def test_wrong_layout(tmp_path, name, expected):
    assert refused(name, tmp_path) == (
        f"'{tmp_path}' does not look like {expected}, found nothing."
    )
    save(tmp_path / "other" / "a.bmp", PHOTO)
    (tmp_path / "masks").mkdir()
    assert refused(name, tmp_path) == (
        f"'{tmp_path}' does not look like {expected}, found masks, other."
    )
    assert "There is no folder" in refused(name, tmp_path / "nowhere")


def test_every_data_set_has_its_wrong_layout_tested():
    marks = test_wrong_layout.pytestmark
    assert [name for name, _ in marks[0].args[1]] == list(DATASETS)


def test_unknown_data_set(tmp_path):
    text = refused("imagenet", tmp_path)
    assert text == (
        "There is no data set 'imagenet'; choose one of grabcut, berkeley, davis, "
        "pascalvoc, sbd, coco_mval, davis585, sstem, brats, oaizib, folder, volume."
    )


@pytest.mark.parametrize("wrong", [{"axis": 3}, {"axis": -1}, {"every": 0}])
def test_options_that_cut_no_slices(wrong):
    with pytest.raises(ValueError) as caught:
        CaseOptions(**wrong)
    checked_sentence(caught)


def test_cases_travel(tmp_path):
    save_volume(tmp_path / "image.nii", SCAN)
    save_volume(tmp_path / "mask.nii", BLOCK)
    case = find_cases("volume", tmp_path, CaseOptions(ignore=2))[0]
    sent = pickle.dumps(case)
    assert len(sent) < 2000
    assert pickle.loads(sent) == case
    np.testing.assert_array_equal(pickle.loads(sent).load()[1], case.load()[1])
    with pytest.raises(ValueError, match="no initial masks 'sp' of 'volume'") as caught:
        case.initial("sp")
    checked_sentence(caught)


# Real data


def test_real_sstem(shared):
    root = shared / "data" / "eval" / "ssTEM"
    cases = find_cases("sstem", root)
    expected = []
    for path in sorted((root / "mitochondria").glob("*.png")):
        mask = np.ascontiguousarray(cv2.imread(str(path))[..., 0])
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, 8)
        areas = stats[1:, cv2.CC_STAT_AREA].tolist()
        expected += [(path.stem, n + 1, area) for n, area in enumerate(areas)]
    assert [(case.name, case.instance) for case in cases] == [e[:2] for e in expected]
    assert len({case.name for case in cases}) == 10
    for number in (0, 40, len(cases) - 1):
        image, truth = cases[number].load()
        assert image.shape == (1024, 1024, 3)
        assert truth.sum() == expected[number][2]
    np.testing.assert_array_equal(truth, labels == count - 1)


def test_real_brats(shared):
    options = CaseOptions(whole=True, every=5, min_area=200)
    cases = find_cases("volume", shared / "data" / "eval" / "brats2013", options)
    assert len(cases) == 26
    assert cases[0].name == (
        "brats_2013_pat0001_1/Flair_subtrMeanDivStd axis 2 slice 35"
    )
    folder = cases[0].image.parent
    image, truth = cases[0].load()
    flair = nibabel.load(folder / "Flair_subtrMeanDivStd.nii.gz").dataobj[..., 35]
    mask = nibabel.load(folder / "OTMultiClass.nii.gz").dataobj[..., 35]
    np.testing.assert_array_equal(image, flair)
    np.testing.assert_array_equal(truth, mask > 0)


def test_real_knee(shared):
    root = shared / "data" / "eval" / "knee_bones_volume"
    cases = find_cases("volume", root, CaseOptions(every=70))
    labels = np.asarray(nibabel.load(root / "labels.nii.gz").dataobj)
    assert [(case.name, case.instance) for case in cases] == [
        (f"image axis 2 slice {index}", instance)
        for index in (0, 70, 140)
        for instance in np.unique(labels[..., index])[1:]
    ]
    image, truth = cases[-1].load()
    assert (image.dtype, image.shape) == (np.int16, (256, 256))
    np.testing.assert_array_equal(
        truth, labels[..., cases[-1].index] == cases[-1].instance
    )


@pytest.mark.parametrize(
    "name, ignore, count, instances",
    [
        ("knee_bones", None, 32, {1, 2, 3}),
        ("lgg_mri", None, 50, {1}),
        ("grabcut8", 255, 8, {1}),
    ],
)
def test_real_folders(shared, name, ignore, count, instances):
    root = shared / "data" / "eval" / name
    cases = find_cases("folder", root, CaseOptions(ignore=ignore))
    assert len(cases) == count
    assert {case.instance for case in cases} == instances
    ignored = 0
    for case in cases:
        image, truth = case.load()
        np.testing.assert_array_equal(image, imread(case.image))
        mask = imread(case.mask)
        np.testing.assert_array_equal(truth == 1, mask == case.instance)
        np.testing.assert_array_equal(truth == -1, mask == ignore)
        ignored += int((truth == -1).sum())
    assert (ignored > 0) == (ignore is not None)


def test_palettes_and_colours_are_labels(tmp_path):
    """The numbers of a palette, and every colour beside black."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    save(tmp_path / "images" / "a.png", PHOTO)
    indexed = Image.fromarray(TWO % 4)
    indexed.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 128])
    indexed.save(tmp_path / "masks" / "a.png")
    assert [case.instance for case in find_cases("folder", tmp_path)] == [1, 3]
    indexed.convert("RGB").save(tmp_path / "masks" / "a.png")
    (blue, red) = find_cases("folder", tmp_path)
    np.testing.assert_array_equal(blue.load()[1], TWO % 4 == 3)
    np.testing.assert_array_equal(red.load()[1], TWO % 4 == 1)


def test_labels_of_more_than_31_bits(tmp_path):
    for folder, array in [("images", PHOTO), ("masks", TWO.astype(np.uint64) << 40)]:
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", array)
    cases = find_cases("folder", tmp_path)
    assert [case.instance for case in cases] == [1 << 40, 3 << 40, 255 << 40]
    np.testing.assert_array_equal(cases[0].load()[1], TWO == 1)
    tifffile.imwrite(tmp_path / "masks" / "a.tif", TWO.astype(np.uint64) << 63)
    assert "number its objects from 1" in refused("folder", tmp_path)


def test_masks_of_volumes_are_turned_as_their_images(tmp_path):
    save_volume(tmp_path / "image.nii", SCAN)
    turned = np.diag([-1.0, 1.0, 1.0, 1.0])
    turned[0, 3] = SCAN.shape[0] - 1
    image = nibabel.Nifti1Image(BLOCK[::-1], turned)
    nibabel.save(image, tmp_path / "mask.nii")
    case = find_cases("volume", tmp_path)[0]
    expected = BLOCK[..., case.index] == case.instance
    np.testing.assert_array_equal(case.load()[1], expected)
