"""A session file to the masks that it ended with, as recorded or predicted anew."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_simpleclick.annotation import (
    Edit,
    MaskChange,
    ObjectAction,
    ObjectSlice,
    PredictionSettings,
    Session,
)
from napari_simpleclick.annotation.session import TAKEN
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.view import View, VolumeWindows
from napari_simpleclick.images.viewer_images import Opened, open_layers
from napari_simpleclick.inference import Predictor, ZoomIn
from napari_simpleclick.sessions import ImageIdentity, SessionDatabase, SessionReader
from napari_simpleclick.sessions.database import import_copy
from napari_simpleclick.sessions.reader import TAKEN_BACK
from napari_simpleclick.sessions.taught_files import PREFIX, find_taught
from napari_simpleclick.weights import catalogue, load_weights
from napari_simpleclick.workflow.engine import Job, PredictionEngine
from napari_simpleclick.workflow.reshaping import reshape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_simpleclick.images.source import Source
    from napari_simpleclick.inference.devices import Precision
    from napari_simpleclick.weights import Card

RECORDED = "recorded"
"""In the place of a model's name: each answer anew by the model that it was of."""


@dataclass(frozen=True, eq=False)
class Replay:
    """What a session has become.

    Parameters
    ----------
    session : Session
        At its end.
    about : dict
        What the file says about itself.
    mask : ndarray
        The labels.
    source : Source or None
        What the mask overlays; None if the image was not found.
    clicks : int
        How many were ever made.
    agreement : dict
        Label to the Dice of its mask with the recorded one; 1 unless predicted anew.
    """

    session: Session
    about: dict[str, Any]
    mask: NDArray[Any]
    source: Source | None
    clicks: int
    agreement: dict[int, float]


def replay_session(
    path: Path,
    image: Path | None = None,
    weights: str | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Replay:
    """Read a session back.

    Parameters
    ----------
    path : Path
        The session file; it is not changed.
    image : Path, optional
        Its image; by default where the session says, if it is there.
    weights : str, optional
        Catalogue name or path of a model that predicts every click anew; ``recorded``
        takes for each answer the model that it was of, taught ones included. What was
        painted, propagated and deleted stays as it was recorded. Answers are computed
        as they were: with or without the mirrored image, with the number type and by
        what computed then; by PyTorch where OpenVINO is not there, and without the
        mirrored image where an older session does not say.
    report : callable, optional
        Called with the number of events that were read, and of all.

    Raises
    ------
    UserError
        If the file is not a session, the image is not that of the session, or recorded
        answers are of other weights of the same name.
    OSError
        If a file cannot be read.
    """
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / path.name
        import_copy(path, copy)
        return _replay(copy, image, weights, report, path)


def _replay(
    path: Path,
    image: Path | None,
    weights: str | None,
    report: Callable[[int, int], None] | None,
    original: Path,
) -> Replay:
    with SessionDatabase(path) as store:
        store.upgrade()
        about, total = store.about(), store.count()
        opened = _find_image(about, image)
        if weights is not None and opened is None:
            raise UserError(
                "The image of the session was not found; give it with --image."
            )
        mask = np.zeros(about["mask"], np.uint16)
        reading = SessionReader(store)
        again = None
        if weights is not None and opened is not None:
            engines = _Engines(weights, original)
            again = _PredictedAgain(engines, reading, opened, about, mask)
        for number, (kind, edit) in enumerate(reading.play(mask), start=1):
            if again is not None and edit is not None:
                again.follow(kind, edit)
            if report is not None:
                report(number, total)
        session, clicks = reading.session, store.prompt_count()
    final = mask if again is None else again.labels
    axis, ndim = session.options.channel_axis, len(about["shape"])
    source = None if opened is None else opened.source.of_mask(ndim, axis)
    labels = session.objects.labels()
    agreement = dict.fromkeys(labels, 1.0)
    if again is not None:
        agreement = {k: _dice(final == k, mask == k) for k in labels}
    return Replay(session, about, final, source, clicks, agreement)


class _Engines:
    """What predicts anew: one model for all, or the one that each answer had.

    Either computes as the answer was computed, as far as the session says that.
    """

    def __init__(self, weights: str, session: Path) -> None:
        self._weights, self._session = weights, session
        self._known: dict[tuple[str | float | None, ...], PredictionEngine] = {}
        if weights != RECORDED:
            load_weights(weights)  # to say at once if that cannot be done

    def find(self, settings: PredictionSettings) -> PredictionEngine:
        """Give what is to answer where the session says that this did."""
        name = settings.model if self._weights == RECORDED else self._weights
        enlarged = settings.most_enlarged
        exact = settings.mode == "exact"
        flip = exact if settings.flip is None else settings.flip
        key = name, flip, settings.precision, settings.computed_by, enlarged
        if key not in self._known:
            network, card = load_weights(self._locate(name))
            precision = cast("Precision", settings.precision or "auto")
            zoom = ZoomIn.of(network.spec)
            if network.spec.most_enlarged is not None:
                zoom = replace(zoom, most_enlarged=enlarged)
            predictor = Predictor(network, precision=precision, flip=flip, zoom=zoom)
            if settings.computed_by == "openvino":
                predictor.accelerate()
            self._known[key] = PredictionEngine(predictor, card, name)
        if self._weights == RECORDED:
            _check_same(self._known[key].card, settings.weights)
        return self._known[key]

    def _locate(self, name: str) -> str | Path:
        if not name.startswith(PREFIX) or name in catalogue():
            return name
        path = find_taught(self._session, name)
        if path is None:
            raise UserError(
                f"Some answers are of weights that were taught in this session, "
                f"'{name}', which do not lie beside '{self._session.name}' or are "
                "damaged; put their file there, or choose a model with --weights."
            )
        return path


def _check_same(card: Card, recorded: str) -> None:
    """Refuse weights that only have the name of those that a session is of."""
    if recorded and card.sha256 and recorded != card.sha256:
        raise UserError(
            f"Some answers are of other weights than those that are called "
            f"'{card.name}' here; replay with the version that they were made with, or "
            f"choose a model with --weights, as --weights {card.name}."
        )


@dataclass
class _PredictedAgain:
    """Predicts anew what was answered, and makes everything else as recorded."""

    engines: _Engines
    reading: SessionReader
    opened: Opened
    about: dict[str, Any]
    recorded: NDArray[Any]
    labels: NDArray[Any] = field(init=False)
    _done: list[MaskChange | None] = field(default_factory=list)
    _undone: list[MaskChange | None] = field(default_factory=list)
    _windows: VolumeWindows = field(default_factory=VolumeWindows)
    _engine: PredictionEngine | None = None

    def __post_init__(self) -> None:
        """Start with an empty mask."""
        self.labels = np.zeros(self.about["mask"], np.uint16)

    def follow(self, kind: str, edit: Edit) -> None:
        """Do, undo or redo what the session did."""
        back = kind in TAKEN_BACK
        if back:
            change = self._done.pop()
            if kind == "undone":
                self._undone.append(change)
        elif kind == "redone":
            change = self._undone.pop()
            self._done.append(change)
        else:
            change = self._change(edit)
            self._done.append(change)
            self._undone.clear()
        if change is not None:
            change.apply(self.labels, undo=back)

    def _change(self, edit: Edit) -> MaskChange | None:
        if edit.settings is not None:
            return self._predict(edit, edit.settings)
        if edit.name == "delete object":
            there = np.nonzero(np.isin(self.labels, list(edit.after.styles)))
            return MaskChange.of(self.labels.shape, there, self.labels[there], 0)
        if edit.name == TAKEN:
            return MaskChange.between(self.labels, self.recorded)
        if edit.action is not None:
            return self._act(edit.action)
        if edit.name == "end":
            return MaskChange.joined(list(self._cleared(edit)))
        if edit.change is None:
            return None
        indices, _, after = edit.change.voxels()
        places = np.unravel_index(indices, edit.change.shape)
        return MaskChange.of(self.labels.shape, places, self.labels[places], after)

    def _act(self, action: ObjectAction) -> MaskChange | None:
        """Do with objects what was done with them; nothing where it cannot be done."""
        where = ObjectSlice(action.labels[0], action.plane)
        latest = None
        if action.weighed and self._engine is not None:
            latest = self._engine.latest(self.opened.array, where)
        probability = None if latest is None else latest.probability()
        locked = self.reading.session.objects.locked()
        with suppress(UserError):
            return reshape(self.labels, action, locked, probability)
        return None

    def _cleared(self, edit: Edit) -> Iterator[MaskChange]:
        """Clear the slices beyond the end of an object."""
        for object_slice in edit.after.propagated:
            empty = np.zeros(object_slice.plane.size(self.labels.shape), bool)
            change = MaskChange.of_object(
                self.labels, object_slice.plane, object_slice.label, empty
            )
            if change is not None:
                yield change

    def _predict(self, edit: Edit, settings: PredictionSettings) -> MaskChange | None:
        """Answer a request as it was answered, with another model."""
        ((object_slice, prompts),) = edit.after.prompts.items()
        requests = [
            one
            for one in self.reading.session.requests
            if one.object_slice == object_slice and one.prompts == prompts
        ]
        if not requests:
            raise UserError("The session is damaged: an answer belongs to no request.")
        array = self.opened.array
        ndim = len(self.about["shape"])
        view = View(array, settings.display, self._windows, array, ndim)
        job = Job(requests[0], view, settings.spacing, settings.options)
        overwrite = self.reading.session.options.overwrite  # as it was when written
        plane, label = object_slice.plane, object_slice.label
        self._engine = self.engines.find(settings)
        mask = self._engine.answer(job).mask
        locked = self.reading.session.objects.locked()
        return MaskChange.of_object(self.labels, plane, label, mask, overwrite, locked)


def _find_image(about: dict[str, Any], image: Path | None) -> Opened | None:
    """Open the image of a session; None if it is not there."""
    path = image or (Path(about["path"]) if about["path"] else None)
    if path is None or (image is None and not path.exists()):
        return None
    shape = tuple(about["shape"])
    for opened in open_layers(path):
        array = opened.array
        same = not opened.labels and tuple(array.shape[: len(shape)]) == shape
        if same and ImageIdentity.of(array, len(shape), path).is_that_of(about):
            return opened
    raise UserError(
        f"'{path}' is not the image of this session, '{about['image']}' of shape "
        f"{shape}."
    )


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    both = int(one.sum() + other.sum())
    return 1.0 if both == 0 else 2 * int((one & other).sum()) / both
