"""A whole volume to features in a store, by this process or by workers."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.devices import choose_device, choose_precision
from napari_simpleclick.inference.encoding import (
    EncoderSettings,
    encode_pixels,
    encoding_predictor,
)
from napari_simpleclick.inference.feature_files import key_of
from napari_simpleclick.tasks.estimate import TIMED, Measured, spread_out, time_tasks
from napari_simpleclick.tasks.pool import TaskPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_simpleclick.images import Plane
    from napari_simpleclick.images.view import View
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.inference.crop_network import Pixels
    from napari_simpleclick.inference.devices import Precision
    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.tasks.estimate import Span, Timing
    from napari_simpleclick.tasks.pool import Task

OTHER_WEIGHTS = (
    "A worker has other weights, or another release of this program or of torch; "
    "install the same everywhere."
)


@dataclass(frozen=True, eq=False)
class VolumeSlices:
    """Slices of a volume as a person is going to see them.

    Parameters
    ----------
    view : View
        How the image is looked at.
    planes : tuple of Plane
        The slices.
    spacing : tuple of float
        Height and width of a pixel.
    """

    view: View
    planes: tuple[Plane, ...]
    spacing: tuple[float, float] = (1.0, 1.0)

    def first_pixels(self, predictor: Predictor, plane: Plane) -> Pixels:
        """Give what the network is shown at the first click on a slice.

        Parameters
        ----------
        predictor : Predictor
            Is shown the slice.
        plane : Plane
            The slice.
        """
        picture, window = self.view.read(plane), self.view.window()
        predictor.set_image(picture, window, self.spacing)
        return predictor.first_pixels()


class EncodedVolume(NamedTuple):
    """What came of it.

    Parameters
    ----------
    slices : int
        That are in the store now.
    encoded : int
        How many of them were not there before; slices that look the same are one.
    encoded_bytes : int
        Their size.
    """

    slices: int
    encoded: int
    encoded_bytes: int


def check_encodes_once(predictor: Predictor, name: str) -> None:
    """Refuse a network that has nothing to keep.

    Raises
    ------
    UserError
        If it looks at the image anew at each click.
    """
    if not predictor.encodes_once:
        raise UserError(
            f"'{name}' looks at the image anew at each click, so there is nothing to "
            "encode ahead; choose a model that encodes once, such as 'encode-once'."
        )


def encode_volume(
    slices: VolumeSlices,
    settings: EncoderSettings,
    store: FeatureStore,
    pool: TaskPool | None = None,
    *,
    wanted: int | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> EncodedVolume:
    """Encode what the first click on every slice looks at.

    What is in the store already is left as it is, so a run that was stopped goes on.

    Parameters
    ----------
    slices : VolumeSlices
        What to encode.
    settings : EncoderSettings
        By what.
    store : FeatureStore
        Where features go.
    pool : TaskPool or None
        Who does it, see :func:`napari_simpleclick.tasks.pool.open_pool`; None for this
        process. Features are the same from any number of workers. Those on a cluster
        are sent pixels, and need only this package and the weights.
    wanted : int or None
        Slices that are to be in the store at the same time; None for those of this
        volume.
    report : callable
        Called with the number of slices that are done and of all.

    Raises
    ------
    UserError
        If the weights or the device cannot be used, the store cannot hold so much or
        cannot be written, the network does not encode once, or the scheduler is gone.
    """
    settings = _resolved(settings)
    predictor = encoding_predictor(settings)
    check_encodes_once(predictor, settings.weights)
    total, missed = len(slices.planes), set[str]()
    encoded = size = ready = 0

    def missing() -> Iterator[Task]:
        """Give the slices that are not in the store."""
        nonlocal ready
        beside = predictor.beside()
        for plane in slices.planes:
            pixels = slices.first_pixels(beside, plane)
            key = beside.encoder.stored_key(pixels)
            if key not in missed and not store.holds(key):
                missed.add(key)
                yield encode_pixels, settings, pixels
                continue
            ready += 1
            report(ready, total)

    for outcome in (pool or TaskPool()).finished(missing()):
        content = outcome.result()
        key = key_of(content)
        if key not in missed:
            raise UserError(OTHER_WEIGHTS)
        store.check_room(wanted or total, len(content))
        store.write(key, content)
        encoded, size, ready = encoded + 1, size + len(content), ready + 1
        report(ready, total)
    return EncodedVolume(total, encoded, size)


def _resolved(settings: EncoderSettings) -> EncoderSettings:
    """Decide here what ``auto`` is, and name files in full, for all workers."""
    device = choose_device(settings.device)
    number = str(choose_precision(settings.precision, device)).removeprefix("torch.")
    path = Path(settings.weights)
    weights = str(path.resolve()) if path.exists() else settings.weights
    precision = cast("Precision", number)
    return replace(settings, weights=weights, device=str(device), precision=precision)


def time_encoding(settings: EncoderSettings, pixels: Pixels) -> Measured:
    """Encode a crop, and tell how long it took and how large its features are."""
    encoding_predictor(settings)
    began = time.perf_counter()
    content = encode_pixels(settings, pixels)
    return Measured(1, time.perf_counter() - began, size_bytes=len(content))


class EncodingPlan(NamedTuple):
    """What a dry run has found.

    Parameters
    ----------
    slices : int
        How many there are.
    timing : Timing
        Of a few of them.
    span : Span
        How long all of them take.
    size_bytes : float
        Room that their features take.
    """

    slices: int
    timing: Timing
    span: Span
    size_bytes: float


def plan_encoding(
    volumes: Sequence[VolumeSlices], settings: EncoderSettings, pool: TaskPool
) -> EncodingPlan:
    """Time a few slices of all that are to be encoded; nothing is written.

    Parameters
    ----------
    volumes : sequence of VolumeSlices
        What would be encoded.
    settings, pool
        As of :func:`encode_volume`.
    """
    settings = _resolved(settings)
    predictor = encoding_predictor(settings)
    check_encodes_once(predictor, settings.weights)
    every = [(volume, plane) for volume in volumes for plane in volume.planes]
    reading: list[float] = []

    def few() -> Iterator[Task]:
        """Read some slices, and see how long this takes: one process does it."""
        for volume, plane in spread_out(every, TIMED + pool.workers):
            began = time.perf_counter()
            beside = predictor.beside()
            pixels = volume.first_pixels(beside, plane)
            beside.encoder.stored_key(pixels)
            reading.append(time.perf_counter() - began)
            yield time_encoding, settings, pixels

    timing = time_tasks(pool, few())
    read_s = len(every) * sum(reading) / len(reading)
    span = timing.estimate([1.0] * len(every), read_s)
    return EncodingPlan(len(every), timing, span, len(every) * timing.each_bytes)
