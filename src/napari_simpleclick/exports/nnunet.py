"""nnU-Net v2: a folder of NIfTI files, see its documentation/dataset_format.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
from nibabel.affines import voxel_sizes

from napari_simpleclick.errors import UserError
from napari_simpleclick.exports.writing import (
    check_new,
    read_json,
    write_json,
    write_picture,
    write_whole,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.exports.case import ExportCase

INDEX = "dataset.json"
BACKGROUND = "background"
NIFTI, PNG = ".nii.gz", ".png"
KEYS = {"channel_names", "labels", "numTraining", "file_ending"}


def write(case: ExportCase, folder: Path, replace: bool) -> None:
    """Add a case to ``imagesTr`` and ``labelsTr``.

    Parameters
    ----------
    case : ExportCase
        Its labels are classes. Coloured pictures become PNG files, all others NIfTI
        files that lie where the image does.
    folder : Path
        The data set; it is made if there is none. Classes are known by their names.
    replace : bool
        Whether a case of this name may be there.

    Raises
    ------
    UserError
        If it is, if the data set has other channels or kinds of files, or if the case
        has several times or a class that is called ``background``.
    """
    ending, channels = _kind(case), _channels(case)
    old = read_json(folder / INDEX, _is_ours, "an nnU-Net data set") or {
        "channel_names": channels,
        "labels": {BACKGROUND: 0},
        "numTraining": 0,
        "file_ending": ending,
    }
    if old["channel_names"] != channels or old["file_ending"] != ending:
        raise UserError(
            f"The cases of '{folder}' are {old['file_ending']} files with the channels "
            f"{_listed(old['channel_names'])}, and '{case.name}' is a {ending} file "
            f"with {_listed(channels)}; choose another folder for it."
        )
    target = folder / "labelsTr" / f"{case.name}{ending}"
    check_new([case.name] * target.exists(), replace, case.name, folder)
    numbers: dict[str, int] = dict(old["labels"])
    classes = {one.label: one.name for one in case.names}
    table = np.zeros(int(case.labels.max(initial=0)) + 1, np.uint16)
    for label in np.unique(case.labels[case.labels > 0]).tolist():
        name = classes[label]
        if name == BACKGROUND:
            raise UserError(
                f"'{case.name}' has an object of the class '{BACKGROUND}', which "
                "nnU-Net keeps for what is no object; give it another name."
            )
        table[label] = numbers.setdefault(name, max(numbers.values()) + 1)
    labels = table[case.labels]
    small = np.uint8 if labels.max(initial=0) < 256 else np.uint16
    for number, image in enumerate(case.channels.values()):
        path = folder / "imagesTr" / f"{case.name}_{number:04d}{ending}"
        _write_array(case, path, np.asarray(image))
    _write_array(case, target, labels.astype(small))
    cases = [one for one in target.parent.iterdir() if not one.name.startswith(".")]
    write_json(folder / INDEX, {**old, "labels": numbers, "numTraining": len(cases)})


def _is_ours(content: dict[str, Any]) -> bool:
    """Whether a data set can be added to: one of regions has lists of numbers."""
    if not KEYS.issubset(content) or not isinstance(content["labels"], dict):
        return False
    numbers = content["labels"].values()
    return bool(numbers) and all(isinstance(one, int) for one in numbers)


def _kind(case: ExportCase) -> str:
    """Give the ending of the files of a case."""
    if case.labels.ndim == 2 and case.rgb:
        return PNG
    if case.rgb or case.labels.ndim > 3:
        what, part = ("colours", "channel") if case.rgb else ("several times", "time")
        raise UserError(
            f"'{case.name}' has {what}, for which nnU-Net has no place in a volume; "
            f"export one {part} of it."
        )
    return NIFTI


def _channels(case: ExportCase) -> dict[str, str]:
    names = ("R", "G", "B") if case.rgb else tuple(case.channels)
    return {str(number): name for number, name in enumerate(names)}


def _listed(channels: dict[str, str]) -> str:
    return ", ".join(f"'{name}'" for name in channels.values())


def _write_array(case: ExportCase, path: Path, array: NDArray[Any]) -> None:
    if path.name.endswith(PNG):
        write_picture(path, array.astype(np.uint8))
        return
    affine = case.source.with_affine().affine
    assert affine is not None
    placed = case.in_file(array)
    if placed.ndim == 2:
        placed = placed[:, :, None]
    if placed.dtype == bool:
        placed = placed.astype(np.uint8)
    if placed.dtype.itemsize == 8 or placed.dtype == np.float16:  # not all read them
        placed = placed.astype(np.float32)
    image = nibabel.Nifti1Image(placed, affine)
    image.header.set_xyzt_units("mm")
    image.header.set_zooms(voxel_sizes(affine))
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    write_whole(path, lambda there: nibabel.save(image, there))
