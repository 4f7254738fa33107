"""A whole volume to features in a store, by this process or by workers."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.run import executor
from napari_simpleclick.inference.devices import choose_device, choose_precision
from napari_simpleclick.inference.encoding import (
    EncoderSettings,
    encode_pixels,
    encoding_predictor,
)
from napari_simpleclick.inference.feature_files import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

    from napari_simpleclick.images import Plane
    from napari_simpleclick.images.view import View
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.inference.crop_network import Pixels
    from napari_simpleclick.inference.devices import Precision
    from napari_simpleclick.inference.feature_store import FeatureStore

IN_FLIGHT = 16
"""Crops that are with workers at a time; each takes megabytes to send."""

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
    *,
    jobs: int = 1,
    scheduler: str = "",
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
    jobs : int
        Processes of one thread each; features are the same with any number.
    scheduler : str
        Address of a Dask scheduler whose workers have this package and see the
        weights; replaces ``jobs``. Pixels are sent to them.
    report : callable
        Called with the number of slices that are done and of all.

    Raises
    ------
    UserError
        If the weights, the device or the scheduler cannot be used, the store cannot
        hold so much or cannot be written, or the network does not encode once.
    """
    settings = _resolved(settings)
    predictor = encoding_predictor(settings)
    check_encodes_once(predictor, settings.weights)
    total, wanted = len(slices.planes), set[str]()
    encoded = size = ready = 0

    def missing() -> Iterator[Pixels]:
        """Give the pixels of slices that are not in the store."""
        nonlocal ready
        beside = predictor.beside()
        for plane in slices.planes:
            pixels = slices.first_pixels(beside, plane)
            key = beside.encoder.stored_key(pixels)
            if key not in wanted and not store.holds(key):
                wanted.add(key)
                yield pixels
                continue
            ready += 1
            report(ready, total)

    with executor(jobs if total > 1 else 1, scheduler) as pool:
        for content in _encoded(pool, settings, missing()):
            key = key_of(content)
            if key not in wanted:
                raise UserError(OTHER_WEIGHTS)
            store.check_room(total, len(content))
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


def _encoded(
    pool: Executor | None, settings: EncoderSettings, crops: Iterable[Pixels]
) -> Iterator[bytes]:
    """Encode crops, in the order in which they are ready."""
    if pool is None:
        for pixels in crops:
            yield encode_pixels(settings, pixels)
        return
    flying = set[Any]()
    for pixels in crops:
        flying.add(pool.submit(encode_pixels, settings, pixels))
        if len(flying) >= IN_FLIGHT:
            landed, flying = wait(flying, return_when=FIRST_COMPLETED)
            yield from map(_result, landed)
    yield from map(_result, flying)


def _result(future: Future[bytes]) -> bytes:
    return future.result()
