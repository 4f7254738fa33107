"""Every network: its size, and how long it takes to look at an image and to answer.

    python benchmarks/models.py [NAME ...]

It prints the table of docs/models.md, one line as soon as a network is measured. The
weights are random, as time does not depend on them. Times are those that one thread
spends computing, so that other programs hardly change them: on two cores, the program
leaves one to the window.
"""

from __future__ import annotations

import sys
import time

from napari_simpleclick import Predictor, networks
from napari_simpleclick.inference.speed import SpeedTest
from napari_simpleclick.weights import descriptions

CLICKS = 3
QUICK_S = 3.0
"""Networks that look at an image so fast are measured several times."""


def measure(name: str) -> tuple[float, float]:
    """Time in s to encode and to answer a click."""
    network = networks.build(name).eval()
    predictor = Predictor(network, device="cpu", threads=1)
    encode_s, click_s = [], []
    while not encode_s or (encode_s[-1] + click_s[-1] < QUICK_S and len(encode_s) < 3):
        test = SpeedTest(predictor, time.process_time)
        test.encode()
        test.click()
        first = test.speed.click_s
        for _ in range(CLICKS if first < QUICK_S else 0):
            test.click()
        encode_s.append(test.speed.encode_s)
        click_s.append(test.speed.click_s)
    return min(encode_s), min(click_s)


def main() -> None:
    print("| Network | Parameters, millions | Encode, s | Click, s |")
    print("|---|---|---|---|")
    for name in sys.argv[1:] or networks.NETWORKS:
        encode_s, click_s = measure(name)
        millions = descriptions()[name].parameters / 1e6
        once = networks.NETWORKS[name].spec.encodes_once
        encode = f"{encode_s:.2g}" if once else "-"
        print(f"| {name} | {millions:.1f} | {encode} | {click_s:.2g} |", flush=True)


if __name__ == "__main__":
    main()
