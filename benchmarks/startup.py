"""What has to be waited for before anything is clicked on, and at the first click.

    xvfb-run -a python benchmarks/startup.py [--runs 5]

Processor time of processes of their own, started in turn, medians; that of the imports
is less that of an interpreter that does nothing. napari is started once as it is and
once as if this package were not installed; without a display, both are left out. Then
the first and the third click on a slice, by the model as the panel loads it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from statistics import median

STARTS = {
    "nothing": ["-c", "pass"],
    "import napari_simpleclick": ["-c", "import napari_simpleclick"],
    "napari-simpleclick --help": ["-m", "napari_simpleclick.cli", "--help"],
    "import torch": ["-c", "import torch"],
}

WINDOW = """
import importlib.metadata as metadata
found = metadata.distributions
def distributions(**of):
    for one in found(**of):
        if one.metadata["Name"] != "%s":
            yield one
metadata.distributions = distributions
import napari
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
QApplication.processEvents()
known = set(napari.plugins._npe2.pm.instance()._manifests)
assert ("napari-simpleclick" in known) == ("%s" != "napari-simpleclick"), known
viewer.close()
"""
"""Starts napari as if a package were not installed."""

WINDOWS = {
    "napari without the plugin": ["-c", WINDOW.replace("%s", "napari-simpleclick")],
    "napari with the plugin": ["-c", WINDOW.replace("%s", "nothing")],
}


def spent(arguments: list[str]) -> float:
    """Processor time of a process with all that it starts, s."""
    before = os.times()
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    own = after.children_user + after.children_system
    return own - before.children_user - before.children_system


def compare(starts: dict[str, list[str]], runs: int) -> dict[str, float]:
    """Median of the times of starts that are made in turn, s."""
    found: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(runs + 1):
        for name, command in starts.items():
            found[name].append(spent(command))
    return {name: median(seconds[1:]) for name, seconds in found.items()}


def clicks(model: str) -> list[float]:
    """Time the first three clicks of this process, ms."""
    import torch

    from napari_simpleclick.inference.speed import SpeedTest
    from napari_simpleclick.workflow.model_loader import Load, ModelChoice

    torch.set_num_threads(1)
    engine = Load(ModelChoice(model), lambda _: None).run()
    assert engine is not None
    test = SpeedTest(engine.predictor, time.process_time)
    test.encode()
    times = []
    for _ in range(3):
        test.click()
        times.append(1000 * test.last_click_s)
    return times


def first_clicks(model: str, runs: int) -> list[float]:
    """Give median times of the first three clicks, of processes of their own, ms."""
    rows = []
    for _ in range(runs):
        command = [sys.executable, __file__, f"--clicks={model}"]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append([float(value) for value in told.stdout.split()])
    return [median(column) for column in zip(*rows, strict=True)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clicks", help="a model, in a process of its own")
    args = parser.parse_args(arguments)
    if args.clicks:
        print(*clicks(args.clicks))
        return
    found = compare(STARTS, args.runs)
    for name, seconds in found.items():
        print(f"{name:28} {seconds - found['nothing']:6.2f} s", flush=True)
    if os.environ.get("DISPLAY") or sys.platform != "linux":
        found = compare(WINDOWS, args.runs)
        for name, seconds in found.items():
            print(f"{name:28} {seconds:6.2f} s", flush=True)
    for model in ("encode-once", "simpleclick-xtiny"):
        first, second, third = first_clicks(model, args.runs)
        row = f"{first:.0f}, {second:.0f} and {third:.0f} ms"
        print(f"{model}: clicks 1 to 3 take {row}; first to third {first / third:.2f}")


if __name__ == "__main__":
    main()
