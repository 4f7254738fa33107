"""Fast or exact: what a person chooses between, and what it means for a predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.crops import ZoomIn

if TYPE_CHECKING:
    from napari_simpleclick.inference.devices import Precision
    from napari_simpleclick.networks import NetworkSpec

ModeName = Literal["fast", "exact"]
MODES: tuple[ModeName, ...] = get_args(ModeName)


class Mode(NamedTuple):
    """How a predictor computes.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        Number type of matrix products.
    flip : bool
        Average the logits with those of the mirrored image.
    accelerated : bool
        Let OpenVINO compute where it is installed and agrees with PyTorch, see
        :meth:`napari_simpleclick.Predictor.accelerate`.
    """

    precision: Precision
    flip: bool
    accelerated: bool

    @classmethod
    def named(cls, name: ModeName, precision: Precision = "auto") -> Mode:
        """Give a mode by its name.

        Parameters
        ----------
        name : {"fast", "exact"}
            ``exact`` is the published protocol: float32 in PyTorch, averaged with the
            mirrored image. ``fast`` computes once, as fast as the computer can.
        precision : {"auto", "float32", "bfloat16"}
            Number type of the fast mode.

        Raises
        ------
        UserError
            If there is no such mode.
        """
        if name not in MODES:
            raise UserError(f"There is no mode '{name}'; choose fast or exact.")
        if name == "exact":
            return cls("float32", flip=True, accelerated=False)
        return cls(precision, flip=False, accelerated=True)

    def zoom(self, spec: NetworkSpec) -> ZoomIn:
        """Tell how crops are chosen for a network.

        Parameters
        ----------
        spec : NetworkSpec
            What the network takes.
        """
        return ZoomIn.of(spec, fast=self.accelerated)
