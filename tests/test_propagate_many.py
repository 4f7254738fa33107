"""Many volumes by one command: lists, what is finished, what fails, dry runs."""

import json
import os

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from napari_simpleclick.cli import app
from napari_simpleclick.errors import UserError
from napari_simpleclick.propagation import volume_files

runner = CliRunner(env={"COLUMNS": "400", "NO_COLOR": "1"})


def run(*words):
    return runner.invoke(app, ["propagate", *map(str, words)])


def write(path, values):
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, 1.0, 2.0, 1.0])), path)


@pytest.fixture
def scans(tmp_path):
    """Three volumes with a bright disc, and its mask on the first slice of five."""
    grid = np.indices((40, 44, 5))
    for kind in ("scans", "masks"):
        (tmp_path / kind).mkdir()
    for number in range(3):
        disc = (grid[0] - 18 - number) ** 2 + (grid[1] - 20) ** 2 < 100
        noise = np.random.default_rng(number).integers(0, 20, disc.shape)
        write(tmp_path / "scans" / f"{number}.nii", (disc * 150 + noise).astype("i2"))
        mask = np.zeros(disc.shape, np.uint8)
        mask[..., 0] = disc[..., 0]
        write(tmp_path / "masks" / f"{number}.nii.gz", mask)
    return tmp_path


def words(scans, *more):
    places = (scans / "scans", "--mask", scans / "masks", "--axis", 2, "--jobs", 1)
    return (*places, "--range", "0:2", "-o", scans / "out", *more)


def labels(scans):
    paths = sorted((scans / "out").glob("*.nii"))
    return {path.name: np.asarray(nibabel.load(path).dataobj) for path in paths}


def test_each_volume_gets_its_own_labels_and_only_once(scans):
    result = run(*words(scans))
    assert result.exit_code == 0, result.output
    assert f"Saved {scans / 'out'}: 3 of 3 volumes, 3 of them new." in result.stdout
    found = labels(scans)
    assert list(found) == ["0.nii", "1.nii", "2.nii"]
    for number, mask in enumerate(found.values()):
        assert mask[18 + number, 20].tolist()[:3] == [1, 1, 1]
        assert not mask[..., 3:].any()
    about = json.loads((scans / "out" / "1.json").read_text())
    assert about["annotated"] == [0]
    assert about["settings"]["range"] == [0, 2]
    (scans / "out" / "1.nii").unlink()
    before = (scans / "out" / "0.nii").stat().st_mtime_ns
    result = run(*words(scans))
    assert "3 of 3 volumes, 1 of them new." in result.stdout
    assert (scans / "out" / "0.nii").stat().st_mtime_ns == before
    np.testing.assert_array_equal(labels(scans)["1.nii"], found["1.nii"])


def test_what_fails_is_a_sentence_and_the_others_go_on(scans):
    (scans / "scans" / "1.nii").write_bytes(b"no volume")
    result = run(*words(scans))
    assert result.exit_code == 2
    assert f"{scans / 'scans' / '1.nii'}: " in result.stderr
    assert "1 of 3 volumes could not be done; the same command" in result.stderr
    assert "2 of 3 volumes, 2 of them new." in result.stdout
    assert list(labels(scans)) == ["0.nii", "2.nii"]


def test_other_settings_files_and_masks_are_not_mixed_up(scans):
    (scans / "out").mkdir()
    (scans / "out" / "0.nii").write_bytes(b"somebody's own")
    assert "was not made by such a run" in run(*words(scans)).stderr
    assert (scans / "out" / "0.nii").read_bytes() == b"somebody's own"
    result = run(*words(scans, "--range", "0:1"))
    assert result.exit_code == 2
    assert "1.nii' was made with another range; move it away" in result.stderr
    state = (scans / "scans" / "2.nii").stat()
    os.utime(scans / "scans" / "2.nii", ns=(state.st_atime_ns, state.st_mtime_ns + 9))
    empty = np.zeros((40, 44, 5), np.uint8)
    empty[17:22, 17:22, 0] = 1
    write(scans / "masks" / "1.nii.gz", empty)
    result = run(*words(scans))
    assert "1.nii' was made with another mask_sha256" in result.stderr
    assert "2.nii' was made with another volume_modified" in result.stderr


def test_a_list_says_what_is_special_about_a_volume(scans):
    both = nibabel.load(scans / "masks" / "1.nii.gz").get_fdata().astype(np.uint8) * 4
    both[30:36, 30:36, 0] = 7
    write(scans / "masks" / "own.nii.gz", both)
    listed = scans / "list.csv"
    listed.write_text(
        "image;mask;axis;label;range\n"
        "scans/0.nii;;;;\n"
        "scans/1.nii;masks/own.nii.gz;2;4;0:1\n"
    )
    more = ("--mask", scans / "masks", "--range", "0:2", "--jobs", 1)
    result = run(listed, *more, "-o", scans / "out")
    assert result.exit_code == 2
    assert "line 2: It is not known which axis" in result.stderr
    assert not (scans / "out").exists()
    result = run(listed, *more, "--axis", 2, "-o", scans / "out")
    assert result.exit_code == 0, result.output
    found = labels(scans)
    assert set(np.unique(found["1.nii"])) == {0, 4}
    assert not found["1.nii"][..., 2:].any()
    assert found["0.nii"][..., 2].any()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("scans/9.nii,", "line 2: there is no image"),
        ("scans/0.nii,masks/9.nii", "line 2: there is no mask"),
        ("scans/0.nii,", "line 2: There is no mask for"),
        ("", "lists no volumes"),
    ],
)
def test_a_list_that_is_wrong_is_a_sentence(scans, row, sentence):
    (scans / "list.csv").write_text(f"image,mask\n{row}\n")
    result = run(scans / "list.csv", "--axis", 2, "-o", scans / "out")
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (scans / "out").exists()


def test_what_many_volumes_need(scans):
    (scans / "masks" / "2.nii.gz").unlink()
    assert "has no masks for" in run(*words(scans)).stderr
    one = (scans / "scans" / "0.nii", "--mask", scans / "masks" / "0.nii.gz")
    assert "give it with --axis" in run(*one, "-o", scans / "a.nii").stderr
    assert "give an annotation with --mask" in run(one[0], "--axis", 2).stderr
    told = run(*one, "--axis", 2, "--jobs", 2, "-o", scans / "a.nii").stderr
    assert "by one process, right here" in told
    told = run(*one[:1], *one, "--axis", 2, "-o", scans / "out").stderr
    assert "is no folder; of several volumes" in told


def test_a_dry_run_says_how_much_there_is_and_writes_nothing(scans):
    before = sorted(scans.rglob("*"))
    result = run(*words(scans, "--dry-run"))
    assert result.exit_code == 0, result.output
    assert "3 volumes, 0 of them finished" in result.stdout
    assert "3 objects that 6 slices may be filled in for" in result.stdout
    assert "The whole takes about " in result.stdout
    assert sorted(scans.rglob("*")) == before
    one = (scans / "scans" / "0.nii", "--mask", scans / "masks" / "0.nii.gz")
    assert "1 volumes, 0 of" in run(*one, "--axis", 2, "--dry-run").stdout
    run(*words(scans))
    assert "nothing left to be done" in run(*words(scans, "--dry-run")).stdout


def test_a_report_of_something_else_stays(scans):
    (scans / "out").mkdir()
    (scans / "out" / "1.json").write_text('{"my": "precious"}')
    result = run(*words(scans))
    assert result.exit_code == 2
    assert "1.json' is there already, and was not made by such a run" in result.stderr
    assert (scans / "out" / "1.json").read_text() == '{"my": "precious"}'
    assert list(labels(scans)) == ["0.nii", "2.nii"]


def test_labels_that_are_not_as_they_were_written_are_not_counted(scans):
    run(*words(scans))
    out = scans / "out"
    os.truncate(out / "0.nii", 400)
    changed = (out / "2.nii").read_bytes()
    (out / "1.nii").write_bytes(changed)
    result = run(*words(scans))
    assert result.exit_code == 2
    assert result.stderr.count("is not as it was written, but changed") == 2
    assert "1 of 3 volumes, 0 of them new" in result.stdout
    assert (out / "1.nii").read_bytes() == changed
    for name in ("0.json", "1.json"):  # as reports were before
        about = json.loads((out / name).read_text())
        del about["labels"]
        (out / name).write_text(json.dumps(about))
    assert "3 of 3 volumes, 0 of them new" in run(*words(scans)).stdout


def test_a_volume_given_twice_is_one_and_finished_ones_keep_their_names(scans):
    one = scans / "scans" / "0.nii"
    more = ("--mask", scans / "masks", "--axis", 2, "--range", "0:1", "--jobs", 1)
    words = (*more, "-o", scans / "out")
    result = run(one, one.parent / ".." / "scans" / "0.nii", *words)
    assert "1 of 1 volumes, 1 of them new" in result.stdout
    nibabel.save(nibabel.load(one), one.with_name("0.nii.gz"))
    result = run(one, one.with_name("0.nii.gz"), *words)
    assert "2 of 2 volumes, 1 of them new" in result.stdout
    found = {path.name for path in (scans / "out").iterdir()}
    assert found == {"0.nii", "0.json", "0.nii.gz.nii.gz", "0.nii.gz.json"}


def test_a_range_beside_what_is_annotated_is_a_sentence(scans):
    one = (scans / "scans" / "0.nii", "--mask", scans / "masks" / "0.nii.gz")
    target = scans / "a.nii"
    result = run(*one, "--axis", 2, "--range", "2:4", "-o", target)
    assert result.exit_code == 2
    assert "within the range 2 to 4; give a range with one of 0." in result.stderr
    assert not target.exists()
    result = run(*one, "--axis", 2, "--range", "0:0", "-o", target)
    assert "on slice 0 alone." in result.stdout


def test_a_volume_without_contrast_is_a_sentence(scans):
    write(scans / "scans" / "0.nii", np.full((40, 44, 5), np.nan, np.float32))
    write(scans / "scans" / "1.nii", np.full((40, 44, 5), 3, np.int16))
    result = run(*words(scans))
    assert "Slice 0 holds no numbers" in result.stderr
    assert "Slice 0 has no contrast" in result.stderr
    assert list(labels(scans)) == ["2.nii"]


def test_the_report_is_written_where_the_mask_cannot_be(scans, monkeypatch):
    def full(*_):
        raise UserError("The disk is full.")

    monkeypatch.setattr(volume_files, "write_carried", full)
    one = (scans / "scans" / "0.nii", "--mask", scans / "masks" / "0.nii.gz")
    places = ("-o", scans / "a.nii", "--json", scans / "a.json")
    result = run(*one, "--axis", 2, "--range", "0:1", *places)
    assert result.exit_code == 2
    assert "The disk is full." in result.stderr
    assert json.loads((scans / "a.json").read_text())["annotated"] == [0]
