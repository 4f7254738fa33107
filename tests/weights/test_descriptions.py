"""What is said of networks is true of them."""

import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.weights import catalogue, descriptions


def test_every_network_is_described():
    assert set(descriptions()) == set(networks.NETWORKS)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_parameters_are_counted(name):
    with torch.device("meta"):
        network = networks.build(name)
    count = sum(p.numel() for p in network.parameters())
    assert descriptions()[name].parameters == count


def test_non_commercial_terms_are_said_in_words():
    said = {card.name: card.terms for card in catalogue().values()}
    assert said["cocolvis_vit_base"].endswith("Not for commercial use")
    assert "Not for commercial use" in said["focalclick_segformerb0_s1_cclvs"]
    assert "commercial" not in said["encode-once"]
    assert "commercial" not in said["coco_lvis_h18_itermask"]
