import json
import shutil
import sys

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.io import imread, imsave
from typer.testing import CliRunner

from napari_simpleclick.cli import app
from napari_simpleclick.samples import sample_path
from napari_simpleclick.weights.catalogue import BUNDLED

runner = CliRunner()
EM = str(sample_path("em.tif"))
MRI = str(sample_path("hippocampus.nii.gz"))
CLICKS = ["--click", "150,155", "--click=-60,60"]


def run(*words):
    return runner.invoke(app, [str(word) for word in words])


def test_segment_a_stack(tmp_path):
    out = tmp_path / "mask.tif"
    stack = ["segment", EM, *CLICKS, "--axis", "0", "--slice", "2"]
    result = run(*stack, "-o", out, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    mask = tifffile.imread(out)
    assert mask.shape == (5, 250, 250)
    assert mask[2, 150, 155] == 1
    assert mask[2, 60, 60] == 0
    assert mask.sum() == mask[2].sum() == report["area_px"]
    assert len(report["milliseconds_per_click"]) == 2
    picture = tmp_path / "slice.png"
    assert run(*stack, "-o", picture).exit_code == 0
    np.testing.assert_array_equal(imread(picture) > 0, mask[2] > 0)


def test_segment_from_a_box_and_scribbles(tmp_path):
    out = tmp_path / "mask.tif"
    result = run(
        *("segment", EM, "--axis", "0", "--slice", "2", "-o", out, "--json"),
        *("--box", "120,125,185,190", "--scribble", "150,145;150,165"),
        *("--scribble=-60,20;60,60", "--lasso", "120,120;120,190;190,190;190,120"),
    )
    assert result.exit_code == 0, result.output
    mask = tifffile.imread(out)
    assert (mask[2, 150, 145:166] == 1).all() and (mask[2, 60, 20:61] == 0).all()
    assert len(json.loads(result.stdout)["milliseconds_per_click"]) == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--box", "1,2,3"), "is not a box; write ROW,COLUMN,ROW,COLUMN"),
        (("--box", "5,5,5,40"), "has no area"),
        (("--box", "500,500,600,600"), "is outside the image"),
        (("--scribble", "5,5,9"), "is not a scribble; write"),
        (("--scribble=-5,5;9,9",), "only negative clicks"),
        (("--lasso", "5,5;9,9"), "has no area"),
    ],
)
def test_a_box_or_stroke_that_says_nothing_is_refused(tmp_path, words, sentence):
    out = tmp_path / "mask.tif"
    result = run("segment", EM, "--axis", 0, "--slice", 2, "-o", out, *words)
    assert result.exit_code == 2 and sentence in result.stderr
    assert not out.exists()


def test_segment_a_nifti_volume_from_a_prior(tmp_path):
    image = nibabel.load(MRI)
    prior = np.zeros(image.shape, np.uint8)
    prior[15:25, 20:30, 22] = 1
    nibabel.save(nibabel.Nifti1Image(prior, image.affine), tmp_path / "prior.nii.gz")
    out = tmp_path / "mask.nii.gz"
    result = run(
        *("segment", MRI, "--click", "20,25", "--axis", 2, "--slice", 22),
        *("--prior", tmp_path / "prior.nii.gz", "-o", out),
    )
    assert result.exit_code == 0, result.output
    mask = nibabel.load(out)
    assert mask.shape == image.shape
    np.testing.assert_array_equal(mask.affine, image.affine)
    assert np.asarray(mask.dataobj)[20, 25, 22] == 1


def annotate_hippocampus(tmp_path):
    image = nibabel.load(MRI)
    mask = np.zeros(image.shape, np.uint8)
    mask[15:25, 20:30, 22] = 7
    path = tmp_path / "annotation.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask, image.affine), path)
    return path, image


@pytest.mark.parametrize("name", ["scan.nii.gz", "mask.nii.gz"])
@pytest.mark.parametrize("command", ["segment", "propagate"])
def test_nothing_is_written_over_what_is_read(tmp_path, command, name):
    annotation, _ = annotate_hippocampus(tmp_path)
    scan, mask = tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz"
    shutil.copy(MRI, scan)
    shutil.copy(annotation, mask)
    before = (tmp_path / name).read_bytes()
    of_mask = "--prior" if command == "segment" else "--mask"
    place = ["--axis", 2, "--slice", 22, of_mask, mask, "-o", tmp_path / name]
    clicks = ["--click", "20,25"] if command == "segment" else []
    result = run(command, scan, *place, *clicks)
    assert result.exit_code == 2, result.output
    assert "is what this is made from" in result.stderr
    assert (tmp_path / name).read_bytes() == before


def test_propagate_a_nifti_volume(tmp_path):
    annotation, image = annotate_hippocampus(tmp_path)
    out, report = tmp_path / "object.nii.gz", tmp_path / "report.json"
    result = run(
        *("propagate", MRI, "--mask", annotation, "--axis", 2, "--slice", 22),
        *("--range", "20:25", "--least-confidence", 0, "-o", out, "--json", report),
    )
    assert result.exit_code == 0, result.output
    mask = nibabel.load(out)
    np.testing.assert_array_equal(mask.affine, image.affine)
    assert mask.header["sform_code"] == image.header["sform_code"]
    assert mask.header["qform_code"] == image.header["qform_code"]
    assert mask.get_data_dtype() == np.uint8
    voxels = np.asarray(mask.dataobj)
    assert set(np.unique(voxels)) == {0, 1}
    assert (voxels[15:25, 20:30, 22] == 1).all()
    found = json.loads(report.read_text())
    assert found["annotated"] == [22]
    reached = {int(index) for index in found["confidence"]}
    filled = {int(index) for index in np.flatnonzero(voxels.any(axis=(0, 1)))}
    assert reached | {22} == filled <= set(range(20, 26))
    assert len(reached) > 0
    assert found["voxels"] == voxels.sum()


def test_propagate_a_volume_with_a_single_time(tmp_path):
    annotation, image = annotate_hippocampus(tmp_path)
    volume = np.asarray(image.dataobj)[..., None]
    nibabel.save(nibabel.Nifti1Image(volume, image.affine), tmp_path / "a.nii.gz")
    out = tmp_path / "object.nii.gz"
    result = run(
        *("propagate", tmp_path / "a.nii.gz", "--mask", annotation, "--axis", 2),
        *("--slice", 22, "--range", "22:23", "-o", out),
    )
    assert result.exit_code == 0, result.output
    assert nibabel.load(out).shape == volume.shape
    assert np.asarray(nibabel.load(out).dataobj)[15:25, 20:30, 22, 0].all()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--axis", 2, "--slice", 21, "--json", "-"], "empty on slice 21"),
        (["--axis", 3, "--slice", 22, "--json", "-"], "has axes 0, 1 and 2"),
        (["--axis", 2, "--slice", 22], "nothing to do"),
        (["--axis", 2, "--range", "a:b", "--json", "-"], "write LO:HI"),
        (["--axis", 2, "--range", "30:31", "--slice", 22, "--json", "-"], "hold slice"),
        (["--axis", 2, "--slice", 22, "-o", "/proc/a.nii.gz"], "cannot be written"),
    ],
)
def test_propagate_refuses_in_a_sentence(tmp_path, words, sentence):
    annotation, _ = annotate_hippocampus(tmp_path)
    result = run("propagate", MRI, "--mask", annotation, *words)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([EM, *CLICKS, "--axis", "0", "--slice", "7"], "Slice 7 is out of range"),
        ([EM, *CLICKS, "--axis", "3", "--slice", "0"], "Axis 3 is out of range"),
        ([EM, *CLICKS], "needs --axis"),
        ([EM, "--axis", "0", "--slice", "2"], "There is no click yet"),
        ([EM, "--click", "999,3", "--axis", "0", "--slice", "2"], "outside the image"),
        ([EM, "--click", "middle"], "is not a click"),
        (["nothing.png", *CLICKS], "There is no file"),
        ([EM, *CLICKS, "--axis", "0", "--slice", "2", "-w", "big"], "neither a file"),
        (
            [EM, *CLICKS, "--axis", "0", "--slice", "2", "--prior", MRI],
            "The labels have the shape",
        ),
    ],
)
def test_mistakes_end_in_one_sentence(words, sentence, tmp_path):
    result = run("segment", *words, "-o", tmp_path / "out.tif")
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_four_channels_are_not_guessed(tmp_path):
    channels = np.zeros((40, 50, 4), np.uint8)
    channels[10:20] = 200
    tifffile.imwrite(tmp_path / "a.tif", channels, photometric="minisblack")
    result = run("segment", tmp_path / "a.tif", "--click", "5,5", "--json")
    assert result.exit_code == 2
    assert "--axis" in result.stderr or "channels" in result.stderr
    tifffile.imwrite(tmp_path / "b.tif", channels, photometric="rgb")  # says RGBA
    result = run("segment", tmp_path / "b.tif", "--click", "5,5", "--json")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("value", "sentence"), [(np.nan, "holds no numbers"), (7, "has no contrast")]
)
def test_an_image_that_shows_nothing_is_refused(tmp_path, value, sentence):
    tifffile.imwrite(tmp_path / "a.tif", np.full((40, 50), value, np.float32))
    place, target = tmp_path / "a.tif", tmp_path / "m.tif"
    result = run("segment", place, "--click", "5,5", "-o", target)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not target.exists()


def test_one_dimension_is_not_an_image(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(40, np.uint8))
    result = run("segment", tmp_path / "a.tif", "--click", "5,5", "--json")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="uses Linux' /proc")
def test_a_folder_without_write_permission():
    result = run("segment", EM, *CLICKS, "-o", "/proc/mask.tif")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_a_folder_that_is_not_there(tmp_path):
    result = run("segment", EM, *CLICKS, "-o", tmp_path / "no" / "a.tif")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_picture_in_mask_out(tmp_path):
    imsave(tmp_path / "a.png", tifffile.imread(EM)[2])
    out = tmp_path / "m.png"
    assert run("segment", tmp_path / "a.png", *CLICKS, "-o", out).exit_code == 0
    assert imread(out)[150, 155] == 255


def test_weights_commands(monkeypatch):
    listing = run("weights", "list")
    assert listing.exit_code == 0
    for name in ("bundled", "cocolvis_vit_huge", "sbd_vit_base"):
        assert name in listing.stdout
    assert BUNDLED in run("weights", "info", "bundled").stdout
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    result = run("weights", "get", "cocolvis_vit_base")
    assert result.exit_code == 2
    assert "1. download" in result.stderr
    assert opened == [
        "https://drive.google.com/drive/folders/1qpK0gtAPkVMF7VC42UA9XF4xMWr5KJmL"
    ]
    assert run("weights", "get", "bundled").stdout.strip().endswith(".safetensors")
    assert run("weights", "get", "nothing").exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        *("segment", "propagate", "demo", "train", "benchmark", "evaluate", "compare"),
        *("weights list", "weights get"),
    ],
)
def test_help_shows_an_example(command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"napari-simpleclick {command}" in " ".join(result.stdout.split())


def test_benchmark():
    result = run("benchmark", "--clicks", "1")
    assert "ms per click" in result.stdout


@pytest.fixture
def squares(tmp_path):
    """Two images with a bright square each."""
    for kind in ("images", "masks"):
        (tmp_path / "squares" / kind).mkdir(parents=True)
    for number in range(2):
        labels = np.zeros((60, 70), np.uint8)
        labels[10:40, 20 + number : 50] = 1
        image = labels * 150 + 40
        imsave(tmp_path / "squares" / "images" / f"{number}.png", image)
        path = tmp_path / "squares" / "masks" / f"{number}.png"
        imsave(path, labels, check_contrast=False)
    return tmp_path / "squares"


def evaluate(root, *words):
    quick = ("--clicks", 3, "--size", 64, "--no-flip", "--jobs", 1)
    return run("evaluate", "--dataset", "folder", "--root", root, *quick, *words)


def test_evaluate_and_compare(squares, tmp_path):
    out, page = tmp_path / "a.json", tmp_path / "page"
    result = evaluate(squares, "--json", out, "--report", page)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert (found["dataset"], found["instances"], found["weights"]) == (
        *("folder", 2, BUNDLED),
    )
    assert {"80", "85", "90"} == set(found["noc"]) == set(found["noc_interval"])
    assert len(found["miou"]) == 3
    assert len(found["cases"][0]["clicks"]) == len(found["cases"][0]["ious"]) == 3
    assert f"{100 * found['miou'][0]:.1f}" in result.stdout
    assert (page / "index.html").stat().st_size > 10_000

    other = tmp_path / "b.json"
    assert evaluate(squares, "--baseline", "geodesic", "--json", other).exit_code == 0
    result = run("compare", out, other, "--report", tmp_path / "both")
    assert result.exit_code == 0, result.output
    assert "geodesic" in result.stdout
    assert "geodesic" in (tmp_path / "both" / "index.html").read_text()


def test_evaluate_refuses_in_one_sentence(squares, tmp_path):
    for words, sentence in (
        (("--json", tmp_path / "a.txt"), "use .json"),
        (("--dataset", "grabcut"), "does not look like GrabCut"),
        (("--dataset", "magic"), "There is no data set 'magic'"),
        (("--root", tmp_path / "none"), "There is no folder"),
        (("--weights", "magic"), "neither a file nor known weights"),
        (("--baseline", "magic"), "There is no baseline"),
        (("--min-area", 9999), "hold no object"),
        (("--limit", 0), "leaves no cases"),
        (("--clicks", 0), "--clicks: "),
        (("--stop-at", 2), "--stop-at: "),
        (("--size", 50), "use multiples of 32 px"),
    ):
        result = evaluate(squares, *words)
        assert result.exit_code == 2, words
        assert sentence in result.stderr
        assert result.stderr.strip().count("\n") == 0, result.stderr
    result = run("compare", squares / "images" / "0.png", tmp_path / "b.json")
    assert result.exit_code == 2


def test_masks_and_volumes_as_other_programs_write_them(tmp_path):
    """A trailing axis of length 1, an indexed prior, and a JPEG mask."""
    grid = np.indices((40, 40, 8))
    disc = (grid[0] - 20) ** 2 + (grid[1] - 20) ** 2 < 100
    volume = np.where(disc, 200, 40).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume[..., None], np.eye(4)), tmp_path / "a.nii")
    slice_ = ["--axis", 2, "--slice", 4]
    indexed = Image.fromarray(disc[..., 4] * np.uint8(2))
    indexed.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    indexed.save(tmp_path / "p.png")
    words = ["segment", tmp_path / "a.nii", "--click", "20,20", *slice_]
    words += ["--prior", tmp_path / "p.png", "-o", tmp_path / "o.nii"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    saved = nibabel.load(tmp_path / "o.nii")
    assert saved.shape == (40, 40, 8, 1)
    assert np.asarray(saved.dataobj)[20, 20, 4, 0] == 1
    Image.fromarray(disc[..., 4] * np.uint8(255)).save(tmp_path / "p.jpg")
    words = ["propagate", tmp_path / "a.nii", "--mask", tmp_path / "p.jpg", *slice_]
    result = run(*words, "-o", tmp_path / "q.nii.gz")
    assert result.exit_code == 0, result.output
    assert "is JPEG, which changes values" in result.stderr
    assert nibabel.load(tmp_path / "q.nii.gz").shape == (40, 40, 8, 1)


def test_labels_are_propagated_at_once_or_one_alone(tmp_path):
    image = nibabel.load(MRI)
    labels = np.zeros(image.shape[:3], np.uint8)
    labels[15:20, 20:30, 22], labels[20:25, 20:30, 22] = 3, 7
    nibabel.save(nibabel.Nifti1Image(labels, image.affine), tmp_path / "l.nii.gz")
    words = ("propagate", MRI, "--mask", tmp_path / "l.nii.gz", "--axis", 2)
    words = (*words, "--range", "21:23", "--least-confidence", 0)
    out, report = tmp_path / "o.nii.gz", tmp_path / "r.json"
    result = run(*words, "-o", out, "--json", report)
    assert result.exit_code == 0, result.output
    found = np.asarray(nibabel.load(out).dataobj)
    assert set(np.unique(found)) == {0, 3, 7}
    np.testing.assert_array_equal(found[..., 22], labels[..., 22])
    about = json.loads(report.read_text())["objects"]
    assert about.keys() == {"3", "7"}
    assert about["7"]["voxels"] == (found == 7).sum()
    result = run(*words, "--label", 7, "-o", out)
    assert result.exit_code == 0, result.output
    assert set(np.unique(np.asarray(nibabel.load(out).dataobj))) == {0, 7}
    result = run(*words, "--label", 4, "-o", out)
    assert result.exit_code == 2
    assert "no label 4; it has 3, 7" in " ".join(result.stderr.split())
