"""Fixtures: reference files, networks with reproducible weights."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference outputs and real images, which are not part of the project."""
    if not (SHARED / "golden").is_dir():
        pytest.skip("the reference files are not on this computer")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    return shared / "golden"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tests out of the user's cache and sessions."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_SIMPLECLICK_CACHE", str(folder))
    monkeypatch.setenv("NAPARI_SIMPLECLICK_SESSIONS", str(tmp_path / "sessions"))
    return folder
