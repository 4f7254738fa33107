"""How much memory a click takes with a network, at most.

    python benchmarks/memory.py [--networks simpleclick-base] [--size 448]

The most that a process of its own ever held, beyond what it held after the imports,
with random weights: for a click in the exact mode, in the fast one, and for turning to
OpenVINO, where that takes place, and a click by it; the first time, when the network is
converted, and every other time. That is on Linux and macOS.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile

import numpy as np
import torch

from napari_simpleclick import Click, networks
from napari_simpleclick.inference.modes import Mode

KINDS = ("exact", "fast", "OpenVINO, first time", "OpenVINO")
UNIT_GB = 1e-9 if sys.platform == "darwin" else 1.024e-6


def most_gb() -> float:
    """Give the most that this process ever held, GB."""
    return UNIT_GB * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(name: str, size: int, kind: str) -> str:
    """Answer a click, and tell what it took."""
    before = most_gb()
    torch.manual_seed(0)
    network = networks.build(name, size).eval()
    for part in network.parameters():
        part.requires_grad_(False)
    mode = Mode.named("exact" if kind == "exact" else "fast")
    predictor = mode.predictor(network, "cpu", threads=1)
    del network  # as whoever loads weights for a predictor does not keep them
    told = predictor.accelerate() if kind.startswith("OpenVINO") else ""
    predictor.set_image(np.zeros((size, size), np.uint8))
    predictor.predict([Click(size / 2, size / 2)])
    return f"| {name} | {kind} | {most_gb() - before:.2f} | {told} |"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["simpleclick-base"])
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--kind", choices=KINDS, help="in this process")
    args = parser.parse_args(arguments)
    if args.kind:
        print(measure(args.networks[0], args.size, args.kind))
        return
    print("| Network | Mode | GB | |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NAPARI_SIMPLECLICK_CACHE": folder}
        for name in args.networks:
            for kind in KINDS:
                given = [f"--networks={name}", f"--size={args.size}", f"--kind={kind}"]
                asked = [sys.executable, __file__, *given]
                subprocess.run(asked, check=True, env=environment)


if __name__ == "__main__":
    main()
