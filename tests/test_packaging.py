"""The manifest and the data ship in the wheel and are found in this install."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from npe2 import PluginManifest

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run(
        [*command, "--outdir", str(folder), str(PROJECT)],
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_the_manifest_and_all_data(wheel):
    names = wheel.namelist()
    inside = wheel.read("napari_simpleclick/napari.yaml").decode()
    assert inside == (PROJECT / "napari.yaml").read_text()
    for name in (
        "py.typed",
        "weights/simpleclick-xtiny.safetensors",
        "weights/simpleclick-xtiny-2.safetensors",
        "weights/encode-once-lite0.safetensors",
        "weights/catalogue.toml",
        "samples/em.tif",
        "samples/brain.nii.gz",
        "samples/hippocampus.nii.gz",
        "samples/ATTRIBUTION.md",
        "training/configs/bundled-5.toml",
    ):
        assert f"napari_simpleclick/{name}" in names
    assert sum(info.compress_size for info in wheel.infolist()) < 30e6


def version_in(folder):
    command = [sys.executable, "-m", "hatchling", "version"]
    done = subprocess.run(
        command, cwd=folder, check=True, text=True, capture_output=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def git(folder, *words):
    names = ("-c", "user.name=x", "-c", "user.email=x@x.org")
    subprocess.run(["git", *names, *words], cwd=folder, check=True)


def test_version_is_that_of_the_tag(checkout):
    git(checkout, "init", "--quiet")
    git(checkout, "add", "pyproject.toml")
    git(checkout, "commit", "--quiet", "-m", "one")
    assert version_in(checkout)  # a checkout without tags builds
    git(checkout, "tag", "v3.1.4")
    assert version_in(checkout) == "3.1.4"


def test_a_folder_without_history_builds(checkout):
    assert version_in(checkout)


def test_this_install_finds_the_manifest():
    manifest = PluginManifest.from_distribution("napari-simpleclick")
    assert manifest.display_name == "SimpleClick"
    inside = PROJECT / "src" / "napari_simpleclick" / "napari.yaml"
    assert inside.resolve() == (PROJECT / "napari.yaml").resolve()
    for command in manifest.contributions.commands:
        assert callable(command.python_name and load(command.python_name))


def load(python_name):
    module, name = python_name.split(":")
    return getattr(__import__(module, fromlist=[name]), name)
