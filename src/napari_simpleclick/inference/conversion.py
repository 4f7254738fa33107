"""A network as OpenVINO reads it, kept on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from contextlib import suppress
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from napari_simpleclick.images.whole_files import write_whole
from napari_simpleclick.weights.store import cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.networks import EncodedPrompt, Network

FILES = ("encoder.xml", "decoder.xml")

KEPT = 12
"""Conversions kept on disk; those used least recently go first."""

LENT = 1 << 17
"""Numbers that a weight has, at least, to be left on disk."""

PRECISIONS = {torch.float32: "f32", torch.bfloat16: "bf16"}


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


class Conversion:
    """Encoder and decoder of a network, converted for OpenVINO.

    Parameters
    ----------
    network : Network
        The network, on the CPU, in evaluation mode.
    example : Example
        What it is converted for.
    dtype : torch.dtype
        Number type of matrix products, float32 or bfloat16. Weights are kept in float16
        for bfloat16: that loses nothing which bfloat16 would keep.
    """

    def __init__(self, network: Network, example: Example, dtype: torch.dtype) -> None:
        import openvino

        self.precision = PRECISIONS[dtype]
        self._example = example
        self._folder = cache_folder() / "openvino" / self._name(network)
        processor = str(openvino.Core().get_property("CPU", "FULL_DEVICE_NAME"))
        named = sha256(processor.encode()).hexdigest()[:16]
        self._verdict = self._folder / f"agrees-{self.precision}-{named}"

    def _name(self, network: Network) -> str:
        """Name it by all that it depends on."""
        image, prompt = self._example
        shapes = [tuple(one.shape) for one in (image, *parts_of(prompt))]
        versions = [version(name) for name in ("openvino", "napari-simpleclick")]
        what = f"{network.config!r} {shapes} {self.precision} {versions}"
        digest = sha256(what.encode())
        for name, part in network.state_dict().items():
            digest.update(f"{name} {part.dtype} {tuple(part.shape)}".encode())
            plain = part.detach().contiguous().reshape(-1)
            digest.update(plain.view(torch.uint8).numpy())
        return digest.hexdigest()[:32]

    @property
    def is_trusted(self) -> bool:
        """Whether it has been seen to agree with the network on this processor."""
        return self._verdict.exists()

    def trust(self) -> None:
        """Note that it agrees with the network, for the next time."""
        with suppress(OSError):
            self._verdict.touch()

    def read(self) -> list[Any] | None:
        """Read encoder and decoder; None if they are not there, or damaged.

        What weights they have stays on disk until it is asked for.
        """
        import openvino

        try:
            core = openvino.Core()
            models = [core.read_model(self._folder / name) for name in FILES]
            os.utime(self._folder)
        except (RuntimeError, OSError):
            return None
        return models

    @torch.no_grad()
    def make(self, network: Network) -> list[Any]:
        """Convert encoder and decoder, and keep them for the next time.

        Parameters
        ----------
        network : Network
            The network in float32; OpenVINO lowers its precision by itself.

        Raises
        ------
        Exception
            Whatever OpenVINO raises if it cannot convert the network.
        """
        image, prompt = self._example
        features = network.encode(image)
        asked = (*(f.contiguous() for f in features), *parts_of(prompt))
        models = [
            _convert(_Encoder(network), (image,)),
            _convert(_Decoder(network, len(features)), asked),
        ]
        try:
            self._write(models)
        except (OSError, RuntimeError):  # without a place for it, it is made again
            return models
        return self.read() or models

    def lend_weights(self, network: Network) -> None:
        """Let a network have its large weights on disk, until it asks for them.

        It seldom does, once OpenVINO computes. It may be asked meanwhile.
        """
        path = self._folder / "pytorch.safetensors"
        large: dict[str, Tensor] = {
            name: part
            for name, part in network.named_parameters()
            if part.numel() >= LENT and part.is_contiguous()
        }
        with suppress(OSError, SafetensorError):  # with no place for them, they stay
            if not _holds(path, large):
                write_whole(path, partial(save_file, large))
            lent = load_file(path)
            for name, part in large.items():
                part.data = lent[name]

    def _write(self, models: Sequence[Any]) -> None:
        """Put them into their folder, whole or not at all."""
        import openvino

        folder, half = self._folder, self.precision != "f32"
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
        try:
            for name, model in zip(FILES, models, strict=True):
                openvino.save_model(model, unfinished / name, compress_to_fp16=half)
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        others = [one for one in folder.parent.iterdir() if one.is_dir()]
        for old in sorted(others, key=lambda one: one.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)


def parts_of(prompt: EncodedPrompt) -> tuple[Tensor, ...]:
    """Give the tensors of an encoded prompt."""
    return (prompt,) if isinstance(prompt, Tensor) else tuple(prompt)


def _holds(path: Path, weights: dict[str, Tensor]) -> bool:
    """Whether a file holds just these; what is read of it leaves memory again."""
    try:
        found = load_file(path)
    except (FileNotFoundError, SafetensorError):
        return False
    same = found.keys() == weights.keys()
    return same and all(torch.equal(found[name], weights[name]) for name in weights)


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
