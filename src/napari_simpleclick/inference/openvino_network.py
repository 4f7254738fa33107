"""A network whose encoder and decoder are computed by OpenVINO."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_simpleclick.inference.conversion import parts_of
from napari_simpleclick.networks import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.networks import EncodedPrompt, Features

SWITCH = "NAPARI_SIMPLECLICK_OPENVINO"
"""Environment variable; 0 leaves everything to PyTorch."""

OPTIONS = {
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,  # the window wants to be drawn meanwhile
}
"""How OpenVINO computes: each question as soon as it can."""


def is_available() -> bool:
    """Whether OpenVINO is installed, and has not been switched off."""
    return os.environ.get(SWITCH) != "0" and find_spec("openvino") is not None


class OpenVinoNetwork(Network):
    """A network that answers as another one does, but sooner.

    Inputs of other sizes than those of the conversion, and refining, are left to the
    network itself. What comes as a batch is computed one by one, as that takes OpenVINO
    less time than all in one.

    Parameters
    ----------
    network : Network
        The network, on the CPU, in evaluation mode.
    models : sequence of openvino.Model
        Its encoder and decoder, see :class:`.Conversion`.
    precision : {"f32", "bf16"}
        Of matrix products.
    threads : int
        CPU threads.
    at_once : int
        How much of a batch is computed at the same time, by a share of the threads.

    Raises
    ------
    RuntimeError
        If OpenVINO cannot compile them.
    """

    def __init__(
        self,
        network: Network,
        models: Sequence[Any],
        precision: str,
        threads: int,
        at_once: int = 1,
    ) -> None:
        import openvino

        super().__init__(network.config)
        self.network = network
        options = OPTIONS | {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": at_once,
            "INFERENCE_PRECISION_HINT": precision,
        }
        core = openvino.Core()
        self._encoder, self._decoder = (
            _Compiled(core.compile_model(model, "CPU", options), at_once)
            for model in models
        )

    def encode(self, image: Tensor) -> Features:
        """Work out what does not depend on prompts; see :meth:`.Network.encode`."""
        if not self._encoder.takes([image]):
            return self.network.encode(image)
        return tuple(self._encoder([image]))

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Answer a prompt; see :meth:`.Network.decode`."""
        asked = [*features, *parts_of(prompt)]
        if not self._decoder.takes(asked):
            return self.network.decode(features, prompt)
        return self._decoder(asked)[0]

    def segment(
        self, features: Features, prompt: EncodedPrompt
    ) -> tuple[Tensor, Tensor]:
        """Answer a prompt for an answer to be refined; see :meth:`.Network.segment`."""
        asked = [*features, *parts_of(prompt)]
        if not self._decoder.takes(asked):
            return self.network.segment(features, prompt)
        logits, maps = self._decoder(asked)
        return logits, maps


class _Compiled:
    """A compiled model for inputs of given shapes, and for batches of them."""

    def __init__(self, model: Any, at_once: int) -> None:
        self._requests = [model.create_infer_request() for _ in range(at_once)]
        self._shapes, self._answers = (
            [tuple(port.shape)[1:] for port in ports]
            for ports in (model.inputs, model.outputs)
        )

    def takes(self, inputs: Sequence[Tensor]) -> bool:
        """Whether these are a batch of inputs of these shapes."""
        same = [tuple(one.shape[1:]) for one in inputs] == self._shapes
        return same and len({len(one) for one in inputs}) == 1

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Compute; features that PyTorch made may be of a lower precision."""
        given = [np.ascontiguousarray(one.float().numpy()) for one in inputs]
        count, width = len(given[0]), len(self._requests)
        found = [np.empty((count, *shape), np.float32) for shape in self._answers]
        for start in range(0, count, width):
            running = list(enumerate(self._requests[: count - start], start))
            for row, request in running:
                asked = [part[row : row + 1] for part in given]
                request.start_async(asked, share_inputs=True)
            for row, request in running:
                request.wait()
                for part, one in zip(found, request.results.values(), strict=True):
                    part[row] = one[0]
        return [torch.from_numpy(part) for part in found]
