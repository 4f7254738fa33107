"""The picture of typical and worst cases in ``docs/images/cases.jpg``.

SETS are folders with ``images`` and ``masks``, as those of the training data whose
licence allows to show them (CC0)::

    python docs/cases.py SETS...
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from napari_simpleclick.evaluation import (
    CaseOptions,
    RobotSettings,
    choose_cases,
    find_cases,
    robot,
)
from napari_simpleclick.evaluation.metrics import clicks_needed
from napari_simpleclick.evaluation.worker import picture_case

if TYPE_CHECKING:
    from napari_simpleclick.evaluation.report import Strip

OBJECTS, CLICKS, TARGET = 20, 10, 0.9
SHOWN = (1, 2, 3, 5, 10)
MARGIN = 0.6
"""Of the object's size, around it."""


def main() -> None:
    """Click on objects of each set, and draw the median and the worst."""
    rows: list[tuple[str, Strip]] = []
    settings = RobotSettings(weights="bundled", clicks=CLICKS, flip=False).resolved()
    for folder in map(Path, sys.argv[1:]):
        options = CaseOptions(min_area=150)
        cases = choose_cases(find_cases("folder", folder, options), OBJECTS, seed=0)
        found = robot(folder.name, cases, settings).cases
        needed = [clicks_needed(c.ious, TARGET, CLICKS) - c.ious[-1] for c in found]
        order = np.argsort(needed)
        for word, place in (("typical", order[len(order) // 2]), ("worst", order[-1])):
            strip = picture_case(cases[place], settings)
            rows.append((f"{folder.name}\n{word}", strip))
    figure = Figure(figsize=(2 * (len(SHOWN) + 1), 2.1 * len(rows)), layout="tight")
    panels = figure.subplots(len(rows), len(SHOWN) + 1, squeeze=False)
    for line, (title, strip) in zip(panels, rows, strict=True):
        draw(line, title, strip)
    target = Path(__file__).parent / "images" / "cases.jpg"
    figure.savefig(target, dpi=70)


def draw(line: np.ndarray, title: str, strip: Strip) -> None:
    """Draw an object alone, and its mask after some clicks."""
    rows, columns = np.nonzero(strip.truth == 1)
    side = (1 + MARGIN) * max(np.ptp(rows), np.ptp(columns), 20) / 2
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    for panel, count in zip(line, (0, *SHOWN), strict=True):
        panel.imshow(strip.image, cmap="gray")
        panel.contour(strip.truth == 1, [0.5], colors="#ffdc00", linewidths=0.8)
        for row, column, positive in strip.case.clicks[:count]:
            colour = "#2ecc40" if positive else "#ff4136"
            panel.plot(column, row, "o", color=colour, markeredgecolor="white", ms=5)
        if count:
            mask = strip.masks[min(count, max(strip.masks))]
            panel.contourf(mask, [0.5, 1], colors="#0074d9", alpha=0.45)
            overlap = strip.case.ious[min(count, len(strip.case.ious)) - 1]
            panel.set_title(f"{count}: IoU {overlap:.2f}", fontsize=9)
        panel.set(xlim=(middle[1] - side, middle[1] + side), xticks=[], yticks=[])
        panel.set_ylim(middle[0] + side, middle[0] - side)
    line[0].set_ylabel(title, fontsize=9)


if __name__ == "__main__":
    main()
