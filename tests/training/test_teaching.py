"""Teaching: what can be learned from, what is adopted, and its file."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from napari_simpleclick import Click, Predictor, UserError, load_weights, networks
from napari_simpleclick.cli import app
from napari_simpleclick.images import Viewport, Window
from napari_simpleclick.inference import ZoomIn
from napari_simpleclick.training.teaching import (
    Example,
    Origin,
    examples_of,
    read_examples,
    sort_out,
    teach,
    views,
)
from napari_simpleclick.training.teaching.check import Score, score, split_in_halves
from napari_simpleclick.training.teaching.job import (
    TeachReport,
    read_job,
    run_job,
    write_job,
)
from napari_simpleclick.weights import spec_of
from tests.networks.toy import register
from tests.training.bright import disc, discs, save_bright

LONG_S = 1000.0


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    register(monkeypatch)


@pytest.fixture
def bright(tmp_path):
    """Weights that miss objects by a little."""
    return save_bright(tmp_path / "bright.safetensors")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """What was taught, and the folder of the weights before."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        folder = tmp_path_factory.mktemp("taught")
        weights = save_bright(folder / "bright.safetensors")
        return teach(discs(6), weights, seconds=LONG_S, batches=80), folder


@pytest.fixture
def taught(lesson, tmp_path):
    """Give what was taught, with the weights before in a folder of the test's own."""
    found, folder = lesson
    shutil.copy(folder / "bright.safetensors", tmp_path)
    base = replace(found.base, file=str(tmp_path / "bright.safetensors"))
    return replace(found, base=base)


def test_objects_of_the_other_half_need_fewer_clicks(taught):
    assert taught.adopted
    assert taught.after.beats(taught.before)
    assert taught.after.overlap > 0.7 > taught.before.overlap
    assert taught.summary.startswith("Learned from 6 objects: first masks ")
    better = replace(taught, before=Score(3.4, (0.5,), 2), after=Score(2.1, (0.9,), 2))
    text = "Learned from 6 objects: 2.1 clicks an object instead of 3.4."
    assert better.summary.startswith(text)
    near = replace(taught, before=Score(2.44, (0.5,), 2), after=Score(2.38, (0.9,), 2))
    assert "2.38 clicks an object instead of 2.44" in near.summary
    assert 0 < taught.batches <= 80
    assert taught.left_out == ()


@pytest.mark.parametrize(
    ("clicks", "overlap", "better"),
    [
        (2.0, 0.80, True),
        (2.0, 0.795, True),
        (2.0, 0.70, False),
        (3.0, 0.82, True),
        (3.0, 0.80, False),
        (3.5, 0.95, False),
    ],
)
def test_fewer_clicks_with_worse_masks_are_not_taken(taught, clicks, overlap, better):
    before, after = Score(3.0, (0.8,), 4), Score(clicks, (overlap,), 4)
    assert after.beats(before) is better
    told = replace(taught, adopted=False, before=before, after=after).summary
    assert ("but first masks are worse" in told) is (clicks < 3 and not better)


def test_only_what_the_family_says_learns(taught, tmp_path):
    before = load_weights(tmp_path / "bright.safetensors")[0].state_dict()
    after = taught.network.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed <= {"click.weight", "click.bias", "out.weight", "out.bias"}
    assert "out.bias" in changed


def test_the_file_is_a_named_model(taught, tmp_path):
    path = tmp_path / "mine.safetensors"
    card = taught.save(path)
    network, read = load_weights(path)
    assert read == card
    assert (read.name, read.network, read.licence) == ("mine", "toy", "MIT")
    assert "6 accepted objects" in read.origin
    assert spec_of(path).image_size == (64, 64)
    example = disc(9)
    answers = []
    for one in (network, taught.network):
        predictor = Predictor(one, precision="float32")
        predictor.set_image(example.image)
        answers.append(predictor.predict([Click(40, 50)]))
    np.testing.assert_allclose(answers[0], answers[1], atol=0.02)
    with safe_open(path, "pt") as file:
        assert "body.weight" not in file.keys()  # noqa: SIM118
        told = json.loads(file.metadata()["taught"])
    assert told["base"]["name"] == "bright"
    assert len(told["objects"]) == 6
    assert told["before"]["miou@1"] < told["after"]["miou@1"]


def test_the_weights_before_are_not_written_over(taught, bright, folders):
    before = Path(bright).read_bytes()
    with pytest.raises(UserError, match="is what this is made from"):
        taught.save(bright)
    words = ["teach", *folders, "-w", bright, "-o", bright]
    run = CliRunner().invoke(app, [str(word) for word in words])
    assert run.exit_code == 2
    assert "is what this is made from" in run.stderr
    assert Path(bright).read_bytes() == before


def test_what_was_taught_can_be_taught_again(taught, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    taught.save(first)
    again = teach(discs(4), first, seconds=LONG_S, batches=3)
    again = replace(again, adopted=True)
    again.save(second)
    first.unlink()
    assert load_weights(second)[1].name == "second"


def test_other_weights_before_are_refused(taught, tmp_path):
    path, before = tmp_path / "mine.safetensors", tmp_path / "bright.safetensors"
    taught.save(path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(before, elsewhere)
    save_bright(before, 0.7)
    with pytest.raises(UserError, match="'bright', which are others now"):
        load_weights(path)
    with pytest.raises(UserError, match="others now"):
        spec_of(path)
    shutil.move(path, elsewhere)
    assert load_weights(elsewhere / "mine.safetensors")[1].name == "mine"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ('{"version": 9}', "another version"),
        ('{"version": 1}', "damaged"),
        ("nonsense", "damaged"),
    ],
)
def test_files_of_other_versions_are_refused(tmp_path, told, sentence):
    path = tmp_path / "mine.safetensors"
    save_file({"out.bias": torch.zeros(1)}, path, {"taught": told})
    with pytest.raises(UserError, match=sentence):
        load_weights(path)


@pytest.mark.parametrize("harm", ["one number", "no number", "card", "base"])
def test_damaged_files_are_refused(taught, tmp_path, harm):
    path = tmp_path / "mine.safetensors"
    taught.save(path)
    load_weights(path)
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        about = file.metadata()
    name = min(tensors)
    if harm == "one number":
        tensors[name].view(-1)[0] += 1
    elif harm == "no number":
        tensors[name].view(-1)[0] = torch.nan
        del about["tensors_sha256"]  # as of earlier versions
    elif harm == "card":
        about["card"] = "{}"
    else:
        told = json.loads(about["taught"])
        told["base"]["file"] = 7
        about["taught"] = json.dumps(told)
    save_file(tensors, path, about)
    with pytest.raises(UserError, match=r"mine.safetensors' is damaged: .*; "):
        load_weights(path)


def test_files_without_a_digest_are_taken_as_they_are(taught, tmp_path):
    path = tmp_path / "mine.safetensors"
    taught.save(path)
    with safe_open(path, "pt") as file:
        about = file.metadata()
    del about["tensors_sha256"]
    save_file(load_file(path), path, about)
    assert load_weights(path)[1].name == "mine"


def test_too_little_time_is_told_as_that(taught):
    told = replace(taught, adopted=False, batches=0, seconds=4.0).summary
    assert told.startswith(
        "Nothing could be learned from 6 objects in 4 seconds; allow"
    )


def test_what_does_not_help_is_not_adopted(tmp_path):
    perfect = save_bright(tmp_path / "perfect.safetensors", 0.5)
    found = teach(discs(5), perfect, seconds=LONG_S, batches=3)
    assert not found.adopted
    assert "did not help" in found.summary
    with pytest.raises(UserError, match="did not help"):
        found.save(tmp_path / "mine.safetensors")
    before = load_weights(perfect)[0].state_dict()
    after = found.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_full_disk_leaves_nothing(taught, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_simpleclick.weights.taught.os.replace", full)
    with pytest.raises(OSError, match="No space"):
        taught.save(tmp_path / "mine.safetensors")
    assert not list(tmp_path.glob("mine*"))


def test_one_object_is_too_few(bright):
    with pytest.raises(UserError, match="There is 1 object to learn from; accept at"):
        teach([disc(0)], bright)


def test_what_cannot_be_learned_from_is_named():
    good = disc(1)
    empty = replace(disc(2), mask=np.zeros((80, 100), bool))
    small = disc(3, radius=1.5)
    full = replace(disc(4), mask=np.ones((80, 100), bool))
    other = replace(disc(5), mask=np.ones((8, 10), bool))
    found = sort_out([good, empty, small, full, other])
    assert found.examples == (good,)
    assert [text.partition("'")[2] for text in found.left_out] == [
        "2.png' has no pixels and is left out.",
        "3.png' has only 9 pixels and is left out.",
        "4.png' fills its image and is left out.",
        "5.png' has a mask of another size than its image and is left out.",
    ]


def test_contradictions_are_left_out_and_named():
    one = disc(1)
    other = replace(disc(1, radius=24), origin=Origin("1.png", 2))
    inside = replace(disc(1, radius=10), origin=Origin("1.png", 3))
    elsewhere = disc(2)
    found = sort_out([one, other, inside, elsewhere])
    assert found.examples == (inside, elsewhere)
    (told,) = found.left_out
    assert told.startswith(
        "Object 1 of '1.png' and object 2 of '1.png' lie on the same"
    )


def test_of_three_masks_that_contradict_each_other_none_is_learned_from():
    wide, narrow, again = (disc(1, radius=radius) for radius in (30, 24, 29.9))
    narrow = replace(narrow, origin=Origin("1.png", 2))
    small = replace(disc(1, radius=18), origin=Origin("1.png", 3))
    found = sort_out([wide, narrow, small])
    assert found.examples == ()
    assert len(found.left_out) == 2
    found = sort_out([wide, again, narrow])
    assert found.examples == ()
    assert len(found.left_out) == 1


def test_an_example_that_is_given_twice_counts_once():
    one, other = disc(1), disc(2)
    found = sort_out([one, other, one])
    assert set(found.examples) == {one, other} and len(found.examples) == 2


def test_images_without_names_are_told_apart():
    labels = np.zeros((80, 100), int)
    labels[10:40, 10:50] = 1
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (80, 100)) for _ in range(2)]
    wider = np.pad(labels, ((0, 0), (0, 30)))
    examples = [
        *examples_of(images[0], labels),
        *examples_of(images[1], labels),
        *examples_of(np.pad(images[1], ((0, 0), (0, 30))), wider),
    ]
    assert sort_out(examples).examples == tuple(examples)
    smaller = labels * (np.arange(80) < 32)[:, None]
    twice = [*examples_of(images[0], labels), *examples_of(images[0] + 0, smaller)]
    assert sort_out(twice).examples == ()


def test_the_same_mask_twice_counts_once():
    first, second = disc(1), disc(1)
    found = sort_out([first, second])
    assert found.examples == (second,)
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [([12], [6, 6]), ([4, 4, 4], [4, 8]), ([1] * 12, [6, 6]), ([10, 2], [6, 6])],
)
def test_halves_share_no_slice_where_that_leaves_enough(counts, sizes):
    places = [number for number, count in enumerate(counts) for _ in range(count)]
    examples = [
        replace(disc(number), origin=Origin("scan", number, f"slice {place}"))
        for number, place in enumerate(places)
    ]
    halves = split_in_halves(examples, np.random.default_rng(0))
    assert {one.origin.label for half in halves for one in half} == set(range(12))
    assert sorted(map(len, halves)) == sizes
    if max(counts) < 10:
        first, second = ({one.origin.plane for one in half} for half in halves)
        assert not first & second


def test_a_mask_that_is_good_at_once_is_clicked_on_all_the_same(bright, monkeypatch):
    """Else its first overlap would count for the later ones."""
    clicks = []
    predict = Predictor.predict

    def counted(self, prompts, *args, **more):
        clicks.append(len(prompts))
        return predict(self, prompts, *args, **more)

    perfect = load_weights(
        save_bright(Path(bright).with_name("perfect.safetensors"), 0.5)
    )
    monkeypatch.setattr(Predictor, "predict", counted)
    found = score(perfect[0], [disc(1)], 1)
    assert clicks == [1, 2, 3]
    assert found.clicks == 1


def test_scores_of_both_halves_count_by_their_objects():
    both = Score.over([Score(1.0, (0.9, 0.9), 1), Score(4.0, (0.5, 0.7), 2)])
    assert (both.clicks, both.count) == (3.0, 3)
    np.testing.assert_allclose(both.overlaps, (1.9 / 3, 2.3 / 3))


def test_odd_images_are_learned_from(bright):
    """At the border, in colour, with oblong pixels, with a window of their own."""
    base = discs(3)
    colour = np.repeat(base[0].image[..., None], 3, axis=2)
    examples = [
        replace(base[0], image=colour),
        replace(base[1], spacing=(2.0, 1.0)),
        replace(base[2], window=Window(0, 300)),
        disc(4, centre=(0, 0)),
        disc(5, centre=(79, 50)),
    ]
    found = teach(examples, bright, seconds=LONG_S, batches=3)
    assert found.batches > 0
    assert found.left_out == ()


def test_what_the_robot_does_is_progress_as_well(bright):
    said = []
    teach(discs(4), bright, seconds=LONG_S, batches=4, report=said.append)
    batches = [one.batches for one in said]
    assert batches[:6] == [0] * 6  # four objects, some of other kinds, then it learns
    assert batches == sorted(batches)
    assert max(batches.count(number) for number in range(1, 5)) > 4
    shares = [one.share for one in said]
    assert shares == sorted(shares)


def test_an_error_in_the_report_ends_it(bright):
    def stop(now):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(discs(4), bright, report=stop)


@pytest.mark.parametrize(
    ("name", "learns", "rests"),
    [
        ("encode-once-lite0", "decoder.logit.weight", "encoder._conv_stem.weight"),
        ("simpleclick-xtiny", "backbone.blocks.7.norm1.bias", "backbone.pos_embed"),
        ("simpleclick-xtiny", "head.conv_seg.weight", "backbone.blocks.0.norm1.bias"),
    ],
)
def test_what_is_taught(name, learns, rests):
    network = networks.build(name, 64)
    names = dict(network.named_parameters())
    assert {learns, rests} <= names.keys()
    assert network.is_taught(learns)
    assert not network.is_taught(rests)


# -- files ---------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """Images and masks of equal names."""
    from skimage.io import imsave

    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for number, example in enumerate(discs(6)):
        imsave(tmp_path / "images" / f"{number}.png", example.image)
        mask = example.mask.astype(np.uint8)
        imsave(tmp_path / "masks" / f"{number}.png", mask, check_contrast=False)
    return tmp_path / "images", tmp_path / "masks"


def test_the_command_writes_a_model(folders, bright, tmp_path):
    out = tmp_path / "mine.safetensors"
    (folders[0] / "0.png").unlink()
    more = ["-o", out, "--weights", bright, "--seconds", 20]
    run = CliRunner().invoke(app, [str(a) for a in ("teach", *folders, *more)])
    assert "There is no image for '0.png'" in run.output
    assert run.exit_code == 0, run.output
    assert "Learned from 5 objects" in run.output
    assert load_weights(out)[1].name == "mine"


def test_masks_without_images_are_refused(folders, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"No file in .* has the name of an image"):
        read_examples(empty, folders[1])
    with pytest.raises(UserError, match="There is no file or folder"):
        read_examples(tmp_path / "nothing", folders[1])


def test_of_several_images_of_one_name_that_of_the_same_kind_counts(folders):
    images, masks = folders
    black = np.zeros((80, 100), np.uint8)
    tifffile.imwrite(images / "0.tif", black)
    (masks / "._1.png").write_bytes(b"not an image")
    found = read_examples(images, masks)
    assert len(found.examples) == 6
    assert all(example.image.any() for example in found.examples)
    (images / "0.png").rename(images / "0.bmp.png")
    tifffile.imwrite(images / "0.tiff", black)
    with pytest.raises(UserError, match=r"several files of one name \(0.tif, 0.tiff\)"):
        read_examples(images, masks)
    tifffile.imwrite(masks / "2.tif", black)
    (images / "0.tiff").unlink()
    with pytest.raises(UserError, match=r"several files of one name \(2.png, 2.tif\)"):
        read_examples(images, masks)


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_masks_that_are_no_labels_are_refused(folders, value):
    images, masks = folders
    soft = np.full((80, 100), value, np.float32)
    (masks / "3.png").unlink()
    tifffile.imwrite(masks / "3.tif", soft)
    with pytest.raises(UserError, match=r"'.*3.tif' holds other values"):
        read_examples(images, masks)


def test_a_volume_is_read_slice_by_slice(tmp_path):
    import nibabel

    image, labels = np.zeros((40, 40, 10), np.uint8), np.zeros((40, 40, 10), np.uint8)
    labels[5:15, 5:15, 2:8], labels[20:35, 20:35, 4:6] = 1, 2
    image[labels > 0] = 200
    paths = []
    for name, array in (("image", image), ("mask", labels)):
        paths.append(tmp_path / f"{name}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(array, np.diag([1, 1, 3, 1])), paths[-1])
    found = read_examples(*paths).examples
    assert len(found) == 8
    assert {one.origin.plane for one in found} == {
        f"slice {index} of axis 2" for index in range(2, 8)
    }
    few = read_examples(*paths, most=4).examples
    assert sorted(one.origin.label for one in few) == [1, 1, 2, 2]


def test_what_is_not_read_is_told(tmp_path):
    from skimage.io import imsave

    labels = np.zeros((40, 60), np.uint8)
    labels[5:15, 5:15], labels[20:22, 30:32] = 1, 2
    for number in range(3):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
            if kind == "images" or not number:
                path = tmp_path / kind / f"{number}.png"
                imsave(path, labels, check_contrast=False)
    found = read_examples(tmp_path / "images", tmp_path / "masks")
    assert len(found.examples) == 1
    assert found.told == [
        "2 of 3 images have no mask and are left out, such as '1.png'.",
        "1 object has fewer than 12 pixels on a slice of '0.png', and is left out "
        "there.",
    ]


def test_parts_are_objects_if_asked_for(tmp_path):
    from skimage.io import imsave

    labels = np.zeros((40, 60), np.uint8)
    labels[5:15, 5:15], labels[20:35, 30:50] = 255, 255
    for name in ("image", "mask"):
        imsave(tmp_path / f"{name}.png", labels, check_contrast=False)
    paths = tmp_path / "image.png", tmp_path / "mask.png"
    whole = read_examples(*paths)
    assert len(whole.examples) == 1
    assert "several parts" in whole.told[-1]
    assert len(read_examples(*paths, parts=True).examples) == 2


def test_an_object_is_shown_as_the_person_saw_it(monkeypatch):
    """A small one in a large image that was looked at from near is never tiny."""
    monkeypatch.setattr(views, "FIRST_LOOK", 1.0)
    mask = np.zeros((1000, 1000), bool)
    mask[480:520, 480:520] = True
    far = Example(mask * np.uint8(200), mask)
    near = replace(far, viewport=Viewport.around(500, 500, 200))
    least = {}
    for name, example in (("far", far), ("near", near)):
        drawn, rng = views.Views([example], ZoomIn()), np.random.default_rng(0)
        least[name] = min(drawn.draw(0, 320, rng).target.sum() for _ in range(20))
    assert least["far"] < 400 < 1500 < least["near"]


# -- the job -------------------------------------------------------------------------


def test_a_job_is_what_was_asked_for(tmp_path, bright):
    shared = discs(5)
    same = replace(shared[1], image=shared[0].image, mask=shared[0].mask)
    folder = tmp_path / "job"
    folder.mkdir()
    seen = replace(shared[0], viewport=Viewport(2.5, 40.0, -1.0, 50.0))
    write_job(folder, [*shared[2:], seen, same], bright, "taught", 3.0)
    assert read_job(folder)[0][3].viewport == seen.viewport
    assert len(list(folder.glob("image-*.npy"))) == 4
    said: list[TeachReport] = []
    run_job(folder, said.append)
    assert {one.kind for one in said[:-1]} == {"progress"}
    assert TeachReport.parse(said[-1].line()) == said[-1]
    assert said[-1].kind == "done"
    if said[-1].adopted:
        assert load_weights(folder / "taught.safetensors")[1].name == "taught"


def test_a_job_says_what_is_wrong(tmp_path, bright):
    write_job(tmp_path, [disc(0)], bright, "taught", 5.0)
    said: list[TeachReport] = []
    run_job(tmp_path, said.append)
    assert [one.kind for one in said] == ["refused"]
    assert "accept at least" in said[0].text
    (tmp_path / "mask-0.npy").unlink()
    run_job(tmp_path, said.append)
    assert said[1].kind == "refused"
    assert TeachReport.parse("a library says something") is None


# -- real weights --------------------------------------------------------------------


def two_kinds(seed):
    """A scene with dark ellipses with stripes, and large pale discs."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:256, :256]
    image, labels = rng.normal(120, 12, (256, 256)), np.zeros((256, 256), int)
    for number, (row, column) in enumerate(
        [(50, 50), (60, 190), (190, 60), (200, 200), (128, 128)], start=1
    ):
        row, column = row + rng.integers(-8, 9), column + rng.integers(-8, 9)
        large = number % 2 == 0
        tall, wide = (40, 40) if large else (16, 26)
        inside = ((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 < 1
        labels[inside] = number
        image[inside] += 35 if large else -35 + 18 * np.sin(columns[inside] / 1.5)
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.mark.slow
def test_two_kinds_in_an_image_do_not_spoil_each_other():
    examples: list[Example] = []
    for seed in range(3):
        examples += examples_of(*two_kinds(seed), name=str(seed))
    found = teach(examples, "encode-once", seconds=LONG_S, batches=20)
    image, labels = two_kinds(7)
    predictor = Predictor(found.network)
    predictor.set_image(image)
    for label in range(1, 6):
        truth = labels == label
        row, column = np.argwhere(truth).mean(0)
        mask = predictor.predict([Click(row, column)]) > 0.49
        assert (mask & truth).sum() / (mask | truth).sum() > 0.7, label


def test_learning_waits_for_no_library_that_draws_reports():
    code = (
        "import sys\n"
        "import napari_simpleclick.training.teaching.job\n"
        "print({'matplotlib', 'jinja2'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, text=True, capture_output=True)
    assert done.stdout.strip() == "set()"
