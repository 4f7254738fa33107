"""The published protocol in one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_simpleclick.evaluation.datasets import DEFAULTS, find_cases
from napari_simpleclick.evaluation.run import choose_cases, robot
from napari_simpleclick.evaluation.worker import RobotSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.evaluation.case_options import CaseOptions
    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.evaluation.result import Result


def evaluate(
    data: str | Path | Sequence[Case],
    dataset: str = "folder",
    *,
    options: CaseOptions = DEFAULTS,
    limit: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **settings: Any,
) -> Result:
    """Measure clicks to a mask with the robot annotator, as published.

    Parameters
    ----------
    data : str, Path or sequence of Case
        Folder of the data set, or objects that
        :func:`napari_simpleclick.evaluation.find_cases` or
        :func:`napari_simpleclick.evaluation.read_cases` has found.
    dataset : str
        Layout of the folder: ``folder`` (``images`` and ``masks`` of equal names),
        ``volume``, or a published set, see
        :data:`napari_simpleclick.evaluation.datasets.DATASETS`. With cases, the name
        that the result gets.
    options : CaseOptions
        Axis, slices, labels and areas, for ``folder`` and ``volume``.
    limit : int or None
        Draw this many objects; None takes all.
    seed : int
        Of ``limit`` and of damaged masks.
    jobs : int
        Processes. The numbers do not depend on it; a script needs
        ``if __name__ == "__main__":`` for more than one.
    out : str, Path or None
        JSON file for the result. A run that was stopped goes on from there.
    progress : callable
        Called with the number of finished objects and of all.
    **settings
        Fields of :class:`napari_simpleclick.evaluation.RobotSettings` that are not as
        published, such as ``weights="sbd_vit_base"``, ``clicks=10`` or
        ``baseline="geodesic"``.

    Returns
    -------
    Result
        NoC with intervals, mean IoU after each click, and every object.

    Raises
    ------
    UserError
        If the folder, a setting, the weights or ``out`` cannot be used.
    TypeError
        If a setting is none of those of ``RobotSettings``.

    Examples
    --------
    Two clicks on a bright square, at a small input size:

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> import numpy as np
    >>> from napari_simpleclick import evaluate, write_labels
    >>> root = Path(mkdtemp())
    >>> square = np.zeros((60, 70), np.uint8)
    >>> square[10:40, 20:50] = 1
    >>> for name in ("images", "masks"):
    ...     (root / name).mkdir()
    ...     write_labels(root / name / "square.png", square)
    >>> result = evaluate(root, clicks=2, size=(64, 64), flip=False)
    >>> result.instances, len(result.miou)
    (1, 2)
    """
    unknown = sorted(settings.keys() - RobotSettings.model_fields.keys())
    if unknown:
        raise TypeError(
            f"evaluate() has no setting '{unknown[0]}'; choose of "
            f"{', '.join(RobotSettings.model_fields)}."
        )
    chosen = RobotSettings.checked(seed=seed, **settings)
    if isinstance(data, str | Path):
        cases = find_cases(dataset, Path(data), options)
    else:
        cases = list(data)
    return robot(
        dataset,
        choose_cases(cases, limit, seed),
        chosen,
        jobs=jobs,
        out=None if out is None else Path(out),
        about={"options": options, "limit": limit},
        progress=progress,
    )
