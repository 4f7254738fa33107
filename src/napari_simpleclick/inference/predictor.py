"""One image, its clicks and a prior mask to a probability map."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.intensity import Window, check_image, default_window
from napari_simpleclick.inference.answer_features import CropAnswer
from napari_simpleclick.inference.chooser import Chooser
from napari_simpleclick.inference.crop_network import Answer, CropNetwork
from napari_simpleclick.inference.crops import Crop, ZoomIn, map_click, resize_crop
from napari_simpleclick.inference.devices import (
    Precision,
    choose_device,
    choose_precision,
    limited_threads,
    spare_threads,
)
from napari_simpleclick.inference.features import LIMIT_BYTES
from napari_simpleclick.inference.first_look import (
    FirstLook,
    crop_of_view,
    magnifications,
    moved_to,
)
from napari_simpleclick.inference.focus import (
    ANSWER_ABOVE,
    PRIOR_ABOVE,
    box_in,
    focus_crop,
)
from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.inference.prompt_pixels import (
    as_clicks,
    corners_of,
    settle,
    start_of,
)
from napari_simpleclick.inference.square_grid import SquareGrid
from napari_simpleclick.networks import CropPrompts, Network
from napari_simpleclick.networks.disks import DISK_RADIUS_PX
from napari_simpleclick.prompts import Box, Click, check_prompts
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.networks import Features
    from napari_simpleclick.prompts import Prompt


SETTLED_AFTER = 10
"""With more prompts, a network that refines changes nothing but the focus crop."""

THRESHOLD = 0.49
"""Probability above which the published evaluation counts a pixel as object."""


class _Asked(NamedTuple):
    """What a network says about a crop, and what was asked."""

    answer: Answer
    crop: Crop
    clicks: Sequence[Click]

    @property
    def seen(self) -> CropAnswer:
        """The answer as a chooser looks at it."""
        probability = self.answer.logits.sigmoid()[0, 0].cpu().numpy()
        click = next((one for one in self.clicks if one.positive), self.clicks[0])
        place = map_click(click, self.crop, probability.shape)
        return CropAnswer(self.crop, probability, place)


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
        CPU threads; None leaves one core free.
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
        self.first_look = first_look
        multiple = network.spec.multiple_of
        if self.zoom.longest_side is not None and multiple > 1:
            raise UserError(
                "Crops cannot keep their aspect ratio with this network, whose inputs "
                f"have sides of multiples of {multiple} px; choose another zoom."
            )
        self.threads = threads or spare_threads()
        self._chooser = Chooser.of(network)
        self._state = ObjectState()
        self._network = CropNetwork(
            network, self.device, self.dtype, flip, features_bytes, store
        )
        self._keys: dict[tuple[Crop, tuple[int, int]], bytes] = {}
        self._image: NDArray[Any] | None = None
        self._grid: SquareGrid | None = None
        self._window = Window(0.0, 1.0)

    @property
    def crop_network(self) -> CropNetwork:
        """The network, to be asked about crops that are chosen elsewhere."""
        return self._network

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
        array = np.asarray(image)
        check_image(array)
        height, width = array.shape[:2]
        self._grid = SquareGrid.covering((height, width), spacing)
        self._shape = height, width
        self._window = window or default_window(array)
        if self._grid is None:
            self._image = array
        else:
            self._image = self._grid.there(array, self._window.apply)
            self._window = Window(0.0, 1.0)
        self._state = ObjectState()
        self._keys = {}

    @property
    def encoder(self) -> CropNetwork:
        """What encodes crops and remembers them."""
        return self._network

    @property
    def encodes_once(self) -> bool:
        """Whether it is worth while to encode before there is a prompt."""
        return self._network.spec.encodes_once

    def beside(self) -> Predictor:
        """Give a predictor of the same network and memory that is shown other images.

        The two must not predict at the same time.
        """
        other = copy(self)
        other._image, other._state, other._keys = None, ObjectState(), {}
        return other

    def encode(
        self,
        prompts: Sequence[Prompt] = (),
        prior: ArrayLike | None = None,
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
        memory = enough_memory("a prediction")
        with memory, torch.inference_mode(), limited_threads(self.threads):
            self._features(view, size)

    def first_pixels(self) -> NDArray[np.float32]:
        """Give what the network is shown at the first prompt.

        Returns
        -------
        ndarray
            (h, w) or (h, w, 3) float32 in [0, 1].
        """
        return self._pixels(*self._next_look((), None, None))

    def _next_look(
        self,
        prompts: Sequence[Prompt],
        prior: ArrayLike | None,
        state: ObjectState | None,
    ) -> tuple[Crop, tuple[int, int]]:
        """Choose crop and size for the next prompt, as if it lay on the last one."""
        shape, now = self._network_shape, state or ObjectState()
        clicks = self._corners(self._on_grid([*prompts, *prompts[-1:]]))
        seen = None if prior is None else self._check_prior(prior)
        first = moved_to(self._first(now.viewport, shape), clicks, shape)
        crop = self.zoom.choose(seen, clicks, shape, now.crop, first)
        return crop or Crop.whole(shape), self.zoom.network_size(crop, shape)

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
        if self._grid is None or state.crop is None:
            return state.crop
        return self._grid.extent(state.crop)

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
        shape = self._network_shape
        crop = self._first(viewport, shape)
        size = self.zoom.network_size(crop, shape)
        return crop or Crop.whole(shape), size

    def _first(self, viewport: Viewport | None, shape: tuple[int, int]) -> Crop | None:
        """Crop of a view among square pixels; None for the whole image."""
        if viewport is None:
            return None
        seen = viewport if self._grid is None else self._grid.view(viewport)
        return crop_of_view(seen, shape, self._input_side)

    @property
    def _input_side(self) -> int:
        """Longer side of the network's input, px."""
        return self.zoom.longest_side or max(self.zoom.size)

    def _shown(self) -> NDArray[Any]:
        if self._image is None:
            raise ValueError("There is no image yet; call set_image first.")
        return self._image

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
        prior: ArrayLike | None = None,
        *,
        state: ObjectState | None = None,
        focus: ArrayLike | None = None,
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], ObjectState]:
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
        self._shown()
        check_prompts(prompts, self._shape)
        before = None if prior is None else self._check_prior(prior)
        if state is not None:
            now = state
        else:
            now = ObjectState() if before is None else self._state
        seen = before if focus is None else self._check_prior(focus)
        looks = self.first_look == "magnifications" and focus is None
        answer, self._state = self._answer(prompts, before, seen, now, looks)
        return answer if state is None else (answer, self._state)

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
        shape = self._network_shape
        check_prompts(clicks, self._shape)
        corners = self._corners(self._on_grid(clicks))
        with torch.inference_mode(), limited_threads(self.threads):
            return [
                self._ask(corners, None, crop, None).seen
                for crop in magnifications(corners, shape, self._input_side)
            ]

    def _answer(
        self,
        prompts: Sequence[Prompt],
        prior: NDArray[np.float32] | None,
        focus: NDArray[np.float32] | None,
        state: ObjectState,
        looks: bool,
    ) -> tuple[NDArray[np.float32], ObjectState]:
        shape = self._network_shape
        asked = self._on_grid(prompts)
        start = start_of(asked, prior, shape)
        if start is not None and start is not prior:
            focus = (start > 0).astype(np.float32)
        corners = self._corners(asked)
        first = moved_to(self._first(state.viewport, shape), corners, shape)
        crops = [self.zoom.choose(focus, corners, shape, state.crop, first)]
        found = focus is not None and bool((focus > self.zoom.threshold).any())
        if looks and not found and state.viewport is None:
            crops = magnifications(corners, shape, self._input_side)
        result = np.zeros(shape, np.float32)
        memory = enough_memory("a prediction")
        with memory, torch.inference_mode(), limited_threads(self.threads):
            answers = [self._ask(asked, start, crop, state.memory) for crop in crops]
            best = 0
            if len(answers) > 1:
                best = self._chooser.choose([one.seen for one in answers])
            crop, (answer, view, clicks) = crops[best], answers[best]
            result[view.slices] = _resized(answer.logits.sigmoid(), view)
            if answer.maps is not None:
                late = prior is not None and len(prompts) > SETTLED_AFTER
                self._refine(result, clicks, start, view, answer, late)
        if self._grid is not None:
            result = self._grid.back(result)
        settle(result, prompts)
        return result, ObjectState(crop, answer.memory, state.viewport)

    def _ask(
        self,
        asked: Sequence[Prompt],
        prior: NDArray[np.float32] | None,
        crop: Crop | None,
        memory: Any,
    ) -> _Asked:
        """Ask the network about a crop; None for the whole image."""
        shape = self._network_shape
        view, size = crop or Crop.whole(shape), self.zoom.network_size(crop, shape)
        spacing = DISK_RADIUS_PX * max(view.height / size[0], view.width / size[1])
        boxes = self._boxes(asked)
        clicks = [
            click
            for one in asked
            if one not in boxes
            for click in as_clicks(one, shape, spacing)
        ]
        features = self._features(view, size)
        prompts = self._crop_prompts(clicks, prior, view, size, boxes)
        answer = self._network.answer(features, prompts, memory)
        return _Asked(answer, view, clicks or self._corners(asked))

    def _boxes(self, asked: Sequence[Prompt]) -> list[Box]:
        """Boxes that the network takes as they are."""
        if not self._network.spec.takes_boxes:
            return []
        return [one for one in asked if isinstance(one, Box)]

    @property
    def _network_shape(self) -> tuple[int, int]:
        """(H, W) of the image as it is shown to the network: with square pixels."""
        height, width = self._shown().shape[:2]
        return height, width

    def _on_grid(self, prompts: Sequence[Prompt]) -> Sequence[Prompt]:
        """Prompts as they lie among the network's pixels."""
        if self._grid is None:
            return prompts
        return [self._grid.prompt(one) for one in prompts]

    def _corners(self, asked: Sequence[Prompt]) -> list[Click]:
        """Give clicks that a crop has to hold."""
        shape = self._network_shape
        return [click for one in asked for click in corners_of(one, shape)]

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
        if self._image is not None:
            check_prompts(prompts, self._shape)
        state = ObjectState()
        for count in range(1, len(prompts) + 1):
            answer, state = self.predict(prompts[:count], prior, state=state)
            prior = answer
            yield answer

    def _check_prior(self, prior: ArrayLike) -> NDArray[np.float32]:
        """Refuse a prior of another shape, and bring it to the network's pixels."""
        array = np.asarray(prior)
        if array.shape != self._shape:
            raise UserError(
                f"The prior mask has shape {array.shape} but the image is "
                f"{self._shape[0]} x {self._shape[1]} px; give a mask of the same size."
            )
        unit = array.astype(np.float32, copy=False)
        if array.dtype != bool:  # a mask needs none of it, and a slice can be large
            unit = np.clip(np.nan_to_num(unit, nan=0.0), 0, 1)
        return unit if self._grid is None else self._grid.there(unit)

    def _refine(
        self,
        result: NDArray[np.float32],
        clicks: Sequence[Click],
        prior: NDArray[np.float32] | None,
        view: Crop,
        answer: Answer,
        late: bool,
    ) -> None:
        """Look again at what the last click changed, and write it into a result."""
        before = np.zeros_like(result) if prior is None else prior.astype(np.float32)
        crop = focus_crop(result > ANSWER_ABOVE, before > PRIOR_ABOVE, clicks[-1], view)
        if crop is None:
            return
        size = self.zoom.size
        box = box_in(crop, view, (answer.logits.shape[2], answer.logits.shape[3]))
        asked = self._crop_prompts(clicks, prior, crop, size)
        fine = self._network.refine(self._pixels(crop, size), asked, answer, box)
        if late:
            result[view.slices] = before[view.slices]
        result[crop.slices] = expit(_resized(fine, crop))

    def _features(self, crop: Crop, size: tuple[int, int]) -> Features:
        """Features of a crop; neither read nor encoded anew while they are kept."""
        key = self._keys.get((crop, size))
        found = None if key is None else self._network.remembered(key)
        if found is None:
            key, found = self._network.encode(self._pixels(crop, size))
            self._keys[crop, size] = key
        return found

    def _pixels(self, crop: Crop, size: tuple[int, int]) -> NDArray[np.float32]:
        """Pixels (h, w) or (h, w, 3) of a crop, in [0, 1]."""
        assert self._image is not None
        return resize_crop(self._image, crop, size, self._window.apply)

    def _crop_prompts(
        self,
        clicks: Sequence[Click],
        prior: NDArray[np.float32] | None,
        crop: Crop,
        size: tuple[int, int],
        boxes: Sequence[Box] = (),
    ) -> CropPrompts:
        """Prior, clicks and boxes as they lie in a crop."""
        mask = torch.zeros(1, 1, *size, device=self.device)
        if prior is not None:
            mask[0, 0] = torch.from_numpy(resize_crop(prior, crop, size))
        positive, negative = (
            tuple(map_click(c, crop, size) for c in clicks if c.positive is sign)
            for sign in (True, False)
        )
        corners = tuple(
            (
                *map_click(Click(box.row_min, box.column_min), crop, size),
                *map_click(Click(box.row_max, box.column_max), crop, size),
            )
            for box in boxes
        )
        return CropPrompts(mask, positive, negative, corners, crop)


def _resized(maps: Tensor, crop: Crop) -> NDArray[np.float32]:
    """Make maps (1,1,h,w) as large as a crop: (height, width)."""
    size = (crop.height, crop.width)
    maps = functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
    return np.asarray(maps[0, 0].cpu().numpy(), np.float32)
