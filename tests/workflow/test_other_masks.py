"""Masks from elsewhere: put onto the image, corrected, recorded and saved."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.images.files import read_image, read_mask, write_labels
from napari_simpleclick.images.label_names import LabelName, read_label_names
from napari_simpleclick.images.source import Source
from napari_simpleclick.plugin import files
from napari_simpleclick.plugin.layers.placement import found_mask
from napari_simpleclick.sessions import SessionDatabase, SessionReader

FIRST, SECOND = (12, 30, 30), (12, 60, 90)
SCAN = np.diag([-2.0, -2.0, 3.0, 1.0])
SCAN[:3, 3] = 50, 40, -20
ORGANS = 24


@pytest.fixture
def person(open_image, balls):
    return open_image(balls)


def offer(person, labels, **look):
    """Go on with a Labels layer; gives the questions that were asked."""
    layer = person.viewer.add_labels(labels, name="organs", **look)
    questions = []
    person.workflow.masks.asked.connect(questions.append)
    person.workflow.masks.take(found_mask(layer))
    return questions


def told(person):
    return [sentence for sentence, _ in person.troubles]


def cores(balls):
    """The balls, too small by two pixels, as objects 3 and 8."""
    inner = balls > 100
    inner[:, 2:] &= balls[:, :-2] > 100
    inner[:, :, 2:] &= balls[:, :, :-2] > 100
    return (inner * np.where(np.arange(120) < 60, 3, 8)).astype(np.int64)


def test_objects_are_there_and_a_click_corrects_one(person, balls):
    labels = cores(balls)
    assert not offer(person, labels)
    np.testing.assert_array_equal(person.mask, labels)
    objects = person.canvas.session.objects
    assert objects.labels() == [3, 8]
    assert person.canvas.session.label == 9  # a click elsewhere begins a new one
    person.click(*FIRST)  # goes on with what is there
    assert person.canvas.session.label == 3
    person.workflow.undo()
    missing = np.argwhere((balls[12] > 100) & (labels[12] == 0))
    person.click(12, *missing[0])
    step = person.answers[-1].request.prompts[-1]
    np.testing.assert_array_equal(step.base, labels[12] == 3)
    assert (person.mask[12] == 3).sum() > (labels[12] == 3).sum()
    np.testing.assert_array_equal(person.mask == 8, labels == 8)
    others = np.arange(len(labels)) != 12
    np.testing.assert_array_equal(person.mask[others], labels[others])
    for _ in range(2):
        person.workflow.undo()
    assert not person.mask.any()
    assert not objects.labels()
    person.workflow.redo()
    np.testing.assert_array_equal(person.mask, labels)


def test_names_and_colours_come_along(person, balls):
    names = (LabelName(3, "liver", "#aa0000", "gland"), LabelName(8, "Object 8"))
    offer(person, cores(balls), metadata={"napari-simpleclick names": lambda: names})
    assert person.canvas.session.objects.styles == {
        3: ObjectStyle("liver", "#aa0000", "gland")
    }
    assert np.allclose(person.canvas.mask.get_color(3)[:3], (2 / 3, 0, 0), atol=0.01)


def test_the_mask_of_before_is_set_aside(person, balls):
    person.click(*FIRST)
    before = person.mask.copy()
    offer(person, cores(balls))
    aside = person.viewer.layers["data mask before"]
    np.testing.assert_array_equal(aside.data, before)
    assert not person.canvas.session.objects.prompts[
        person.answers[0].request.object_slice
    ]
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)
    assert len(person.points()) == 1
    person.workflow.masks.begin()
    assert not person.mask.any()
    assert person.canvas.session.label == 1
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)


def test_an_axis_of_one_entry_does_not_matter(open_image, balls):
    stack = np.stack([balls, balls])
    person = open_image(stack, axis_labels=("channel", "z", "y", "x"))
    assert person.mask.shape == (1, *balls.shape)
    assert not offer(person, cores(balls))
    np.testing.assert_array_equal(person.mask[0], cores(balls))


def test_a_layer_that_was_placed_is_resampled_after_a_question(open_image, balls):
    person = open_image(balls, scale=(3, 1, 1))
    half = cores(balls)[::2, :, 10:]
    look = {"scale": (6, 1, 1), "translate": (0, 0, 10)}
    (question,) = offer(person, half, **look)
    assert "another grid than the image: 12 \N{MULTIPLICATION SIGN}" in question.text
    assert not person.mask.any()
    question.go_on()
    np.testing.assert_array_equal(person.mask[::2, :, 10:], half)
    assert set(np.unique(person.mask)) == {0, 3, 8}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda one: one[:-1], "nothing tells how they lie"),
        (lambda one: one[12], "nothing tells how they lie"),
        (lambda one: one * 20_000, "has the label 160,000"),
        (lambda one: -one, "has the label -8"),
        (lambda one: one * 0, "is empty"),
    ],
)
def test_what_cannot_be_gone_on_with(person, balls, change, sentence):
    person.click(*FIRST)
    before = person.mask.copy()
    assert not offer(person, change(cores(balls)))
    assert sentence in told(person)[0]
    np.testing.assert_array_equal(person.mask, before)
    assert len(person.viewer.layers) == 5  # nothing was set aside


def test_a_file_of_fractions(person, balls, tmp_path):
    half = Source.of_layer(balls.shape, (1.0,) * 3, (0.0,) * 3).with_affine()
    image = nibabel.Nifti1Image(half.to_file(balls / 400).astype("f4"), half.affine)
    nibabel.save(image, tmp_path / "p.nii.gz")
    person.workflow.masks.open(tmp_path / "p.nii.gz")
    assert "are no labels" in told(person)[0]
    person.workflow.masks.open(tmp_path / "none.nii")
    assert "There is no file" in told(person)[1]


def scan_file(path):
    """Save a scan with two dozen bright bodies; gives where they are in its file."""
    grid = np.indices((72, 60, 24))
    volume, truth = np.full(grid.shape[1:], 40, np.uint8), np.zeros(grid.shape[1:], int)
    for number in range(ORGANS):
        row, column = divmod(number, 6)
        centre = (6 + 12 * column, 8 + 14 * row, 5 + 12 * (number % 2))
        far = sum(
            ((g - c) / r) ** 2 for g, c, r in zip(grid, centre, (4, 5, 4), strict=True)
        )
        truth[far <= 1] = number + 1
    volume[truth > 0] = 200
    nibabel.save(nibabel.Nifti1Image(volume, SCAN), path)
    return truth


def segmentation_file(path, truth):
    """Save labels on a finer grid of another orientation that shows a part of it.

    They miss some of each body, and their names are in a table in the header.
    """
    affine = np.array(
        [[0, 1.5, 0, -80], [1.5, 0, 0, -70], [0, 0, -1.5, 52], [0, 0, 0, 1.0]]
    )
    shape = (72, 86, 50)
    places = np.indices(shape).reshape(3, -1)
    world = affine[:3, :3] @ places + affine[:3, 3:]
    voxel = np.linalg.solve(SCAN, np.vstack([world, np.ones(world.shape[1])]))[:3]
    voxel = np.rint(voxel - np.array([[1], [1], [0]])).astype(int)
    inside = ((voxel >= 0) & (voxel < np.array([truth.shape]).T)).all(0)
    labels = np.zeros(inside.size, np.uint8)
    labels[inside] = truth[tuple(voxel[:, inside])]
    image = nibabel.Nifti1Image(labels.reshape(shape), affine)
    rows = "".join(
        f'<Label Key="{n}" Red="0.2" Green="{n / 40}" Blue="0.9" Alpha="1">'
        f"<![CDATA[organ_{n}]]></Label>"
        for n in range(1, ORGANS + 1)
    )
    table = f"<CaretExtension><VolumeInformation><LabelTable>{rows}</LabelTable>"
    text = f'<?xml version="1.0"?>{table}</VolumeInformation></CaretExtension>'
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, text.encode()))
    nibabel.save(image, path)


def on_the_scan(scan, mask):
    """Resample labels by ITK, which knows nothing of this package."""
    done = sitk.Resample(
        sitk.ReadImage(str(mask)),
        sitk.ReadImage(str(scan)),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        0,
    )
    return sitk.GetArrayFromImage(done).transpose()


def open_scan(open_image, path, **more):
    ((data, meta, _),) = files.read_layers(str(path))
    return open_image(data, **meta, **more)


@pytest.fixture
def many(tmp_path):
    truth = scan_file(tmp_path / "scan.nii.gz")
    segmentation_file(tmp_path / "organs.nii.gz", truth)
    return tmp_path


def test_three_of_many_organs_are_corrected_and_the_others_saved_as_they_were(
    open_image, many
):
    scan, organs = many / "scan.nii.gz", many / "organs.nii.gz"
    expected = on_the_scan(scan, organs)
    assert len(np.unique(expected)) == ORGANS + 1
    person = open_scan(open_image, scan, recorded=True)
    questions = []
    person.workflow.masks.asked.connect(questions.append)
    person.workflow.masks.open(organs)
    questions.pop().go_on()
    session, source = person.canvas.session, person.canvas.mask.metadata
    source = source["napari-simpleclick source"]
    truth = source.to_layer(scan_file(scan))
    np.testing.assert_array_equal(source.to_file(person.mask), expected)
    assert session.objects.name(17) == "organ_17"
    assert session.objects.style(17).colour == "#336ce6"

    corrected = (4, 11, 20)
    for label in corrected:
        person.workflow.show_object(label)
        plane = person.canvas.current_plane()
        before = person.canvas.object_mask(plane, label)
        missing = np.argwhere((plane.read(truth) == label) & ~before)
        person.click(*plane.position(*missing[0]))
        after = person.canvas.object_mask(plane, label)
        assert after.sum() > before.sum()
        assert (after | ~before).all()
    assert not told(person)
    data, meta, _ = person.canvas.mask.as_layer_data_tuple()
    files.write_labels(str(many / "out.nii.gz"), data, meta)
    saved = nibabel.load(many / "out.nii.gz")
    np.testing.assert_allclose(saved.affine, SCAN)
    found = np.asarray(saved.dataobj)
    changed = found != expected
    assert changed.any()
    assert set(np.unique(found[changed])) <= set(corrected)
    assert set(np.unique(expected[changed])) == {0}
    names = {one.label: one.name for one in read_label_names(many / "out.nii.gz")}
    assert names[24] == "organ_24"

    recorder = person.canvas.recorder
    recorder.flush()
    last = person.mask.copy()
    person.controller.close()
    recorder.close()
    again = np.zeros_like(last)
    with SessionDatabase(recorder.path) as store:
        reading = SessionReader(store)
        list(reading.play(again))
    np.testing.assert_array_equal(again, last)
    assert reading.session.objects.styles == session.objects.styles


def test_a_layer_of_the_reader_brings_its_names(open_image, many):
    person = open_scan(open_image, many / "scan.nii.gz")
    nibabel.load(many / "organs.nii.gz")
    target = many / "organs_seg.nii.gz"
    (many / "organs.nii.gz").rename(target)
    ((data, meta, kind),) = files.read_layers(str(target))
    assert kind == "labels"
    questions = []
    person.workflow.masks.asked.connect(questions.append)
    layer = person.viewer.add_labels(data, **meta)
    assert np.allclose(layer.get_color(17)[:3], (0.2, 17 / 40, 0.9), atol=0.01)
    person.workflow.masks.take(found_mask(layer))
    questions.pop().go_on()
    assert person.canvas.session.objects.name(17) == "organ_17"


def test_a_mask_that_is_turned_and_cropped_keeps_all_voxels(open_image, many):
    truth = np.asarray(nibabel.load(many / "scan.nii.gz").dataobj) // 200
    part, affine = truth[5:60, 3:, ::-1], SCAN.copy()
    affine[:, 2] *= -1
    affine[:3, 3] = (SCAN @ (5, 3, 23, 1))[:3]
    nibabel.save(nibabel.Nifti1Image(part, affine), many / "part.nii")
    person = open_scan(open_image, many / "scan.nii.gz")
    questions = []
    person.workflow.masks.asked.connect(questions.append)
    person.workflow.masks.open(many / "part.nii")
    (question,) = questions
    assert "keep their labels" in question.text
    question.go_on()
    source = person.canvas.mask.metadata["napari-simpleclick source"]
    expected = np.zeros_like(truth)
    expected[5:60, 3:] = truth[5:60, 3:]
    np.testing.assert_array_equal(source.to_file(person.mask), expected)
    moved = affine.copy()
    moved[:3, 3] += 500
    nibabel.save(nibabel.Nifti1Image(part, moved), many / "far.nii")
    person.workflow.masks.open(many / "far.nii")
    questions[-1].go_on()
    assert "No part of 'far.nii' lies on the image" in told(person)[0]
    np.testing.assert_array_equal(source.to_file(person.mask), expected)


def test_small_objects_that_are_lost_are_named(open_image, many):
    labels = np.zeros((72, 60, 24), np.uint8)
    labels[10:20, 10:20, 10:12] = 1
    fine = np.repeat(np.repeat(np.repeat(labels, 2, 0), 2, 1), 3, 2)
    fine[100, 100, 60] = 9
    affine = SCAN @ np.diag([0.5, 0.5, 1 / 3, 1])
    affine[:3, 3] -= (-0.5, -0.5, 1.0)
    nibabel.save(nibabel.Nifti1Image(fine, affine), many / "fine.nii")
    person = open_scan(open_image, many / "scan.nii.gz")
    person.workflow.masks.asked.connect(lambda question: question.go_on())
    person.workflow.masks.open(many / "fine.nii")
    assert person.said[-1].endswith("smaller than its voxels: Object 9.")
    assert person.canvas.session.label == 1  # the only one that is there


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".mha", ".nii.gz"])
def test_names_of_files(open_image, many, suffix):
    image = read_image(many / "scan.nii.gz")
    source = Source.of_file(image)
    labels = source.to_layer((np.asarray(image.array) > 100) * 5)
    names = [LabelName(5, "bodies", "#123456")]
    write_labels(many / f"mine{suffix}", labels, source, names)
    person = open_scan(open_image, many / "scan.nii.gz")
    person.workflow.masks.open(many / f"mine{suffix}")
    np.testing.assert_array_equal(person.mask, labels)
    style = person.canvas.session.objects.style(5)
    assert (style.name, style.colour) == ("bodies", "#123456")


def test_the_command_line_resamples_as_well(many):
    told = []
    found = read_mask(
        many / "organs.nii.gz", read_image(many / "scan.nii.gz"), told.append
    )
    expected = on_the_scan(many / "scan.nii.gz", many / "organs.nii.gz") > 0
    np.testing.assert_array_equal(found, expected)
    assert "each voxel has got the nearest label" in told[0]
