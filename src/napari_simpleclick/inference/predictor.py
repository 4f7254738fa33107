"""One image, its clicks and a prior mask to a probability map."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np

from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference.image_encoder import ImageEncoder
from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.inference.prompt_pixels import settle, start_of
from napari_simpleclick.inference.stability import most_stable
from napari_simpleclick.prompts import Box, Lasso, Scribble, check_prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.inference.stability import CropAnswer
    from napari_simpleclick.prompts import Click, Prompt

SETTLED_AFTER = 10
"""With more prompts, a network that refines changes nothing but the focus crop."""


class Predictor(ImageEncoder):
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
        If the device, precision or first look is not available, there is no thread, or
        the network cannot take crops of any aspect ratio and is to.
    """

    @overload
    def predict(
        self,
        prompts: Iterable[Prompt],
        prior: ArrayLike | None = ...,
        *,
        focus: ArrayLike | None = ...,
    ) -> NDArray[np.float32]: ...

    @overload
    def predict(
        self,
        prompts: Iterable[Prompt],
        prior: ArrayLike | None = ...,
        *,
        state: ObjectState,
        focus: ArrayLike | None = ...,
    ) -> tuple[NDArray[np.float32], ObjectState]: ...

    def predict(
        self,
        prompts: Iterable[Prompt],
        prior: ArrayLike | None = None,
        *,
        state: ObjectState | None = None,
        focus: ArrayLike | None = None,
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], ObjectState]:
        """Predict the object that the prompts are on.

        Parameters
        ----------
        prompts : iterable of Click, Box, Scribble or Lasso
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
            If there is no prompt, one outside the image, a box without an area, a
            prior of another shape, or a first prompt on an image without a number.
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
        answer, now = self._predict(prompts, prior, state, focus)
        full = answer.full()
        return full if state is None else (full, now)

    def predict_local(
        self, prompts: Iterable[Prompt], prior: LocalMap | None, state: ObjectState
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
        return self._predict(prompts, prior, state, None)

    def _predict(
        self,
        prompts: Iterable[Prompt],
        prior: ArrayLike | LocalMap | None,
        state: ObjectState | None,
        focus: ArrayLike | None,
    ) -> tuple[LocalMap, ObjectState]:
        """Predict, and remember the state for who does not keep it."""
        image, prompts = self._questions.image, tuple(prompts)
        check_prompts(prompts, image.shape)
        if prior is None:
            image.check_numbers()
        before = None if prior is None else image.prior(prior)
        if state is None:
            state = ObjectState() if before is None else self._state
        seen = before if focus is None else image.prior(focus)
        answer, self._state = self._answer(prompts, before, seen, state, focus is None)
        return answer, self._state

    def magnified(self, clicks: Iterable[Click]) -> list[CropAnswer]:
        """Answer first clicks at each magnification, none of them chosen.

        Parameters
        ----------
        clicks : iterable of Click
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
        image, clicks = questions.image, tuple(clicks)
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
        first = several and self._choice.is_first(focus)
        if first and self._choice.compares(view):
            crops = self._choice.magnified(corners, shape)
        late = prior is not None and len(prompts) > SETTLED_AFTER
        with self._computing():
            answers = [
                questions.ask(asked, start, crop, state.memory) for crop in crops
            ]
            best = most_stable([one.seen for one in answers]) if answers[1:] else 0
            crop, chosen = crops[best], answers[best]
            squared = questions.probability(chosen, start, late)
            closer = None
            if first and (view is not None or answers[1:]):
                closer = self._choice.closer(squared, corners, shape, crop)
            if closer is not None:
                crop, memory = closer, chosen.answer.memory
                chosen = questions.ask(asked, squared, closer, memory)
                squared = questions.probability(chosen, squared, late)
        result = image.back(squared)
        if any(isinstance(prompt, Scribble) for prompt in prompts):
            whole = result.full()
            settle(whole, prompts)
            result = LocalMap.whole(whole)
        return result, ObjectState(crop, chosen.answer.memory, state.viewport)

    def replay(
        self, prompts: Iterable[Prompt], prior: ArrayLike | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Predict after each of several prompts, each answer the prior of the next.

        Parameters
        ----------
        prompts : iterable of Click, Box, Scribble or Lasso
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
            As :meth:`predict` does, before the first prediction; or the image has no
            contrast.
        """
        prompts = tuple(prompts)
        if self._asked is not None:
            check_prompts(prompts, self._asked.image.shape)
            self._asked.image.check_contrast()
        state = ObjectState()
        for count in range(1, len(prompts) + 1):
            answer, state = self.predict(prompts[:count], prior, state=state)
            prior = answer
            yield answer
