"""Ten clicks in a real window: milliseconds per click, and gaps of the window.

Run it with a display, or under Xvfb:

    xvfb-run -a python benchmarks/click_latency.py

It prints the median time from the click to the pixels in the mask, the median time of
the prediction alone, and the longest gap of a 10 ms timer on the main thread while
the clicks are answered.
"""

from __future__ import annotations

import statistics
import time
from itertools import pairwise

import napari
from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication

CLICKS = [(2, 150, 155), (2, 120, 205), (2, 135, 180), (2, 170, 150), (2, 110, 215)] * 2


def main() -> None:
    viewer = napari.Viewer()
    viewer.open_sample("napari-simpleclick", "em")
    viewer.dims.set_point(0, 240)
    _, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
    controller = panel.controller
    answers = []
    loop = QEventLoop()
    panel.workflow.queue.answered.connect(answers.append)
    panel.workflow.queue.answered.connect(lambda _: loop.quit())
    while controller.engine is None:
        QApplication.processEvents()
    ticks: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(10)
    seconds, gaps = [], []
    for count, place in enumerate(CLICKS, start=1):
        start = time.perf_counter()
        controller.click(controller.canvas.image.data_to_world(place), True)
        clicked = time.perf_counter()
        if len(answers) < count:
            loop.exec()
        end = time.perf_counter()
        seconds.append(end - start)
        window = [t for t in ticks if clicked <= t <= end]
        gaps.extend(after - before for before, after in pairwise(window))
    predictor = controller.engine.predictor
    print(f"{predictor.device}, {predictor.threads} threads, {predictor.dtype}")
    print(f"click to mask, median  {1000 * statistics.median(seconds[1:]):.0f} ms")
    times = [answer.milliseconds for answer in answers[1:]]
    print(f"prediction, median     {statistics.median(times):.0f} ms")
    print(f"longest gap            {1000 * max(gaps):.0f} ms")
    viewer.close()


if __name__ == "__main__":
    main()
