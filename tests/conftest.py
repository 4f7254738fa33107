"""Fixtures: reference files, networks with reproducible weights."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: a process a core

import pytest

from napari_simpleclick import Predictor, load_weights
from tests.helpers import write_official_checkpoint

if TYPE_CHECKING:
    from napari_simpleclick.networks import Network

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_finish() -> None:
    """Spare the collector what was imported; napari calls it for every window."""
    gc.freeze()


@pytest.fixture(scope="session")
def golden() -> Path:
    """What the official code computed on images that are free; see its README."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference outputs and real images, which are not part of the project."""
    if not (SHARED / "golden").is_dir():
        pytest.skip("the reference files are not on this computer")
    return SHARED


@pytest.fixture(scope="session")
def bundled() -> Network:
    """Give the SimpleClick that is in the package; a test leaves it as it is."""
    return load_weights("simpleclick-xtiny")[0]


@pytest.fixture
def predictor(bundled: Network) -> Predictor:
    """Give the bundled network in a predictor that has seen no image yet."""
    return Predictor(bundled, device="cpu", precision="float32")


@pytest.fixture(scope="session")
def official_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file as the official trainer writes it; a test copies it."""
    path = tmp_path_factory.mktemp("official") / "official_format_xtiny.pth"
    write_official_checkpoint(path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tests out of the user's cache and sessions."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_SIMPLECLICK_CACHE", str(folder))
    monkeypatch.setenv("NAPARI_SIMPLECLICK_SESSIONS", str(tmp_path / "sessions"))
    monkeypatch.setenv("NAPARI_SIMPLECLICK_OPENVINO", "0")  # converting takes seconds
    return folder
