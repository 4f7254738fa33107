"""Fast or exact: what a person chooses between, and what it means for a predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

import torch

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.crops import ZoomIn
from napari_simpleclick.inference.devices import choose_device, choose_precision
from napari_simpleclick.inference.predictor import Predictor

if TYPE_CHECKING:
    from napari_simpleclick.inference.devices import Precision
    from napari_simpleclick.networks import Network, NetworkSpec

ModeName = Literal["fast", "exact"]
MODES: tuple[ModeName, ...] = get_args(ModeName)


class Mode(NamedTuple):
    """How a predictor computes.

    Parameters
    ----------
    name : {"fast", "exact"}
        ``exact`` is the published protocol: float32 in PyTorch, averaged with the
        mirrored image. ``fast`` is that as fast as this computer can: in bfloat16 where
        it is fast, by OpenVINO where it is installed and agrees with PyTorch (see
        :meth:`napari_simpleclick.Predictor.accelerate`); and but for light
        networks, where bfloat16 is fast, with one look and small crops nearly as they
        are.
    precision : {"auto", "float32", "bfloat16"}
        Number type of matrix products in the fast mode.
    """

    name: ModeName
    precision: Precision = "auto"

    @classmethod
    def named(cls, name: str, precision: str = "auto") -> Mode:
        """Give a mode by its name.

        Parameters
        ----------
        name, precision : str
            As above.

        Raises
        ------
        UserError
            If there is no such mode.
        """
        if name not in MODES:
            raise UserError(f"There is no mode '{name}'; choose fast or exact.")
        return cls(name, cast("Precision", precision))

    @property
    def accelerated(self) -> bool:
        """Whether OpenVINO may compute."""
        return self.name == "fast"

    def predictor(
        self, network: Network, device: str = "auto", **options: Any
    ) -> Predictor:
        """Make a predictor that computes so; it is yet to be accelerated.

        Parameters
        ----------
        network, device
            As of :class:`napari_simpleclick.Predictor`.
        **options
            Its other ones, but for precision, flip and zoom.

        Raises
        ------
        UserError
            If the device or precision is not available.
        """
        exact = self.name == "exact"
        precision = "float32" if exact else self.precision
        whole = exact or takes_both_looks(network.spec, device, precision)
        zoom = ZoomIn.of(network.spec, fast=not whole)
        return Predictor(network, device, precision, whole, zoom, **options)


def is_exact(predictor: Predictor) -> bool:
    """Whether a predictor computes as the published protocol does."""
    return predictor.flip and predictor.dtype == torch.float32


def for_volumes(predictor: Predictor) -> Predictor:
    """Give what goes through many slices in the place of a predictor for clicks.

    In the fast mode it looks once, at small crops nearly as they are: the mirrored
    image makes carried masks no better, see docs/propagation.md.

    Parameters
    ----------
    predictor : Predictor
        Of either mode. The two must not predict at the same time.
    """
    return predictor.beside() if is_exact(predictor) else predictor.one_look()


def takes_both_looks(spec: NetworkSpec, device: str, precision: Precision) -> bool:
    """Tell whether the fast mode averages with the mirrored image, too.

    It does where they take no longer than a person notices: with light networks,
    where bfloat16 is fast; see docs/speed.md.

    Parameters
    ----------
    spec : NetworkSpec
        What the network takes.
    device, precision
        As of :class:`napari_simpleclick.Predictor`.
    """
    where = choose_device(device)
    lower = choose_precision("auto", where) == torch.bfloat16
    return spec.light and lower and precision != "float32"
