"""What a person chooses for good is the same in the manifest and in the code."""

from importlib.resources import files

import yaml

from napari_simpleclick.plugin.settings import Settings


def test_the_manifest_has_the_settings_with_their_defaults():
    text = (files("napari_simpleclick") / "napari.yaml").read_text()
    (page,) = yaml.safe_load(text)["contributions"]["configurations"].values()
    declared = {name: one["default"] for name, one in page["properties"].items()}
    assert Settings(**declared) == Settings()
    assert set(declared) == set(Settings.__dataclass_fields__)
