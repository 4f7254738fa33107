"""Every network: its size, and how long it takes to look at an image and to answer.

    python benchmarks/models.py [NAME ...]

It prints the table of docs/models.md, one line as soon as a network is measured. The
weights are random, as time does not depend on them. Times are those that one thread
spends computing, so that other programs change them little: on two cores, the program
leaves one to the window. PIE is the time of a click over the pixels of the network's
input (InterFormer, Huang et al., ICCV 2023), with encoding shared out to the 20 clicks
of its protocol.
"""

from __future__ import annotations

import sys
import time

from napari_simpleclick import Predictor, networks
from napari_simpleclick.inference.speed import SpeedTest
from napari_simpleclick.weights import descriptions

CLICKS = 3
"""After the first one, which may be slower."""

SHARED_BY = 20
"""Clicks of InterFormer's protocol on an image."""

REFERENCE = "encode-once-lite0"
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


def pixels_seen(name: str) -> int:
    """Pixels of what a network sees."""
    height, width = networks.NETWORKS[name].spec.image_size
    return height * width


def main() -> None:
    print(
        "| Network | Parameters, millions | Encode, s | Click, s "
        f"| Click, to `{REFERENCE}` | PIE, 1e-7 s/px |\n|---|---|---|---|---|---|"
    )
    unit = measure(REFERENCE)[1]
    for name in sys.argv[1:] or networks.NETWORKS:
        encode_s, click_s = measure(name)
        millions = descriptions()[name].parameters / 1e6
        once = networks.NETWORKS[name].spec.encodes_once
        per_click_s = click_s + (encode_s / SHARED_BY if once else 0)
        cells = (
            f"`{name}`",
            f"{millions:.1f}",
            f"{encode_s:.2g}" if once else "-",
            f"{click_s:.2g}",
            f"{click_s / unit:.2g}" if click_s < 99 * unit else f"{click_s / unit:.0f}",
            f"{per_click_s / pixels_seen(name) * 1e7:.3g}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
