"""What the machine can do at most on one thread: the limits that docs/speed.md names.

    python benchmarks/machine.py [--runs 7]

The rate of large matrix products, in float32 and where it is fast in bfloat16, and the
bandwidth of copying. Of several runs the best counts, by processor time: a limit is
what nothing else has disturbed.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
import torch

SIDE, COPIED = 1024, 2**27


def best(call, runs: int) -> float:
    """Least processor time of a call, s."""
    call()
    spent = []
    for _ in range(runs):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return min(spent)


def product_rate(dtype: torch.dtype, runs: int) -> float:
    """Rate of matrix products, 1e9 operations per second."""
    one, other = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(2))
    with torch.inference_mode():
        return 2 * SIDE**3 / best(lambda: one @ other, runs) / 1e9


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    flags = torch.cpu.get_capabilities()
    kinds = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}")
    print("has " + ", ".join(name for name in kinds if flags.get(name)))
    rate = product_rate(torch.float32, args.runs)
    print(f"matrix products, float32   {rate:7.0f} GFLOP/s")
    if flags.get("avx512_bf16") or flags.get("amx_bf16"):
        lower = product_rate(torch.bfloat16, args.runs)
        print(f"matrix products, bfloat16  {lower:7.0f} GFLOP/s, {lower / rate:.1f} x")
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    seconds = best(lambda: np.copyto(target, source), args.runs)
    print(f"copying                    {2 * COPIED / seconds / 1e9:7.1f} GB/s")


if __name__ == "__main__":
    main()
