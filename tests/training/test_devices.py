"""Training where the network is not on the CPU."""

import numpy as np
import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.training import TrainConfig
from napari_simpleclick.training.batches import BatchLearner

TINY = {"width": 32, "depth": 4, "heads": 2, "pyramid": (8, 8, 8, 8), "head": 8}


class Far(torch.Tensor):
    """A tensor that behaves as on a GPU: it has no NumPy array until it is fetched."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in ("numpy", "__array__"):
            raise TypeError("can't convert device tensor to numpy; use .cpu() first")
        result = super().__torch_function__(function, types, args, kwargs or {})
        if name == "cpu" or (name == "to" and args[1:2] == ("cpu",)):
            return result.as_subclass(torch.Tensor)
        return result


class Sent(torch.Tensor):
    """A batch as the loader gives it; sending it to the device makes it far."""

    def to(self, *_, **__):
        return self.as_subclass(torch.Tensor).clone().as_subclass(Far)


class OneDevice:
    """What a learner asks of Lightning Fabric, on one device."""

    device = torch.device("cpu")
    world_size, global_rank = 1, 0

    def autocast(self):
        return torch.autocast("cpu", enabled=False)

    def backward(self, loss):
        loss.backward()

    def clip_gradients(self, module, optimizer, max_norm):
        torch.nn.utils.clip_grad_norm_(module.parameters(), max_norm)


def test_the_stub_refuses_what_a_gpu_refuses():
    far = torch.ones(2).as_subclass(Far)
    with pytest.raises(TypeError, match=r"use \.cpu\(\) first"):
        (far * 2).numpy()
    with pytest.raises(TypeError, match=r"use \.cpu\(\) first"):
        np.asarray(far[0])
    assert np.asarray(far.cpu()).sum() == 2


@pytest.mark.parametrize(
    ("name", "changes"), [("simpleclick-xtiny", TINY), ("encode-once-lite0", {})]
)
@pytest.mark.parametrize("clicks", ["last", "every"])
def test_nothing_is_read_from_a_device_as_an_array(name, changes, clicks):
    stage = {"size": 32, "batch": 2, "steps": 1, "rate": 1e-3}
    config = TrainConfig(
        network=name, stages=[stage], clicks=clicks, jaccard=1, prior_drop=0.5
    )
    torch.manual_seed(0)
    network = networks.build(name, 32, **changes)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    learner = BatchLearner(
        config, OneDevice(), network, network, [optimizer], lambda: None
    )
    target = torch.zeros(2, 1, 32, 32)
    target[:, :, 8:20, 10:25] = 1
    points = torch.full((2, 48, 2), -1.0)
    points[:, 0] = 15
    image, prior = torch.rand(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    parts = (part.as_subclass(Sent) for part in (image, target, prior))
    before = network.state_dict()
    before = {key: value.clone() for key, value in before.items()}
    seen = 1  # draws corrections also where the last of some clicks is learnt from
    loss, iou = learner.learn((*parts, points), seen)
    assert np.isfinite(loss)
    assert 0 <= iou <= 1
    assert (points >= 0).all(-1).sum() > 2  # clicks followed
    state = network.state_dict()
    assert any(not torch.equal(before[key], state[key]) for key in state)
