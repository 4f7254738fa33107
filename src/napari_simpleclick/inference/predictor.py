"""One image, its clicks and a prior mask to a probability map."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, overload

import numpy as np
import torch

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference.chooser import Chooser
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
from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.inference.prompt_pixels import settle, start_of
from napari_simpleclick.inference.shown_image import ShownImage
from napari_simpleclick.prompts import Box, Lasso, Scribble, check_prompts
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.images.intensity import Window
    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.inference.answer_features import CropAnswer
    from napari_simpleclick.inference.crops import Crop
    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.inference.first_look import FirstLook
    from napari_simpleclick.networks import Network
    from napari_simpleclick.prompts import Click, Prompt

SETTLED_AFTER = 10
"""With more prompts, a network that refines changes nothing but the focus crop."""


class Predictor:
    """A network that is shown an image once and then answers prompts.

    Parameters
    ----------
    network : Network
        The network, as :func:`napari_simpleclick.load_weights` returns it. It is
        moved to the device and set to evaluation mode; its weights are not changed,
        and what they become later need not reach this predictor.
    device : str
        ``auto`` or a torch device name.
    precision : {"auto", "float32", "bfloat16"}
        Number type of matrix products, see
        :func:`napari_simpleclick.inference.devices.choose_precision`.
    flip : bool
        Average the logits with those of the mirrored image, as the published
        evaluation does; costs twice the time.
    zoom : ZoomIn or None
        How crops are chosen; None zooms as suits the network, see :meth:`ZoomIn.of`.
    threads : int or None
        CPU threads; None takes all cores for OpenVINO, and leaves one free where
        PyTorch computes, whose threads wait for work by keeping a core busy.
    features_bytes : int
        Memory for features of crops that were shown before, for networks that encode
        once; the others keep those of the last crop alone.
    store : FeatureStore or None
        Where such a network looks for features that were worked out before; nothing is
        written to it.
    first_look : {"published", "magnifications"}
        What the network is shown of an object without a mask and without a view (see
        :class:`ObjectState`): the whole image, as published, or several squares around
        the click, of whose answers the best is taken. See
        :mod:`napari_simpleclick.inference.first_look`.

    Raises
    ------
    UserError
        If the device or precision is not available, or the network cannot take crops of
        any aspect ratio and is to.
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
        self._chooser = Chooser.of(network)
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
            If it is not one gray or RGB image, or a spacing is not positive.
        """
        shown = ShownImage(np.asarray(image), window, spacing)
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

    def beside(self) -> Predictor:
        """Give a predictor of the same network and memory that is shown other images.

        The two must not predict at the same time.
        """
        other = copy(self)
        other._asked, other._state = None, ObjectState()
        return other

    def one_look(self) -> Predictor:
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
        prompts: Sequence[Prompt] = (),
        prior: ArrayLike | LocalMap | None = None,
        state: ObjectState | None = None,
    ) -> None:
        """Encode what the next prompt looks at, so that its answer is a decode.

        Parameters
        ----------
        prompts, prior, state
            What was asked and answered before, as :meth:`predict` takes it; by default
            the next prompt is the first. Where the next one will be is not known: if it
            makes the crop another one, that is encoded when it comes.
        """
        view, size = self._next_look(prompts, prior, state)
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

    @overload
    def predict(
        self,
        prompts: Sequence[Prompt],
        prior: ArrayLike | None = ...,
        *,
        focus: ArrayLike | None = ...,
    ) -> NDArray[np.float32]: ...

    @overload
    def predict(
        self,
        prompts: Sequence[Prompt],
        prior: ArrayLike | None = ...,
        *,
        state: ObjectState,
        focus: ArrayLike | None = ...,
    ) -> tuple[NDArray[np.float32], ObjectState]: ...

    def predict(
        self,
        prompts: Sequence[Prompt],
        prior: ArrayLike | LocalMap | None = None,
        *,
        state: ObjectState | None = None,
        focus: ArrayLike | None = None,
        local: bool = False,
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32] | LocalMap, ObjectState]:
        """Predict the object that the prompts are on.

        Parameters
        ----------
        prompts : sequence of Click, Box, Scribble or Lasso
            All prompts on this object, oldest first. Every network takes all kinds: a
            box becomes a half certain prior and a click in its middle, a lasso a prior
            and a click at its deepest place, a scribble some clicks. What lies on a
            scribble is inside the answer, or outside of it, whatever the network says.
        prior : array_like or None
            (H, W) probability or mask to start from: what the click before returned,
            or any mask to be corrected. None starts a new object.
        state : ObjectState or None
            What came with the answer before on this object, or ``ObjectState()`` for
            the first; the answer comes with the next state then, so that objects can
            be alternated between. None goes on from the last call, unless there is no
            prior.
        focus : array_like or None
            (H, W) probability or mask that the crop is chosen around; None chooses
            it around the prior. An empty one shows the network the whole image.
        local : bool
            For :meth:`predict_local`, which see.

        Returns
        -------
        ndarray
            (H, W) float32 probability in [0, 1], 0 outside the crop, and 1 or 0 on
            scribbles.
        ObjectState
            Only if a state was given.

        Raises
        ------
        UserError
            If there is no prompt, one outside the image, a box without an area, or a
            prior of another shape.
        ValueError
            If there is no image yet.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_simpleclick import Click, Predictor, load_weights
        >>> predictor = Predictor(load_weights("bundled")[0])
        >>> predictor.set_image(np.eye(64) * 255)
        >>> predictor.predict([Click(20, 20)]).shape
        (64, 64)
        """
        image = self._questions.image
        check_prompts(prompts, image.shape)
        before = None if prior is None else image.prior(prior)
        if state is not None:
            now = state
        else:
            now = ObjectState() if before is None else self._state
        seen = before if focus is None else image.prior(focus)
        answer, self._state = self._answer(prompts, before, seen, now, focus is None)
        if local:
            return answer, self._state
        full = answer.full()
        return full if state is None else (full, self._state)

    def predict_local(
        self, prompts: Sequence[Prompt], prior: LocalMap | None, state: ObjectState
    ) -> tuple[LocalMap, ObjectState]:
        """Predict as :meth:`predict` does, without a map of all of a large image.

        Where the image has oblong pixels, or the network refines its answers, there is
        one all the same.

        Parameters
        ----------
        prompts, state
            As :meth:`predict` takes them.
        prior : LocalMap or None
            float32 probability in [0, 1] to start from.

        Returns
        -------
        LocalMap
            float32 probability in [0, 1].
        ObjectState
            To be given back at the next prompt.

        Raises
        ------
        UserError
            As :meth:`predict` does.
        ValueError
            If there is no image yet.
        """
        found: tuple[LocalMap, ObjectState]
        found = self.predict(prompts, prior, state=state, local=True)  # type: ignore[call-overload]
        return found

    def magnified(self, clicks: Sequence[Click]) -> list[CropAnswer]:
        """Answer first clicks at each magnification, none of them chosen.

        Parameters
        ----------
        clicks : sequence of Click
            On an object without a mask, px of the image.

        Returns
        -------
        list of CropAnswer
            The smallest crop first, the whole image last; see
            :func:`napari_simpleclick.inference.first_look.magnifications`.

        Raises
        ------
        UserError
            If there is no click, or one outside the image.
        ValueError
            If there is no image yet.
        """
        questions = self._questions
        image = questions.image
        check_prompts(clicks, image.shape)
        corners = questions.corners(image.prompts(clicks))
        with self._computing():
            return [
                questions.ask(corners, None, crop, None).seen
                for crop in self._choice.magnified(corners, image.square)
            ]

    def _answer(
        self,
        prompts: Sequence[Prompt],
        prior: LocalMap | None,
        focus: LocalMap | None,
        state: ObjectState,
        several: bool,
    ) -> tuple[LocalMap, ObjectState]:
        """Answer prompts; the first ones at several magnifications, if wanted."""
        questions = self._questions
        image, shape = questions.image, questions.image.square
        asked = image.prompts(prompts)
        start = prior
        if any(isinstance(one, Box | Lasso) for one in asked):
            known = None if prior is None else prior.full()
            drawn = start_of(asked, known, shape)
            if drawn is not None and drawn is not known:
                start = LocalMap.whole(drawn)
                focus = LocalMap.whole((drawn > 0).astype(np.float32))
        corners, view = questions.corners(asked), image.view(state.viewport)
        crops = [self._choice.one(focus, corners, shape, state.crop, view)]
        if several and self._choice.compares(focus, view):
            crops = self._choice.magnified(corners, shape)
        late = prior is not None and len(prompts) > SETTLED_AFTER
        with self._computing():
            answers = [
                questions.ask(asked, start, crop, state.memory) for crop in crops
            ]
            best = 0
            if len(answers) > 1:
                best = self._chooser.choose([one.seen for one in answers])
            squared = questions.probability(answers[best], start, late)
        result = image.back(squared)
        if any(isinstance(prompt, Scribble) for prompt in prompts):
            whole = result.full()
            settle(whole, prompts)
            result = LocalMap.whole(whole)
        memory = answers[best].answer.memory
        return result, ObjectState(crops[best], memory, state.viewport)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Use the network for a prediction."""
        memory = enough_memory("a prediction")
        with memory, torch.inference_mode(), limited_threads(self.threads):
            yield

    def replay(
        self, prompts: Sequence[Prompt], prior: ArrayLike | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Predict after each of several prompts, each answer the prior of the next.

        Parameters
        ----------
        prompts : sequence of Click, Box, Scribble or Lasso
            Prompts on one object, oldest first.
        prior : array_like or None
            (H, W) probability or mask to start from.

        Yields
        ------
        ndarray
            (H, W) float32 probability after each prompt.

        Raises
        ------
        UserError
            As :meth:`predict` does, before the first prediction.
        """
        if self._asked is not None:
            check_prompts(prompts, self._asked.image.shape)
        state = ObjectState()
        for count in range(1, len(prompts) + 1):
            answer, state = self.predict(prompts[:count], prior, state=state)
            prior = answer
            yield answer
