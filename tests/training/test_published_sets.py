import os
import pickle
from collections import OrderedDict

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from napari_simpleclick.training.plain_pickle import read_plain_pickle
from napari_simpleclick.training.published_sets import SBD, CocoLvis, read_published

PHOTO = np.full((40, 60, 3), (200, 100, 0), np.uint8)
"""RGB image; JPEG keeps its even colour to a few levels."""

LABELS = np.zeros((40, 60), np.uint8)
"""Object 2 of 8 x 10 px, object 5 of two lone pixels, object 7 of one column."""
LABELS[4:12, 20:30], LABELS[0, 0], LABELS[39, 59], LABELS[15:35, 45] = 2, 5, 5, 7


def save_photo(path, photo=PHOTO):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), photo[..., ::-1])


def save_labels(path, labels=LABELS):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"GTinst": {"Segmentation": labels, "Categories": [[3], [5]]}})


def save_pickle(path, content, protocol=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol))


@pytest.fixture
def sbd(tmp_path):
    for name in ("b", "a"):
        save_photo(tmp_path / "img" / f"{name}.jpg")
        save_labels(tmp_path / "inst" / f"{name}.mat")
    (tmp_path / "train.txt").write_text("b\na\n")
    return tmp_path


def layers():
    """Two PNG layers: objects 0, 1 and stuff 3 in one, object 2 in the other."""
    first, second = np.zeros((2, 40, 60), np.uint8)
    first[:10, :10], first[20:30, 5:50], first[35:] = 1, 2, 9
    second[22:28, 10:20] = 1
    encoded = [cv2.imencode(".png", layer)[1] for layer in (first, second)]
    return (encoded, [(0, 1), (0, 2), (1, 1), (0, 9)]), first, second


@pytest.fixture
def coco(tmp_path):
    """Two photographs; object 2 is a part of object 1, object 3 is stuff."""
    node = {"children": [2], "parent": None, "node_level": 0}
    part = {"children": [], "parent": 1, "node_level": 1}
    entry = {"num_instance_masks": 3, "hierarchy": {0: None, 1: node, 2: part}}
    train = tmp_path / "train"
    for name, value in (("000000000009", 0), ("000000000025", 255)):
        save_photo(train / "images" / f"{name}.jpg", np.full_like(PHOTO, value))
        save_pickle(train / "masks" / f"{name}.pickle", layers()[0])
    names = ("000000000025", "000000000009")
    save_pickle(train / "hannotation.pickle", OrderedDict.fromkeys(names, entry))
    return tmp_path


def sentence(function, *arguments):
    with pytest.raises(ValueError) as caught:
        function(*arguments)
    text = str(caught.value)
    assert text.endswith(".") and not text.endswith("..")
    assert "\n" not in text
    return text


def test_sbd_in_the_order_of_its_list(sbd):
    save_photo(sbd / "img" / "a.jpg", 255 - PHOTO)
    found = SBD(sbd)
    assert len(found) == 2
    first, second = found
    assert np.abs(first.image.astype(int) - PHOTO).max() <= 3
    assert np.abs(second.image.astype(int) - (255 - PHOTO)).max() <= 3
    assert first.image.dtype == np.uint8
    assert first.parts == []
    assert len(found[0:1]) == 1


def test_sbd_drops_mistakes(sbd):
    masks = SBD(sbd)[0].masks
    assert all(mask.dtype == bool for mask in masks)
    # object 5 fills 2 px of the whole image; a column fills its bounding box
    assert [mask.sum() for mask in masks] == [80, 20]
    np.testing.assert_array_equal(masks[0], LABELS == 2)
    np.testing.assert_array_equal(masks[1], LABELS == 7)


@pytest.mark.parametrize(("pixels", "kept"), [(7, 0), (8, 1)])
def test_the_share_below_which_an_object_is_a_mistake(sbd, pixels, kept):
    labels = np.zeros((40, 60), np.uint8)
    labels[0, : pixels - 1], labels[9, 9] = 1, 1  # of a box of 10 x 10 px
    save_labels(sbd / "inst" / "b.mat", labels)
    assert len(SBD(sbd)[0].masks) == kept


def test_objects_of_coco_are_roots_and_their_parts(coco):
    found = CocoLvis(coco)
    _, first, second = layers()
    assert [int(objects.image.mean()) for objects in found] == [0, 255]
    assert found[0].image.shape == (40, 60, 3)
    masks, parts = found[0].masks, found[0].parts
    assert all(mask.dtype == bool for mask in (*masks, *parts))
    np.testing.assert_array_equal(masks, [first == 1, first == 2])
    np.testing.assert_array_equal(parts, [second == 1])


def test_stuff_is_drawn(coco):
    found = CocoLvis(coco)
    rng = np.random.default_rng(0)
    counts = [len(found.draw(0, rng).masks) for _ in range(400)]
    assert set(counts) == {2, 3}
    assert np.mean([count == 3 for count in counts]) == pytest.approx(0.3, abs=0.07)
    stuff = CocoLvis(coco, stuff=1.0)
    np.testing.assert_array_equal(stuff.draw(1, rng).masks[2], layers()[1] == 9)
    assert len(stuff[1].masks) == 2
    assert len(CocoLvis(coco, stuff=0.0).draw(0, rng).masks) == 2


def test_drawing_from_sbd_is_reading(sbd):
    found = SBD(sbd)
    drawn = found.draw(1, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.masks, found[1].masks)


def test_names(sbd, coco):
    assert isinstance(read_published("sbd", sbd), SBD)
    assert isinstance(read_published("coco-lvis", coco), CocoLvis)
    assert "choose 'sbd' or 'coco-lvis'" in sentence(read_published, "coco", coco)


def test_files_are_read_when_they_are_indexed(sbd, coco):
    for path in (*sbd.glob("i*/a.*"), *coco.glob("train/*/*25.*")):
        path.write_bytes(b"")
    first, second = SBD(sbd), CocoLvis(coco)
    assert len(first) == len(second) == 2
    assert first[0].masks and second[0].masks
    assert "cannot be read as an image" in sentence(first.__getitem__, 1)
    assert "cannot be read as an image" in sentence(second.__getitem__, 1)


def test_damaged_sbd(sbd):
    found = SBD(sbd)
    save_labels(sbd / "inst" / "b.mat", LABELS[:30])
    assert "expected that of its image, (40, 60)" in sentence(found.__getitem__, 0)
    (sbd / "inst" / "b.mat").write_bytes(b"damaged")
    assert "no 'GTinst.Segmentation'" in sentence(found.__getitem__, 0)
    (sbd / "inst" / "b.mat").unlink()
    text = sentence(found.__getitem__, 0)
    assert "b.mat' is missing" in text and "train.txt' lists 'b'" in text
    (sbd / "img" / "a.jpg").unlink()
    assert "a.jpg' is missing" in sentence(found.__getitem__, 1)
    assert "val.txt' is missing; SBD is img/ID.jpg" in sentence(SBD, sbd, "val")
    (sbd / "train.txt").write_text("\n")
    assert "is empty; expected the names" in sentence(SBD, sbd)
    assert "img' is missing; SBD is" in sentence(SBD, sbd / "nothing")


def test_damaged_coco(coco):
    found = CocoLvis(coco)
    masks = coco / "train" / "masks" / "000000000009.pickle"
    (encoded, places), *_ = layers()
    small = cv2.imencode(".png", np.zeros((4, 6), np.uint8))[1]
    damaged = [encoded[0], np.arange(50, dtype=np.uint8)]
    for content in (
        ([small, small], places),
        (damaged, places),
        (encoded, places[:1]),
        (encoded, [(5, 1)] * 4),
        (encoded, 3),
        7,
    ):
        save_pickle(masks, content)
        assert "expected PNG layers of its size" in sentence(found.__getitem__, 0)
    masks.write_bytes(pickle.dumps((encoded, places))[:-20])
    assert "is no pickle of arrays" in sentence(found.__getitem__, 0)
    masks.unlink()
    text = sentence(found.__getitem__, 0)
    assert "9.pickle' is missing" in text and "lists '000000000009'" in text
    (coco / "train" / "images" / "000000000025.jpg").unlink()
    assert "25.jpg' is missing" in sentence(found.__getitem__, 1)


def test_damaged_lists_of_coco(coco):
    path = coco / "train" / "hannotation.pickle"
    for content in ([1], {"a": None}, {"a": {"hierarchy": {}}}, {1: {}, "a": {}}):
        save_pickle(path, content)
        assert "is no list of photographs" in sentence(CocoLvis, coco)
    save_pickle(path, {})
    assert "is empty" in sentence(CocoLvis, coco)
    path.write_bytes(b"")
    assert "is no pickle of arrays" in sentence(CocoLvis, coco)
    path.unlink()
    assert "a split of COCO+LVIS is images/ID.jpg" in sentence(CocoLvis, coco)
    assert "images' is missing" in sentence(CocoLvis, coco, "val")


# Pickles


@pytest.mark.parametrize(
    ("protocol", "core"), [(3, b"numpy.core"), (3, b"numpy._core"), (4, b""), (5, b"")]
)
def test_pickles_of_arrays_and_containers(tmp_path, protocol, core):
    arrays = {
        "plain": np.arange(6, dtype=np.uint8),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "swapped": np.arange(3, dtype=">i4"),
    }
    values = OrderedDict(a=[(1, None)], b={"c": "d"}, d=np.int64(-3), e=np.float32(0.5))
    written = pickle.dumps((arrays, values), protocol)
    if core:  # as numpy 1 or 2 wrote it
        written = written.replace(b"numpy._core", b"numpy.core")
        written = written.replace(b"numpy.core", core)
        assert core + b".multiarray" in written
    (tmp_path / "x.pickle").write_bytes(written)
    found, others = read_plain_pickle(tmp_path / "x.pickle")
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.asarray(found[name]), array)
    assert np.asarray(found["swapped"], np.int64).dtype == np.int64
    assert others == values
    assert type(others["d"]) is int


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.open, (str(self.path), os.O_CREAT)


def test_nothing_in_a_pickle_is_run(coco, tmp_path):
    made = tmp_path / "made"
    evil = pickle.dumps(Touch(made))
    os.close(pickle.loads(evil))
    assert made.exists()  # plain unpickling does run it
    made.unlink()
    found = CocoLvis(coco)
    (coco / "train" / "masks" / "000000000009.pickle").write_bytes(evil)
    assert f"it asks for '{os.open.__module__}.open'" in sentence(found.__getitem__, 0)
    (coco / "train" / "hannotation.pickle").write_bytes(evil)
    assert f"it asks for '{os.open.__module__}.open'" in sentence(CocoLvis, coco)
    assert not made.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy", "ndarray.tofile"),
    ],
)
def test_other_names_are_refused(tmp_path, module, name):
    path = tmp_path / "x.pickle"
    texts = (
        pickle.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in (module, name)
    )
    path.write_bytes(b"\x80\x04" + b"".join(texts) + pickle.STACK_GLOBAL + b".")
    assert f"it asks for '{module}.{name}'" in sentence(read_plain_pickle, path)


class Pointers:
    """An array of objects, made of the bytes of the file."""

    def __reduce__(self):
        return np.ndarray, ((1,), "O", b"A" * 8)


def test_bytes_are_never_taken_for_objects(tmp_path):
    path = tmp_path / "x.pickle"
    save_pickle(path, Pointers())
    assert np.asarray(read_plain_pickle(path)).dtype != object
    objects = np.array([None, {}], object)
    save_pickle(path, objects)
    assert "is no pickle of arrays" in sentence(read_plain_pickle, path)


def test_scores_of_the_released_code_become_shares(sbd):
    assert SBD(sbd).shares is None
    save_pickle(sbd / "sbd_samples_weights.pkl", [(1, "a", 0.0), (0, "b", 0.75)], 2)
    weights = [0.25**1.25, 1]
    np.testing.assert_allclose(SBD(sbd).shares, np.array(weights) / sum(weights))
    (sbd / "val.txt").write_text("a\n")
    assert SBD(sbd, "val").shares is None


def test_scores_as_numpy_saves_them_are_read_too(sbd):
    content = [(np.int64(0), "b", np.float64(1.0)), (np.int64(1), "a", np.float32(0.5))]
    save_pickle(sbd / "sbd_samples_weights.pkl", content)
    assert SBD(sbd).shares.tolist() == [0, 1]


@pytest.mark.parametrize(
    "content",
    [
        [(2, "c", 0.5)],
        [(0, "b", 1.5), (1, "a", 0.5)],
        [(0, "b", 1.0)],
        [(0, "b", float("nan"))],
        [(0, 0.5)],
        {"b": 0.5},
        7,
    ],
)
def test_scores_that_do_not_fit_are_refused(sbd, content):
    save_pickle(sbd / "sbd_samples_weights.pkl", content)
    with pytest.raises(ValueError, match="does not fit the list of 2 photographs"):
        SBD(sbd)
