"""Import paths of the release before, kept for one release more.

A finder answers for modules that have moved, and looks every name up in the new place,
with a warning that says where that is. To be removed with the next release.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = "napari_simpleclick"

MODULES = {
    "annotate": "annotation",
    "annotate.change": "annotation.mask_change",
    "annotate.edits": "annotation.history",
    "annotate.ledger": "annotation.objects",
    "annotate.options": "annotation.mask_options",
    "annotate.reading": "sessions.reader",
    "annotate.recorder": "sessions.writer",
    "annotate.shelf": "sessions.folder",
    "annotate.spot": "annotation.object_slice",
    "annotate.store": "sessions.database",
    "annotate.tally": "annotation.voxel_counts",
    "answer": "workflow",
    "answer.chain": "workflow.merging",
    "answer.loan": "workflow.shared_predictor",
    "clicks": "prompts",
    "evaluate": "evaluation",
    "networks.vit": "networks.simpleclick.vit",
    "predict": "inference",
    "predict.baselines": "networks.baselines",
    "predict.grid": "inference.square_grid",
    "predict.slices": "workflow.segmentation",
    "propagate": "propagation",
    "propagate.between": "propagation.interpolation",
    "propagate.votes": "propagation.voting",
    "train": "training",
    "train.loss": "training.losses",
    "train.run": "training.training_run",
    "train.simulate": "training.simulated_clicks",
    "volumes": "images",
    "volumes.brats": "images.formats.brats",
    "volumes.dicom": "images.formats.dicom",
    "volumes.itk": "images.formats.itk",
    "volumes.layers": "images.viewer_images",
    "volumes.lazy": "images.lazy_array",
    "volumes.nifti": "images.formats.nifti",
    "volumes.optional": "images.optional_packages",
    "volumes.pictures": "images.formats.pictures",
    "volumes.reason": "images.error_text",
    "volumes.slices": "images.formats.slice_folder",
    "volumes.tiff": "images.formats.tiff",
}
"""Old module to new one; what is not named has moved with the package it is in."""

NAMES = {
    "annotate.Change": "annotation.MaskChange",
    "annotate.Note": "annotation.PropagatedSlice",
    "annotate.Notes": "annotation.PropagatedSlices",
    "annotate.Options": "annotation.MaskOptions",
    "annotate.Reading": "sessions.SessionReader",
    "annotate.Recorder": "sessions.SessionWriter",
    "annotate.SUFFIX": "sessions.SUFFIX",
    "annotate.Spot": "annotation.ObjectSlice",
    "annotate.Stack": "annotation.ObjectStack",
    "annotate.State": "annotation.EditState",
    "annotate.Step": "annotation.PlacedPrompt",
    "annotate.Steps": "annotation.PlacedPrompts",
    "annotate.Store": "sessions.SessionDatabase",
    "annotate.Style": "annotation.ObjectStyle",
    "annotate.Tally": "annotation.VoxelCounts",
    "answer.Answer": "workflow.engine.Answer",
    "answer.Engine": "workflow.engine.PredictionEngine",
    "answer.Job": "workflow.engine.Job",
    "answer.Latest": "workflow.engine.RememberedAnswer",
    "answer.Loan": "workflow.shared_predictor.SharedPredictor",
    "answer.Stopped": "workflow.shared_predictor.Stopped",
    "evaluate.Options": "evaluation.CaseOptions",
    "evaluate.Settings": "evaluation.RobotSettings",
    "networks.SimpleClick": "networks.simpleclick.SimpleClick",
    "networks.SimpleClickConfig": "networks.simpleclick.SimpleClickConfig",
    "networks.resize_positions": "networks.simpleclick.vit.resize_positions",
    "predict.Box": "inference.Crop",
    "propagate.Step": "propagation.ReachedSlice",
}
"""Old room and name to where it is, for names that are not in the new room as such."""

FUNCTIONS = {
    "evaluate": "evaluation.protocol.evaluate",
    "train": "training.loop.train",
}
"""Rooms of the last release whose names are those of public functions now."""


def new_module(old: str) -> str | None:
    """Where a module has moved, both without the package's name; None if it has not."""
    if old in MODULES:
        return MODULES[old]
    room, _, rest = old.partition(".")
    return f"{MODULES[room]}.{rest}" if room in MODULES and rest else None


def old_name(module: str, name: str) -> Any:
    """Find a name where it is now, and warn.

    Parameters
    ----------
    module : str
        Old module, without the package's name.
    name : str
        The name in it.

    Raises
    ------
    AttributeError
        If the new place has no such name either.
    """
    renamed = NAMES.get(f"{module.partition('.')[0]}.{name}")
    place = new_module(module)
    missing = AttributeError(f"module '{PACKAGE}.{module}' has no attribute '{name}'")
    if renamed is not None:
        now = renamed
    elif place is not None and hasattr(_import(place), name):
        now = f"{place}.{name}"
    else:
        raise missing
    value = _find(now)
    _warn(f"{module}.{name}", now, stacklevel=4)
    return value


def function_and_room(name: str) -> ModuleType:
    """Give a public function whose name was that of a room, as both."""
    full = f"{PACKAGE}.{name}"
    if full not in sys.modules:
        sys.modules[full] = module_from_spec(ModuleSpec(full, _FINDER, is_package=True))
    return sys.modules[full]


class _OldModule(ModuleType):
    """A module that has moved."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return old_name(self.__name__.removeprefix(f"{PACKAGE}."), name)


class _FunctionAndOldRoom(_OldModule):
    """A function that stands where a room was, and still finds the room's names."""

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        function: Callable[..., Any] = _find(FUNCTIONS[self.__name__.split(".")[1]])
        return function

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.__wrapped__.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)


class _OldPaths(MetaPathFinder, Loader):
    """Finds modules under their old names, before folders left over from them."""

    def find_spec(self, fullname: str, *more: Any) -> ModuleSpec | None:
        package, _, old = fullname.partition(".")
        if package != PACKAGE or new_module(old) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        old = spec.name.removeprefix(f"{PACKAGE}.")
        kind = _FunctionAndOldRoom if old in FUNCTIONS else _OldModule
        return kind(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        old = module.__name__.removeprefix(f"{PACKAGE}.")
        place = new_module(old)
        assert place is not None
        _import(place)
        _warn(old, place, stacklevel=3)


_FINDER = _OldPaths()


def install() -> None:
    """Let old paths be found."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _import(place: str) -> ModuleType:
    try:
        return importlib.import_module(f"{PACKAGE}.{place}")
    except ModuleNotFoundError as error:
        if error.name != f"{PACKAGE}.{place}":
            raise
        raise ModuleNotFoundError(
            f"There is no module '{PACKAGE}.{place}'.", name=error.name
        ) from None


def _find(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return getattr(_import(module), name)


def _warn(old: str, new: str, stacklevel: int) -> None:
    warnings.warn(
        f"{PACKAGE}.{old} is {PACKAGE}.{new} now; the old name goes with the next "
        "release.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
