"""Pickles of arrays and plain containers, read without running anything in them."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class _Kind:
    """Stand-in for a dtype, which would believe that pointers are numbers."""

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(str(code))

    def __setstate__(self, state: Any) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stand-in for an array, which would take the bytes of a file for objects."""

    def __init__(self, *_: Any) -> None:
        self.__setstate__((1, (0,), _Kind("u1"), False, b""))

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        flat: NDArray[Any] = np.frombuffer(data, kind.dtype)
        self.values = flat.reshape(tuple(shape), order="F" if fortran else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.values.astype(dtype or self.values.dtype)


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", data))
    return array


def _scalar(kind: Any, data: Any) -> Any:
    return np.frombuffer(data, kind.dtype)[0].item()


_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _Array,
}
for _core in ("numpy.core", "numpy._core"):  # before and since numpy 2
    _NAMES[f"{_core}.multiarray", "_reconstruct"] = _Array
    _NAMES[f"{_core}.multiarray", "scalar"] = _scalar
    _NAMES[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for '{module}.{name}'")
        return _NAMES[module, name]


def read_plain_pickle(path: Path) -> Any:
    """Read a pickle of arrays, numbers, texts and plain containers.

    No function that the file names is called, not even numpy's own, which a crafted
    file can bring to use any address in memory.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object
        Its content; arrays are stand-ins that ``numpy.asarray`` makes arrays of, and
        numpy's scalars plain numbers.

    Raises
    ------
    UserError
        If the file asks for anything else, or is damaged.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except Exception as error:  # a damaged pickle can fail in any way
        reason = str(error).rstrip(".")
        raise UserError(
            f"'{path}' is no pickle of arrays and plain containers: {reason}."
        ) from error
