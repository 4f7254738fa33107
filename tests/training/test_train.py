import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.io import imsave

from napari_simpleclick.training import (
    TrainConfig,
    read_config,
    ready_configs,
    train,
)
from napari_simpleclick.training.bodies import draw_body
from napari_simpleclick.training.images import LabelledImage, read_sets
from napari_simpleclick.training.samples import LARGEST_ZOOM, Samples, crop_window
from napari_simpleclick.training.simulated_clicks import (
    SLOTS,
    add_next_points,
    draw_box,
    first_points,
    prompts_on,
)
from napari_simpleclick.training.synthetic import add_lesion, draw_image
from napari_simpleclick.weights import load_weights
from tests.helpers import square_sets


@pytest.fixture
def data(tmp_path):
    return square_sets(tmp_path)


TINY = {"width": 16, "depth": 4, "heads": 2, "pyramid": (8, 8, 8, 8), "head": 8}
"""Changes of SimpleClick xTiny that leave little of it."""

CONFIG = {
    "network": "simpleclick-xtiny",
    "changes": TINY,
    "save_every": 2,
    "accelerator": "cpu",
    "workers": 0,
    "threads": 1,
    "stages": [
        {"size": 32, "batch": 2, "steps": 3, "rate": 1e-3},
        {"size": 64, "batch": 2, "steps": 2, "rate": 1e-3},
    ],
}


def test_a_run_that_is_stopped_goes_on_to_the_same_weights(data, tmp_path):
    config = TrainConfig(**CONFIG)
    straight = train(config, data, tmp_path / "a")
    assert straight.config.image_size == (64, 64)

    def stop(now):
        if now.stage == 0 and now.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, data, tmp_path / "b", stop)
    resumed = train(config, data, tmp_path / "b")
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    log = (tmp_path / "b" / "log.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["samples"] == 10


def test_a_checkpoint_of_another_recipe_is_refused(data, tmp_path):
    stage = {"size": 32, "batch": 1, "steps": 1, "rate": 1e-3}
    small = {**CONFIG, "stages": [stage]}
    train(TrainConfig(**small), data, tmp_path / "a")
    for key, value in (("network", "simpleclick-base"), ("optimizer", "muon")):
        other = TrainConfig(**{**small, key: value})
        sentence = f"run with {key} = .*, not {value}; choose another output folder"
        with pytest.raises(ValueError, match=sentence):
            train(other, data, tmp_path / "a")


def test_samples_are_functions_of_their_number(data):
    sets = read_sets(data)
    config = TrainConfig(**CONFIG, weights={"synthetic": 1.0}, single_click=0.5, seed=3)
    samples, again = Samples(sets, config, 64), Samples(sets, config, 64)
    for number in range(20):
        image, target, _, points = samples[number]
        assert image.shape == (3, 64, 64)
        assert 0 <= image.min() <= image.max() <= 1
        assert set(target.unique().tolist()) <= {0.0, 1.0}
        rows, columns = points[:SLOTS][points[:SLOTS, 0] >= 0].long().T
        assert len(rows) >= 1
        assert (target[0, rows, columns] == 1).all()
        for one, other in zip(samples[number], again[number], strict=True):
            assert torch.equal(one, other)


def test_corrections_lie_in_the_larger_mistake():
    rng = np.random.default_rng(0)
    target = torch.zeros(2, 1, 64, 64)
    target[:, :, 10:40, 10:40] = 1
    guess = torch.zeros(2, 1, 64, 64)
    guess[1, :, 5:45, 5:60] = 1
    points = torch.full((2, 2 * SLOTS, 2), -1.0)
    add_next_points(points, guess, target, 1, rng)
    row, column = points[0, SLOTS - 1].long()
    assert target[0, 0, row, column] == 1
    row, column = points[1, 2 * SLOTS - 1].long()
    assert target[1, 0, row, column] == 0
    assert guess[1, 0, row, column] == 1
    assert (points >= 0).all(-1).sum() == 2


def test_one_click_is_not_asked_for_objects_in_several_parts(data):
    image = read_sets(data)["squares"][0]
    both = LabelledImage(image.image, (image.labels > 0).astype(np.int32))
    config = TrainConfig(**CONFIG, single_click=1.0)
    samples = Samples({"both": [both]}, config, 64)
    kinds = set()
    for number in range(40):
        _, target, _, points = samples[number]
        parts = ndimage.label(target[0].numpy(), np.ones((3, 3)))[1]
        clicks = int((points >= 0).all(-1).sum())
        kinds.add((parts > 1, clicks > 1))
    assert (False, True) not in kinds
    assert {(False, False), (True, True)} <= kinds


def test_first_points_start_with_one_click_or_many():
    rng = np.random.default_rng(0)
    target = np.zeros((64, 64), bool)
    target[20:40, 20:40] = True
    nothing = np.zeros_like(target)
    single = first_points(target, nothing, rng, single=1.0)
    assert (single >= 0).all(-1).sum() == 1
    many = [first_points(target, nothing, rng, single=0.0) for _ in range(300)]
    positives = np.mean([(p[:SLOTS] >= 0).all(-1).sum() for p in many])
    negatives = np.mean([(p[SLOTS:] >= 0).all(-1).sum() for p in many])
    assert positives == pytest.approx(4.886, abs=0.8)
    assert negatives == pytest.approx(3.905, abs=0.8)


def test_first_clicks_can_be_off_centre():
    target = np.zeros((64, 64), bool)
    target[10:54, 10:54] = True
    nothing = np.zeros_like(target)
    depths = {}
    for off_centre in (0.0, 1.0):
        rng = np.random.default_rng(0)
        places = [
            first_points(target, nothing, rng, 1.0, off_centre)[0] for _ in range(200)
        ]
        depths[off_centre] = np.abs(np.array(places) - 31.5).max(1)
    assert depths[0.0].max() < 11 < 15 < depths[1.0].max() < 19.5
    assert all(target[tuple(np.int_(place))] for place in places)


def test_some_samples_start_from_a_box(data):
    sets = read_sets(data)
    config = TrainConfig(**CONFIG, boxes=0.5)
    samples = Samples(sets, config, 64)
    boxes = 0
    for number in range(40):
        _, target, prior, points = samples[number]
        if not prior.any():
            continue
        boxes += 1
        assert prior.unique().tolist() in ([0, 0.5], [0.5])
        rows, columns = prior[0].nonzero().numpy().T
        height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
        assert len(rows) == height * width
        middle = [rows.mean(), columns.mean()]
        np.testing.assert_allclose(points[0], middle, atol=1e-3)
        assert (points >= 0).all(-1).sum() == 1
        inside = (target * (prior > 0)).sum() / target.sum()
        assert inside > 0.6
    assert 10 <= boxes <= 30
    plain = TrainConfig(**CONFIG, boxes=0.0, off_centre=0.0)
    for one, other in zip(
        Samples(sets, plain, 64)[3],
        Samples(sets, TrainConfig(**CONFIG), 64)[3],
        strict=True,
    ):
        assert torch.equal(one, other)


def test_boxes_stay_within_the_image():
    for seed in range(60):
        target = np.zeros((20, 20), bool)
        target[[0, 19][seed % 2], :] = True
        prior, points = draw_box(target, np.random.default_rng(seed))
        assert prior.any()
        assert (points[0] >= 0).all()
        assert (points[0] <= 19).all()


def test_clicks_are_told_oldest_first():
    rng = np.random.default_rng(0)
    target = torch.zeros(1, 1, 64, 64)
    target[:, :, 10:40, 10:40] = 1
    points = torch.full((1, 2 * SLOTS, 2), -1.0)
    points[0, 0], points[0, SLOTS] = torch.tensor([12.0, 13]), torch.tensor([1.0, 2])
    places = []
    for turn in (1, 2):
        add_next_points(points, torch.zeros_like(target), target, turn, rng)
        places.append(tuple(points[0, SLOTS - turn].tolist()))
    positive, negative = prompts_on(points[0].numpy())
    assert positive == ((12, 13), *places)
    assert negative == ((1, 2),)
    full = np.tile(np.arange(2 * SLOTS, dtype=np.float32)[:, None], 2)
    assert prompts_on(full)[0][-1] == (SLOTS - 1, SLOTS - 1)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_learning_from_every_click_resumes_too(data, tmp_path, optimizer):
    more = {"correction": 0.5, "optimizer": optimizer}
    config = TrainConfig(**CONFIG, clicks="every", **more)
    straight = train(config, data, tmp_path / "a")

    def stop(now):
        if now.stage == 0 and now.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, data, tmp_path / "b", stop)
    resumed = train(config, data, tmp_path / "b")
    once = train(TrainConfig(**CONFIG, **more), data, tmp_path / "c")
    pairs = zip(straight.parameters(), resumed.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    pairs = zip(straight.parameters(), once.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


def test_fine_tuning_starts_from_given_weights(data, tmp_path):
    stage = {"size": 64, "batch": 2, "steps": 1, "rate": 1e-9}
    config = TrainConfig(
        network="simpleclick-xtiny",
        start="bundled",
        stages=[stage],
        weight_decay=0,
        accelerator="cpu",
        workers=0,
        threads=1,
    )
    tuned = train(config, data, tmp_path / "a").state_dict()
    bundled = load_weights("simpleclick-xtiny-2")[0].state_dict()
    for name in ("backbone.blocks.3.mlp.fc1.weight", "head.conv_seg.weight"):
        torch.testing.assert_close(tuned[name], bundled[name], atol=1e-5, rtol=0)
    other = config.model_copy(update={"network": "simpleclick-base"})
    with pytest.raises(ValueError, match="holds weights of encode-once-lite0"):
        train(other, data, tmp_path / "b")


def test_some_samples_start_from_a_damaged_mask(data):
    sets = read_sets(data)
    config = TrainConfig(**CONFIG, single_click=1, correction=0.5)
    samples = Samples(sets, config, 64)
    begun = 0
    for number in range(40):
        _, target, prior, points = samples[number]
        if prior.any():
            begun += 1
            assert not torch.equal(prior, target)
        assert (points >= 0).all(-1).sum() == 1
    assert 10 <= begun <= 30


def test_labels_that_touch_can_be_one_object():
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 20:30], labels[20:40, 30:40] = 1, 2
    sets = {"tumours": [LabelledImage(labels * 90, labels)]}
    largest = []
    for wholes in ({}, {"tumours": 1.0}):
        samples = Samples(sets, TrainConfig(**CONFIG, wholes=wholes), 64)
        shares = [float(samples[number][1].mean()) for number in range(60)]
        largest.append(max(shares))
    # both are cropped to the same extents; half a square cannot fill them
    assert largest[0] < 0.45 < largest[1]


def test_lesions_are_drawn_into_images_of_any_kind():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        shape = [(300, 500), (60, 45, 3)][seed % 2]
        base = rng.integers(0, 200, shape, dtype=np.uint8)
        found = add_lesion(rng, base)
        assert found.image.shape == (*found.labels.shape, 3)
        assert max(found.labels.shape) <= 400
        assert found.image.dtype == np.uint8
        inside = found.labels == 1
        if inside.sum() > 200:
            change = found.image[inside].astype(float).mean(0) - base.mean()
            assert np.abs(change).max() > 3


def test_crops_are_not_enlarged_beyond_what_inference_does(data):
    image = read_sets(data)["squares"][0]
    for seed in range(30):
        rng = np.random.default_rng(seed)
        for side in crop_window(image.objects()[1], (600, 800), 64, rng):
            assert side.stop - side.start >= int(64 / LARGEST_ZOOM)


def test_synthetic_images_have_objects():
    for seed in range(5):
        image = draw_image(np.random.default_rng(seed))
        assert isinstance(image, LabelledImage)
        assert image.image.shape == image.labels.shape == (256, 256)
        assert image.objects()


def test_drawn_bodies_have_organs_that_stand_out():
    found = [draw_body(np.random.default_rng(seed), 200) for seed in range(12)]
    for body in found:
        assert body.image.shape == body.labels.shape == (200, 200)
        assert body.image.dtype == np.uint8
    boxes = [box for body in found for box in body.objects().values()]
    sides = [max(side.stop - side.start for side in box) for box in boxes]
    assert min(sides) < 40 < 100 < max(sides)
    again = draw_body(np.random.default_rng(3), 200)
    assert np.array_equal(again.image, found[3].image)


def test_samples_can_be_drawn_bodies_alone(data):
    shares = {"squares": 0.0, "bodies": 1.0}
    config = TrainConfig(**CONFIG, weights=shares, single_click=1.0)
    samples = Samples(read_sets(data), config, 64)
    for number in range(8):
        _, target, _, points = samples[number]
        row, column = points[0].int().tolist()
        assert target[0, row, column] == 1


def test_volumes_are_cut_on_all_axes(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        volume = np.ones((12, 14, 16), np.uint8)
        nibabel.save(
            nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "set" / kind / "a.nii.gz"
        )
    shapes = {pair.labels.shape for pair in read_sets(tmp_path)["set"]}
    assert shapes == {(14, 16), (12, 16), (12, 14)}


def test_data_that_cannot_be_used(data, tmp_path):
    with pytest.raises(ValueError, match="holds no image sets"):
        read_sets(tmp_path / "nothing")
    (data / "squares" / "masks" / "0.png").unlink()
    with pytest.raises(ValueError, match="has no mask"):
        read_sets(data)
    imsave(data / "squares" / "masks" / "0.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match="same height and width"):
        read_sets(data)


def test_configs_that_cannot_be_used(tmp_path):
    path = tmp_path / "run.toml"
    for text, sentence in (
        ("network = ", "not valid TOML"),
        ('network = "simpleclick-xtiny"', "stages: Field required"),
        (
            'netwrok = "a"\nstages = []',
            "netwrok: Extra .*; the nearest one is 'network'",
        ),
        (
            'network = "a"\n[[stages]]\nsise = 32',
            r"stages\.0\.sise: Extra .*; the nearest one is 'size'",
        ),
        (
            'network = "a"\nwholes = {a = 2}\n'
            "[[stages]]\nsize = 32\nbatch = 1\nsteps = 1\nrate = 1",
            r"wholes\.a: Input should be less",
        ),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=sentence):
            read_config(path)


@pytest.mark.slow
def test_two_devices_share_the_work(data, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'network = "simpleclick-xtiny"\naccelerator = "cpu"\ndevices = 2\n'
        'precision = "32-true"\nworkers = 0\nthreads = 1\n'
        "[[stages]]\nsize = 32\nbatch = 2\nsteps = 2\nrate = 1e-3\n"
        "[changes]\nwidth = 32\ndepth = 4\nheads = 2\nhead = 8\npyramid = [8, 8, 8, 8]"
    )
    command = [sys.executable, "-m", "napari_simpleclick.cli", "train", str(path)]
    command += ["--data", str(data), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Saved") == 1
    log = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["samples"] == 8  # 2 devices x 2 steps x 2 samples
    load_weights(tmp_path / "out" / "weights.safetensors")


def test_a_run_validates_on_held_out_images(data, tmp_path):
    for number in range(4, 24):
        for kind in ("images", "masks"):
            folder = data / "squares" / kind
            shutil.copy(folder / "0.png", folder / f"{number}.png")
    config = TrainConfig(**CONFIG, held_out=0.3, validate_every=3)
    seen = []
    train(config, data, tmp_path / "a", lambda now: seen.append(now.noc))
    assert 1 <= seen[-1] <= 5
    assert (tmp_path / "a" / "validation" / "index.html").exists()
    lines = (tmp_path / "a" / "log.jsonl").read_text().splitlines()
    found = [line for line in map(json.loads, lines) if "miou" in line]
    assert len(found) == 1
    assert len(found[0]["miou"]) == 5


def test_the_encode_once_run_says_what_it_begins_with():
    run = read_config(Path("encode-once-1"))
    assert (run.network, run.start) == ("encode-once-lite0", "imagenet:lite0")
    assert [stage.size for stage in run.stages] == [224, 320, 448]
    assert {"sts_extremity_ct", "sts_extremity_mri_t1"} == set(run.same_names[0])


@pytest.mark.parametrize("option", ["prior_drop", "jaccard", "mirrored"])
def test_options_change_what_is_learnt(data, tmp_path, option):
    learnt = [
        train(TrainConfig(**CONFIG, seed=1, **{option: p}), data, tmp_path / str(p))
        for p in (0.0, 1.0)
    ]
    pairs = zip(*(network.parameters() for network in learnt), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


def test_recipes_that_are_compared_differ_in_their_samples_alone():
    paths = sorted(Path(__file__).parents[2].glob("benchmarks/recipes/*.toml"))
    assert len(paths) >= 4
    own = {"weights", "wholes", "superpixels", "seed"}
    shared = [read_config(path).model_dump(exclude=own) for path in paths]
    assert all(one == shared[0] for one in shared)


def test_ready_configs_can_be_read_by_name():
    names = ready_configs()
    assert {"bundled-2", "fine-tune", "sbd-xtiny", "encode-once-1"} <= set(names)
    assert len(names) == 32
    for name in names:
        assert read_config(Path(name)).stages
    published = read_config(Path("coco-lvis-base"))
    stage = published.stages[0]
    assert stage.steps // 55 * 140 == pytest.approx(30000, rel=0.01)  # epochs, batch
    assert stage.drops[0] / stage.steps == pytest.approx(50 / 55)
    with pytest.raises(ValueError, match="one of bundled-1"):
        read_config(Path("nothing"))
