"""Features on disk: whole or not there at all."""

import errno
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_simpleclick import Click, Predictor, networks
from napari_simpleclick.errors import UserError
from napari_simpleclick.inference import feature_files
from napari_simpleclick.inference.encoding import packed
from napari_simpleclick.inference.feature_files import (
    DamagedFeaturesError,
    pack,
    unpack,
)
from napari_simpleclick.inference.feature_store import LIMIT_VARIABLE, FeatureStore
from tests.helpers import EncodeOnceDisks

KEY = "ab" * 32


def some_features(seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(1, 3, 4, 5, generator=generator)
    return (
        maps.contiguous(memory_format=torch.channels_last),
        torch.rand(1, 7, generator=generator).bfloat16(),
        torch.rand(1, 2, 3, 3, generator=generator),
    )


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.stride() == other.stride()
        assert torch.equal(one, other)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def test_features_come_back_as_they_were(store):
    assert store.read(KEY) is None
    assert not store.holds(KEY)
    store.write(KEY, pack(some_features(), KEY))
    assert store.holds(KEY)
    assert_same(store.read(KEY), some_features())


def test_a_change_of_any_byte_is_noticed():
    content, expected = pack(some_features(), KEY), some_features()
    header = 8 + int.from_bytes(content[:8], "little")
    for place in range(len(content)):
        for bit in (0, 3, 7):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            try:
                found = unpack(bytes(damaged), KEY)
            except DamagedFeaturesError:
                continue
            assert place < header, f"byte {place}"  # a space that became another
            assert_same(found, expected)


def test_a_file_that_was_cut_off_or_goes_on_is_noticed():
    content = pack(some_features(), KEY)
    for length in range(0, len(content), 7):
        with pytest.raises(DamagedFeaturesError):
            unpack(content[:length], KEY)
    for more in (content + b"\0", content + content, b"\0" * 40, b"\xff" * 40):
        with pytest.raises(DamagedFeaturesError):
            unpack(more, KEY)


@pytest.mark.parametrize("why", ["damaged", "another format", "another crop"])
def test_what_does_not_hold_is_deleted_and_not_used(store, why, monkeypatch):
    content = pack(some_features(), KEY)
    if why == "damaged":
        content = content[:-1] + b"\x55"
    elif why == "another format":
        monkeypatch.setattr(feature_files, "FORMAT", "2")
    else:
        content = pack(some_features(), "cd" * 32)
    store.write(KEY, content)
    assert store.read(KEY) is None
    assert list(store.folder.iterdir()) == []


def test_the_oldest_make_room_for_the_new(tmp_path):
    content = pack(some_features(), KEY)
    store = FeatureStore(tmp_path, 3 * len(content))
    keys = [f"{number:064x}" for number in range(4)]
    for age, key in enumerate(keys[:3]):
        store.write(key, pack(some_features(), key))
        os.utime(store.path(key), (1000 + age, 1000 + age))
    store.read(keys[0])
    store.write(keys[3], pack(some_features(), keys[3]))
    assert [store.holds(key) for key in keys] == [True, False, True, True]
    assert store.used_bytes <= store.limit_bytes
    store.check_room(3, len(content))
    with pytest.raises(UserError, match=r"4 slices .* allow more with --limit"):
        store.check_room(4, len(content))


def test_files_of_others_in_its_folder_are_left_alone(tmp_path):
    others = [tmp_path / name for name in ("model.safetensors", "film.iso.part")]
    content = pack(some_features(), KEY)
    for path in others:
        path.write_bytes(content)
        os.utime(path, (1000, 1000))
    store = FeatureStore(tmp_path, int(1.5 * len(content)))
    for key in (KEY, "cd" * 32):
        store.write(key, pack(some_features(), key))
    assert [path.read_bytes() for path in others] == [content] * 2
    assert store.used_bytes == len(content)


def test_the_size_is_that_of_the_environment(tmp_path, monkeypatch):
    assert FeatureStore(tmp_path).limit_bytes == 4 * 10**9
    monkeypatch.setenv(LIMIT_VARIABLE, "0.5")
    assert FeatureStore(tmp_path).limit_bytes == 5 * 10**8
    for wrong in ("much", "-1", "nan", "inf", "1e300"):
        monkeypatch.setenv(LIMIT_VARIABLE, wrong)
        with pytest.raises(UserError, match="number of gigabytes"):
            FeatureStore(tmp_path).write(KEY, b"")
        assert FeatureStore(tmp_path).read(KEY) is None


@pytest.mark.parametrize("where", ["write", "rename"])
def test_a_full_disk_is_one_sentence_and_costs_nothing_else(store, where, monkeypatch):
    other = "cd" * 32
    store.write(other, pack(some_features(), other))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "rename":
        monkeypatch.setattr(os, "replace", full)
    else:
        monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    with pytest.raises(UserError, match="No space left on device") as told:
        store.write(KEY, pack(some_features(), KEY))
    assert "\n" not in str(told.value)
    assert [path.name for path in store.folder.iterdir()] == [f"{other}.safetensors"]
    assert_same(store.read(other), some_features())


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    store = FeatureStore(tmp_path / "file" / "store")
    assert store.read(KEY) is None
    with pytest.raises(UserError, match="cannot be kept in"):
        store.write(KEY, pack(some_features(), KEY))


def test_leftovers_of_a_killed_process_are_swept_up_in_time(store):
    store.write(KEY, pack(some_features(), KEY))
    old, new = store.folder / "features-a.part", store.folder / "features-b.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    store.write("cd" * 32, pack(some_features(), "cd" * 32))
    assert not old.exists()
    assert new.exists()


def write_for_ever(folder: Path, seed: int, pipe) -> None:
    """Write the same few crops again and again, with less room than they need."""
    keys = [f"{number:064x}" for number in range(6)]
    contents = [pack(some_features(n), key) for n, key in enumerate(keys)]
    store = FeatureStore(folder, 4 * len(contents[0]))
    rounds = 0
    while True:
        for number in np.random.default_rng((seed, rounds)).permutation(6):
            store.write(keys[number], contents[number])
        rounds += 1
        if rounds == 20:
            pipe.send(rounds)


def test_two_processes_write_at_once_and_are_killed(tmp_path):
    context = multiprocessing.get_context("spawn")
    pipes, writers = [], []
    for seed in range(2):
        mine, theirs = context.Pipe()
        writer = context.Process(target=write_for_ever, args=(tmp_path, seed, theirs))
        writer.start()
        pipes.append(mine)
        writers.append(writer)
    store, found = FeatureStore(tmp_path), 0
    try:
        for pipe in pipes:
            assert pipe.poll(300)
        for number in range(600):
            features = store.read(f"{number % 6:064x}")
            if features is not None:
                assert_same(features, some_features(number % 6))
                found += 1
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
    assert found
    left = [path.stem for path in tmp_path.glob("*.safetensors")]
    assert left
    for key in left:
        assert_same(store.read(key), some_features(int(key, 16)))


# -- what features depend on -----------------------------------------------------------


def predictor_of(network, store=None, precision="float32", **options):
    predictor = Predictor(network, "cpu", precision, threads=1, store=store, **options)
    predictor.set_image(np.random.default_rng(5).random((70, 80)))
    return predictor


def key_of(*arguments, **options):
    predictor = predictor_of(*arguments, **options)
    return predictor.encoder.stored_key(predictor.first_pixels())


def build(name="encode-once-lite0"):
    torch.manual_seed(0)
    return networks.build(name, 64).eval()


def test_the_key_is_of_all_that_features_depend_on():
    network = build()
    first = key_of(network)
    assert key_of(build()) == first
    assert key_of(build("encode-once-lite1")) != first
    assert key_of(network, precision="bfloat16") != first
    assert key_of(network, flip=True) != first
    other = predictor_of(network)
    other.set_image(np.zeros((70, 80)))
    assert other.encoder.stored_key(other.first_pixels()) != first
    with torch.no_grad():
        next(network.decoder.parameters()).add_(1)
        assert key_of(network) == first
        next(network.encoder.parameters()).add_(1)
    assert key_of(network) != first


def test_an_answer_with_stored_features_is_the_same_to_the_last_bit(store):
    network = build()
    predictor = predictor_of(network)
    pixels = predictor.first_pixels()
    store.write(predictor.encoder.stored_key(pixels), packed(predictor, pixels))
    again = predictor_of(network, store)
    again.encoder.compute = None  # it would be called, and cannot be
    clicks = [Click(20, 30)]
    np.testing.assert_array_equal(again.predict(clicks), predictor.predict(clicks))


def test_a_damaged_entry_costs_an_encode_and_no_more(store):
    network = EncodeOnceDisks()
    predictor = predictor_of(network, store)
    pixels = predictor.first_pixels()
    key = predictor.encoder.stored_key(pixels)
    content = bytearray(packed(predictor, pixels))
    content[-1] ^= 1
    store.write(key, bytes(content))
    count = len(network.seen)
    predictor.predict([Click(20, 30)])
    assert len(network.seen) == count + 1
    assert not store.holds(key)


def test_a_predictor_beside_another_has_an_image_of_its_own():
    network = EncodeOnceDisks()
    predictor = predictor_of(network)
    before = predictor.predict([Click(20, 30)])
    beside = predictor.beside()
    with pytest.raises(ValueError, match="no image yet"):
        beside.encode()
    beside.set_image(np.ones((50, 50)))
    beside.encode()
    assert len(network.seen) == 2
    np.testing.assert_array_equal(predictor.predict([Click(20, 30)]), before)
    predictor.set_image(np.ones((50, 50)))
    predictor.predict([Click(20, 30)])
    assert len(network.seen) == 2
