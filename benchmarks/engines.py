"""PyTorch against OpenVINO, and fast against exact mode, for several networks.

    python benchmarks/engines.py [--networks encode-once simpleclick-base] [--runs 5]

A name of weights, or of a network, whose weights are random then: time does not depend
on them. Each round asks all of them in turn, on one thread; times are its processor
time, medians, ms. *Of the limit* is the share that they reach of the rate of float32
matrix products, by the multiplications that PyTorch counts for one look. With
``--wall`` it is wall time, on as many threads as in a window: for a computer that has
nothing else to do.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch
from machine import product_rate
from torch.utils.flop_counter import FlopCounterMode

from napari_simpleclick import Predictor, load_weights, networks
from napari_simpleclick.inference.modes import Mode
from napari_simpleclick.inference.speed import SpeedTest

USUAL = ("encode-once", "simpleclick-xtiny", "simpleclick-base")


def load(name: str) -> networks.Network:
    """Load weights, or build a network of this name."""
    if name in networks.NETWORKS and name != "simpleclick-xtiny":
        torch.manual_seed(0)
        return networks.build(name).eval()
    return load_weights(name)[0]


def predictors(name: str, threads: int | None) -> dict[str, Predictor]:
    """Give what is compared."""
    found = {}
    for kind in ("exact", "PyTorch", "OpenVINO"):
        mode = Mode.named("exact" if kind == "exact" else "fast")
        found[kind] = mode.predictor(load(name), "cpu", threads=threads)
    found["OpenVINO"].accelerate()
    if not found["OpenVINO"].encoder.is_accelerated:
        del found["OpenVINO"]
    return found


def operations(name: str) -> float:
    """Additions and multiplications of looking at an image and answering a click."""
    network = load(name)
    size = network.spec.image_size
    image, prompt = torch.zeros(1, 3, *size), torch.zeros(1, 3, *size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image, prompt)
    return counter.get_total_flops()


def plot(rows: list[tuple[str, str, float, float]], path: str, unit: str) -> None:
    """Draw encode and click of each network as bars beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.5 + 0.35 * len(rows)), layout="constrained")
    axes = figure.subplots()
    names = [f"{name}, {kind}" for name, kind, _, _ in rows]
    encode, click = ([row[column] for row in rows] for column in (2, 3))
    axes.barh(names, encode, label="look at the slice", color="#7fb3d5")
    bars = axes.barh(names, click, left=encode, label="answer a click", color="#1f618d")
    totals = [f"{one + other:.0f}" for one, other in zip(encode, click, strict=True)]
    axes.bar_label(bars, totals, padding=3)
    axes.margins(x=0.1)
    axes.set_xlabel(unit)
    axes.invert_yaxis()
    figure.legend(loc="outside upper right", ncols=2)
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=USUAL)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--plot", help="PNG to draw into")
    args = parser.parse_args(arguments)
    threads, clock = (None, time.perf_counter) if args.wall else (1, time.process_time)
    torch.set_num_threads(1)
    rate = product_rate(torch.float32, 5) * 1e9
    rows: list[tuple[str, str, float, float]] = []
    heads = (
        "Network",
        "Computed by",
        "Encode, ms",
        "Click, ms",
        "Exact is",
        "Of limit",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in args.networks:
        tests = {
            kind: SpeedTest(one, clock)
            for kind, one in predictors(name, threads).items()
        }
        spent: dict[str, list[tuple[float, float]]] = {kind: [] for kind in tests}
        for _ in range(args.runs + 1):
            for kind, test in tests.items():
                test.encode()
                test.click()
                spent[kind].append((test.speed.encode_s, test.last_click_s))
        least = operations(name) / rate
        both = {
            kind: [median(column[1:]) for column in zip(*pairs, strict=True)]
            for kind, pairs in spent.items()
        }
        rows += [(name, kind, *(1000 * s for s in pair)) for kind, pair in both.items()]
        slowest = sum(both["exact"])
        for kind, (encode_s, click_s) in both.items():
            whole = encode_s + click_s
            share = "" if kind == "exact" else f"{100 * least / whole:.0f} %"
            print(
                f"| {name} | {kind} | {1000 * encode_s:.0f} | {1000 * click_s:.0f} | "
                f"{slowest / whole:.1f} x | {share} |",
                flush=True,
            )
    if args.plot:
        plot(rows, args.plot, "ms" if args.wall else "ms of one thread")


if __name__ == "__main__":
    main()
