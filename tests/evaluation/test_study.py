"""The record of a study, without a window."""

import json
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation import Study, read_cases
from napari_simpleclick.weights.catalogue import BUNDLED


def write_list(folder, *rows, head="image,mask,label"):
    path = folder / "cases.csv"
    path.write_text("\n".join((head, *rows)) + "\n")
    return path


@pytest.fixture
def cases(discs):
    rows = [
        f"images/{n}.png,masks/{n}.png,{label}" for n in range(3) for label in (1, 2)
    ]
    return read_cases(write_list(discs, *rows))


def test_images_of_the_same_name_are_told_apart(discs, tmp_path):
    for folder in ("p1", "p2"):
        shutil.copytree(discs / "images", tmp_path / folder)
    rows = [f"p{n}/0.png,discs/masks/0.png,1" for n in (1, 2)]
    names = [case.name for case in read_cases(write_list(tmp_path, *rows))]
    assert names == ["p1/0", "p2/0"]


def click(study, iou=0.9):
    mask = np.zeros((80, 100), bool)
    study.click(3, 4, True, mask, iou, study.seconds, slice=None)


def test_a_list_names_images_objects_and_slices(discs, tmp_path):
    rows = ["images/0.png;masks/0.png;2", "images/1.png;masks/1.png;1"]
    two, one = read_cases(write_list(discs, *rows, head="image;mask;label"))
    assert (two.instance, one.instance) == (2, 1)
    assert two.load()[1].sum() > 500
    volume = np.zeros((6, 7, 8), np.uint8)
    volume[2:4, 2:5, 5] = 1
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "v.nii.gz")
    row = "v.nii.gz,v.nii.gz,,0,3"
    path = write_list(tmp_path, row, head="image,mask,label,axis,slice")
    image, truth = read_cases(path)[0].load()
    assert image.shape == truth.shape == (7, 8)
    assert truth.sum() == 3


def test_lists_that_cannot_be_used(discs, tmp_path):
    good = "images/0.png,masks/0.png,1"
    for rows, head, sentence in (
        ([good], "picture,mask,label", "no column 'image'"),
        ([], "image,mask", "lists no cases"),
        ([good, "images/9.png,masks/0.png,1"], "image,mask,label", "line 3"),
        (["images/0.png,masks/0.png,one"], "image,mask,label", "not a whole number"),
        (["images/0.png,masks/0.png,9"], "image,mask,label", "no label 9"),
        (["images/0.png,masks/0.png,"], "image,mask,label", "no label is given"),
        (["images/0.png,masks/1.tif,1"], "image,mask,label", "there is no mask"),
        ([good, good], "image,mask,label", "twice"),
    ):
        with pytest.raises(ValueError, match=sentence):
            read_cases(write_list(discs, *rows, head=head))
    with pytest.raises(ValueError, match="cannot be read"):
        read_cases(tmp_path / "none.csv")
    volume = nibabel.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4))
    nibabel.save(volume, tmp_path / "v.nii")
    path = write_list(tmp_path, "v.nii,v.nii,1,0,7", head="image,mask,label,axis,slice")
    with pytest.raises(ValueError, match="no slice 7"):
        read_cases(path)
    path.write_bytes("image,mask\nÄ.png,m.png\n".encode("cp1252"))
    with pytest.raises(ValueError, match="not UTF-8"):
        read_cases(path)
    with pytest.raises(ValueError, match="needs a slice"):
        read_cases(write_list(tmp_path, "v.nii,v.nii,1"))


def test_the_order_is_random_but_the_participants_own(cases, tmp_path):
    orders = [Study(cases, f"P{n}", tmp_path, "bundled").cases for n in range(8)]
    assert all(sorted(o, key=cases.index) == cases for o in orders)
    assert len({tuple(order) for order in orders}) > 5
    assert Study(cases, "P3", tmp_path, "bundled").cases == orders[3]


def test_a_study_goes_on_where_it_was_left(cases, tmp_path):
    study = Study(cases, "P01", tmp_path, "bundled")
    for _ in range(2):
        study.begin()
        click(study)
        study.finish(0.95)
    study.begin()
    click(study)
    with study.path.open("a") as file:
        file.write('{"event": "cli')  # a crash

    again = Study(cases, "P01", tmp_path, "bundled")
    assert again.current == study.current
    again.begin()
    with pytest.raises(ValueError, match="Click on the object first"):
        again.finish(0.0)
    click(again, 0.5)
    again.finish(0.5)
    result = Study(cases, "P01", tmp_path, "bundled").result()
    assert result.annotator == "P01"
    assert [case.ious[0] for case in result.cases] == pytest.approx([0.9, 0.9, 0.5])
    assert [case.name for case in result.cases] == [c.name for c in study.cases[:3]]
    assert result.noc["90"] == pytest.approx((1 + 1 + 20) / 3)


def test_the_clock_stands_still_in_a_pause(cases, tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("napari_simpleclick.evaluation.study.monotonic", lambda: now[0])
    study = Study(cases, "P01", tmp_path, "bundled")
    study.begin()
    now[0] += 5
    study.pause()
    now[0] += 60
    assert study.paused
    assert study.seconds == 5
    study.resume()
    now[0] += 2
    click(study)
    now[0] += 1
    study.finish(0.9)
    assert study.finished[0].times == (7.0,)
    assert study.finished[0].seconds == 8.0
    events = [json.loads(line)["event"] for line in study.path.open()]
    assert events == ["open", "begin", "pause", "resume", "click", "finish"]


def test_what_cannot_be_recorded(cases, tmp_path):
    for code in ("", "Ada Lovelace", "a/b", "x" * 17):
        with pytest.raises(ValueError, match="not a participant code"):
            Study(cases, code, tmp_path, "bundled")
    Study(cases, "P01", tmp_path, "bundled")
    with pytest.raises(ValueError, match=f"begun with the model '{BUNDLED}'"):
        Study(cases, "P01", tmp_path, "other")
    with pytest.raises(ValueError, match="record of other cases"):
        Study(cases[:3], "P01", tmp_path, "bundled")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written to"):
        Study(cases, "P01", tmp_path / "file", "bundled")
    with pytest.raises(ValueError, match="nothing to report"):
        Study(cases, "P02", tmp_path, "bundled").result()


def test_a_damaged_record_is_refused_in_a_sentence(cases, tmp_path):
    Study(cases, "p1", tmp_path, "bundled")
    with (tmp_path / "p1.jsonl").open("a") as file:
        file.write('{"event": "finish", "result": {"name": 3}}\n')
    with pytest.raises(UserError, match="is damaged"):
        Study(cases, "p1", tmp_path, "bundled")


def test_cases_of_any_volume_and_mask(tmp_path):
    """NRRD and TIFF stacks have slices as NIfTI has; palettes give their numbers."""
    stack = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    labels = np.zeros(stack.shape, np.uint8)
    labels[2, 1:3, 2:4] = 2
    for name, array in (("a", stack), ("m", labels)):
        tifffile.imwrite(tmp_path / f"{name}.tif", array, photometric="minisblack")
        image = sitk.GetImageFromArray(array)
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    rows = ["a.tif,m.tif,,0,2", "a.nrrd,m.nrrd,,2,2"]
    head = "image,mask,label,axis,slice"
    for case in read_cases(write_list(tmp_path, *rows, head=head)):
        image, truth = case.load()
        turn = (lambda a: a.T) if "nrrd" in case.image.name else (lambda a: a)
        np.testing.assert_array_equal(turn(image), stack[2])
        np.testing.assert_array_equal(turn(truth), labels[2] == 2)
    Image.fromarray(stack[0]).save(tmp_path / "p.png")
    indexed = Image.fromarray(labels[2])
    indexed.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    indexed.save(tmp_path / "q.png")
    (case,) = read_cases(write_list(tmp_path, "p.png,q.png,2"))
    np.testing.assert_array_equal(case.load()[1], labels[2] == 2)
