import hashlib

import numpy as np
import pytest

from napari_simpleclick.sessions import ImageIdentity
from napari_simpleclick.sessions import image_identity as module


def volume(*bright, shape=(40, 6, 7), value=5):
    """A blank volume with something on some slices."""
    data = np.zeros(shape, np.uint8)
    for index in bright:
        data[index, 2, 3] = value
    return data


def same(one, other, ndim=3, paths=(None, None)):
    about = ImageIdentity.of(one, ndim, paths[0]).about()
    return ImageIdentity.of(other, ndim, paths[1]).is_that_of(about)


def old_about(data, ndim, path=None):
    """As version 0.1 wrote it."""
    pixels = data[tuple(side // 2 for side in data.shape[: ndim - 2])]
    text = f"{data.shape} {pixels.dtype.str} ".encode() + pixels.tobytes()
    digest = hashlib.blake2b(text, digest_size=16).hexdigest()
    return {"digest": digest, "path": path}


def test_a_session_that_met_other_pixels_is_found_by_either():
    images = [ImageIdentity.of(volume(place), 3, None) for place in (3, 20, 33)]
    about = images[0].about()
    for image in (images[1], images[0]):
        about.update(image.known_to(about))
        assert [one.is_that_of(about) for one in images] == [True, True, False]


def test_an_image_is_known_by_its_pixels_wherever_it_lies(tmp_path):
    data = volume(3, 20, 33)
    np.save(tmp_path / "a.npy", data)
    np.save(tmp_path / "b.npy", data.astype(float))
    assert same(data, data.copy())
    assert same(data, data.copy(), paths=(tmp_path / "a.npy", tmp_path / "b.npy"))
    assert same(data, data.copy(), paths=(tmp_path / "a.npy", None))
    assert same(data, np.asfortranarray(data))


@pytest.mark.parametrize(
    "other",
    [
        volume(3, 33),
        volume(3, 20, 33, value=6),
        volume(0, 3, 20, 33),
        volume(3, 20, 33, 39),
        volume(3, 20, 33).astype(np.int16),
        volume(3, 20, 33, shape=(41, 6, 7)),
    ],
)
def test_other_pixels_are_another_image(other):
    assert not same(volume(3, 20, 33), other)


def test_a_blank_middle_slice_does_not_make_two_volumes_the_same():
    assert not same(volume(0, 10), volume(0, 30))
    assert not same(volume(11), volume(12))
    assert not same(volume(11), volume(11, 27))
    assert not same(volume(), volume(11))
    assert same(volume(11), volume(11))


@pytest.fixture
def small_search(monkeypatch):
    monkeypatch.setattr(module, "SEARCHED_BYTES", 10)


def test_where_all_is_blank_the_file_counts(tmp_path, small_search):
    one, other = tmp_path / "one.raw", tmp_path / "other.raw"
    one.write_bytes(volume(11).tobytes())
    other.write_bytes(volume(12).tobytes())
    moved = tmp_path / "moved.raw"
    moved.write_bytes(one.read_bytes())
    assert same(volume(11), volume(11), paths=(one, one))
    assert same(volume(11), volume(11), paths=(one, moved))
    assert not same(volume(11), volume(12), paths=(one, other))
    assert not same(volume(11), volume(12), paths=(one, None))


def test_a_folder_of_files_counts_as_its_files(tmp_path, small_search):
    for name, bright in (("one", 11), ("other", 12)):
        (tmp_path / name).mkdir()
        for index, pixels in enumerate(volume(bright)):
            (tmp_path / name / f"{index:02}.raw").write_bytes(pixels.tobytes())
    places = [tmp_path / "one", tmp_path / "other"]
    assert same(volume(11), volume(11), paths=(places[0], places[0]))
    (places[1] / "new.raw").write_bytes(b"x")
    assert not same(volume(11), volume(12), paths=places)


def test_only_a_few_slices_of_a_large_image_are_read(small_search):
    read = []

    class Lazy:
        shape, dtype = (1000, 6, 7), np.dtype(np.uint8)

        def __getitem__(self, index):
            read.append(index)
            return np.zeros(self.shape[1:], self.dtype)

    ImageIdentity.of(Lazy(), 3, None)
    assert len(read) <= 10
    assert {(0,), (999,)} < set(read)


def test_every_kind_of_image_has_an_identity():
    rng = np.random.default_rng(0)
    for shape, ndim in (((6, 7), 2), ((6, 7, 3), 2), ((2, 3, 4, 6, 7), 5)):
        data = rng.random(shape)
        other = data.copy()
        other[..., -1] += 1
        assert same(data, data, ndim)
        assert not same(data, other, ndim)
    nothing = np.full((20, 6, 7), np.nan)
    assert ImageIdentity.of(nothing, 3, None).blank
    assert same(nothing, nothing)


def test_sessions_of_version_0_1_are_known_by_the_middle_slice():
    data = volume(3, 20)
    image = ImageIdentity.of(data, 3, "/data/a.nii")
    assert image.is_that_of(old_about(data, 3))
    assert image.is_that_of(old_about(data, 3, "/elsewhere/a.nii"))
    assert not image.is_that_of(old_about(volume(3, 20, value=7), 3, "/data/a.nii"))


def test_sessions_of_version_0_1_with_a_blank_middle_slice_need_the_same_place():
    image = ImageIdentity.of(volume(3), 3, "/data/a.nii")
    assert image.is_that_of(old_about(volume(3), 3, "/data/a.nii"))
    assert image.is_that_of(old_about(volume(3), 3))
    assert not image.is_that_of(old_about(volume(30), 3, "/data/b.nii"))
