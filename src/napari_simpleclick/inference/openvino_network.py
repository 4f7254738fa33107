"""A network whose encoder and decoder are computed by OpenVINO."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from napari_simpleclick.networks import Network
from napari_simpleclick.weights.store import cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.networks import EncodedPrompt, Features

SWITCH = "NAPARI_SIMPLECLICK_OPENVINO"
"""Environment variable; 0 leaves everything to PyTorch."""

KEPT = 12
"""Conversions kept on disk; those used least recently go first."""

PRECISIONS = {torch.float32: "f32", torch.bfloat16: "bf16"}

OPTIONS = {
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,  # the window wants to be drawn meanwhile
}
"""How OpenVINO computes: each question as soon as it can."""


def _expect_tracing() -> None:
    """Let nobody be warned of branches that a trace takes; agreement is checked.

    Filters are of all threads, and conversions run beside others: one that was taken
    back afterwards could be taken back by them too early. So these stay, and are about
    tracing in this package and in torch. A filter that is there is not added twice.
    """
    branches = torch.jit.TracerWarning  # type: ignore[attr-defined]
    traced = r"(napari_simpleclick|torch)\."
    warnings.filterwarnings("ignore", "", branches, traced)
    warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning, r"torch\.jit")


_expect_tracing()  # at once, for threads that put back the filters of before later


def is_available() -> bool:
    """Whether OpenVINO is installed, and has not been switched off."""
    return os.environ.get(SWITCH) != "0" and find_spec("openvino") is not None


class Example(NamedTuple):
    """An input that a network is converted for; other sizes are left to PyTorch.

    Parameters
    ----------
    image : Tensor
        (1,3,h,w) RGB in [0, 1].
    prompt : Tensor or tuple of Tensor
        What the network's prompt encoder makes of prompts on it.
    """

    image: Tensor
    prompt: EncodedPrompt


class OpenVinoNetwork(Network):
    """A network that answers as another one does, but sooner.

    Inputs of other sizes than those of the example, and refining, are left to the
    network itself. What comes as a batch is computed one by one, as that takes OpenVINO
    less time than all in one.

    Parameters
    ----------
    network : Network
        The network in float32, on the CPU, in evaluation mode.
    example : Example
        What it is converted for.
    dtype : torch.dtype
        Number type of matrix products, float32 or bfloat16.
    threads : int
        CPU threads.
    at_once : int
        How much of a batch is computed at the same time, by a share of the threads.

    Raises
    ------
    Exception
        Whatever OpenVINO raises if it cannot convert or compile the network.
    """

    def __init__(
        self,
        network: Network,
        example: Example,
        dtype: torch.dtype,
        threads: int,
        at_once: int = 1,
    ) -> None:
        import openvino

        super().__init__(network.config)
        self.network = network
        self._folder = cache_folder() / "openvino" / _key(network, example)
        with torch.no_grad():
            features = network.encode(example.image)
            asked = (*(f.contiguous() for f in features), *_parts(example.prompt))
            inputs = ((example.image,), asked)
            steps = _Encoder(network), _Decoder(network, len(features))
            models = _read(self._folder) or _converted(steps, inputs, self._folder)
        core, self._precision = openvino.Core(), PRECISIONS[dtype]
        options = OPTIONS | {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": at_once,
            "INFERENCE_PRECISION_HINT": self._precision,
        }
        self._encoder, self._decoder = (
            _Compiled(core.compile_model(model, "CPU", options), parts, at_once)
            for model, parts in zip(models, inputs, strict=True)
        )
        self._processor = str(core.get_property("CPU", "FULL_DEVICE_NAME"))

    @property
    def _verdict(self) -> Path:
        processor = sha256(self._processor.encode()).hexdigest()[:16]
        return self._folder / f"agrees-{self._precision}-{processor}"

    @property
    def is_trusted(self) -> bool:
        """Whether it has been seen to agree with the network on this processor."""
        return self._verdict.exists()

    def trust(self) -> None:
        """Note that it agrees with the network, for the next time."""
        with suppress(OSError):
            self._verdict.touch()

    def encode(self, image: Tensor) -> Features:
        """Work out what does not depend on prompts; see :meth:`.Network.encode`."""
        if not self._encoder.takes([image]):
            return self.network.encode(image)
        return tuple(self._encoder([image]))

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Answer a prompt; see :meth:`.Network.decode`."""
        asked = [*features, *_parts(prompt)]
        if not self._decoder.takes(asked):
            return self.network.decode(features, prompt)
        return self._decoder(asked)[0]

    def segment(
        self, features: Features, prompt: EncodedPrompt
    ) -> tuple[Tensor, Tensor]:
        """Answer a prompt for an answer to be refined; see :meth:`.Network.segment`."""
        asked = [*features, *_parts(prompt)]
        if not self._decoder.takes(asked):
            return self.network.segment(features, prompt)
        logits, maps = self._decoder(asked)
        return logits, maps


class _Encoder(nn.Module):
    """The encoder alone, as a module that can be traced."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.encode(image))


class _Decoder(nn.Module):
    """The decoder alone, from so many features and the parts of a prompt."""

    def __init__(self, network: Network, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count

    def forward(self, *parts: Tensor) -> tuple[Tensor, ...]:
        features, asked = parts[: self.count], parts[self.count :]
        prompt = asked[0] if len(asked) == 1 else asked
        if self.network.spec.refines:
            return self.network.segment(features, prompt)
        return (self.network.decode(features, prompt),)


class _Compiled:
    """A compiled model for inputs of given shapes, and for batches of them."""

    def __init__(self, model: Any, inputs: Sequence[Tensor], at_once: int) -> None:
        self._requests = [model.create_infer_request() for _ in range(at_once)]
        self._shapes = [one.shape[1:] for one in inputs]
        self._answers = [tuple(port.shape)[1:] for port in model.outputs]

    def takes(self, inputs: Sequence[Tensor]) -> bool:
        """Whether these are a batch of inputs of these shapes."""
        same = [one.shape[1:] for one in inputs] == self._shapes
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


def _parts(prompt: EncodedPrompt) -> tuple[Tensor, ...]:
    return (prompt,) if isinstance(prompt, Tensor) else tuple(prompt)


def _key(network: Network, example: Example) -> str:
    """Name a conversion by all that it depends on."""
    shapes = [tuple(one.shape) for one in (example.image, *_parts(example.prompt))]
    versions = [version(name) for name in ("openvino", "napari-simpleclick")]
    digest = sha256(f"{network.config!r} {shapes} {versions}".encode())
    for name, part in network.state_dict().items():
        digest.update(f"{name} {tuple(part.shape)}".encode())
        plain = part.detach().contiguous().reshape(-1)
        digest.update(plain.view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


FILES = ("encoder.xml", "decoder.xml")


def _read(folder: Path) -> list[Any] | None:
    """Read a conversion; None if there is none, or it is damaged."""
    import openvino

    try:
        models = [openvino.Core().read_model(folder / name) for name in FILES]
        os.utime(folder)
    except (RuntimeError, OSError):
        return None
    return models


def _converted(
    steps: Sequence[nn.Module], inputs: Sequence[Sequence[Tensor]], folder: Path
) -> list[Any]:
    """Convert encoder and decoder, and keep them for the next time."""
    models = [_convert(*pair) for pair in zip(steps, inputs, strict=True)]
    with suppress(OSError, RuntimeError):  # without a place for it, it is done again
        _write(models, folder)
    return models


def _convert(step: nn.Module, inputs: Sequence[Tensor]) -> Any:
    """Convert a module for inputs of these shapes.

    OpenVINO's own function for it would report the use of it to its makers, so this
    goes to the same front end without it.
    """
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    given = tuple(inputs)
    _expect_tracing()
    traced = torch.jit.trace(step, given, check_trace=False)  # type: ignore[no-untyped-call]
    source = TorchScriptPythonDecoder(traced, example_input=given)
    front_end = FrontEndManager().load_by_framework("pytorch")
    model = front_end.convert(front_end.load(source))
    for port, one in zip(model.inputs, given, strict=True):
        node = port.get_node()
        node.set_partial_shape(openvino.PartialShape(list(one.shape)))
        node.set_element_type(openvino.Type.f32)
    model.validate_nodes_and_infer_types()
    return model


def _write(models: Sequence[Any], folder: Path) -> None:
    """Put a conversion into its folder, whole or not at all."""
    import openvino

    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        for name, model in zip(FILES, models, strict=True):
            openvino.save_model(model, partial / name, compress_to_fp16=False)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    others = [one for one in folder.parent.iterdir() if one.is_dir()]
    for old in sorted(others, key=lambda one: one.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
