"""Complex numbers, of which the magnitude is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def magnitude_type(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Type of the magnitude of complex numbers: float32, or float64 for wide ones."""
    return np.dtype(np.float32 if stored.itemsize <= 8 else np.float64)


def magnitude(values: NDArray[Any]) -> NDArray[Any]:
    """Magnitude of complex numbers, float32 or float64."""
    return np.asarray(np.abs(values), magnitude_type(values.dtype))


def magnitude_warning(path: object) -> str:
    """Say that the phase is not shown."""
    return f"'{path}' holds complex numbers; their magnitude is shown, not their phase."
