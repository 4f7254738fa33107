import numpy as np
import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks import Network
from napari_simpleclick.training import TrainConfig, train
from napari_simpleclick.training.mirror import mirror_loss, with_mirror_image
from tests.helpers import square_sets


def test_answers_that_agree_cost_nothing():
    logits = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert float(mirror_loss(with_mirror_image(logits))) < 1e-6


def test_answers_of_different_places_cost_everything():
    logits = torch.full((2, 1, 4, 4), -100.0)
    logits[:, :, :, 0] = 100.0  # in both, so on either side of the image
    # each answer is one, the mean a half on both sides: 0.5 / 1.5 in common
    assert float(mirror_loss(logits)) == pytest.approx(2 / 3, abs=1e-5)
    # the mean is constant: only what is pulled towards it has a gradient
    logits.mul_(0.01).requires_grad_()
    mirror_loss(logits).backward()
    assert (logits.grad[:, :, :, 0] > 0).all()
    assert (logits.grad[:, :, :, 3] < 0).all()


def test_images_prompts_and_targets_are_mirrored_together(tmp_path, monkeypatch):
    seen = []
    plain = Network.attempt

    def noted(self, features, prompt):
        seen.append(prompt.detach().clone())
        return plain(self, features, prompt)

    monkeypatch.setattr(Network, "attempt", noted)
    kind = type(networks.build("encode-once-lite0", 32))
    images, encode = [], kind.encode

    def encoded(self, image):
        images.append(image.clone())
        return encode(self, image)

    monkeypatch.setattr(kind, "encode", encoded)
    config = TrainConfig(
        network="encode-once-lite0",
        accelerator="cpu",
        workers=0,
        mirrored=1.0,
        stages=({"size": 32, "batch": 2, "steps": 1, "rate": 1e-4},),
    )
    train(config, square_sets(tmp_path), tmp_path / "out")
    (image,) = images
    assert image.shape == (4, 3, 32, 32)
    assert len(seen) == 4
    for maps in (image, *seen):
        np.testing.assert_array_equal(maps[2:], maps[:2].flip(3))
    assert all(prompt[:, 1:].any() for prompt in seen)
