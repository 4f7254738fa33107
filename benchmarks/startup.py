"""What has to be waited for before anything is clicked on.

    python benchmarks/startup.py [--runs 5]

Processor time of processes of their own, started in turn, less that of an interpreter
that does nothing; medians.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from statistics import median

STARTS = {
    "nothing": ["-c", "pass"],
    "import napari_simpleclick": ["-c", "import napari_simpleclick"],
    "napari-simpleclick --help": ["-m", "napari_simpleclick.cli", "--help"],
    "import torch": ["-c", "import torch"],
}


def spent(arguments: list[str]) -> float:
    """Processor time of a process with all that it starts, s."""
    before = os.times()
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    own = after.children_user + after.children_system
    return own - before.children_user - before.children_system


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args(arguments)
    found: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(args.runs + 1):
        for name, command in STARTS.items():
            found[name].append(spent(command))
    nothing = median(found["nothing"][1:])
    for name, seconds in found.items():
        print(f"{name:28} {median(seconds[1:]) - nothing:6.2f} s")


if __name__ == "__main__":
    main()
