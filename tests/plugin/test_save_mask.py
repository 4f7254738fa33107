"""*Save mask…* in the panel, and napari's own dialog on the mask."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from napari.layers import Image
from napari.plugins import _npe2
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_simpleclick import UserError
from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.exports import KINDS as EXPORTS
from napari_simpleclick.images.label_names import LabelName, read_label_names
from napari_simpleclick.plugin import files, saving
from napari_simpleclick.plugin.saving import (
    DICOM_KIND,
    KINDS,
    NIFTI_KIND,
    SLICER_KIND,
    TIFF_KIND,
    completed,
    suggested,
)
from napari_simpleclick.samples import sample_path
from tests.executors import HeldExecutor
from tests.images.dicom_files import series

PLUGIN = "napari-simpleclick"


@pytest.fixture(autouse=True)
def last_folder(tmp_path, monkeypatch):
    """Give a folder that was last saved to."""
    folder = tmp_path / "last"
    folder.mkdir()
    monkeypatch.setattr(saving, "get_save_history", lambda: [str(folder)])
    return folder


@pytest.fixture
def scan(tmp_path):
    """A scan of a bright ball, whose axes the viewer turns."""
    grid = np.indices((40, 50, 20))
    far = sum(
        ((g - c) / r) ** 2
        for g, c, r in zip(grid, (20, 25, 10), (9, 9, 5), strict=True)
    )
    volume = np.where(far <= 1, 200, 40).astype(np.uint8)
    affine = np.array([[0.5, 0, 0, -9], [0, 0.7, 0, 6], [0, 0, 2.0, 7], [0, 0, 0, 1]])
    path = tmp_path / "t1.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, affine), path)
    return path


# -- what is suggested ---------------------------------------------------------------


def opened(path):
    data, look, _ = files.read_layers(str(path))[0]
    return Image(np.asarray(data), **look)


def test_the_name_of_the_scan_is_suggested(scan, tmp_path):
    assert suggested(opened(scan)) == (tmp_path / "t1_mask.nii.gz", NIFTI_KIND)
    tifffile.imwrite(tmp_path / "a.b.tif", np.zeros((5, 6, 7), np.uint8))
    found = suggested(opened(tmp_path / "a.b.tif"))
    assert found == (tmp_path / "a.b_mask.tif", TIFF_KIND)


def test_a_segmentation_of_slicer_is_suggested_for_nrrd(tmp_path):
    itk = pytest.importorskip("SimpleITK")
    image = itk.GetImageFromArray(np.zeros((4, 5, 6), np.uint8))
    itk.WriteImage(image, str(tmp_path / "CT.nrrd"))
    found = suggested(opened(tmp_path / "CT.nrrd"))
    assert found == (tmp_path / "CT_mask.seg.nrrd", SLICER_KIND)


def test_the_mask_of_a_dicom_folder_lies_beside_it(tmp_path):
    pytest.importorskip("highdicom")
    folder = tmp_path / "ct.1"
    folder.mkdir()
    series(folder, (0, 2, 4))
    assert suggested(opened(folder)) == (tmp_path / "ct.1_mask.dcm", DICOM_KIND)


def test_images_of_no_file_and_samples_use_the_last_folder(last_folder):
    found = suggested(Image(np.zeros((4, 5))))
    assert found == (last_folder / "mask.nii.gz", NIFTI_KIND)
    path, _ = suggested(opened(sample_path("hippocampus.nii.gz")))
    assert path == last_folder / "hippocampus_mask.nii.gz"


@pytest.mark.parametrize(
    ("name", "kind", "before", "expected"),
    [
        ("m", NIFTI_KIND, None, "m.nii.gz"),
        ("m.", NIFTI_KIND, None, "m.nii.gz"),
        ("scan 1.5 mask", DICOM_KIND, None, "scan 1.5 mask.dcm"),
        ("m.NII.GZ", NIFTI_KIND, None, "m.NII.GZ"),
        ("m.nii", TIFF_KIND, None, "m.nii"),
        ("m", SLICER_KIND, None, "m.seg.nrrd"),
        ("t1_mask.nii.gz", TIFF_KIND, "t1_mask.nii.gz", "t1_mask.tif"),
        ("m.mha", TIFF_KIND, "t1_mask.nii.gz", "m.mha"),
    ],
)
def test_names_get_the_extension_of_the_chosen_format(name, kind, before, expected):
    before = Path(before) if before else None
    assert completed(Path("a", name), kind, before) == Path("a", expected)


def test_other_pictures_are_no_masks():
    with pytest.raises(UserError, match=r"cannot be written as a mask; use \.nii\.gz"):
        completed(Path("m.jpg"), NIFTI_KIND)


# -- in a window ---------------------------------------------------------------------


@pytest.fixture
def window(make_napari_viewer, hand_on, scan):
    """A window on the scan with one object, which has a name and a colour."""
    viewer = make_napari_viewer(show=True)
    viewer.open(scan, plugin=PLUGIN)
    hand = hand_on(viewer)
    change = hand.canvas.write(hand.canvas.current_plane(), 1, half(hand.canvas))
    hand.canvas.session.paint(change)
    hand.canvas.session.give_style(1, ObjectStyle("tibia", "#102030"))
    return hand


def half(canvas):
    mask = np.zeros(canvas.current_plane().read(canvas.mask.data).shape, bool)
    mask[: len(mask) // 2] = True
    return mask


@pytest.fixture
def choose(monkeypatch):
    """Choose a name in the next file dialog; what it was asked is kept."""
    asked = []

    def choose(name, kind=NIFTI_KIND):
        def answer(parent, caption, place, filters, usual):
            asked.append((place, filters, usual))
            return str(name), kind.filter

        monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
        return asked

    return choose


@pytest.mark.slow
def test_the_mask_is_saved_with_a_click(window, choose, scan, tmp_path):
    asked = choose(tmp_path / "mine")
    window.press(window.panel.save_mask)
    ((place, filters, usual),) = asked
    assert place == str(tmp_path / "t1_mask.nii.gz")
    assert usual == NIFTI_KIND.filter
    assert len(filters.split(";;")) == len(KINDS)
    before, after = nibabel.load(scan), nibabel.load(tmp_path / "mine.nii.gz")
    np.testing.assert_array_equal(after.affine, before.affine)
    count = int(np.asarray(after.dataobj).sum())
    assert count == window.canvas.mask.data.sum() > 0
    assert read_label_names(tmp_path / "mine.nii.gz") == (
        LabelName(1, "tibia", "#102030"),
    )
    said = window.panel.status.text()
    assert f"Saved '{tmp_path / 'mine.nii.gz'}': 1 object, {count:,} voxels." in said
    assert "mine_labels.txt" in said
    assert window.troubles == []

    choose("")
    window.press(window.panel.save_mask)
    assert asked[-1][0] == str(tmp_path / "mine.nii.gz")


def test_the_scan_is_never_replaced(window, choose, scan, monkeypatch):
    monkeypatch.setattr(
        QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes
    )
    before = scan.read_bytes()
    choose(scan)
    window.press(window.panel.save_mask)
    assert "is what this is made from" in window.panel.trouble.text()
    asked = []

    def answer(parent, caption, place, filters, options):
        asked.append(place)
        return str(scan), filters

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    export = window.panel.export
    nifti = next(kind for kind in EXPORTS if kind.name == "nifti")
    export._on_chosen(nifti)
    window.qtbot.waitUntil(export.isEnabled)
    assert asked == [str(scan.with_name("t1_mask.nii.gz"))]
    assert "is what this is made from" in window.panel.trouble.text()
    assert scan.read_bytes() == before
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (asked[0], ""))
    export._on_chosen(nifti)
    window.qtbot.waitUntil(export.isEnabled)
    assert window.panel.trouble.isHidden()


@pytest.mark.slow
def test_a_file_is_replaced_only_if_the_person_says_so(
    window, choose, tmp_path, monkeypatch
):
    old = tmp_path / "mine.nii.gz"
    old.write_bytes(b"old")
    choose(tmp_path / "mine")
    answers = {
        False: QMessageBox.StandardButton.No,
        True: QMessageBox.StandardButton.Yes,
    }
    for replace, answer in answers.items():
        monkeypatch.setattr(QMessageBox, "question", lambda *_, a=answer: a)
        window.press(window.panel.save_mask)
        assert (old.read_bytes() == b"old") is not replace


@pytest.mark.slow
def test_what_cannot_be_saved_is_said_and_the_old_file_stays(window, choose, tmp_path):
    (tmp_path / "m.dcm").write_bytes(b"old")
    choose(tmp_path / "m.dcm", DICOM_KIND)
    window.press(window.panel.save_mask)
    (said,) = window.troubles
    assert "needs a DICOM series" in said
    assert (tmp_path / "m.dcm").read_bytes() == b"old"
    assert "Saved" not in window.panel.status.text()


@pytest.fixture
def held(window):
    """What the window does in the background, done when a test says so."""
    executor = HeldExecutor()
    window.panel.workflow.executor = executor
    return executor


@pytest.mark.slow
def test_the_person_goes_on_while_a_mask_is_saved(window, held, choose, tmp_path):
    choose(tmp_path / "mine.nii.gz")
    canvas, button = window.canvas, window.panel.save_mask
    before = np.array(canvas.mask.data)
    window.press(button)
    assert not button.isEnabled()
    assert button.text() == "Saving…"
    assert "Saving '" in window.panel.status.text()
    canvas.mask.data[:] = 7
    canvas.session.give_style(1, ObjectStyle("fibula", "#102030"))
    held.release_all()
    found = np.asarray(nibabel.load(tmp_path / "mine.nii.gz").dataobj)
    assert set(np.unique(found)) == {0, 1}
    assert np.count_nonzero(found) == np.count_nonzero(before)
    assert read_label_names(tmp_path / "mine.nii.gz")[0].name == "tibia"
    assert button.isEnabled()
    assert button.text() == "Save mask…"


def test_the_dialog_of_napari_writes_every_format_of_ours(window, tmp_path):
    viewer, mask = window.viewer, window.canvas.mask
    viewer.layers.selection.active = mask
    _, writers = _npe2.file_extensions_string_for_layers([mask])
    ours = [one for one in writers if one.command.startswith(f"{PLUGIN}.")]
    assert [(one.display_name, tuple(one.filename_extensions)) for one in ours] == [
        tuple(kind) for kind in KINDS
    ]
    for number, (writer, kind) in enumerate(zip(ours, KINDS, strict=True)):
        if kind is DICOM_KIND:
            continue
        for name in (f"scan 1.{number} mask", f"m{number}{kind.suffixes[0]}"):
            written = viewer.layers.save(
                str(tmp_path / name), selected=True, _writer=writer
            )
            assert written[0].endswith(kind.suffixes[0])
            assert Path(written[0]).name.startswith(name)
            assert read_label_names(Path(written[0]))[0].name == "tibia"
        with pytest.raises(OSError, match="is there already"):
            viewer.layers.save(
                str(tmp_path / f"m{number}"), selected=True, _writer=writer
            )


def test_no_type_chosen_in_code_is_the_format_of_the_name(window, tmp_path):
    mask = window.canvas.mask
    for name in ("m.seg.nrrd", "m.nii.gz", "m.mha"):
        (written,) = mask.save(str(tmp_path / name))
        assert read_label_names(Path(written))[0].name == "tibia"
