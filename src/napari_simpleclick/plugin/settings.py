"""What the person has chosen for good: model, device, keys, views."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = "napari-simpleclick"


@dataclass(frozen=True)
class Settings:
    """Choices that outlast napari; in its preferences where it shows those of plugins.

    Parameters
    ----------
    model : str
        Name in the catalogue or path of a weights file.
    device, precision : str
        What the predictor is told.
    mode : str
        ``fast`` or ``exact``.
    keys : str
        Keys that differ from the usual ones, see :class:`.keys.Keys`.
    tour : bool
        Whether the tour is still to be shown.
    three_views : bool
        Whether the small views across the displayed slice are shown.
    """

    model: str = "bundled"
    device: str = "auto"
    precision: str = "auto"
    mode: str = "fast"
    keys: str = ""
    tour: bool = True
    three_views: bool = False


def load() -> Settings:
    """Read what was chosen; what cannot be read is as in the beginning."""
    page = _page()
    if page is not None:
        return Settings(**{one.name: getattr(page, one.name) for one in _fields()})
    path, found = _file(), {}
    if path is not None:
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text())
    usable = {
        one.name: found[one.name]
        for one in _fields()
        if isinstance(found, dict) and type(found.get(one.name)) is type(one.default)
    }
    return Settings(**usable)


def save(**changes: Any) -> None:
    """Note a choice, by the names of :class:`Settings`."""
    page = _page()
    if page is not None:
        for name, value in changes.items():
            setattr(page, name, value)
        return
    path, content = _file(), asdict(replace(load(), **changes))
    if path is None:
        return
    with suppress(OSError):  # a choice that cannot be kept still holds until the end
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(content, indent=2))
        partial.replace(path)


def _fields() -> tuple[Any, ...]:
    return fields(Settings)


def _page() -> Any:
    """Find our page of napari's preferences; releases before 0.9 have none."""
    try:
        from napari.settings import get_plugin_settings

        return get_plugin_settings(PLUGIN).annotation
    except (ImportError, KeyError, AttributeError):
        return None


def _file() -> Path | None:
    """Where older releases of napari keep them: next to napari's own settings."""
    from napari.settings import get_settings

    place = get_settings().config_path
    return place.with_name(f"{PLUGIN}.json") if place else None
