"""The published sizes of SimpleClick."""

from napari_simpleclick.networks.simpleclick.network import SimpleClickConfig

SIZES = {
    "simpleclick-xtiny": SimpleClickConfig(16, 160, 8, 4, (96, 192, 288, 384), 128),
    "simpleclick-base": SimpleClickConfig(16, 768, 12, 12, (128, 256, 512, 1024), 256),
    "simpleclick-large": SimpleClickConfig(
        16, 1024, 24, 16, (192, 384, 768, 1536), 256
    ),
    "simpleclick-huge": SimpleClickConfig(14, 1280, 32, 16, (240, 480, 960, 1920), 256),
}
"""Configurations by name."""
