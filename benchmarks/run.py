"""All benchmarks, or some of them, one after the other.

    python benchmarks/run.py [NAME ...] [--quick]
    python benchmarks/run.py --list

What is compared is measured in turn in one process, so that whatever else the computer
does falls on both alike; what counts are the ratios. ``--quick`` makes as few runs as
show that nothing breaks, as CI does: its times say nothing.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

SCRIPTS: dict[str, tuple[str, list[str]]] = {
    "machine": ("rate of matrix products, and memory bandwidth", ["--runs", "1"]),
    "engines": (
        "PyTorch against OpenVINO, fast against exact, per network",
        ["--runs", "1", "--networks", "encode-once"],
    ),
    "latency": (
        "a click without the network, by steps, sides and objects",
        ["--runs", "1", "--sides", "512", "--objects", "1"],
    ),
    "startup": (
        "imports, the command line, napari's start, and the first clicks",
        ["--runs=1"],
    ),
    "memory": (
        "what a click takes at most, in each mode",
        ["--networks=simpleclick-xtiny"],
    ),
    "scale": (
        "many volumes on worker processes, and what a slice and an object cost",
        ["--workers=1", "--count=2", "--slices", "3", "--objects", "1", "--runs=1"],
    ),
    "carried_slice": (
        "a propagated slice against a click",
        ["--models=encode-once", "--runs=1"],
    ),
    "encode_ahead": ("a first click on a slice that was encoded before", ["--runs=1"]),
}
"""What each measures, and the arguments of the quick run."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="by default all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args(arguments)
    if args.list:
        for name, (what, _) in SCRIPTS.items():
            print(f"{name:14} {what}")
        return 0
    unknown = set(args.names) - SCRIPTS.keys()
    if unknown:
        parser.error(f"there is no '{min(unknown)}'; choose from {', '.join(SCRIPTS)}")
    sys.path.insert(0, str(Path(__file__).parent))
    failed = []
    for name in args.names or SCRIPTS:
        what, quick = SCRIPTS[name]
        print(f"\n## {name}: {what}\n", flush=True)
        start = time.perf_counter()
        try:
            importlib.import_module(name).main(quick if args.quick else [])
        except Exception:
            traceback.print_exc()
            failed.append(name)
        print(f"\n({time.perf_counter() - start:.0f} s)", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
