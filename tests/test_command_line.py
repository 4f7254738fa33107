"""What every command shares: examples, help, errors, and what it says it wrote."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

import napari_simpleclick
from napari_simpleclick.cli import app
from napari_simpleclick.samples import sample_path
from napari_simpleclick.training import read_config

runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
EM = str(sample_path("em.tif"))
MRI = str(sample_path("hippocampus.nii.gz"))


def run(*words, **more):
    return runner.invoke(app, [str(word) for word in words], **more)


def commands_of(group, before=()):
    """Every command with the words that lead to it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, (*before, name))
        else:
            yield (*before, name), command


COMMANDS = dict(commands_of(typer.main.get_command(app)))


def shown_example(words):
    """The command that the help shows, as someone would copy it."""
    result = run(*words, "--help")
    assert result.exit_code == 0
    (line,) = (
        line.strip()
        for line in result.stdout.splitlines()
        if line.strip().startswith("napari-simpleclick ")
    )
    return shlex.split(line)[1:]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_example_fits_the_terminal_and_is_understood(words):
    told = shown_example(words)
    assert tuple(told[: len(words)]) == words
    command = COMMANDS[words]
    context = command.make_context(words[-1], told[len(words) :])
    given = {name for name, value in context.params.items() if value is not None}
    assert all(option.name in given for option in command.params if option.required)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_no_line_that_ends_early(words):
    text = COMMANDS[words].help
    assert text
    for paragraph in text.split("\n\n"):
        assert "\n" not in paragraph
    for line in run(*words, "--help").stdout.splitlines():
        assert len(line.rstrip()) <= 80


def test_examples_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nibabel.save(nibabel.load(MRI).slicer[:, :, :24], "scan.nii")
    for name in ("segment", "propagate", "encode", "benchmark"):
        result = run(*shown_example((name,)))
        assert result.exit_code == 0, result.output
    for words in (("weights", "list"), ("weights", "info")):
        assert run(*shown_example(words)).exit_code == 0
    assert np.asarray(nibabel.load("object.nii").dataobj).any(axis=(0, 1)).sum() > 1


def test_training_example_names_a_run_that_comes_with_the_package():
    config = Path(shown_example(("train",))[1])
    assert read_config(config).start == "simpleclick-xtiny-2"


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from napari_simpleclick.cli import app\n"
        "assert CliRunner().invoke(app, ['segment', '--help']).exit_code == 0\n"
        "assert CliRunner().invoke(app, ['--version']).exit_code == 0\n"
        "heavy = {'torch', 'napari', 'qtpy', 'numpy', 'scipy', 'matplotlib'}\n"
        "print(heavy & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, text=True, capture_output=True)
    assert done.stdout.strip() == "set()"


def test_version():
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout == f"napari-simpleclick {napari_simpleclick.__version__}\n"


# -- what was written ------------------------------------------------------------------

SLICE = ("--axis", 0, "--slice", 2)
CLICKS = ("--click", "150,155", "--click=-60,60")


def test_segment_says_what_it_wrote(tmp_path):
    out = tmp_path / "mask.tif"
    result = run("segment", EM, *CLICKS, *SLICE, "-o", out)
    assert result.stdout.count("\n") == 1
    assert f"Saved {out}: " in result.stdout
    assert "pixels on slice 2 of axis 0." in result.stdout
    result = run("segment", EM, *CLICKS, *SLICE, "-o", out, "--json")
    area = json.loads(result.stdout)["area_px"]  # nothing else is printed there
    assert f"Saved {out}: {area:,} pixels" in result.stderr


def test_propagate_says_what_it_wrote(tmp_path):
    image = nibabel.load(MRI)
    mask = np.zeros(image.shape, np.uint8)
    mask[15:25, 20:30, 22] = 1
    annotation = tmp_path / "annotation.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask, image.affine), annotation)
    out, words = tmp_path / "object.nii.gz", ("--mask", annotation, "--axis", 2)
    words = ("propagate", MRI, *words, "--range", "21:23", "--least-confidence", 0)
    result = run(*words, "-o", out)
    assert f"Saved {out}: " in result.stdout
    assert "voxels on 3 slices from 21 to 23." in result.stdout
    report = tmp_path / "report.json"
    assert f"Saved {report}: " in run(*words, "--json", report).stdout
    result = run(*words, "--json", "-", "-o", out)
    voxels = json.loads(result.stdout)["voxels"]
    assert f"Saved {out}: {voxels:,} voxels" in result.stderr


# -- mistakes and bugs -----------------------------------------------------------------


def test_negative_clicks_alone_are_a_mistake(tmp_path):
    out = tmp_path / "mask.tif"
    result = run("segment", EM, "--click=-60,60", *SLICE, "-o", out)
    assert result.exit_code == 2
    assert "only negative clicks" in result.stderr
    assert not out.exists()


def test_negative_clicks_correct_a_mask(tmp_path):
    prior, out = tmp_path / "prior.tif", tmp_path / "mask.tif"
    napari_simpleclick.write_labels(prior, np.ones((5, 250, 250), np.uint8))
    words = ("segment", EM, "--click=-60,60", *SLICE, "--prior", prior)
    assert run(*words, "-o", out).exit_code == 0
    assert out.exists()


MISTAKE = ("segment", "nothing.png", "--click", "1,2", "--json")


def test_a_mistake_is_a_sentence_and_debug_shows_where():
    result = run(*MISTAKE)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    for shown in (
        run("--debug", *MISTAKE),
        run(*MISTAKE, env={"NAPARI_SIMPLECLICK_DEBUG": "1"}),
    ):
        assert shown.exit_code == 2
        assert "Traceback" in shown.stderr
        assert shown.stderr.endswith(result.stderr)
    assert "Traceback" not in run(*MISTAKE).stderr


@pytest.mark.parametrize(
    "bug", [ValueError("no such axis"), KeyError("row"), ImportError("a wrong name")]
)
def test_a_bug_is_not_the_persons_mistake(monkeypatch, bug):
    def broken(*_):
        raise bug

    monkeypatch.setattr("napari_simpleclick.workflow.segmentation.read_image", broken)
    words = ("segment", EM, *CLICKS, *SLICE, "--json")
    result = run(*words)
    assert result.exit_code == 70
    assert result.stderr.count("\n") == 1
    assert "This is a bug" in result.stderr
    assert "/issues" in result.stderr
    assert "Traceback" in run("--debug", *words).stderr
    assert run("--debug", *words).exit_code == 70


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (
            OSError(28, "No space left on device", "a.nii"),
            "'a.nii' cannot be used (No space left on device); mend",
        ),
        (MemoryError("Two cases at once need more."), "Two cases at once need more."),
        (MemoryError(), "There is not enough memory"),
    ],
)
def test_what_the_computer_lacks_is_a_sentence(monkeypatch, trouble, sentence):
    def broken(*_):
        raise trouble

    monkeypatch.setattr("napari_simpleclick.workflow.segmentation.read_image", broken)
    result = run("segment", EM, *CLICKS, *SLICE, "--json")
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_the_module_runs_as_the_program():
    command = [sys.executable, "-m", "napari_simpleclick.cli", "segment", "--help"]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, env=environment, text=True, capture_output=True)
    assert "Usage: napari-simpleclick segment" in done.stdout


@pytest.mark.parametrize(
    "words", ["measure {0}", "propagate {0} --mask {0} --axis 2 -o {1}"]
)
def test_a_scan_in_place_of_a_mask(tmp_path, words):
    result = run(*words.format(MRI, tmp_path / "m.nii.gz").split())
    assert result.exit_code == 2
    assert "looks like an image" in " ".join(result.output.split())
