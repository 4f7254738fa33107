"""A network that is shown an image, and encodes what will be clicked on."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Self, get_args

import numpy as np
import torch

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.crop_choice import CropChoice
from napari_simpleclick.inference.crop_network import CropNetwork
from napari_simpleclick.inference.crop_questions import CropQuestions
from napari_simpleclick.inference.crops import ZoomIn
from napari_simpleclick.inference.devices import (
    Precision,
    choose_device,
    choose_precision,
    cores,
    limited_threads,
    spare_threads,
)
from napari_simpleclick.inference.features import LIMIT_BYTES
from napari_simpleclick.inference.first_look import FirstLook
from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.inference.shown_image import ShownImage
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.images.intensity import Window
    from napari_simpleclick.images.local_map import LocalMap
    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.inference.crops import Crop
    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.networks import Network
    from napari_simpleclick.prompts import Prompt


class ImageEncoder:
    """A network that is shown an image, before there are prompts.

    What it takes and raises is told by :class:`.Predictor`, which answers them.
    """

    def __init__(
        self,
        network: Network,
        device: str = "auto",
        precision: Precision = "auto",
        flip: bool = False,
        zoom: ZoomIn | None = None,
        threads: int | None = None,
        features_bytes: int = LIMIT_BYTES,
        store: FeatureStore | None = None,
        first_look: FirstLook = "published",
    ) -> None:
        if threads is not None and threads < 1:
            raise UserError(
                f"A network cannot compute on {threads} threads; give 1 or more."
            )
        if first_look not in get_args(FirstLook):
            raise UserError(
                f"There is no first look '{first_look}'; choose "
                f"{' or '.join(get_args(FirstLook))}."
            )
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        self.flip = flip
        self.zoom = zoom or ZoomIn.of(network.spec)
        self._choice = CropChoice(self.zoom, first_look)
        multiple = network.spec.multiple_of
        if self.zoom.longest_side is not None and multiple > 1:
            raise UserError(
                "Crops cannot keep their aspect ratio with this network, whose inputs "
                f"have sides of multiples of {multiple} px; choose another zoom."
            )
        self.threads = threads or spare_threads()
        self.openvino_threads = threads or cores()
        self._state = ObjectState()
        self._network = CropNetwork(
            network, self.device, self.dtype, flip, features_bytes, store
        )
        self._asked: CropQuestions | None = None

    def set_image(
        self,
        image: ArrayLike,
        window: Window | None = None,
        spacing: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Show the image that the next clicks are on.

        Parameters
        ----------
        image : array_like
            (H, W) or (H, W, 3), any integer or float type, any size. It is not
            copied.
        window : Window or None
            Intensities that become black and white; None chooses them, see
            :func:`napari_simpleclick.images.default_window`.
        spacing : tuple of float
            Height and width of a pixel, in any unit. The network sees oblong pixels
            resampled to square ones; clicks, priors and answers stay on the image's.

        Raises
        ------
        UserError
            If it is not one gray or RGB image, the window is none, or a spacing is not
            positive.
        """
        try:
            pixels = np.asarray(image)
        except ValueError as error:
            raise UserError(
                "The rows of this image have different lengths; give an array of "
                "shape (H, W) or (H, W, 3)."
            ) from error
        shown = ShownImage(pixels, window, spacing)
        self._asked = CropQuestions(self._network, self.zoom, shown)
        self._state = ObjectState()

    @property
    def encoder(self) -> CropNetwork:
        """The network, which encodes crops and remembers them."""
        return self._network

    @property
    def encodes_once(self) -> bool:
        """Whether it is worth while to encode before there is a prompt."""
        return self._network.spec.encodes_once

    def accelerate(self, goes_on: Callable[[], bool] = lambda: True) -> str:
        """Let OpenVINO compute from now on, if it is installed and computes the same.

        The network is converted, which takes seconds the first time; the conversion is
        kept on disk. Its answers are compared with PyTorch's on a packaged sample
        before it is used. Predictions may go on meanwhile in another thread.

        Parameters
        ----------
        goes_on : callable
            Is asked before the conversion for each size of crops; nothing changes once
            it says no.

        Returns
        -------
        str
            In one sentence, why PyTorch goes on; empty if it does not, or if there is
            nothing to say: without the extra ``openvino``, on a GPU, or with crops of
            many sizes.
        """
        if self.zoom.longest_side is not None:
            return ""
        sizes = (self.one_look() if self.flip else self).zoom.sizes
        hindrance = self._network.accelerate(sizes, self.openvino_threads, goes_on)
        if self._network.is_accelerated and not self._network.spec.refines:
            self.threads = 1  # PyTorch has little left to do, and would be in the way
        return hindrance

    def beside(self) -> Self:
        """Give a predictor of the same network and memory that is shown other images.

        The two must not predict at the same time.
        """
        other = copy(self)
        other._asked, other._state = None, ObjectState()
        return other

    def one_look(self) -> Self:
        """Give one as :meth:`beside` does, but without the mirrored image.

        It enlarges small crops no more than is worth while, and goes on as this one
        computes now, whatever computes later.
        """
        other = self.beside()
        other.flip, other._network = False, self._network.without_mirror()
        enlarged = self._network.spec.most_enlarged
        other.zoom = replace(self.zoom, most_enlarged=enlarged)
        return other

    def encode(
        self,
        prompts: Iterable[Prompt] = (),
        prior: ArrayLike | LocalMap | None = None,
        state: ObjectState | None = None,
    ) -> None:
        """Encode what the next prompt looks at, so that its answer is a decode.

        Parameters
        ----------
        prompts, prior, state
            What was asked and answered before, as :meth:`.Predictor.predict` takes it;
            by default the next prompt is the first. Where the next one will be is not
            known: if it makes the crop another one, that is encoded when it comes.
        """
        view, size = self._next_look(tuple(prompts), prior, state)
        with self._computing():
            self._questions.features(view, size)

    def first_pixels(self) -> NDArray[np.float32]:
        """Give what the network is shown at the first prompt.

        Returns
        -------
        ndarray
            (h, w) or (h, w, 3) float32 in [0, 1].
        """
        return self._questions.image.pixels(*self._next_look((), None, None))

    def _next_look(
        self,
        prompts: Sequence[Prompt],
        prior: ArrayLike | LocalMap | None,
        state: ObjectState | None,
    ) -> tuple[Crop, tuple[int, int]]:
        """Choose crop and size for the next prompt, as if it lay on the last one."""
        questions, now = self._questions, state or ObjectState()
        image = questions.image
        corners = questions.corners(image.prompts([*prompts, *prompts[-1:]]))
        seen = None if prior is None else image.prior(prior)
        view = image.view(now.viewport)
        crop = self._choice.one(seen, corners, image.square, now.crop, view)
        return questions.look(crop, prior is not None)

    def extent(self, state: ObjectState) -> Crop | None:
        """Tell outside which part of the image an answer is 0, in px of the image.

        Parameters
        ----------
        state : ObjectState
            What came with the answer.

        Returns
        -------
        Crop or None
            None before the first prompt.
        """
        if self._asked is None or state.crop is None:
            return state.crop
        return self._asked.image.extent(state.crop)

    def first_crop(
        self, viewport: Viewport | None = None
    ) -> tuple[Crop, tuple[int, int]]:
        """Tell what a first click in a view will be answered with.

        It depends on nothing else, so that this crop can be encoded ahead; a click
        outside the view has another one.

        Parameters
        ----------
        viewport : Viewport or None
            What is seen, px of the image; None for the whole image, as published.

        Returns
        -------
        Crop
            The part of the image, px of the network's view of it: square pixels.
        tuple of int
            (height, width) in px that it is resized to.

        Raises
        ------
        ValueError
            If there is no image yet.
        """
        questions = self._questions
        view, shape = questions.image.view(viewport), questions.image.square
        return questions.look(self._choice.first(view, shape))

    @property
    def input_side(self) -> int:
        """Longer side of the network's input, px."""
        return self._choice.input_side

    @property
    def _questions(self) -> CropQuestions:
        if self._asked is None:
            raise ValueError("There is no image yet; call set_image first.")
        return self._asked

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Use the network for a prediction."""
        memory = enough_memory("a prediction")
        with memory, torch.inference_mode(), limited_threads(self.threads):
            yield
