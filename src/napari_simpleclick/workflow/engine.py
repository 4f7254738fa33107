"""What runs off the main thread: answering one request at a time."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np

from napari_simpleclick.annotation import MaskOptions, PredictionSettings
from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.inference.finish import finish
from napari_simpleclick.inference.local_answers import predict_local
from napari_simpleclick.inference.modes import is_exact
from napari_simpleclick.inference.speed import Speed, SpeedTest
from napari_simpleclick.workflow.merging import merged, merging

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Mask, ObjectSlice, PlacedPrompts, Request
    from napari_simpleclick.images import Plane, Viewport
    from napari_simpleclick.images.view import DisplaySettings, View
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.weights import Card

REMEMBERED = 8
"""Answers remembered to go on from; others are computed again from their clicks."""

TIMED_CLICKS = 3
"""Clicks whose time is measured."""

SAMPLED = 512
"""Rows and columns of a slice by which pixels that were changed in place are seen."""

ACCELERATED = "OpenVINO computes."

DEFAULT = MaskOptions()


@dataclass(frozen=True, eq=False)
class Job:
    """A request with a snapshot of all that its answer depends on.

    Parameters
    ----------
    request : Request
        The clicks.
    view : View
        How the image is looked at.
    spacing : tuple of float
        Height and width of a pixel.
    options : MaskOptions
        What shapes the mask.
    """

    request: Request
    view: View
    spacing: tuple[float, float] = (1.0, 1.0)
    options: MaskOptions = DEFAULT

    def finish(self, probability: LocalMap) -> LocalMap:
        """Make a mask of a probability."""
        prompts = [step.prompt for step in self.request.prompts]
        bases = [s.base for s in self.request.prompts if s.base is not None]
        options = self.options
        return finish(
            probability.above(options.threshold),
            prompts,
            smooth=options.smooth,
            fill_holes=options.fill_holes,
            only_clicked=options.only_clicked,
            earlier=bases[-1] if bases else None,
            spacing=self.spacing,
        )


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a request.

    Parameters
    ----------
    request : Request
        What was asked.
    part : LocalMap
        The mask, bool.
    milliseconds : float
        Time of the last prediction, reading the slice included.
    settings : PredictionSettings or None
        What it depended on; None if nothing was predicted.
    """

    request: Request
    part: LocalMap
    milliseconds: float
    settings: PredictionSettings | None = None

    @cached_property
    def mask(self) -> Mask:
        """(H, W) bool mask."""
        return self.part.full()


class RememberedAnswer(NamedTuple):
    """The answer to go on from for an object on a slice, and all that it came from.

    Parameters
    ----------
    steps : tuple of PlacedPrompt
        The clicks.
    look, spacing, options
        How the image was looked at, and what shaped the answer.
    state : ObjectState
        The predictor's.
    local : LocalMap
        The probability, as far as it is not 0.
    """

    steps: PlacedPrompts
    look: DisplaySettings
    spacing: tuple[float, float]
    options: MaskOptions
    state: ObjectState
    local: LocalMap

    def fits(self, steps: PlacedPrompts, job: Job) -> bool:
        """Whether these clicks would have had this answer in a job."""
        seen = (self.look, self.spacing) == (job.view.look, job.spacing)
        return seen and self.steps == steps and self.chained(job.options)

    def chained(self, options: MaskOptions) -> bool:
        """Whether options make the same probability of these clicks."""
        return merging(self.steps, self.options) == merging(self.steps, options)

    def probability(self) -> NDArray[np.float32]:
        """(H, W) probability."""
        return self.local.full()


class PredictionEngine:
    """A predictor that alternates between slices and objects.

    Parameters
    ----------
    predictor : Predictor
        The model.
    card : Card
        Where its weights come from.
    name : str
        What a session calls it; by default the name of the card.

    Attributes
    ----------
    lock : Lock
        Held during every use of the predictor, and of those beside it.
    shown : object
        What the predictor was shown last.
    """

    def __init__(self, predictor: Predictor, card: Card, name: str = "") -> None:
        self.predictor, self.card, self.name = predictor, card, name or card.name
        self.lock = Lock()
        self.shown: Any = None
        self._source: Any = None
        self._latest: OrderedDict[ObjectSlice, RememberedAnswer] = OrderedDict()
        self._outdated = False

    def forget(self) -> None:
        """Read the slice anew next time, because its pixels have changed."""
        self._outdated = True

    def latest(self, source: Any, object_slice: ObjectSlice) -> RememberedAnswer | None:
        """Give what is remembered there; it never waits for a prediction."""
        if self._outdated or source is not self._source:
            return None
        return self._latest.get(object_slice)

    def settings(self, job: Job) -> PredictionSettings:
        """Tell what the answer to a job depends on, for the session."""
        predictor = self.predictor
        return PredictionSettings(
            job.options,
            job.view.look,
            job.spacing,
            self.name,
            "exact" if is_exact(predictor) else "fast",
            str(predictor.dtype).removeprefix("torch."),
            "openvino" if predictor.encoder.is_accelerated else "pytorch",
            predictor.zoom.most_enlarged,
            self.card.sha256,
            predictor.flip,
        )

    def answer(self, job: Job) -> Answer:
        """Predict; clicks whose answers are not remembered are gone through again."""
        with self.lock:
            return self._answer(job)

    def accelerate(self, goes_on: Callable[[], bool]) -> str:
        """Let OpenVINO compute if it can; clicks are answered meanwhile.

        Parameters
        ----------
        goes_on : callable
            Whether there is still somebody to compute for.

        Returns
        -------
        str
            What computes, in one sentence; empty for nothing to say.
        """
        hindrance = self.predictor.accelerate(goes_on)
        accelerated = self.predictor.encoder.is_accelerated
        return hindrance or (ACCELERATED if accelerated else "")

    def measure(self) -> Speed:
        """Time the model on this computer; clicks are answered in between."""
        test = SpeedTest(self.predictor)
        with self.lock:
            test.encode()
        for _ in range(TIMED_CLICKS):
            with self.lock:
                test.click()
        return test.speed

    def _answer(self, job: Job) -> Answer:
        start = time.perf_counter()
        request = job.request
        shape = self.show(request.object_slice.plane, job.view, job.spacing)
        if request.prompts:
            mask = job.finish(self._predict(job))
        else:
            rest = np.zeros(shape, bool) if request.rest is None else request.rest
            mask = LocalMap.whole(rest).cut()
            self._latest.pop(request.object_slice, None)
        while len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)
        spent = 1000 * (time.perf_counter() - start)
        return Answer(request, mask, spent, self.settings(job))

    def _predict(self, job: Job) -> LocalMap:
        """Go through the clicks from the first that has no answer yet."""
        steps, known = job.request.prompts, self._latest.get(job.request.object_slice)
        prompts = [step.prompt for step in steps]
        probability: LocalMap | None = None
        first, state = 0, ObjectState()
        if known is not None:
            first = next((n for n in _ends(steps) if known.fits(steps[:n], job)), 0)
        if first and known is not None:
            probability, state = known.local, known.state
        holding = merging(steps, job.options)
        for count in range(first, len(steps)):
            base = steps[count].base
            if base is not None:
                probability = LocalMap.whole(base).cut().astype(np.float32)
            if base is not None or count == 0:
                state = ObjectState(viewport=steps[count].viewport)
            answer, state = predict_local(
                self.predictor, prompts[: count + 1], probability, state
            )
            if probability is not None and holding and holding.steps[count]:
                both = answer.full(), probability.full()
                held = merged(*both, prompts[count], holding.threshold)
                answer = LocalMap.whole(held).cut()
            probability = answer
        assert probability is not None
        self._remember(job, probability, state)
        return probability

    def _remember(self, job: Job, probability: LocalMap, state: ObjectState) -> None:
        object_slice, steps = job.request.object_slice, job.request.prompts
        self._latest[object_slice] = RememberedAnswer(
            steps,
            job.view.look,
            job.spacing,
            job.options,
            state,
            probability,
        )
        self._latest.move_to_end(object_slice)

    def show(
        self, plane: Plane, view: View, spacing: tuple[float, float]
    ) -> tuple[int, int]:
        """Show the predictor a slice, unless it has seen it; under the lock.

        Parameters
        ----------
        plane : Plane
            The slice.
        view : View
            How the image is looked at.
        spacing : tuple of float
            Height and width of a pixel.

        Returns
        -------
        tuple of int
            (height, width) of the slice.
        """
        if self._outdated or view.source is not self._source:
            self._latest.clear()
            self.shown, self._source, self._outdated = None, view.source, False
        shown = plane, view.look, spacing, _sample(view.source, plane)
        if self.shown != shown:
            if self.shown is not None and self.shown[:-1] == shown[:-1]:
                self._latest.clear()  # the pixels were changed in place
            picture = view.read(plane)
            self.predictor.set_image(picture, view.window(), spacing)
            self.shown = shown
            self._size = picture.shape[0], picture.shape[1]
        return self._size

    def encode(
        self, viewport: Viewport | None = None, after: ObjectSlice | None = None
    ) -> None:
        """Encode what the next click on the shown slice looks at; under the lock.

        Parameters
        ----------
        viewport : Viewport or None
            What is seen of the slice; None for all of it.
        after : ObjectSlice or None
            Whose answer the click is to correct; None for the first click on an object.
        """
        known = None if after is None else self._latest.get(after)
        if known is None:
            self.predictor.encode(state=ObjectState(viewport=viewport))
        else:
            prompts = [step.prompt for step in known.steps]
            self.predictor.encode(prompts, known.local, known.state)


def _sample(source: Any, plane: Plane) -> int:
    """Tell pixels from others, by some of a slice; 0 for what is not in memory."""
    if not isinstance(source, np.ndarray):
        return 0
    pixels = plane.read(source)
    step = 1 + max(pixels.shape[0], pixels.shape[1]) // SAMPLED
    return crc32(pixels[::step, ::step].tobytes())


def _ends(steps: PlacedPrompts) -> tuple[int, int]:
    """How many prompts an answer to go on from can be to: all, or all but the last."""
    return len(steps), len(steps) - 1
