"""What the panel measures, without a window."""

import errno
from pathlib import Path

import nibabel
import numpy as np
import pytest
import trimesh

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.images.source import SOURCE_KEY, Source
from napari_simpleclick.images.viewer_images import open_layers
from napari_simpleclick.measurement import Sureness, volume_margin
from tests.executors import HeldExecutor

FIRST, SECOND = (12, 30, 30), (12, 60, 90)
MM = {"scale": (3.0, 0.5, 0.5), "units": ("mm", "mm", "mm")}


@pytest.fixture
def watched(open_image, balls):
    """Open an image whose objects are measured."""

    def build(data=balls, executor=None, **look):
        person = open_image(data, executor, **look)
        person.measures = person.workflow.measures
        person.measures.watch(True)
        return person

    return build


def volumes(person):
    return {one.label: one.volume for one in person.measures.objects()}


def two_objects(person):
    person.click(*FIRST)
    person.workflow.new_object()
    person.click(*SECOND)


def test_measures_follow_the_mask(watched):
    person = watched(**MM)
    assert person.measures.objects() == []
    two_objects(person)
    pixels = np.bincount(person.mask.ravel())
    size = 3.0 * 0.5 * 0.5
    assert volumes(person) == {1: pixels[1] * size, 2: pixels[2] * size}
    person.workflow.undo()
    assert volumes(person) == {1: pixels[1] * size}
    person.workflow.redo()
    person.workflow.delete_object(1)
    assert volumes(person) == {2: pixels[2] * size}
    cut = person.mask.copy()
    cut[12, 60:80, 85:95] = 0
    person.canvas.mask.data = cut  # as another tool does
    person.canvas.session.give_style(2, ObjectStyle("tibia"))
    (found,) = person.measures.objects()
    assert found.name == "tibia"
    assert found.voxels == np.count_nonzero(person.mask == 2)


def test_all_rows_are_of_the_image_as_it_is_now(watched):
    person = watched(**MM)
    two_objects(person)
    person.canvas.image.name = "knee"
    person.canvas.image.scale = (2.0, 0.25, 0.25)
    person.click(12, 62, 92)
    pixels = np.bincount(person.mask.ravel())
    size = 2.0 * 0.25 * 0.25
    assert volumes(person) == {1: pixels[1] * size, 2: pixels[2] * size}
    assert [*map(list, (o.intensities for o in person.measures.objects()))] == [
        ["knee"],
        ["knee"],
    ]


def test_measures_are_those_of_the_place_in_the_whole(watched, balls):
    person = watched(**MM)
    two_objects(person)
    _, second = person.measures.objects()
    inside = np.argwhere(person.mask == 2)
    assert second.centroid == pytest.approx(inside.mean(axis=0))
    assert [one.index for one in second.slices] == [12]
    (name,) = second.intensities
    assert second.intensities[name].mean == balls[person.mask == 2].mean()
    (a, b), (c, d) = second.longest.diameters.longest_line
    assert min(a, c) >= 43 and max(a, c) <= 77
    assert min(b, d) >= 73 and max(b, d) <= 107


def test_nothing_is_measured_before_someone_looks(open_image, balls):
    person = open_image(balls, executor := HeldExecutor())
    executor.release_all()
    executor.holding = False
    two_objects(person)
    executor.holding = True
    person.canvas.delete(2)
    assert executor.held == []
    assert person.workflow.measures.objects() == []
    person.workflow.measures.watch(True)
    executor.release_all()
    assert list(volumes_of(person)) == [1]


def volumes_of(person):
    return {one.label: one for one in person.workflow.measures.objects()}


def test_only_what_has_changed_is_measured_again(watched, monkeypatch):
    from napari_simpleclick.workflow import measuring_task as measures

    person, measured = watched(), []
    two_objects(person)
    plain = measures.measure

    def counted(*arguments, **options):
        measured.append(arguments[0].sum())
        return plain(*arguments, **options)

    monkeypatch.setattr(measures, "measure", counted)
    person.click(12, 62, 92)
    assert measured == [np.count_nonzero(person.mask == 2)]


def test_changes_while_it_measures_count_in_the_end(open_image, balls):
    person = open_image(balls, executor := HeldExecutor())
    executor.release_all()
    person.workflow.measures.watch(True)
    two_objects(person)
    executor.holding = True
    person.canvas.delete(2)
    person.canvas.session.undo()
    assert len(executor.held) == 1  # joined
    executor.release()  # it begins
    person.canvas.delete(1)
    executor.release_all()
    assert list(volumes_of(person)) == [2]


def test_measures_of_another_image_are_dropped(open_image, balls):
    person = open_image(balls, executor := HeldExecutor())
    executor.release_all()
    person.click(*FIRST)
    executor.holding = True
    person.workflow.measures.watch(True)
    executor.release()
    other = person.viewer.add_image(balls + 1)
    person.controller.use_image(other)
    executor.release_all()
    assert person.workflow.measures.objects() == []


def test_who_waits_is_told_when_all_is_measured(open_image, balls):
    person = open_image(balls, executor := HeldExecutor())
    executor.release_all()
    person.click(*FIRST)
    executor.holding, told = True, []
    person.workflow.measures.when_known(lambda: told.append(volumes_of(person)))
    assert told == []
    executor.release_all()
    assert [list(one) for one in told] == [[1]]


@pytest.mark.parametrize(
    ("look", "unit"),
    [
        ({"scale": (1e-3,) * 3, "units": ("um",) * 3}, "mm"),
        ({"scale": (2.0, 1.0, 1.0)}, "px"),
        ({"units": ("s", "mm", "mm")}, "px"),
    ],
)
def test_units_are_those_of_the_image(watched, look, unit):
    person = watched(**look)
    person.click(*FIRST)
    (found,) = person.measures.objects()
    assert found.unit == unit
    voxels = np.count_nonzero(person.mask)
    assert found.volume == pytest.approx(voxels * (1e-18 if unit == "mm" else 1))


def test_every_channel_has_its_intensities(watched, balls):
    both = np.stack([balls, balls + 7])
    person = watched(both, axis_labels=("c", "z", "y", "x"))
    person.click(0, *FIRST)
    (found,) = person.measures.objects()
    means = [one.mean for one in found.intensities.values()]
    assert means[1] - means[0] == 7
    assert found.volume == np.count_nonzero(person.mask)


def test_a_scan_is_measured_where_the_patient_is(watched, tmp_path):
    labels = np.zeros((20, 24, 12), np.int16)
    labels[4:10, 5:15, 3:8] = 200
    affine = np.array(
        [[0.0, 0.8, 0, -30], [-0.7, 0, 0.3, 40], [0, 0.1, 3.0, 50], [0, 0, 0, 1]]
    )
    nibabel.save(nibabel.Nifti1Image(labels, affine), tmp_path / "scan.nii.gz")
    (opened,) = open_layers(tmp_path / "scan.nii.gz")
    data = np.asarray(opened.array)
    source = opened.source
    look = {"scale": source.scale, "units": source.units}
    person = watched(data, metadata={SOURCE_KEY: source}, **look)
    person.canvas.mask.data = (data > 100).astype(np.uint16)
    (found,) = person.measures.objects()
    assert found.unit == "mm"
    assert found.place == pytest.approx(tuple((affine @ (6.5, 9.5, 5, 1))[:3]))
    target = tmp_path / "object.stl"
    person.workflow.surfaces.save(target)
    assert person.said[-1] == f"Saved '{target}'."
    mesh = trimesh.load_mesh(target)
    placed = affine @ (6.5, 9.5, 5, 1)
    np.testing.assert_allclose(mesh.center_mass, placed[:3], atol=0.05)
    whole = abs(np.linalg.det(affine[:3, :3])) * 300
    assert mesh.volume == pytest.approx(whole, rel=0.1)  # its corners are rounded


# -- time ----------------------------------------------------------------------------


@pytest.fixture
def growing():
    """A volume at four time points, and its labels: an object that grows."""
    labels = np.zeros((4, 5, 30, 30), np.uint16)
    for time in range(4):
        labels[time, 1:4, 5 : 10 + 2 * time, 5:10] = 1
    labels[2, :, 20:25, 20:25] = 2
    return labels


def test_a_series_has_a_row_for_every_time_point(watched, growing):
    person = watched(growing * 100, axis_labels=("t", "z", "y", "x"))
    person.canvas.mask.data = growing
    found = [(one.label, one.time, one.voxels) for one in person.measures.objects()]
    assert found == [(1, t, 3 * 5 * (5 + 2 * t)) for t in range(4)] + [(2, 2, 125)]


def test_the_first_of_four_axes_is_time_without_a_name(watched, growing):
    person = watched(growing * 100)
    person.canvas.mask.data = growing
    assert person.measures.axes().time == 0


def test_an_axis_is_time_when_the_person_says_so(watched, growing):
    person = watched(growing[:, 2] * 100)
    person.canvas.mask.data = growing[:, 2].copy()
    assert {one.time for one in person.measures.objects()} == {None}
    person.measures.use_time(0)
    found = [(one.label, one.time, one.voxels) for one in person.measures.objects()]
    assert found == [(1, t, 5 * (5 + 2 * t)) for t in range(4)] + [(2, 2, 25)]
    assert found[0] and person.measures.objects()[0].volume is None


def test_too_many_axes_are_said(watched):
    person = watched(np.zeros((2, 3, 4, 30, 30), np.uint8))
    errors = []
    person.measures.failed.connect(errors.append)
    person.canvas.session.choose(2)
    person.canvas.mask.data = np.ones((2, 3, 4, 30, 30), np.uint16)
    assert "more axes than space and time" in str(errors[-1])


# -- diameters on the slice ------------------------------------------------------------


def test_diameters_follow_the_slice_and_the_mask(watched):
    person = watched(**MM)
    shown = person.workflow.diameters
    two_objects(person)
    assert shown.shown is None
    shown.watch(True)
    person.go(12)
    shown.look()
    assert set(shown.shown.diameters) == {1, 2}
    assert shown.shown.diameters[1].longest == pytest.approx(16, abs=0.5)
    person.canvas.delete(2)
    assert set(shown.shown.diameters) == {1}
    person.canvas.session.give_style(1, ObjectStyle(hidden=True))
    assert shown.shown.diameters == {}
    person.viewer.dims.ndisplay = 3
    shown.look()
    assert shown.shown is None


# -- surfaces ------------------------------------------------------------------


def test_surfaces_of_several_objects_are_several_files(watched, tmp_path):
    person = watched(**MM)
    two_objects(person)
    target = tmp_path / "ball.ply"
    assert len(person.workflow.surfaces.targets(target)) == 2
    person.workflow.surfaces.save(target)
    assert not person.troubles
    first, second = (trimesh.load_mesh(tmp_path / f"ball-{k}.ply") for k in (1, 2))
    np.testing.assert_allclose(first.centroid, (15, 15, 36), atol=0.2)
    np.testing.assert_allclose(second.centroid, (45, 30, 36), atol=0.2)


def test_what_has_no_surface_is_said_in_a_sentence(watched, balls):
    person = watched()
    person.workflow.surfaces.show()
    assert "no object with a mask" in person.troubles[-1][0]
    flat = watched(balls[12])
    flat.click(30, 30)
    flat.workflow.surfaces.show()
    assert flat.troubles[-1][0] == "A slice has no surface; open a volume."


def test_a_full_disk_leaves_the_old_file_whole(watched, tmp_path, monkeypatch):
    person = watched()
    person.click(*FIRST)
    target = tmp_path / "ball.obj"
    target.write_text("old")

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    person.workflow.surfaces.save(target)
    assert "No space left on device" in person.troubles[-1][0]
    assert target.read_text() == "old"
    assert [one.name for one in tmp_path.glob("*.obj")] == ["ball.obj"]


def test_a_source_without_a_place_is_measured_all_the_same(watched, balls):
    source = Source.of_layer(balls.shape, (1.0,) * 3, (0.0,) * 3)
    person = watched(metadata={SOURCE_KEY: source})
    person.click(*FIRST)
    assert person.measures.objects()[0].place is None


# -- how sure ----------------------------------------------------------------------


def propagated(watched):
    """A ball that was clicked on in the middle and carried through the volume."""
    person = watched()
    person.click(*FIRST)
    person.workflow.propagator.least_confidence = 0.0
    person.workflow.propagate()
    return person


def margins(person):
    return [one.margin for one in person.measures.objects()]


def test_an_object_has_a_range_once_its_ends_are_known(watched):
    person = propagated(watched)
    (found,) = person.measures.objects()
    assert len(found.slices) > 5
    assert found.margin is None
    slices = [one.index for one in found.slices]
    for beyond in (slices[0] - 1, slices[-1] + 1):
        person.go(beyond)
        person.workflow.end_here()
    (margin,) = margins(person)
    assert 0 < margin < found.volume
    person.workflow.undo()
    assert margins(person) == [None]


def test_accepted_slices_are_surer(watched):
    person = propagated(watched)
    slices = [one.index for one in person.measures.objects()[0].slices]
    for place in (slices[0], slices[-1]):
        person.go(place)
        person.workflow.accept()
    (before,) = margins(person)
    for place in slices[1:-1]:
        person.go(place)
        person.workflow.accept()
    (after,) = margins(person)
    assert after < before
    assert not person.troubles


def test_an_object_that_was_only_clicked_on_has_a_range(watched):
    person = watched()
    person.click(*FIRST)
    (found,) = person.measures.objects()
    assert found.margin == pytest.approx(volume_margin(person.mask > 0, Sureness()))


# -- a report ------------------------------------------------------------------------


def test_a_report_says_where_all_comes_from(watched, tmp_path):
    person = watched(**MM)
    two_objects(person)
    target = tmp_path / "case.html"
    person.workflow.reporter.save(target, {1: "#ff0000", 2: "#00ff00"})
    assert person.said[-1] == f"Saved '{target}'."
    page = target.read_text("utf-8")
    assert "Object 1" in page and "Object 2" in page
    assert "simpleclick-xtiny, SHA-256 " in page
    assert "SHA-256 of its labels" in page
    assert "24 x 100 x 120 voxels of 3 x 0.5 x 0.5 mm" in page


def test_a_report_is_about_the_time_point_in_view(watched, growing, tmp_path):
    person = watched(growing * 100, axis_labels=("t", "z", "y", "x"))
    person.canvas.mask.data = growing
    person.viewer.dims.set_current_step(0, 2)
    person.workflow.reporter.save(tmp_path / "case.html", {})
    page = (tmp_path / "case.html").read_text("utf-8")
    assert ", time 2</h1>" in page
    assert "Object 2" in page


def test_an_empty_image_has_no_report(watched, tmp_path):
    person = watched()
    person.workflow.reporter.save(tmp_path / "case.html", {})
    assert "nothing to report" in person.troubles[-1][0]
    assert not list(tmp_path.glob("case*"))
