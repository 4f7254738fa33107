import numpy as np
import pytest

from napari_simpleclick import load_weights
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.validation import CLICKS, Validation, split


def images(count, prefix="f"):
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        labels = np.zeros((60, 70), np.int32)
        labels[10:40, 15 + number % 5 : 45] = 1 + number % 2
        picture = np.clip(
            60 + 120 * (labels > 0) + rng.normal(0, 9, labels.shape), 0, 255
        )
        name = f"{prefix}{number // 2}"  # two slices of each file
        made.append(LabelledImage(picture.astype(np.uint8), labels, name))
    return made


def test_files_are_held_out_whole_and_always_the_same():
    sets = {"a": images(200), "b": images(60, "g")}
    learn, held = split(sets, 0.25)
    assert sum(map(len, learn.values())) + sum(map(len, held.values())) == 260
    assert 30 <= len(held["a"]) <= 70
    names = {image.name for image in held["a"]}
    assert not names & {image.name for image in learn["a"]}
    again = split(sets, 0.25)[1]
    assert [i.name for i in again["b"]] == [i.name for i in held["b"]]
    assert split(sets, 0.0) == (sets, {})


def test_patients_of_two_sets_are_held_out_together():
    sets = {"ct": images(100), "mr": images(160), "other": images(100)}
    learn, held = split(sets, 0.3, [("mr", "ct")])
    names = {
        name: ({i.name for i in learn[name]}, {i.name for i in held[name]})
        for name in sets
    }
    assert not names["ct"][0] & names["mr"][1]
    assert not names["mr"][0] & names["ct"][1]
    assert names["ct"][0] & names["other"][1]  # of their own accord
    alone = split({"mr": sets["mr"], "ct": sets["ct"]}, 0.3, [("ct", "mr")])
    assert [i.name for i in alone[1]["ct"]] == [i.name for i in held["ct"]]
    with pytest.raises(ValueError, match="'mr' is in two groups"):
        split(sets, 0.3, [("mr", "ct"), ("other", "mr")])


def test_the_robot_annotates_held_out_objects(tmp_path):
    network, _ = load_weights("bundled")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    validation = Validation({"a": images(4)}, tmp_path / "page", seed=0)
    assert len(validation) == 4
    result = validation.run(network, 128, {"step": 7})
    assert result.instances == 4
    assert len(result.miou) == CLICKS
    assert result.settings["step"] == 7
    assert min(result.miou) > 0.9
    assert (tmp_path / "page" / "index.html").exists()
    for key, value in network.state_dict().items():
        assert (value == before[key]).all()
